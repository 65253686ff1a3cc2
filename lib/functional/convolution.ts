// Convolutions and transposed convolutions. Images are [n, height, width, channels]; weights [out, height, width, in / groups].
import { alike } from '../compute.js'
import { checkInteger, checkWord, expected, quoted } from '../errors.js'
import { call, Tensor, type FloatDType } from '../tensor.js'
import { add, relu } from './elementwise.generated.js'
import { reshape } from './shape.js'
import { checkImages, heightOne, named, paddingOf, paddingOfHeightOne, pairOf } from './window.js'
import type { Pair, WindowPadding, WindowPadding1d } from './window.js'

interface Common {
  /** The channels, in and out, are cut into this many groups that don't see one another; 1 unless given. */
  groups?: number
  /** [out], added to each place of the result. */
  bias?: Tensor<any> | undefined
  /** Applied last. */
  activation?: 'relu' | undefined
}
/** How the windows of a two-dimensional convolution lie. */
export interface ConvOptions extends Common {
  /** Places between one window and the next; 1 unless given. */
  stride?: Pair
  /** Zeros around the image; 'valid' (none) unless given. */
  padding?: WindowPadding
  /** Places between one weight and the next; 1 unless given. */
  dilation?: Pair
}
/** How the windows of a one-dimensional convolution lie. */
export interface Conv1dOptions extends Common {
  /** Places between one window and the next; 1 unless given. */
  stride?: number
  /** Zeros around the sequence; 'valid' (none) unless given. */
  padding?: WindowPadding1d
  /** Places between one weight and the next; 1 unless given. */
  dilation?: number
}
/** How a transposed two-dimensional convolution spreads its input. */
export interface ConvTransposeOptions extends ConvOptions {
  /** 'valid' (none) unless given: what is cut off the result. */
  padding?: Exclude<WindowPadding, 'same'>
  /** Places added at the end of height and width, less than the stride; 0 unless given. */
  outputPadding?: Pair
}
/** How a transposed one-dimensional convolution spreads its input. */
export interface ConvTranspose1dOptions extends Conv1dOptions {
  /** What is cut off the result; 'valid' (none) unless given. */
  padding?: Exclude<WindowPadding1d, 'same'>
  /** Places added at the end, less than the stride; 0 unless given. */
  outputPadding?: number
}

function activationOf(op: string, activation: unknown): boolean {
  if (activation !== undefined) checkWord(op, 'an activation', activation, ['relu'])
  return activation === 'relu'
}
function biasOf(op: string, bias: unknown): Tensor<any> | undefined {
  if (bias !== undefined && !(bias instanceof Tensor)) throw expected(op, 'a bias (a tensor)', quoted(bias))
  return bias
}

// [stride, low, high, dilation] of the height, then of the width, then the groups: how the native ops take them.
function geometry(
  op: string,
  size: readonly number[],
  kernel: readonly number[],
  options: ConvOptions
): { numbers: number[]; stride: number[]; pads: number[][]; extent: number[] } {
  const { stride = 1, padding = 'valid', dilation = 1, groups = 1 } = options
  const strides = pairOf(op, 'a stride from 1', stride, 1)
  const dilations = pairOf(op, 'a dilation from 1', dilation, 1)
  const extent = kernel.map((k, axis) => (k - 1) * dilations[axis]! + 1)
  const pads = paddingOf(op, padding, size, extent, strides)
  const along = (axis: 0 | 1): number[] => [strides[axis], ...pads[axis], dilations[axis]]
  return {
    numbers: [...along(0), ...along(1), checkInteger(op, 'groups from 1', groups, 1)],
    stride: strides,
    pads,
    extent
  }
}

function convolve(op: string, x: Tensor<any>, weights: Tensor<any>, options: ConvOptions): Tensor<any> {
  const { numbers } = geometry(op, x.shape.slice(1, 3), weights.shape.slice(1, 3), options)
  const bias = biasOf(op, options.bias)
  const inputs = bias === undefined ? [x, weights] : [x, weights, bias]
  const all = [...numbers, activationOf(op, options.activation) ? 1 : 0]
  return named(op, 'conv2d', () => call('conv2d', inputs, all))
}

/**
 * The convolution (cross-correlation) of images x [n, h, w, c] with weights [out, kh, kw, c / groups]: [n, oh, ow, out] with
 * oh = floor((h + top + bottom - (kh - 1) * dilation - 1) / stride) + 1, and ow likewise. Accumulates in float32.
 * @throws where the channels don't fit, the window is larger than the padded image, or the dtypes differ.
 */
