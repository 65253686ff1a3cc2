// A batch for training, made from pictures that stay in device memory as bytes.
import { checkInteger, checkNumber, describe, expected, quoted } from '../errors.js'
import { call, type Tensor } from '../tensor.js'
import { tensor } from './creation.js'

export interface BatchImagesOptions {
  /** The mean of each channel, of values from 0 to 1. */
  mean: readonly number[]
  /** The standard deviation of each channel, above 0. */
  std: readonly number[]
  /** The probability that a picture is flipped left to right (0 unless given). */
  flip?: number | undefined
  /** Pictures are moved by up to this many pixels each way (0 unless given); what comes in is black. */
  shift?: number | undefined
  /** Flips and shifts follow from seed, epoch and the picture's index alone. */
  seed?: number | undefined
  epoch?: number | undefined
}

function perChannel(name: string, values: unknown, low: number): Tensor<'float32'> {
  if (!Array.isArray(values) || !values.every((v) => typeof v === 'number' && Number.isFinite(v) && v > low)) {
    const what = low === 0 ? 'numbers above 0' : 'finite numbers'
    throw expected('batchImages', `${name} as an array of ${what}, one per channel`, quoted(values))
  }
  return tensor(values as number[])
}

/**
 * Gathers pictures by index, scales bytes to (value / 255 - mean) / std, flips and shifts them.
 * @param images uint8 [n, height, width, channels]
 * @param indices int32 [batch], each in [0, n): one outside fails in the queue.
 * @returns float32 [batch, height, width, channels]
 */
export function batchImages(
  images: Tensor<'uint8'>,
  indices: Tensor<'int32'>,
  options: BatchImagesOptions
): Tensor<'float32'> {
  const op = 'batchImages'
  if (typeof options !== 'object' || options === null)
    throw expected(op, 'options with mean and std', describe(options))
  const { flip = 0, shift = 0, seed = 0, epoch = 0 } = options
  checkNumber(op, 'a probability of flipping in [0, 1]', flip)
  checkInteger(op, 'a shift of whole pixels from 0', shift, 0)
  for (const value of [seed, epoch]) {
    checkInteger(op, 'a seed and an epoch that are whole numbers in [0, 2^53)', value, 0, Number.MAX_SAFE_INTEGER)
  }
  const mean = perChannel('mean', options.mean, -Infinity)
  const std = perChannel('std', options.std, 0)
  const batch = call('batch', [images, indices, mean, std], [flip, shift, seed, epoch])
  mean.dispose()
  std.dispose()
  return batch
}
