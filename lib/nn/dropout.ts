import { dropout } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { within } from './check.js'
import { Module } from './module.js'

/**
 * In training sets each value to 0 with probability `rate` and divides the others by 1 - rate; in use passes its input on.
 */
export class Dropout extends Module {
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
