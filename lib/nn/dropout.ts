import { dropout, mul, ones } from '../functional.js'
import { expected } from '../errors.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { within } from './check.js'
import { Module } from './module.js'
import { shapeText } from './names.js'

/**
 * In training sets each value to 0 with probability `rate` and divides the others by 1 - rate; in use passes its input on.
 */
export class Dropout extends Module {
  /** The probability that a value becomes 0. */
  readonly rate: number

  constructor(rate = 0.5) {
    super()
    remember(this, rate)
    this.rate = within('Dropout', 'rate', rate, 0, 1)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return this.training && this.rate > 0 ? dropout(x, this.rate) : x
  }

  override describe(): string {
    return `${this.rate}`
  }
}

/**
 * In training sets whole channels (the last axis) of a sample to 0 with probability `rate` and divides the others by 1 - rate
 * (Tompson et al. 2015): neighbouring places of a picture know each other's values. In use passes its input [n, ..., channels] on.
 */
export class ChannelDropout extends Dropout {
  override forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    if (!this.training || this.rate === 0) return x
    if (x.rank < 2) throw expected('ChannelDropout', 'an input of at least 2 axes', shapeText(x.shape))
    const { shape, device } = x
    const kept = dropout(ones([shape[0]!, ...shape.slice(1, -1).map(() => 1), shape.at(-1)!], { device }), this.rate)
    return mul(x, kept.astype(x.dtype))
  }
}
