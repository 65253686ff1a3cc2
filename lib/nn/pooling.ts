// Pooling layers over [n, height, width, channels].
import {
  avgPool1d,
  avgPool2d,
  gather,
  globalAvgPool2d,
  max,
  maxPool1d,
  maxPool2d,
  mean,
  mul,
  reshape,
  sum
} from '../functional.js'
import { checkOptions, expected } from '../errors.js'
import {
  checkImages,
  paddingOf,
  pairOf,
  type Pair,
  type WindowPadding,
  type WindowPadding1d
} from '../functional/window.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { Resident } from '../functional/resident.js'
import { remember } from './arguments.js'
import { countOf } from './check.js'
import { shapeText } from './names.js'
import { Module } from './module.js'

/** What `MaxPool2d` takes. */
export interface PoolOptions {
  /** The places that the window moves on by; the window's size unless given. */
  stride?: Pair | undefined
  /** 'valid' unless given. */
  padding?: WindowPadding | undefined
}

abstract class Pool<Options extends PoolOptions | Pool1dOptions> extends Module {
  /** The window's height and width. */
  readonly size: readonly [number, number]
  /** As they were given. */
  protected readonly options: Options

  constructor(op: string, size: Pair, options: Options, names: string[]) {
    super()
    remember(this, size, options)
    checkOptions(op, options, names)
    this.size = pairOf(op, 'a window size from 1', size, 1)
    pairOf(op, 'a stride from 1', options.stride ?? 1, 1)
    paddingOf(op, options.padding ?? 'valid', [1, 1], [1, 1], [1, 1])
    this.options = { ...options }
  }

  override describe(): string {
    const { stride, padding = 'valid' } = this.options
    const parts = [this.size[0] === this.size[1] ? `${this.size[0]}` : this.size.join('x')]
    if (stride !== undefined) parts.push(`stride ${String(stride)}`)
    if (padding !== 'valid') parts.push(`padding ${String(padding)}`)
    return parts.join(', ')
  }
}

/** The largest value in each window. */
export class MaxPool2d extends Pool<PoolOptions> {
  constructor(size: Pair, options: PoolOptions = {}) {
    super('MaxPool2d', size, options, ['stride', 'padding'])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return maxPool2d(x, this.size, this.options)
  }
}

/** What `AvgPool2d` takes. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padded places count in the divisor; false unless given. */
  countPadding?: boolean | undefined
}

/** The mean of the values in each window. */
export class AvgPool2d extends Pool<AvgPoolOptions> {
  constructor(size: Pair, options: AvgPoolOptions = {}) {
    super('AvgPool2d', size, options, ['stride', 'padding', 'countPadding'])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return avgPool2d(x, this.size, this.options)
  }
}

/** What `MaxPool1d` takes. */
export interface Pool1dOptions {
  /** The places that the window moves on by; the window's size unless given. */
  stride?: number | undefined
  /** 'valid' unless given. */
  padding?: WindowPadding1d | undefined
}

/** The largest value in each window of sequences [n, length, channels]. */
export class MaxPool1d extends Pool<Pool1dOptions> {
  constructor(size: number, options: Pool1dOptions = {}) {
    super('MaxPool1d', countOf('MaxPool1d', 'a window size', size), options, ['stride', 'padding'])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return maxPool1d(x, this.size[0], this.options)
  }
}

/** What `AvgPool1d` takes. */
export interface AvgPool1dOptions extends Pool1dOptions {
  /** Whether padded places count in the divisor; false unless given. */
  countPadding?: boolean | undefined
}

/** The mean of the values in each window of sequences [n, length, channels]. */
export class AvgPool1d extends Pool<AvgPool1dOptions> {
  constructor(size: number, options: AvgPool1dOptions = {}) {
    super('AvgPool1d', countOf('AvgPool1d', 'a window size', size), options, ['stride', 'padding', 'countPadding'])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return avgPool1d(x, this.size[0], this.options)
  }
}

/** The mean over height and width: [n, height, width, channels] to [n, channels]. */
export class GlobalAvgPool2d extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return globalAvgPool2d(x)
  }
}

/** The largest value over height and width: [n, height, width, channels] to [n, channels]. */
export class GlobalMaxPool2d extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return max(checkImages('GlobalMaxPool2d', x, 4, '[n, height, width, channels]'), [1, 2])
  }
}

/** Where windows lie that split `size` places in `parts`: from floor(i size / parts) to ceil((i + 1) size / parts), as in PyTorch. */
export function windowsOf(size: number, parts: number): { start: number; end: number }[] {
  return Array.from({ length: parts }, (_, i) => ({
    start: Math.floor((i * size) / parts),
    end: Math.ceil(((i + 1) * size) / parts)
  }))
}

