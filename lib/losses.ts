// Losses: how far predictions are from what they should be. Public as `losses`.
import { widened } from './compute.js'
import { checkOptions, describe, expected } from './errors.js'
import { abs, log, maximum, minimum, mul, neg, softplus, square, sub } from './functional/elementwise.generated.js'
import { averageOf, checkReduction, checkWeights, type Reduction } from './functional/softmax.js'
import { gather, gatherAlong } from './functional/indexing.js'
import { handleOf, type FloatDType, type Tensor } from './tensor.js'

export { crossEntropy } from './functional/softmax.js'
export type { CrossEntropyOptions, Reduction } from './functional/softmax.js'

/** What every loss takes. */
export interface LossOptions {
  /** 'mean' (unless given), 'sum' or 'none'. */
  reduction?: Reduction | undefined
}

function reduce<D extends FloatDType>(op: string, losses: Tensor<D>, options: LossOptions): Tensor<D> {
  const reduction = checkReduction(op, options.reduction ?? 'mean')
  return reduction === 'mean' ? losses.mean() : reduction === 'sum' ? (losses.sum() as Tensor<D>) : losses
}

function check(
  op: string,
  predictions: Tensor<any>,
  targets: Tensor<any>,
  options: LossOptions,
  names: string[]
): void {
  handleOf(op, predictions)
  handleOf(op, targets)
  checkOptions(op, options, ['reduction', ...names])
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

/** A number that an option gives, in (low, Infinity), or from `low` on where that is allowed. */
function positive(op: string, what: string, value: unknown, zero = false): number {
  if (typeof value === 'number' && (value > 0 || (zero && value === 0)) && value < Infinity) return value
  throw expected(op, `${what} ${zero ? 'of at least' : 'above'} 0`, describe(value))
}

/** A loss of predictions and targets of one shape and dtype. */
export type Loss<Options extends LossOptions> = <D extends FloatDType>(
  predictions: Tensor<D>,
  targets: Tensor<D>,
  options?: Options
) => Tensor<D>

/** A loss of each prediction and its target, and the reduction of all; in float32 while a half precision is on. */
function elementwise<Options extends LossOptions>(
  op: string,
  names: string[],
  each: <D extends FloatDType>(predictions: Tensor<D>, targets: Tensor<D>, options: Options) => Tensor<D>
): Loss<Options> {
  return (predictions, targets, options = {} as Options) => {
    check(op, predictions, targets, options, names)
    return reduce(op, each(widened(predictions), widened(targets), options), options)
  }
}

/** The squared error (prediction - target)^2. */
export const mse: Loss<LossOptions> = elementwise('mse', [], (x, t) => square(sub(x, t)))

/** The absolute error |prediction - target|. */
export const l1: Loss<LossOptions> = elementwise('l1', [], (x, t) => abs(sub(x, t)))

/** What `huber` takes. */
export interface HuberOptions extends LossOptions {
  /** Where the square turns into a straight line; 1 unless given. */
  delta?: number | undefined
}

/** e^2 / 2 for errors e up to `delta`, then delta * (e - delta / 2) (Huber 1964): large errors count less than in `mse`. */
export const huber: Loss<HuberOptions> = elementwise('huber', ['delta'], (x, t, { delta = 1 }: HuberOptions) => {
  positive('huber', 'a delta', delta)
  const error = abs(sub(x, t))
  const near = minimum(error, delta)
  return mul(near, sub(error, mul(near, 0.5)))
})

/** What `binaryCrossEntropy` takes. */
export interface BinaryCrossEntropyOptions extends LossOptions {
  /** How much an example whose target is 1 counts (1 unless given). */
  positiveWeight?: number | undefined
}

/**
 * -(w t log p + (1 - t) log(1 - p)) with p = sigmoid(logit), computed from the logits without overflow, as
 * torch.nn.functional.binary_cross_entropy_with_logits. Takes logits, and targets of the same shape and dtype in [0, 1].
 */
export const binaryCrossEntropy: Loss<BinaryCrossEntropyOptions> = elementwise(
  'binaryCrossEntropy',
  ['positiveWeight'],
  (logits, targets, { positiveWeight = 1 }: BinaryCrossEntropyOptions) => {
    positive('binaryCrossEntropy', 'a finite weight', positiveWeight, true)
    // (1 - t) x + (1 + (w - 1) t) softplus(-x); softplus(-x) = -log p.
    const negative = softplus(neg(logits))
    const weighted = positiveWeight === 1 ? negative : mul(targets.mul(positiveWeight - 1).add(1), negative)
    return sub(1, targets).mul(logits).add(weighted)
  }
)

/**
 * The Kullback-Leibler divergence of distributions from others along the last axis: sum of t (log t - x), x being logarithms of
 * probabilities (logSoftmax) and t probabilities. [..., classes] to [...] before the reduction, so that 'mean' is what
 * torch.nn.functional.kl_div calls 'batchmean'.
 */
export function klDivergence<D extends FloatDType>(
  logProbabilities: Tensor<D>,
  probabilities: Tensor<D>,
  options: LossOptions = {}
): Tensor<D> {
  const op = 'klDivergence'
  check(op, logProbabilities, probabilities, options, [])
  // t log t is 0 where t is.
  const t = widened(probabilities)
  const logs = log(maximum(t, 1e-37))
  return reduce(op, mul(t, sub(logs, widened(logProbabilities))).sum(-1) as Tensor<D>, options)
}

/** What `negativeLogLikelihood` takes. */
export interface NegativeLogLikelihoodOptions extends LossOptions {
  /** One weight per class, float32 [classes]: how much an example of that class counts. */
  weights?: Tensor<'float32'> | undefined
}

/**
 * -x[label] for logarithms of probabilities x [..., classes] and labels int32 or int64 [...], as torch.nn.functional.nll_loss:
 * `crossEntropy` for networks that end in a logSoftmax.
 */
export function negativeLogLikelihood(
  logProbabilities: Tensor<any>,
  labels: Tensor<any>,
  options: NegativeLogLikelihoodOptions = {}
): Tensor<'float32'> {
  const op = 'negativeLogLikelihood'
  handleOf(op, logProbabilities)
  handleOf(op, labels)
  const { weights, reduction } = checkOptions(op, options, ['reduction', 'weights'])
  const { shape } = logProbabilities
  if (shape.length === 0 || String(shape.slice(0, -1)) !== String(labels.shape)) {
    const got = `[${shape.join(', ')}] and [${labels.shape.join(', ')}]`
    throw expected(op, 'log-probabilities [..., classes] and labels [...]', got)
  }
  const each = neg(
    gatherAlong(logProbabilities.astype('float32'), labels.unsqueeze(-1)).squeeze(-1)
  ) as Tensor<'float32'>
  if (weights === undefined) return averageOf(each, labels, weights, checkReduction(op, reduction ?? 'mean'))
  const counts = gather(checkWeights(op, weights, shape.at(-1)!).detach(), labels)
  return averageOf(mul(each, counts), labels, weights, checkReduction(op, reduction ?? 'mean'))
}
