// Normalisation: batch, layer and group.
import { checkInteger, checkNumber, expected, quoted } from '../errors.js'
import { call, callMany, Tensor, type FloatDType } from '../tensor.js'
import { add, mul } from './elementwise.generated.js'
import { full, ones, zeros } from './creation.js'
import { permute, reshape } from './shape.js'
import { named } from './window.js'

/** What every normalisation takes. */
export interface NormalisationOptions {
  /** What the normalised values are multiplied by; 1 unless given. */
  scale?: Tensor<any> | undefined
  /** What is added then; 0 unless given. */
  offset?: Tensor<any> | undefined
  /** Added to the variance; 1e-5 unless given. */
  epsilon?: number | undefined
}
/** What `batchNorm` takes. */
export interface BatchNormOptions extends NormalisationOptions {
  /** float32 [channels]: the mean that is used when not training, and that moves in place when training. */
  runningMean?: Tensor | undefined
  /** float32 [channels]: the variance, likewise (the unbiased one of the batch moves it). */
  runningVariance?: Tensor | undefined
  /** Whether x's own mean and variance are used; false unless given. */
  training?: boolean | undefined
  /** The share of the batch in the running statistics; 0.1 unless given. */
  momentum?: number | undefined
}
/** What `layerNorm` takes. */
export interface LayerNormOptions extends NormalisationOptions {
  /** How many axes, the last ones, are normalised together; 1 unless given. */
  axes?: number | undefined
}

function tensorOf(op: string, what: string, value: unknown): Tensor<any> {
  if (!(value instanceof Tensor)) throw expected(op, `${what} (a tensor)`, quoted(value))
  return value
}
function epsilonOf(op: string, options: NormalisationOptions): number {
  return checkNumber(op, 'an epsilon from 0', options.epsilon ?? 1e-5)
}
// Scale and offset of a shape, 1 and 0 where they are left out; of one dtype, that of x unless the one given has another.
function affineOf(
  op: string,
  options: NormalisationOptions,
  shape: readonly number[],
  { dtype, device }: Tensor<FloatDType>
): [Tensor<any>, Tensor<any>] {
  const { scale, offset } = options
  const number = (value: number, other: Tensor<any> | undefined) =>
    full(shape, value, { dtype: other instanceof Tensor ? (other.dtype as FloatDType) : dtype, device })
  return [tensorOf(op, 'a scale', scale ?? number(1, offset)), tensorOf(op, 'an offset', offset ?? number(0, scale))]
}

/**
 * Normalises each channel (the last axis) of x [..., channels] over all other axes (Ioffe and Szegedy 2015):
 * (x - mean) / sqrt(variance + epsilon) * scale + offset, scale and offset [channels]. In training by x's own statistics,
 * which also move the running ones in place; else by the running ones.
 * @throws where x has fewer than two axes, statistics have another size, or a channel has one value in training.
 */
export function batchNorm<D extends FloatDType>(x: Tensor<D>, options: BatchNormOptions = {}): Tensor<D> {
  tensorOf('batchNorm', 'x', x)
  const { training = false, momentum = 0.1, runningMean, runningVariance } = options ?? {}
  if (typeof training !== 'boolean') throw expected('batchNorm', 'training as true or false', quoted(training))
  if (!training && (runningMean === undefined || runningVariance === undefined)) {
    throw expected('batchNorm', 'runningMean and runningVariance', 'none', 'They are needed when not training.')
  }
  const { device } = x
  const shape = x.shape.slice(-1)
  const inputs = [
    x,
    ...affineOf('batchNorm', options ?? {}, shape, x),
    tensorOf('batchNorm', 'a running mean', runningMean ?? zeros(shape, { device })),
    tensorOf('batchNorm', 'a running variance', runningVariance ?? ones(shape, { device }))
  ]
  const numbers = [epsilonOf('batchNorm', options ?? {}), checkNumber('batchNorm', 'a momentum in [0, 1]', momentum)]
  if (!training) return named('batchNorm', 'batchNormInference', () => call('batchNormInference', inputs, numbers))
  const [y, ...statistics] = callMany('batchNorm', inputs, numbers)
  for (const tensor of statistics) tensor.dispose() // the tape keeps them
  return y!
}

function layer(op: string, x: Tensor<any>, axes: number, options: NormalisationOptions): Tensor<any> {
  const { scale, offset } = options
  const shape = x.shape.slice(x.rank - axes)
  const affine = scale === undefined && offset === undefined ? [] : affineOf(op, options, shape, x)
  const numbers = [axes, epsilonOf(op, options)]
  const [y, ...statistics] = named(op, 'layerNorm', () => callMany('layerNorm', [x, ...affine], numbers))
  for (const tensor of statistics) tensor.dispose() // the tape keeps them
  return y!
}

/**
 * Normalises the last `axes` axes of x together (Ba, Kiros and Hinton 2016): (x - mean) / sqrt(variance + epsilon) * scale + offset,
 * scale and offset shaped as these axes.
 * @throws where x has fewer axes, or scale or offset another shape.
 */
export function layerNorm<D extends FloatDType>(x: Tensor<D>, options: LayerNormOptions = {}): Tensor<D> {
  tensorOf('layerNorm', 'x', x)
  const axes = checkInteger('layerNorm', `a number of axes in [1, ${x.rank}]`, options?.axes ?? 1, 1, x.rank)
  return layer('layerNorm', x, axes, options ?? {})
}

/**
 * Normalises groups of channels (the last axis) of each sample of x [n, ..., channels] over all axes but the first (Wu and He 2018),
 * times scale plus offset, [channels] each.
 * @throws where x has fewer than two axes, or the groups don't divide the channels.
 */
export function groupNorm<D extends FloatDType>(
  x: Tensor<D>,
  groups: number,
  options: NormalisationOptions = {}
): Tensor<D> {
  const op = 'groupNorm'
  tensorOf(op, 'x', x)
  if (x.rank < 2) throw expected(op, 'a tensor of rank 2 or more ([n, ..., channels])', x.shape)
  const channels = x.shape[x.rank - 1]!
  checkInteger(op, 'groups from 1', groups, 1)
  if (channels % groups !== 0) throw expected(op, `channels in ${groups} groups of one size`, String(channels))
  // [n, places, groups, channels / groups]: the groups come to the front, are normalised, and go back.
  const n = x.shape[0]!
  const places = x.shape.slice(1, -1).reduce((a, b) => a * b, 1)
  const size = channels / groups
  const grouped = permute(reshape(x, [n, places, groups, size]), [0, 2, 1, 3])
  const { scale, offset, ...rest } = options ?? {}
  let y: Tensor<any> = reshape(permute(layer(op, grouped, 2, rest), [0, 2, 1, 3]), x.shape)
  const checked = (what: string, value: unknown): Tensor<any> => {
    const t = tensorOf(op, what, value)
    if (t.rank !== 1 || t.shape[0] !== channels) throw expected(op, `${what} [${channels}]`, t.shape)
    return t
  }
  if (scale !== undefined) y = mul(y, checked('a scale', scale))
  if (offset !== undefined) y = add(y, checked('an offset', offset))
  return y
}
