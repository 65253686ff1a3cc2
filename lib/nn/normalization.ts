// Normalisation layers.
import { widened } from '../compute.js'
import { checkOptions, expected } from '../errors.js'
import { batchNorm, groupNorm, layerNorm, mul, rsqrt, square } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { countOf, within } from './check.js'
import { ones, zeros } from './init.js'
import { Layer, type Variable, type Variables } from './layer.js'
import { typed } from './settings.js'

/** What every normalisation takes. */
export interface NormOptions {
  /** Added to the variance; 1e-5 unless given. */
  epsilon?: number | undefined
  /** Whether a weight and a bias follow, one a channel; true unless given. */
  affine?: boolean | undefined
  /** The dtype of weight and bias, and of the input that they go with; 'float32' unless given. */
  dtype?: FloatDType | undefined
}

const OPTIONS = ['epsilon', 'affine', 'dtype']

/** What the normalisations share: weight and bias of the size of what they normalise. */
abstract class Norm extends Layer {
  /** What the normalised values are multiplied by. */
  declare readonly weight?: Tensor
  /** What is added then. */
  declare readonly bias?: Tensor
  /** Added to the variance. */
  readonly epsilon: number
  /** Whether there are weight and bias. */
  readonly affine: boolean
  /** That of weight and bias. */
  protected readonly dtype: FloatDType
  readonly #bias: boolean

  constructor(op: string, options: NormOptions, names: string[], buffers: string[] = [], bias = true) {
    super()
    remember(this, options)
    checkOptions(op, options, names)
    this.epsilon = within(op, 'epsilon', options.epsilon ?? 1e-5, 0, Number.MAX_VALUE)
    this.affine = options.affine ?? true
    this.dtype = options.dtype ?? 'float32'
    this.#bias = bias
    this.reserve(...(this.affine ? ['weight', ...(bias ? ['bias'] : [])] : []), ...buffers)
  }

  /** Weight and bias of the shape of what is normalised, where it is `affine`. */
  override variablesFor(shape: readonly number[]): Variables {
    if (!this.affine) return {}
    const { dtype } = this
    const variable = (initial: () => Tensor): Variable => ({ kind: 'parameter', shape, dtype, initial })
    const weight = variable(() => ones(shape, { dtype }))
    return this.#bias ? { weight, bias: variable(() => zeros(shape, { dtype })) } : { weight }
  }

  override sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): readonly number[] | undefined {
    return shapes.values().next().value
  }
}

/** What `BatchNorm` takes. */
export interface BatchNormOptions extends NormOptions {
  /** The share of the new batch in the running statistics; 0.1 unless given. */
  momentum?: number | undefined
  /** The number of channels; taken from the first input unless given. */
  inputs?: number | undefined
}

/**
 * Normalises each channel (the last axis) over all other axes (Ioffe and Szegedy 2015). In training with the batch's own
 * mean and variance, which also move the buffers `runningMean` and `runningVariance` (unbiased); in use with these.
 */
export class BatchNorm extends Norm {
  /** The mean of each channel that is used when not training. */
  declare readonly runningMean: Tensor
  /** The variance of each channel that is used when not training. */
  declare readonly runningVariance: Tensor
  /** The share of a new batch in these. */
  readonly momentum: number

  constructor(options: BatchNormOptions = {}) {
    super('BatchNorm', options, ['momentum', 'inputs', ...OPTIONS], ['runningMean', 'runningVariance'])
    this.momentum = within('BatchNorm', 'momentum', options.momentum ?? 0.1, 0, 1)
    if (options.inputs !== undefined) this.prepare([countOf('BatchNorm', 'inputs', options.inputs)])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 2)
    const { training, momentum, epsilon, runningMean, runningVariance } = this
    return batchNorm(x, { ...affineOf(this, x), runningMean, runningVariance, training, momentum, epsilon })
  }

  /** Weight and bias [channels], where it is `affine`, and the running statistics. */
  override variablesFor(shape: readonly number[]): Variables {
    const variable = (initial: () => Tensor): Variable => ({ kind: 'buffer', shape, dtype: 'float32', initial })
    return {
      ...super.variablesFor(shape),
      runningMean: variable(() => zeros(shape)),
      runningVariance: variable(() => ones(shape))
    }
  }
}

