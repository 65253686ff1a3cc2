// The numbers of the batch op's augmentation, and what they may be.
import { checkInteger, checkNumber, checkWord, expected, quoted } from '../errors.js'

/** What comes in from outside of a picture: see `AugmentationNumbers.fill`. */
export type AugmentationFill = 'mean' | 'black' | 'edge' | 'reflect'

/**
 * What is changed in a picture, in numbers: amounts, and the probability that a picture is changed that way at all. What
 * isn't given doesn't happen.
 */
export interface AugmentationNumbers {
  /** The probability that left and right change places. */
  flip?: number | undefined
  /** The probability that top and bottom change places. */
  flipVertical?: number | undefined
  /** Pictures are moved by up to this many whole pixels each way; every place is as likely. */
  shift?: number | undefined
  /** The probability that a picture is moved; 1 unless given. */
  shiftProbability?: number | undefined
  /** Pictures are turned about their middle by up to this many degrees (0 to 180) both ways. */
  rotate?: number | undefined
  /** The probability that it is turned; 0.5 unless given. */
  rotateProbability?: number | undefined
  /** The least and the largest factor by which a picture is enlarged about its middle, each from 0.01 to 100. */
  scale?: readonly [number, number] | undefined
  /** The probability that it is enlarged; 1 unless given. */
  scaleProbability?: number | undefined
  /** The least part of a picture's area (0.01 to 1) that is cut out by chance and brought to the picture's size. */
  crop?: number | undefined
  /** The probability that a part is cut out; 1 unless given. */
  cropProbability?: number | undefined
  /** The largest deviation, in pixels (0 to 100), of the Gaussian that a picture is blurred with. */
  blur?: number | undefined
  /** The probability that it is blurred; 0.5 unless given. */
  blurProbability?: number | undefined
  /** The deviation of normal noise, in units of pixel values from 0 to 1 (0 to 100). */
  noise?: number | undefined
  /** The probability that it gets noise; 0.5 unless given. */
  noiseProbability?: number | undefined
  /** The side, in pixels, of a square that is set to the mean. */
  cutout?: number | undefined
  /** The probability that it gets a square; 1 unless given. */
  cutoutProbability?: number | undefined
  /**
   * What comes in from outside of a picture: 'mean' (the default: 0 after normalising), 'black', 'edge' (the nearest
   * pixel) or 'reflect' (the picture mirrored at its outermost pixels).
   */
  fill?: AugmentationFill | undefined
  /** What chance decides follows from seed, epoch and the picture's index alone. */
  seed?: number | undefined
  /** The number of the epoch, from 0; 0 unless given. */
  epoch?: number | undefined
}

export const FILLS: readonly AugmentationFill[] = ['mean', 'black', 'edge', 'reflect']

interface Amount {
  what: string
  low: number
  high: number
  whole?: boolean
}

/** What the amount of each change is, and within which bounds. */
const AMOUNTS = {
  shift: { what: 'a number of whole pixels', low: 0, high: 1e6, whole: true },
  rotate: { what: 'an angle in degrees', low: 0, high: 180 },
  crop: { what: 'a part of the area', low: 0.01, high: 1 },
  blur: { what: 'a deviation in pixels', low: 0, high: 100 },
  noise: { what: 'a deviation', low: 0, high: 100 },
  cutout: { what: 'a number of whole pixels', low: 0, high: 1e6, whole: true }
} satisfies Record<string, Amount>
export type AmountName = keyof typeof AMOUNTS

/** The probability of each change unless it is given. */
export const PROBABILITIES = { flip: 0.5, shift: 1, rotate: 0.5, scale: 1, crop: 1, blur: 0.5, noise: 0.5, cutout: 1 }

/** The names of AugmentationNumbers. */
export const AUGMENTATION_NAMES = [
  ...Object.keys(PROBABILITIES).flatMap((name) => [name, name === 'flip' ? 'flipVertical' : `${name}Probability`]),
  'fill',
  'seed',
  'epoch'
]

/** Checks an amount of a change, and gives it back. `name` is what the message calls it. */
export function checkAmount(op: string, name: string, kind: AmountName, value: unknown): number {
  const { what, low, high, whole }: Amount = AMOUNTS[kind]
  const good = typeof value === 'number' && value >= low && value <= high && (!whole || Number.isInteger(value))
  if (!good) throw expected(op, `${name} as ${what} in [${low}, ${high}]`, quoted(value))
  return value
}

export function checkScale(op: string, name: string, value: unknown): readonly [number, number] {
  const isFactor = (v: unknown) => typeof v === 'number' && v >= 0.01 && v <= 100
  if (!Array.isArray(value) || value.length !== 2 || !value.every(isFactor) || value[0] > value[1])
    throw expected(op, `${name} as [least, largest] factors in [0.01, 100]`, quoted(value))
  return value as unknown as readonly [number, number]
}

export function checkProbability(op: string, name: string, value: unknown): number {
  if (!(checkNumber(op, `${name} in [0, 1]`, value) >= 0 && (value as number) <= 1))
    throw expected(op, `${name} in [0, 1]`, quoted(value))
  return value as number
}

/** The op's numbers, in the order of Batch in native/params.h. */
export function batchParameters(op: string, options: AugmentationNumbers): number[] {
  const { seed = 0, epoch = 0, fill = 'mean', flip = 0, flipVertical = 0 } = options
  for (const value of [seed, epoch]) {
    checkInteger(op, 'a seed and an epoch that are whole numbers in [0, 2^53)', value, 0, Number.MAX_SAFE_INTEGER)
  }
  checkWord(op, 'fill', fill, FILLS)
  const probability = (kind: Exclude<keyof typeof PROBABILITIES, 'flip'>) => {
    const name = `${kind}Probability` as const
    const { [name]: given = PROBABILITIES[kind] } = options
    const value = checkProbability(op, name, given)
    return options[kind] === undefined ? 0 : value
  }
  const amount = (kind: AmountName) => {
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
