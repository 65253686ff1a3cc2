// Pooling layers over [n, height, width, channels].
import { avgPool2d, globalAvgPool2d, maxPool2d } from '../functional.js'
import { paddingOf, pairOf, type Pair, type WindowPadding } from '../functional/window.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { known } from './check.js'
import { Module } from './module.js'

export interface PoolOptions {
  /** The places that the window moves on by; the window's size unless given. */
  stride?: Pair | undefined
  /** 'valid' unless given. */
  padding?: WindowPadding | undefined
}

abstract class Pool<Options extends PoolOptions> extends Module {
  readonly size: readonly [number, number]
  protected readonly options: Options

  constructor(op: string, size: Pair, options: Options, names: string[]) {
    super()
    known(op, options, names)
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

/** The mean over height and width: [n, height, width, channels] to [n, channels]. */
export class GlobalAvgPool2d extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return globalAvgPool2d(x)
  }
}