/** What `LayerNorm` takes. */
export interface LayerNormOptions extends NormOptions {
  /** How many axes, the last ones, are normalised together; 1 unless given. */
  axes?: number | undefined
  /** The sizes of these axes; taken from the first input unless given. */
  inputs?: readonly number[] | undefined
}

/** Normalises the last axes of each sample (Ba, Kiros and Hinton 2016); the same in training and in use. */
export class LayerNorm extends Norm {
  /** How many axes, the last ones, are normalised together. */
  readonly axes: number

  constructor(options: LayerNormOptions = {}) {
    super('LayerNorm', options, ['axes', 'inputs', ...OPTIONS])
    const { inputs, axes = inputs?.length ?? 1 } = options
    this.axes = countOf('LayerNorm', 'axes', axes)
    if (inputs === undefined) return
    if (inputs.length !== axes) throw expected('LayerNorm', `${axes} sizes as inputs`, `[${inputs.join(', ')}]`)
    this.prepare(inputs.map((size) => countOf('LayerNorm', 'inputs', size)))
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, this.axes)
    const { axes, epsilon } = this
    return layerNorm(x, { ...affineOf(this, x), axes, epsilon })
  }
}

/** What `GroupNorm` takes. */
export interface GroupNormOptions extends NormOptions {
  /** The number of channels; taken from the first input unless given. */
  inputs?: number | undefined
}

/**
 * Normalises groups of channels (the last axis) of each sample, over all axes but the first (Wu and He 2018); the same
 * in training and in use.
 */
export class GroupNorm extends Norm {
  /** The number of groups of channels. */
  readonly groups: number

  constructor(groups: number, options: GroupNormOptions = {}) {
    super('GroupNorm', options, ['inputs', ...OPTIONS])
    remember(this, groups, options)
    this.groups = countOf('GroupNorm', 'groups', groups)
    if (options.inputs !== undefined) this.prepare([countOf('GroupNorm', 'inputs', options.inputs)])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 2)
    return groupNorm(x, this.groups, { ...affineOf(this, x), epsilon: this.epsilon })
  }

  /** Weight and bias [channels], where it is `affine`. */
  override variablesFor(shape: readonly number[]): Variables {
    if (shape[0]! % this.groups !== 0) {
      throw expected('GroupNorm', `channels in ${this.groups} groups of one size`, `${shape[0]}`)
    }
    return super.variablesFor(shape)
  }

  override describe(): string {
    return `${this.groups}`
  }
}

/**
 * Normalises each channel (the last axis) of each sample over its other axes (Ulyanov, Vedaldi and Lempitsky 2016); the same in
 * training and in use.
 */
export class InstanceNorm extends Norm {
  constructor(options: GroupNormOptions = {}) {
    super('InstanceNorm', options, ['inputs', ...OPTIONS])
    if (options.inputs !== undefined) this.prepare([countOf('InstanceNorm', 'inputs', options.inputs)])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 3)
    return groupNorm(x, x.shape.at(-1)!, { ...affineOf(this, x), epsilon: this.epsilon })
  }
}

/**
 * x / sqrt(mean(x^2) + epsilon) over the last axis, times a weight (Zhang and Sennrich 2019); the same in training and in use. It
 * has no bias.
 */
export class RMSNorm extends Norm {
  constructor(options: GroupNormOptions = {}) {
    super('RMSNorm', options, ['inputs', ...OPTIONS], [], false)
    if (options.inputs !== undefined) this.prepare([countOf('RMSNorm', 'inputs', options.inputs)])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x)
    // In float32: the squares of half-precision numbers pass its range.
    const wide = x.astype('float32')
    const y = mul(wide, rsqrt(square(wide).mean(-1, { keepDims: true }).add(this.epsilon))).astype(widened(x).dtype)
    return this.weight ? mul(y, typed(this.weight, x)) : y
  }
}

/** Weight and bias as the ops take them. */
const affineOf = <D extends FloatDType>({ weight, bias }: { weight?: Tensor; bias?: Tensor }, x: Tensor<D>) => ({
  ...(weight && { scale: typed(weight, x) }),
  ...(bias && { offset: typed(bias, x) })
})
