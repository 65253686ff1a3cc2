import type { DType, Tensor } from '../tensor.js'
import { checkInteger } from '../errors.js'
import { remember } from './arguments.js'
import { Module } from './module.js'

/** Makes one axis of all axes from `axis` on (1 unless given): [n, height, width, channels] to [n, height * width * channels]. */
export class Flatten extends Module {
  /** The first axis that is joined with those behind it. */
  readonly axis: number

  constructor(axis = 1) {
    super()
    remember(this, axis)
    this.axis = checkInteger('Flatten', 'an axis from 0', axis, 0)
  }

  forward<D extends DType>(x: Tensor<D>): Tensor<D> {
    return x.flatten(this.axis)
  }
}
