// Losses: how far predictions are from what they should be. Public as `losses`.
import { describe, expected } from './errors.js'
import { abs, mul, neg, softplus, square, sub } from './functional/elementwise.generated.js'
import { checkReduction, type Reduction } from './functional/softmax.js'
import { handleOf, type FloatDType, type Tensor } from './tensor.js'

export { crossEntropy } from './functional/softmax.js'
export type { CrossEntropyOptions, Reduction } from './functional/softmax.js'

export interface LossOptions {
  /** 'mean' (unless given), 'sum' or 'none'. */
  reduction?: Reduction | undefined
}

function reduce<D extends FloatDType>(op: string, losses: Tensor<D>, options: LossOptions): Tensor<D> {
  const reduction = checkReduction(op, options.reduction ?? 'mean')
  return reduction === 'mean' ? losses.mean() : reduction === 'sum' ? (losses.sum() as Tensor<D>) : losses
}

function check(op: string, predictions: Tensor<any>, targets: Tensor<any>, options: LossOptions): void {
  handleOf(op, predictions)
  handleOf(op, targets)
  if (typeof options !== 'object' || options === null) throw expected(op, 'an object of options', describe(options))
  // Broadcasting would hide the commonest of mistakes, [n, 1] against [n].
  if (String(predictions.shape) !== String(targets.shape)) {
    throw expected(
      op,
      'predictions and targets of one shape',
      `[${predictions.shape.join(', ')}] and [${targets.shape.join(', ')}]`
    )
  }
  checkReduction(op, options.reduction ?? 'mean')
}

/** The squared error (prediction - target)^2. */
export function mse<D extends FloatDType>(
  predictions: Tensor<D>,
  targets: Tensor<D>,
  options: LossOptions = {}
): Tensor<D> {
  check('mse', predictions, targets, options)
  return reduce('mse', square(sub(predictions, targets)), options)
}

/** The absolute error |prediction - target|. */
export function l1<D extends FloatDType>(
  predictions: Tensor<D>,
  targets: Tensor<D>,
  options: LossOptions = {}
): Tensor<D> {
  check('l1', predictions, targets, options)
  return reduce('l1', abs(sub(predictions, targets)), options)
}

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** How much an example whose target is 1 counts (1 unless given). */
  positiveWeight?: number | undefined
}

/**
 * -(w t log p + (1 - t) log(1 - p)) with p = sigmoid(logit), computed from the logits without overflow, as
 * torch.nn.functional.binary_cross_entropy_with_logits.
 * @param logits unnormalised scores
 * @param targets of the same shape and dtype, in [0, 1]
 */
export function binaryCrossEntropy<D extends FloatDType>(
  logits: Tensor<D>,
  targets: Tensor<D>,
  options: BinaryCrossEntropyOptions = {}
): Tensor<D> {
  const op = 'binaryCrossEntropy'
  check(op, logits, targets, options)
  const { positiveWeight = 1 } = options
  if (typeof positiveWeight !== 'number' || !(positiveWeight >= 0 && positiveWeight < Infinity)) {
    throw expected(op, 'a finite weight of at least 0', describe(positiveWeight))
  }
  // (1 - t) x + (1 + (w - 1) t) softplus(-x); softplus(-x) = -log p.
  const negative = softplus(neg(logits))
  const weighted = positiveWeight === 1 ? negative : mul(targets.mul(positiveWeight - 1).add(1), negative)
  return reduce(op, sub(1, targets).mul(logits).add(weighted), options)
}