/** Windows of several lengths along one axis, filled up to the longest: the places in them, and each place's share of a mean. */
interface Uneven {
  places: Resident<'int32'>
  shares: Resident<'float32'>
  longest: number
}

/** What adaptive pools share: a result of a fixed height and width. */
abstract class AdaptivePool extends Module {
  /** Height and width of the result. */
  readonly size: readonly [number, number]
  readonly #op: string
  readonly #uneven = new Map<string, Uneven>()

  constructor(op: string, size: Pair) {
    super()
    remember(this, size)
    this.#op = op
    this.size = pairOf(op, 'a size from 1', size, 1)
  }

  /** The result for windows of one size that lie side by side. */
  protected abstract even<D extends FloatDType>(x: Tensor<D>, window: readonly [number, number]): Tensor<D>

  /** The result over `axis`, on which windows lie that are filled up by repeating places; each place's share of a mean. */
  protected abstract reduce<D extends FloatDType>(x: Tensor<D>, axis: number, shares: Tensor<D>): Tensor<D>

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    checkImages(this.#op, x, 4, '[n, height, width, channels]')
    const [height, width] = [x.shape[1]!, x.shape[2]!]
    if (height === 0 || width === 0) throw expected(this.#op, 'images with pixels', shapeText(x.shape))
    const window = [height / this.size[0], width / this.size[1]] as const
    if (window.every((length) => length === 1)) return x
    if (window.every(Number.isInteger)) return this.even(x, window)
    return this.#along(this.#along(x, 1, this.size[0]), 2, this.size[1])
  }

  #along<D extends FloatDType>(x: Tensor<D>, axis: 1 | 2, parts: number): Tensor<D> {
    const { places, shares, longest } = this.#unevenOf(x.shape[axis]!, parts)
    const picked = gather(x, places.on(x.device), axis)
    const windows = reshape(picked, [...x.shape.slice(0, axis), parts, longest, ...x.shape.slice(axis + 1)])
    const ones = windows.shape.slice(axis + 2).map(() => 1)
    return this.reduce(windows, axis + 1, reshape(shares.on(x.device), [parts, longest, ...ones]).astype(x.dtype))
  }

  #unevenOf(size: number, parts: number): Uneven {
    const key = `${size} ${parts}`
    const made = this.#uneven.get(key)
    if (made) return made
    const windows = windowsOf(size, parts)
    const longest = Math.max(...windows.map(({ start, end }) => end - start))
    const each = (f: (start: number, end: number, i: number) => number) =>
      windows.flatMap(({ start, end }) => Array.from({ length: longest }, (_, i) => f(start, end, i)))
    const places = Int32Array.from(each((start, end, i) => Math.min(start + i, end - 1)))
    const shares = Float32Array.from(each((start, end, i) => (start + i < end ? 1 / (end - start) : 0)))
    this.#uneven.set(key, {
      places: new Resident<'int32'>(places, [places.length]),
      shares: new Resident<'float32'>(shares, [parts, longest]),
      longest
    })
    return this.#uneven.get(key)!
  }

  override describe(): string {
    return this.size.join('x')
  }
}

/**
 * The mean in windows of whatever size gives a result of height and width `size`, as torch.nn.AdaptiveAvgPool2d: window i
 * reaches from floor(i h / size) to ceil((i + 1) h / size). [n, height, width, channels] to [n, ...size, channels].
 */
export class AdaptiveAvgPool2d extends AdaptivePool {
  constructor(size: Pair) {
    super('AdaptiveAvgPool2d', size)
  }

  protected override even<D extends FloatDType>(x: Tensor<D>, window: readonly [number, number]): Tensor<D> {
    return this.size.every((size) => size === 1) ? mean(x, [1, 2], { keepDims: true }) : avgPool2d(x, window)
  }

  protected override reduce<D extends FloatDType>(x: Tensor<D>, axis: number, shares: Tensor<D>): Tensor<D> {
    return sum(mul(x, shares), axis) as Tensor<D>
  }
}

/** The largest value in windows of whatever size gives a result of height and width `size`. See AdaptiveAvgPool2d. */
export class AdaptiveMaxPool2d extends AdaptivePool {
  constructor(size: Pair) {
    super('AdaptiveMaxPool2d', size)
  }

  protected override even<D extends FloatDType>(x: Tensor<D>, window: readonly [number, number]): Tensor<D> {
    return maxPool2d(x, window)
  }

  protected override reduce<D extends FloatDType>(x: Tensor<D>, axis: number): Tensor<D> {
    return max(x, axis)
  }
}
