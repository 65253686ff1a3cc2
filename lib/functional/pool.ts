// Pooling: what a window that slides over images [n, height, width, channels] comes to.
import { expected, quoted } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { callMany, type FloatDType } from '../tensor.js'
import { mean } from './reduce.js'
import { reshape } from './shape.js'
import { checkImages, heightOne, named, paddingOf, paddingOfHeightOne, pairOf } from './window.js'
import type { Pair, WindowPadding, WindowPadding1d } from './window.js'

/** How the windows of a two-dimensional pool lie. */
export interface PoolOptions {
  /** Places between one window and the next; the window's size unless given. */
  stride?: Pair | undefined
  /** Places around the image, less than the window's size; they never win a maximum. 'valid' (none) unless given. */
  padding?: WindowPadding | undefined
}
/** How the windows of a two-dimensional mean lie, and what they divide by. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padded places count in the divisor; false unless given. */
  countPadding?: boolean | undefined
}
/** How the windows of a one-dimensional pool lie. */
export interface Pool1dOptions {
  /** Places between one window and the next; the window's size unless given. */
  stride?: number | undefined
  /** Places around the sequence, less than the window's size; they never win a maximum. 'valid' (none) unless given. */
  padding?: WindowPadding1d | undefined
}
/** How the windows of a one-dimensional mean lie, and what they divide by. */
export interface AvgPool1dOptions extends Pool1dOptions {
  /** Whether padded places count in the divisor; false unless given. */
  countPadding?: boolean | undefined
}

function pool(
  op: 'maxPool2d' | 'avgPool2d',
  caller: string,
  x: Tensor<any>,
  size: Pair,
  options: AvgPoolOptions
): Tensor<any> {
  const sizes = pairOf(caller, 'a window size from 1', size, 1)
  const { stride = sizes, padding = 'valid', countPadding = false } = options
  if (typeof countPadding !== 'boolean') throw expected(caller, 'countPadding as true or false', quoted(countPadding))
  const strides = pairOf(caller, 'a stride from 1', stride, 1)
  const pads = paddingOf(caller, padding, x.shape.slice(1, 3), sizes, strides)
  const along = (axis: 0 | 1): number[] => [sizes[axis], strides[axis], ...pads[axis]]
  const numbers = [...along(0), ...along(1), countPadding ? 1 : 0]
  const [y, positions] = named(caller, op, () => callMany(op, [x], numbers))
  positions?.dispose() // the tape keeps them
  return y!
}

/**
 * The largest value in each window of images x [n, h, w, c]: [n, oh, ow, c] with oh = floor((h + top + bottom - size) / stride) + 1.
 * The gradient goes to the first of equal values. A NaN wins.
 * @throws where the window is larger than the padded image.
 */
export function maxPool2d<D extends FloatDType>(x: Tensor<D>, size: Pair, options: PoolOptions = {}): Tensor<D> {
  return pool(
    'maxPool2d',
    'maxPool2d',
    checkImages('maxPool2d', x, 4, '[n, height, width, channels]'),
    size,
    options ?? {}
  )
}

/** The mean of the values in each window of images x [n, h, w, c]. See `maxPool2d` for the shape. */
export function avgPool2d<D extends FloatDType>(x: Tensor<D>, size: Pair, options: AvgPoolOptions = {}): Tensor<D> {
  return pool(
    'avgPool2d',
    'avgPool2d',
    checkImages('avgPool2d', x, 4, '[n, height, width, channels]'),
    size,
    options ?? {}
  )
}

function pool1d(
  op: 'maxPool2d' | 'avgPool2d',
  caller: string,
  x: Tensor<any>,
  size: number,
  options: AvgPool1dOptions
): Tensor<any> {
  checkImages(caller, x, 3, '[n, length, channels]')
  const { padding = 'valid', stride = size, ...rest } = options
  const [n, length, channels] = x.shape
  const y = pool(
    op,
    caller,
    reshape(x, [n!, 1, length!, channels!]),
    heightOne(caller, 'a window size from 1', size, 1, 1),
    {
      ...rest,
      stride: heightOne(caller, 'a stride from 1', stride, 1, 1),
      padding: paddingOfHeightOne(caller, padding)
    }
  )
  return reshape(y, [n!, y.shape[2]!, channels!])
}

/** The largest value in each window of sequences x [n, length, c]. See `maxPool2d`. */
export function maxPool1d<D extends FloatDType>(x: Tensor<D>, size: number, options: Pool1dOptions = {}): Tensor<D> {
  return pool1d('maxPool2d', 'maxPool1d', x, size, options ?? {})
}

/** The mean of the values in each window of sequences x [n, length, c]. See `avgPool2d`. */
export function avgPool1d<D extends FloatDType>(x: Tensor<D>, size: number, options: AvgPool1dOptions = {}): Tensor<D> {
  return pool1d('avgPool2d', 'avgPool1d', x, size, options ?? {})
}

/** The mean over height and width of images x [n, h, w, c]: [n, c]. */
export function globalAvgPool2d<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
  return mean(checkImages('globalAvgPool2d', x, 4, '[n, height, width, channels]'), [1, 2])
}
