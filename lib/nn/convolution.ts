// Convolution layers. Images are [n, height, width, channels], sequences [n, length, channels].
import { expected } from '../errors.js'
import { conv1d, conv2d, convTranspose2d } from '../functional.js'
import {
  paddingOf,
  paddingOfHeightOne,
  pairOf,
  type Pair,
  type WindowPadding,
  type WindowPadding1d
} from '../functional/window.js'
import type { DType, FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { countOf } from './check.js'
import type { Variables } from './layer.js'
import { weightAndBias } from './settings.js'
import { Weighted, type WeightedOptions } from './weighted.js'

interface CommonOptions extends WeightedOptions {
  /** Input and output channels are split in so many groups that don't see each other; 1 unless given. */
  groups?: number | undefined
}

/** What `Conv2d` takes. */
export interface ConvOptions extends CommonOptions {
  /** Places between one window and the next; 1 unless given. */
  stride?: Pair | undefined
  /** Zeros around the image; 'valid' (none) unless given, 'same' for results of size / stride. */
  padding?: WindowPadding | undefined
  /** Places between one weight and the next; 1 unless given. */
  dilation?: Pair | undefined
}

/** What `Conv1d` takes. */
export interface Conv1dOptions extends CommonOptions {
  /** Places between one window and the next; 1 unless given. */
  stride?: number | undefined
  /** Zeros around the sequence; 'valid' (none) unless given, 'same' for results of size / stride. */
  padding?: WindowPadding1d | undefined
  /** Places between one weight and the next; 1 unless given. */
  dilation?: number | undefined
}

/** What `ConvTranspose2d` takes. */
export interface ConvTransposeOptions extends ConvOptions {
  /** What is cut off the result; 'valid' (none) unless given. */
  padding?: Exclude<WindowPadding, 'same'> | undefined
  /** Places added at the end of height and width, less than the stride; 0 unless given. */
  outputPadding?: Pair | undefined
}

const OPTIONS = ['stride', 'padding', 'dilation', 'groups']

/** What the convolution layers share: the checks of their settings, and their weights. */
abstract class Convolution<Options extends ConvOptions | Conv1dOptions> extends Weighted<Options> {
  /** The channels of the result. */
  readonly filters: number
  /** The window's size along each axis. */
  readonly kernel: readonly number[]
  readonly #op: string

  constructor(op: string, filters: number, kernel: readonly number[], options: Options, names = OPTIONS) {
    super(op, options, names)
    remember(this, filters, kernel, options)
    this.#op = op
    this.filters = countOf(op, 'filters', filters)
    this.kernel = kernel
    const groups = countOf(op, 'groups', options.groups ?? 1)
    if (this.filters % groups !== 0) throw expected(op, `filters that ${groups} groups divide`, `${filters}`)
    this.prepareIfTold(op)
  }

  /** The number of input channels, if it can be cut into the groups. */
  protected checkInputs(inputs: number): number {
    const { groups = 1 } = this.options
    if (inputs % groups === 0) return inputs
    throw expected(this.#op, `input channels that ${groups} groups divide`, `${inputs}`)
  }

  override variablesFor([inputs]: readonly number[]): Variables {
    const { groups = 1 } = this.options
    return weightAndBias(this.options, [this.filters, ...this.kernel, this.checkInputs(inputs!) / groups], this.filters)
  }

  override sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): [number] | undefined {
    const shape = shapes.get('weight')
    return shape?.length === this.kernel.length + 2 ? [shape.at(-1)! * (this.options.groups ?? 1)] : undefined
  }

  override describe(): string {
    const { stride = 1, padding = 'valid', dilation = 1, groups = 1, activation } = this.options
    const parts = [`${this.filters}`, this.kernel.join('x')]
    if (String(stride) !== '1') parts.push(`stride ${String(stride)}`)
    if (padding !== 'valid') parts.push(`padding ${String(padding)}`)
    if (String(dilation) !== '1') parts.push(`dilation ${String(dilation)}`)
    if (groups !== 1) parts.push(`groups ${groups}`)
    if (activation) parts.push(activation)
    return parts.join(', ')
  }
}

function checkWindow(op: string, { stride = 1, padding = 'valid', dilation = 1 }: ConvOptions): void {
  pairOf(op, 'a stride from 1', stride, 1)
  paddingOf(op, padding, [1, 1], [1, 1], [1, 1])
  pairOf(op, 'a dilation from 1', dilation, 1)
}

/**
 * A convolution over [n, height, width, channels]. The weight is [filters, height, width, channels / groups] (OHWI).
 *
 *     new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' })     // 32 filters of 3x3
 */
export class Conv2d extends Convolution<ConvOptions> {
  constructor(filters: number, kernel: Pair, options: ConvOptions = {}) {
    super('Conv2d', filters, pairOf('Conv2d', 'a kernel from 1', kernel, 1), options)
    checkWindow('Conv2d', options)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 4, 4)
    const { stride = 1, padding = 'valid', dilation = 1, groups = 1 } = this.options
    return this.apply(x, (weight, epilogue) => conv2d(x, weight, { stride, padding, dilation, groups, ...epilogue }))
  }
}

