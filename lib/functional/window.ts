// How convolutions and pools say where their windows lie: strides, paddings and dilations along height and width.
import { checkInteger, checkWord, expected, quoted } from '../errors.js'
import { Tensor } from '../tensor.js'

/** One number for both axes, or [height, width]. */
export type Pair = number | readonly [height: number, width: number]
/**
 * 'valid': none. 'same': so much that there are ceil(size / stride) windows, the odd place at the end, as in TensorFlow.
 * A number: on all four sides. [height, width]: on both sides of each. [[top, bottom], [left, right]]: each side's own.
 */
export type WindowPadding =
  'same' | 'valid' | Pair | readonly [readonly [top: number, bottom: number], readonly [left: number, right: number]]
/** The same along one axis: a number for both sides, or [before, after]. */
export type WindowPadding1d = 'same' | 'valid' | number | readonly [before: number, after: number]

const limit = 2 ** 30

/** @internal Checks that an argument is a tensor of some rank. */
export function checkImages(op: string, x: unknown, rank: number, axes: string): Tensor<any> {
  if (!(x instanceof Tensor)) throw expected(op, 'a tensor', quoted(x))
  if (x.rank !== rank) throw expected(op, `a tensor of rank ${rank} (${axes})`, x.shape)
  return x
}

/** @internal Runs what calls the native op `native` for `op`: errors name the function that the user called. */
export function named<T>(op: string, native: string, f: () => T): T {
  try {
    return f()
  } catch (error) {
    if (error instanceof Error && error.message.startsWith(`${native}: `)) {
      const { message, stack } = error
      error.message = op + message.slice(native.length)
      if (stack !== undefined) error.stack = stack.replace(message, () => error.message)
    }
    throw error
  }
}

/** @internal [height, width]. */
export function pairOf(op: string, what: string, value: unknown, low: number): [number, number] {
  if (Array.isArray(value)) {
    if (value.length !== 2) throw expected(op, `${what} as a number or [height, width]`, value)
    return [checkInteger(op, what, value[0], low, limit), checkInteger(op, what, value[1], low, limit)]
  }
  const number = checkInteger(op, what, value, low, limit)
  return [number, number]
}

/** @internal The options of a window along one axis, as those of an image of height 1. */
export function heightOne(op: string, what: string, value: unknown, low: number, height: number): [number, number] {
  return [height, checkInteger(op, what, value, low, limit)]
}
/** @internal */
export function paddingOfHeightOne(op: string, padding: unknown): WindowPadding {
  if (padding === 'same' || padding === 'valid') return padding
  const sides: readonly unknown[] = Array.isArray(padding) ? padding : [padding, padding]
  if (sides.length !== 2)
    throw expected(op, `a padding of 'same', 'valid', a number or [before, after]`, quoted(padding))
  const side = (value: unknown): number => checkInteger(op, 'a padding from 0', value, 0, limit)
  return [
    [0, 0],
    [side(sides[0]), side(sides[1])]
  ]
}

/** @internal [[top, bottom], [left, right]] for windows of `extent` (dilation included) on an image of `size`. */
export function paddingOf(
  op: string,
  padding: unknown,
  size: readonly number[],
  extent: readonly number[],
  stride: readonly number[]
): [[number, number], [number, number]] {
  if (typeof padding === 'string') {
    checkWord(op, `a padding`, padding, ['same', 'valid'])
    if (padding === 'valid')
      return [
        [0, 0],
        [0, 0]
      ]
    const sides = (axis: 0 | 1): [number, number] => {
      const places = Math.ceil(size[axis]! / stride[axis]!)
      const total = Math.max(0, (places - 1) * stride[axis]! + extent[axis]! - size[axis]!)
      return [Math.floor(total / 2), Math.ceil(total / 2)]
    }
    return [sides(0), sides(1)]
  }
  const sides = (value: unknown): [number, number] => pairOf(op, 'a padding from 0', value, 0)
  if (Array.isArray(padding) && padding.length === 2) return [sides(padding[0]), sides(padding[1])]
  if (typeof padding === 'number') return [sides(padding), sides(padding)]
  throw expected(
    op,
    `a padding of 'same', 'valid', a number, [height, width] or [[top, bottom], [left, right]]`,
    quoted(padding)
  )
}
