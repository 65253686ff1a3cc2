// What goes from node to node of an imported graph. ONNX has channels as an image's second axis, the library as its last: an image stays
// in the library's order as long as nodes can do with it, and is brought into ONNX's where one needs it.
import { expected } from '../../errors.js'
import { tensor } from '../../functional/creation.js'
import { permute, reshape } from '../../functional/shape.js'
import type { Tensor } from '../../tensor.js'
import { channelsFirst, channelsLast } from './graph.js'

/** A tensor; `last`: its channels, ONNX's second axis, are the last one. */
export interface Held {
  readonly tensor: Tensor<any>
  readonly last: boolean
}

/** Whole numbers that are known without computing on the device: shapes, axes and what is made of them. */
export interface Known {
  readonly numbers: readonly number[]
  /** A single number is of no axes. */
  readonly single: boolean
}

export type Value = Held | Known

/** More would be no shapes. */
export const MAX_KNOWN = 2 ** 16

export const isKnown = (value: Value): value is Known => 'numbers' in value
export const held = (tensor: Tensor<any>, last = false): Held => ({ tensor, last: last && tensor.rank > 2 })

export function known(numbers: readonly number[], single = false): Known {
  if (numbers.length > MAX_KNOWN) throw expected('OnnxNetwork', `at most ${MAX_KNOWN} sizes`, `${numbers.length}`)
  return { numbers, single }
}

/** A value on the device. */
export function onDevice(value: Value, device: string): Held {
  if (!isKnown(value)) return value
  const { numbers, single } = value
  return held(tensor(Int32Array.from(numbers), single ? [] : [numbers.length], { device }))
}

/** The tensor with ONNX's axes. */
export function plain({ tensor: x, last }: Held): Tensor<any> {
  if (!last) return x
  const { shape } = x
  const channels = shape.at(-1)!
  // Of one place, or of one channel, the order of the values is the same.
  const moved = channels !== 1 && shape.slice(1, -1).some((size) => size !== 1)
  return moved ? permute(x, channelsFirst(x.rank)) : reshape(x, [shape[0]!, channels, ...shape.slice(1, -1)])
}

/** The tensor with the library's axes. */
export const image = (value: Held): Tensor<any> =>
  value.last ? value.tensor : permute(value.tensor, channelsLast(value.tensor.rank))

/** The shape that ONNX knows. */
export function shapeOf({ tensor: { shape }, last }: Held): number[] {
  return last ? [shape[0]!, shape.at(-1)!, ...shape.slice(1, -1)] : [...shape]
}

/** Where ONNX's axis is in the tensor. */
export function axisIn({ tensor: { rank }, last }: Held, axis: number): number {
  const own = axis < 0 ? axis + rank : axis
  if (!(own >= 0 && own < rank)) throw expected('OnnxNetwork', `an axis in [${-rank}, ${rank})`, `${axis}`)
  return last ? lastAxis(own, rank) : own
}

const lastAxis = (axis: number, rank: number): number => (axis === 0 ? 0 : axis === 1 ? rank - 1 : axis - 1)

/** Tensors for one elementwise operation: all with channels last where one has them so. */
export function alike(values: readonly Held[]): { tensors: Tensor<any>[]; last: boolean } {
  const rank = Math.max(...values.map(({ tensor }) => tensor.rank))
  const last = rank > 2 && values.some((value) => value.last && value.tensor.rank === rank)
  if (!last) return { tensors: values.map(plain), last }
  const tensors = values.map((value) => {
    const { tensor: x } = value
    if (value.last && x.rank === rank) return x
    if (x.size === 1) return reshape(x, [])
    // Axes that are not there stand before those that are, as in broadcasting.
    const own = plain(value)
    const full = reshape(own, [...Array<number>(rank - own.rank).fill(1), ...own.shape])
    return image(held(full))
  })
  return { tensors, last }
}
