// Host arrays that have a copy on the device, made when it is first asked for.
import { constants } from 'node:buffer'
import { expected } from '../errors.js'
import { tensor } from '../functional.js'
import { keep, type DType, type Tensor } from '../tensor.js'

/** An array of the host and its tensor. */
export class Resident<D extends 'uint8' | 'int32'> {
  readonly data: D extends 'uint8' ? Uint8Array : Int32Array
  readonly shape: readonly number[]
  #tensor: Tensor<D> | undefined

  constructor(data: D extends 'uint8' ? Uint8Array : Int32Array, shape: readonly number[]) {
    this.data = data
    this.shape = shape
  }

  get tensor(): Tensor<D> {
    this.#tensor ??= keep(tensor(this.data as Uint8Array, this.shape)) as Tensor<DType> as Tensor<D>
    return this.#tensor
  }
}

/** The number of bytes of `length` pictures of `shape`; throws when they are too many for one array. */
export function checkBytes(op: string, length: number, shape: readonly number[]): number {
  const picture = shape.reduce((product, size) => product * size, 1)
  const most = Math.floor(constants.MAX_LENGTH / picture)
  if (length <= most) return length * picture
  throw expected(op, `at most ${most} pictures of [${shape.join(', ')}]`, `${length}`, 'Choose a smaller size.')
}
