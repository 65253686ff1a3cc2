// Host arrays that have a copy on each device that asks for it.
import { keep, type Tensor } from '../tensor.js'
import { tensor } from './creation.js'

interface Arrays {
  uint8: Uint8Array
  int32: Int32Array
  float32: Float32Array
}

/** An array of the host and its tensors, one a device, made when they are first asked for. */
export class Resident<D extends keyof Arrays> {
  readonly data: Arrays[D]
  readonly shape: readonly number[]
  readonly #tensors = new Map<string, Tensor<D>>()

  constructor(data: Arrays[D], shape: readonly number[]) {
    this.data = data
    this.shape = shape
  }

  on(device: string): Tensor<D> {
    let made = this.#tensors.get(device)
    if (made === undefined) {
      made = keep(tensor(this.data as Float32Array, this.shape, { device })) as Tensor<any> as Tensor<D>
      this.#tensors.set(device, made)
    }
    return made
  }
}
