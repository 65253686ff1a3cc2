// What is changed by chance in the pictures of a training set, as options say it.
import { checkWord, describe, didYouMean, expected, quoted } from '../errors.js'
import {
  checkAmount,
  checkProbability,
  checkScale,
  FILLS,
  PROBABILITIES,
  type AugmentationFill,
  type AugmentationNumbers
} from '../functional/augmentation.js'

/** How likely a change is: 0 to 1. @inline */
interface Chance {
  probability?: number | undefined
}

/** @inline */
type Direction = 'horizontal' | 'vertical' | 'both'

/**
 * What is changed by chance, each picture anew in each epoch. What chance decides follows from the loader's seed, the
 * epoch and the picture alone. The changes are made in this order: flip, crop, scale, rotate and shift (one sampling,
 * bilinear), then blur, noise and cutout. Where only flips and shifts are asked for, pixels are copied as they are.
 */
export interface Augmentation {
  /**
   * Mirrors a picture: 'horizontal' (left and right change places), 'vertical', or 'both' (each for itself). Probability
   * 0.5.
   */
  flip?: Direction | ({ direction: Direction } & Chance) | undefined
  /** Turns it about its middle by up to so many degrees (at most 180) both ways, uniformly. Probability 0.5. */
  rotate?: number | ({ degrees: number } & Chance) | undefined
  /**
   * Blurs it with a Gaussian whose deviation is uniform between 0 and so many pixels (at most 100); pixels beyond the
   * borders are those mirrored at them. Probability 0.5.
   */
  blur?: number | ({ sigma: number } & Chance) | undefined
  /** Moves it by up to so many whole pixels each way, every place as likely. Probability 1. */
  shift?: number | ({ pixels: number } & Chance) | undefined
  /** Enlarges it about its middle by a factor that is uniform in [least, largest], from 0.01 to 100. Probability 1. */
  scale?: readonly [number, number] | ({ range: readonly [number, number] } & Chance) | undefined
  /**
   * Cuts out a part and brings it to the picture's size ("random resized crop"): its share of the area is uniform between
   * this number and 1, its ratio of width to height between 3/4 and 4/3 of the picture's, its place uniform. Probability 1.
   */
  crop?: number | ({ area: number } & Chance) | undefined
  /** Adds normal noise of this deviation, in units of pixel values from 0 to 1. Probability 0.5. */
  noise?: number | ({ deviation: number } & Chance) | undefined
  /**
   * Sets a square of so many pixels to the mean ("cutout", DeVries and Taylor 2017): its middle is any pixel, so that
   * parts of it may lie outside. Probability 1.
   */
  cutout?: number | ({ size: number } & Chance) | undefined
  /**
   * What comes in from outside of a picture: 'mean' (the default: 0 after normalising), 'black', 'edge' (the nearest
   * pixel) or 'reflect' (the picture mirrored at its outermost pixels).
   */
  fill?: AugmentationFill | undefined
}

/** What the amount is called in the form with a probability. */
const AMOUNT_NAMES = {
  flip: 'direction',
  rotate: 'degrees',
  blur: 'sigma',
  shift: 'pixels',
  scale: 'range',
  crop: 'area',
  noise: 'deviation',
  cutout: 'size'
} as const
type Change = keyof typeof AMOUNT_NAMES
const CHANGES = Object.keys(AMOUNT_NAMES) as Change[]
const DIRECTIONS: readonly Direction[] = ['horizontal', 'vertical', 'both']

/** The numbers that the batch op takes; wrong options are errors of `op`. */
export function augmentationNumbers(op: string, augment: unknown): AugmentationNumbers {
  if (typeof augment !== 'object' || augment === null || Array.isArray(augment))
    throw expected(op, 'augment as an object of changes', quoted(augment))
  const options = augment as Record<string, unknown>
  checkKeys(op, 'augment', options, [...CHANGES, 'fill'])
  const numbers: AugmentationNumbers = {}
  for (const change of CHANGES) {
    if (options[change] === undefined) continue
    const { amount, probability, name } = partsOf(op, change, options[change])
    if (change === 'flip') {
      const direction = checkWord(op, name, amount, DIRECTIONS)
      if (direction !== 'vertical') numbers.flip = probability
      if (direction !== 'horizontal') numbers.flipVertical = probability
      continue
    }
    if (change === 'scale') numbers.scale = checkScale(op, name, amount)
    else numbers[change] = checkAmount(op, name, change, amount)
    numbers[`${change}Probability`] = probability
  }
  if (options['fill'] !== undefined) numbers.fill = checkWord(op, 'augment.fill', options['fill'], FILLS)
  return numbers
}

/** A change's amount, its probability, and what messages call the amount. */
function partsOf(op: string, change: Change, value: unknown): { amount: unknown; probability: number; name: string } {
  const usual = PROBABILITIES[change]
  const path = `augment.${change}`
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { amount: value, probability: usual, name: path }
  const key = AMOUNT_NAMES[change]
  const form = value as Record<string, unknown>
  checkKeys(op, path, form, [key, 'probability'])
  if (form[key] === undefined) throw expected(op, `${path} with '${key}'`, describe(value))
  const probability = checkProbability(
    op,
    `${path}.probability`,
    form['probability'] === undefined ? usual : form['probability']
  )
  return { amount: form[key], probability, name: `${path}.${key}` }
}

function checkKeys(op: string, path: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown === undefined) return
  const words = known.map((word) => `'${word}'`).join(', ')
  throw expected(op, `${path} of ${words}`, quoted(unknown), didYouMean(unknown, known))
}
