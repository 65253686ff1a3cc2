// Resizing images.
import { checkWord, expected, quoted } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { call, type DType } from '../tensor.js'
import { checkImages, pairOf, type Pair } from './window.js'

/** How pictures are resized. */
export interface ResizeOptions {
  /** 'bilinear' (floats only; without anti-aliasing) unless given, or 'nearest' (any dtype). */
  method?: 'bilinear' | 'nearest' | undefined
  /** Whether the centres of the corner pixels stay where they are; else pixels' centres are half a pixel from their edges. */
  alignCorners?: boolean | undefined
}

/**
 * Images x [n, h, w, c] at another size: [n, height, width, c]. The values are those of PyTorch's interpolate with 'bilinear' or
 * 'nearest-exact', and of TensorFlow's resize.
 * @throws where x isn't of rank 4 or a size is less than 1.
 */
export function resize<D extends DType>(x: Tensor<D>, size: Pair, options: ResizeOptions = {}): Tensor<D> {
  checkImages('resize', x, 4, '[n, height, width, channels]')
  const { method = 'bilinear', alignCorners = false } = options ?? {}
  checkWord('resize', 'a method', method, ['bilinear', 'nearest'])
  if (typeof alignCorners !== 'boolean') throw expected('resize', 'alignCorners as true or false', quoted(alignCorners))
  return call(
    'resize',
    [x],
    [...pairOf('resize', 'a size from 1', size, 1), method === 'bilinear' ? 1 : 0, alignCorners ? 1 : 0]
  )
}