export function conv2d<D extends FloatDType>(x: Tensor<D>, weights: Tensor<D>, options: ConvOptions = {}): Tensor<D> {
  checkImages('conv2d', x, 4, '[n, height, width, channels]')
  checkImages('conv2d', weights, 4, '[out, height, width, in / groups]')
  return convolve('conv2d', x, weights, options ?? {})
}

/** The options of a 1-D convolution as those of images of height 1. */
function ofHeightOne(op: string, options: Conv1dOptions & { outputPadding?: number }): ConvOptions {
  const { stride = 1, padding = 'valid', dilation = 1 } = options
  return {
    ...options,
    stride: heightOne(op, 'a stride from 1', stride, 1, 1),
    padding: paddingOfHeightOne(op, padding),
    dilation: heightOne(op, 'a dilation from 1', dilation, 1, 1)
  }
}
function addHeight(x: Tensor<any>): Tensor<any> {
  const [n, length, channels] = x.shape
  return reshape(x, [n!, 1, length!, channels!])
}
function dropHeight(y: Tensor<any>): Tensor<any> {
  const [n, , length, channels] = y.shape
  return reshape(y, [n!, length!, channels!])
}

/** The convolution of sequences x [n, length, c] with weights [out, k, c / groups]: [n, places, out]. See `conv2d`. */
export function conv1d<D extends FloatDType>(x: Tensor<D>, weights: Tensor<D>, options: Conv1dOptions = {}): Tensor<D> {
  checkImages('conv1d', x, 3, '[n, length, channels]')
  checkImages('conv1d', weights, 3, '[out, length, in / groups]')
  return dropHeight(convolve('conv1d', addHeight(x), addHeight(weights), ofHeightOne('conv1d', options ?? {})))
}

function transpose(op: string, x: Tensor<any>, weights: Tensor<any>, options: ConvTransposeOptions): Tensor<any> {
  if ((options.padding as unknown) === 'same') {
    throw expected(op, `a padding of 'valid', a number or numbers`, `'same'`, 'Give the places to cut off as numbers.')
  }
  const extra = pairOf(op, 'an outputPadding from 0', options.outputPadding ?? 0, 0)
  const { numbers, stride, pads, extent } = geometry(op, [0, 0], weights.shape.slice(1, 3), options)
  const size = [0, 1].map((axis) => {
    if (extra[axis]! >= stride[axis]!) {
      throw expected(op, `an outputPadding less than the stride ${stride[axis]}`, String(extra[axis]))
    }
    const places =
      (x.shape[1 + axis]! - 1) * stride[axis]! + extent[axis]! - pads[axis]![0]! - pads[axis]![1]! + extra[axis]!
    if (places < 0) throw expected(op, 'a padding less than the result', String(pads[axis]))
    return places
  })
  const bias = biasOf(op, options.bias)
  const rectify = activationOf(op, options.activation)
  let y = named(op, 'convolutionData', () => call('convolutionData', [x, weights], [...numbers, ...size]))
  if (bias !== undefined) {
    if (bias.rank !== 1 || bias.shape[0] !== y.shape[3]) throw expected(op, `a bias [${y.shape[3]}]`, bias.shape)
    y = add(y, alike(bias, y))
  }
  return rectify ? relu(y) : y
}

/**
 * The transposed convolution of x [n, h, w, in] with weights [in, kh, kw, out / groups]: the gradient of the convolution with
 * these weights with respect to its input, [n, (h - 1) * stride - top - bottom + (kh - 1) * dilation + 1 + outputPadding, ..., out].
 * @throws where the channels don't fit or the dtypes differ.
 */
export function convTranspose2d<D extends FloatDType>(
  x: Tensor<D>,
  weights: Tensor<D>,
  options: ConvTransposeOptions = {}
): Tensor<D> {
  checkImages('convTranspose2d', x, 4, '[n, height, width, channels]')
  checkImages('convTranspose2d', weights, 4, '[in, height, width, out / groups]')
  return transpose('convTranspose2d', x, weights, options ?? {})
}

/** The transposed convolution of x [n, length, in] with weights [in, k, out / groups]. See `convTranspose2d`. */
export function convTranspose1d<D extends FloatDType>(
  x: Tensor<D>,
  weights: Tensor<D>,
  options: ConvTranspose1dOptions = {}
): Tensor<D> {
  const op = 'convTranspose1d'
  checkImages(op, x, 3, '[n, length, channels]')
  checkImages(op, weights, 3, '[in, length, out / groups]')
  const { outputPadding = 0 } = options ?? {}
  const wide = {
    ...ofHeightOne(op, options ?? {}),
    outputPadding: heightOne(op, 'an outputPadding from 0', outputPadding, 0, 0)
  }
  return dropHeight(transpose(op, addHeight(x), addHeight(weights), wide as ConvTransposeOptions))
}