/** A convolution over [n, length, channels]. The weight is [filters, length, channels / groups]. */
export class Conv1d extends Convolution<Conv1dOptions> {
  constructor(filters: number, kernel: number, options: Conv1dOptions = {}) {
    super('Conv1d', filters, [countOf('Conv1d', 'a kernel', kernel)], options)
    remember(this, filters, kernel, options)
    countOf('Conv1d', 'a stride', options.stride ?? 1)
    paddingOfHeightOne('Conv1d', options.padding ?? 'valid')
    countOf('Conv1d', 'a dilation', options.dilation ?? 1)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 3, 3)
    const { stride = 1, padding = 'valid', dilation = 1, groups = 1 } = this.options
    return this.apply(x, (weight, epilogue) => conv1d(x, weight, { stride, padding, dilation, groups, ...epilogue }))
  }
}

/**
 * The transposed convolution over [n, height, width, channels], the gradient of a convolution of these settings: a stride of 2
 * doubles height and width. The weight is [channels, height, width, filters / groups].
 */
export class ConvTranspose2d extends Convolution<ConvTransposeOptions> {
  constructor(filters: number, kernel: Pair, options: ConvTransposeOptions = {}) {
    const size = pairOf('ConvTranspose2d', 'a kernel from 1', kernel, 1)
    super('ConvTranspose2d', filters, size, options, [...OPTIONS, 'outputPadding'])
    checkWindow('ConvTranspose2d', options)
    const { padding, outputPadding = 0 } = options
    if ((padding as unknown) === 'same') throw expected('ConvTranspose2d', "a padding of 'valid' or numbers", "'same'")
    pairOf('ConvTranspose2d', 'an outputPadding from 0', outputPadding, 0)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x, 1, 4, 4)
    const { stride = 1, padding = 'valid', dilation = 1, groups = 1, outputPadding = 0 } = this.options
    const settings = { stride, padding, dilation, groups, outputPadding }
    return this.apply(x, (weight, epilogue) => convTranspose2d(x, weight, { ...settings, ...epilogue }))
  }

  /** Here it has one a value of the input, which goes to so many places. */
  override multiplyAdds(input: Tensor<DType>): number {
    return input.size * (this.weight.size / this.weight.shape[0]!)
  }

  /** The weight [inputs, height, width, filters / groups], and the bias. */
  override variablesFor([inputs]: readonly number[]): Variables {
    const { groups = 1 } = this.options
    return weightAndBias(this.options, [this.checkInputs(inputs!), ...this.kernel, this.filters / groups], this.filters)
  }

  /** The first axis of the weight. */
  override sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): [number] | undefined {
    const shape = shapes.get('weight')
    return shape?.length === 4 ? [shape[0]!] : undefined
  }
}
