// A batch for training, made from pictures that stay in device memory as bytes.
import { checkOptions, describe, expected, quoted } from '../errors.js'
import { call, Tensor, type DType } from '../tensor.js'
import { AUGMENTATION_NAMES, batchParameters, type AugmentationNumbers } from './augmentation.js'
import { tensor } from './creation.js'

export type { AugmentationFill, AugmentationNumbers } from './augmentation.js'

export interface BatchImagesOptions extends AugmentationNumbers {
  /** The mean of each channel, of values from 0 to 1; a tensor's numbers are not checked. */
  mean: readonly number[] | Tensor<'float32'>
  /** The standard deviation of each channel, above 0; a tensor's numbers are not checked. */
  std: readonly number[] | Tensor<'float32'>
}

function perChannel(name: string, values: unknown, low: number, { device }: Tensor<DType>): Tensor<'float32'> {
  if (values instanceof Tensor) return values as Tensor<'float32'>
  if (!Array.isArray(values) || !values.every((v) => typeof v === 'number' && Number.isFinite(v) && v > low)) {
    const what = low === 0 ? 'numbers above 0' : 'finite numbers'
    throw expected('batchImages', `${name} as an array of ${what}, one per channel`, quoted(values))
  }
  return tensor(values as number[], { device })
}

/**
 * Gathers pictures by index, scales bytes to (value / 255 - mean) / std, and changes each by chance, in this order:
 * flipped, cropped, scaled, turned and shifted in one bilinear sampling (copied to the bit where only flips and whole
 * pixels are asked for), blurred, given noise, and a square cut out.
 * @param images uint8 [n, height, width, channels]
 * @param indices int32 [batch], each in [0, n): one outside fails in the queue.
 * @returns float32 [batch, height, width, channels]
 */
export function batchImages(
  images: Tensor<'uint8'>,
  indices: Tensor<'int32'>,
  options: BatchImagesOptions
): Tensor<'float32'> {
  return make(images, indices, options)
}

/** @internal Where in a list of indices a batch is, and in which epoch: scalars on the device, so that one compiled program makes all batches. */
export interface Place {
  epoch: Tensor<'int32'>
  first: Tensor<'int32'>
}

/** @internal The same of `count` of the indices, from the place on; `options.epoch` doesn't matter. */
export function batchImagesAt(
  images: Tensor<'uint8'>,
  indices: Tensor<'int32'>,
  { epoch, first }: Place,
  count: number,
  options: BatchImagesOptions
): Tensor<'float32'> {
  return make(images, indices, options, [epoch, first], count)
}

function make(
  images: Tensor<'uint8'>,
  indices: Tensor<'int32'>,
  options: BatchImagesOptions,
  place: readonly Tensor<'int32'>[] = [],
  count = 0
): Tensor<'float32'> {
  const op = 'batchImages'
  if (typeof options !== 'object' || options === null)
    throw expected(op, 'options with mean and std', describe(options))
  checkOptions(op, options, ['mean', 'std', ...AUGMENTATION_NAMES])
  const parameters = batchParameters(op, options)
  const mean = perChannel('mean', options.mean, -Infinity, images)
  const std = perChannel('std', options.std, 0, images)
  const batch = call('batch', [images, indices, mean, std, ...place], [...parameters, count])
  if (mean !== options.mean) mean.dispose()
  if (std !== options.std) std.dispose()
  return batch
}
