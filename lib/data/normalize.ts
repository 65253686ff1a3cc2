// Pictures as a network takes them.
import { batchImages } from '../functional/batch.js'
import { tensor } from '../functional/creation.js'
import { tidy, type Tensor } from '../tensor.js'
import type { Statistics } from './dataset.js'

/**
 * The pixels uint8 [n, height, width, channels] of pictures as floats from 0 to 1, less the mean and divided by the deviation where
 * `normalize` says them.
 */
export function normalized(
  pixels: Uint8Array,
  shape: readonly number[],
  normalize: Statistics | undefined,
  device: string
): Tensor<'float32'> {
  const [count, , , channels] = shape as [number, number, number, number]
  const { mean, std } = normalize ?? {
    mean: Array<number>(channels).fill(0),
    std: Array<number>(channels).fill(1)
  }
  const indices = Int32Array.from({ length: count }, (_, i) => i)
  return tidy(() => batchImages(tensor(pixels, shape, { device }), tensor(indices, { device }), { mean, std }))
}
