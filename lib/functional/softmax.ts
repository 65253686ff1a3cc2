// Softmax, its logarithm, and cross-entropy.
import { checkInteger, checkNumber, checkOptions, checkWord, expected } from '../errors.js'
import { addMethods, call, handleOf, type DType, type FloatDType, type Tensor } from '../tensor.js'

function softmaxOf<D extends FloatDType>(op: string, x: Tensor<D>, axis: number, log: number): Tensor<D> {
  handleOf(op, x)
  checkInteger(op, 'an axis that is a whole number', axis)
  return call('softmax', [x], [log, axis])
}

/** exp(x) / sum(exp(x)) along an axis (the last unless given): positive numbers that sum to 1. Same shape as x. */
export function softmax<D extends FloatDType>(x: Tensor<D>, axis = -1): Tensor<D> {
  return softmaxOf('softmax', x, axis, 0)
}

/** log(softmax(x)) along an axis (the last unless given), without the overflow of computing one after the other. */
export function logSoftmax<D extends FloatDType>(x: Tensor<D>, axis = -1): Tensor<D> {
  return softmaxOf('logSoftmax', x, axis, 1)
}

/** What becomes of the losses of single examples: their mean, their sum, or nothing. */
export type Reduction = 'mean' | 'sum' | 'none'

/** @internal Checks a reduction and gives it back. */
export function checkReduction(op: string, reduction: unknown): Reduction {
  return checkWord(op, 'a reduction', reduction, ['mean', 'sum', 'none'] as const)
}

/** What `crossEntropy` takes. */
export interface CrossEntropyOptions {
  /** One weight per class, float32 [classes]: how much an example of that class counts. No gradient flows to them. */
  weights?: Tensor<'float32'> | undefined
  /** The part of the target, in [0, 1], that is spread evenly over all classes. */
  labelSmoothing?: number | undefined
  /** 'mean' (of the examples; with weights: divided by the sum of the labels' weights), 'sum' or 'none'. */
  reduction?: Reduction | undefined
}

/**
 * The cross-entropy -log softmax(logits)[label], as torch.nn.functional.cross_entropy computes it.
 * @param logits [n, classes] (or more leading axes): unnormalised scores.
 * @param labels int32 or int64 [n] (the leading axes of the logits): numbers of classes. One outside [0, classes) fails in the
 * queue: reading the result throws. Or the probabilities of all classes, floats of the logits' shape.
 * @returns a float32 scalar, or the losses, [n] (the leading axes), for the reduction 'none'.
 */
export function crossEntropy(
  logits: Tensor<any>,
  labels: Tensor<any>,
  options: CrossEntropyOptions = {}
): Tensor<'float32'> {
  const op = 'crossEntropy'
  handleOf(op, logits)
  handleOf(op, labels)
  const { weights, labelSmoothing = 0, reduction = 'mean' } = checkOptions(op, options, OPTIONS)
  checkReduction(op, reduction)
  checkNumber(op, 'a label smoothing in [0, 1]', labelSmoothing)
  if (weights !== undefined) handleOf(op, weights)
  if (labels.dtype.includes('float') && logits.rank > 0 && String(logits.shape) === String(labels.shape)) {
    return softCrossEntropy(logits, labels, weights, labelSmoothing, reduction)
  }
  let rows = logits
  let rowLabels = labels
  if (logits.rank !== 2) {
    const leading = logits.shape.slice(0, -1)
    if (logits.rank === 0 || String(leading) !== String(labels.shape)) {
      throw expected(
        op,
        'logits [..., classes] and labels [...]',
        `[${logits.shape.join(', ')}] and [${labels.shape.join(', ')}]`
      )
    }
    rows = logits.reshape([labels.size, logits.shape.at(-1)!])
    rowLabels = labels.reshape([labels.size])
  }
  const inputs = weights === undefined ? [rows, rowLabels] : [rows, rowLabels, weights]
  const losses: Tensor<'float32'> = call('softmaxCrossEntropy', inputs, [labelSmoothing, weights === undefined ? 0 : 1])
  if (reduction === 'none') return logits.rank === 2 ? losses : losses.reshape(labels.shape)
  return averageOf(losses, rowLabels, weights, reduction)
}

const OPTIONS = ['weights', 'labelSmoothing', 'reduction']

// The cross-entropy of probabilities; PyTorch's mean is that over the examples, with weights too.
function softCrossEntropy(
  logits: Tensor<any>,
  probabilities: Tensor<any>,
  weights: Tensor<'float32'> | undefined,
  smoothing: number,
  reduction: Reduction
): Tensor<'float32'> {
  const op = 'crossEntropy'
  const classes = logits.shape.at(-1)!
  if (!(smoothing >= 0 && smoothing <= 1)) throw expected(op, 'a label smoothing in [0, 1]', smoothing)
  const smooth = probabilities
    .astype('float32')
    .mul(1 - smoothing)
    .add(smoothing / Math.max(1, classes))
  const scale = checkWeights(op, weights, classes)?.detach()
  const each = logSoftmax(logits.astype('float32')).mul(scale === undefined ? smooth : smooth.mul(scale))
  return averageOf(each.sum(-1).neg(), undefined, undefined, reduction)
}

/** @internal Weights of classes as float32 [classes]. */
export function checkWeights<W extends Tensor<'float32'> | undefined>(op: string, weights: W, classes: number): W {
  if (weights === undefined) return weights
  handleOf(op, weights)
  if (weights.dtype === 'float32' && String(weights.shape) === String([classes])) return weights
  throw expected(op, `weights float32 [${classes}]`, `${weights.dtype} [${weights.shape.join(', ')}]`)
}

/** @internal Losses reduced: the mean with class weights is that of the examples by the weights of their labels. */
export function averageOf(
  losses: Tensor<'float32'>,
  labels: Tensor<any> | undefined,
  weights: Tensor<'float32'> | undefined,
  reduction: Reduction
): Tensor<'float32'> {
  if (reduction === 'none') return losses
  if (reduction === 'sum') return losses.sum()
  return weights === undefined ? losses.mean() : losses.sum().div(gather(weights, labels!).sum())
}

// weights[labels]
function gather(weights: Tensor<'float32'>, labels: Tensor<any>): Tensor<'float32'> {
  return call('gather', [weights.detach(), labels], [0, 0])
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** exp(x) / sum(exp(x)) along an axis (the last unless given). */
    softmax(axis?: number): Tensor<D>
    /** log(softmax(x)) along an axis (the last unless given). */
    logSoftmax(axis?: number): Tensor<D>
  }
}
addMethods({ softmax, logSoftmax })
