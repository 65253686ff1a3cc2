// A batch for training, made from pictures that stay in device memory as bytes.
import { checkInteger, checkWord, describe, expected, quoted } from '../errors.js'
import { call, type Tensor } from '../tensor.js'
import type { AMOUNTS } from './augmentation.js'
import {
  checkAmount,
  checkProbability,
  checkScale,
  FILLS,
  PROBABILITIES,
  type AugmentationNumbers
} from './augmentation.js'
import { tensor } from './creation.js'

export type { AugmentationNumbers, Fill } from './augmentation.js'

export interface BatchImagesOptions extends AugmentationNumbers {
  /** The mean of each channel, of values from 0 to 1. */
  mean: readonly number[]
  /** The standard deviation of each channel, above 0. */
  std: readonly number[]
  /** What chance decides follows from seed, epoch and the picture's index alone. */
  seed?: number | undefined
  epoch?: number | undefined
}

/** The op's numbers, in the order of Batch in native/params.h. */
function augmentationNumbers(op: string, options: BatchImagesOptions): number[] {
  const { seed = 0, epoch = 0, fill = 'mean', flip = 0, flipVertical = 0 } = options
  for (const value of [seed, epoch]) {
    checkInteger(op, 'a seed and an epoch that are whole numbers in [0, 2^53)', value, 0, Number.MAX_SAFE_INTEGER)
  }
  checkWord(op, 'fill', fill, FILLS)
  const probability = (kind: Exclude<keyof typeof PROBABILITIES, 'flip'>) => {
    const name = `${kind}Probability` as const
    const value = checkProbability(op, name, options[name] ?? PROBABILITIES[kind])
    return options[kind] === undefined ? 0 : value
  }
  const amount = (kind: keyof typeof AMOUNTS) => {
    const value = options[kind]
    const neutral = kind === 'crop' ? 1 : 0
    return [value === undefined ? neutral : checkAmount(op, kind, kind, value), probability(kind)]
  }
  const scale = options.scale === undefined ? [1, 1] : checkScale(op, 'scale', options.scale)
  return [
    seed,
    epoch,
    FILLS.indexOf(fill),
    checkProbability(op, 'flip as a probability', flip),
    checkProbability(op, 'flipVertical as a probability', flipVertical),
    ...amount('shift'),
    ...amount('rotate'),
    ...scale,
    probability('scale'),
    ...amount('crop'),
    ...amount('blur'),
    ...amount('noise'),
    ...amount('cutout')
  ]
}

function perChannel(name: string, values: unknown, low: number): Tensor<'float32'> {
  if (!Array.isArray(values) || !values.every((v) => typeof v === 'number' && Number.isFinite(v) && v > low)) {
    const what = low === 0 ? 'numbers above 0' : 'finite numbers'
    throw expected('batchImages', `${name} as an array of ${what}, one per channel`, quoted(values))
  }
  return tensor(values as number[])
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
  const op = 'batchImages'
  if (typeof options !== 'object' || options === null)
    throw expected(op, 'options with mean and std', describe(options))
  const numbers = augmentationNumbers(op, options)
  const mean = perChannel('mean', options.mean, -Infinity)
  const std = perChannel('std', options.std, 0)
  const batch = call('batch', [images, indices, mean, std], numbers)
  mean.dispose()
  std.dispose()
  return batch
}
