// What follows from the counts at every distinct score, in float64: curves, their areas, operating points and calibration.
// A score is positive from a threshold on: score >= threshold.
import { ratio } from './rates.js'

/** @internal The counts where the threshold is each distinct score, from the highest to the lowest. */
export interface Counts {
  thresholds: ArrayLike<number>
  /** Positive examples with at least that score. */
  truePositives: ArrayLike<number>
  /** Negative examples with at least that score. */
  falsePositives: ArrayLike<number>
}

/** As scikit-learn's `precision_recall_curve`: thresholds rise, and one more point, precision 1 and recall 0, ends the curve. */
export interface PrecisionRecallCurve {
  /** Of those taken for positive at each threshold, the share that is. */
  precision: Float64Array
  /** 1 throughout where there are no positive examples, as in scikit-learn. */
  recall: Float64Array
  /** One less than points. */
  thresholds: Float64Array
  /** The average precision: the sum of each precision times the recall that was won with it, without interpolation. */
  area: number
}

/** As scikit-learn's `roc_curve` without dropped points: thresholds fall, from Infinity (nothing is positive) on. */
export interface RocCurve {
  /** Of the negative examples, the share taken for positive; NaN where there are none. */
  falsePositiveRate: Float64Array
  /** Of the positive examples, the share found; NaN where there are none. */
  truePositiveRate: Float64Array
  /** As many as points. */
  thresholds: Float64Array
  /** The area by the trapezoidal rule: the probability that a positive example has a higher score than a negative one. */
  area: number
}

/** What a threshold makes of the examples. Shares are 0 where they are 0 / 0; accuracy is NaN without examples. */
export interface BinaryCounts {
  /** Scores from here on are positive. */
  threshold: number
  /** Positive examples taken for positive. */
  truePositives: number
  /** Negative examples taken for positive. */
  falsePositives: number
  /** Negative examples taken for negative. */
  trueNegatives: number
  /** Positive examples taken for negative. */
  falseNegatives: number
  /** The share of all examples that is taken for what it is. */
  accuracy: number
  /** Of those taken for positive, the share that is. */
  precision: number
  /** Of the positive examples, the share found. */
  recall: number
  /** The harmonic mean of precision and recall. */
  f1: number
}

/** A threshold and what it gives. */
export interface OperatingPoint {
  /** Of those taken for positive, the share that is. */
  precision: number
  /** Of the positive examples, the share found. */
  recall: number
  /** Scores from here on are positive; Infinity where nothing is. */
  threshold: number
}

/** The probabilities of one range, and what became of them. */
export interface CalibrationBin {
  /** The bin holds probabilities in (low, high]; the first one 0 as well. */
  low: number
  /** Its upper bound. */
  high: number
  /** The examples in it. */
  count: number
  /** The mean of its probabilities; NaN where it is empty. */
  meanProbability: number
  /** The share of positive examples in it; NaN where it is empty. */
  positiveShare: number
}

/** How far probabilities can be taken at their word. */
export interface Calibration {
  /** The ranges that probabilities were sorted into. */
  bins: CalibrationBin[]
  /** The expected calibration error: the mean of |share of positives - mean probability| over the bins, weighted with their counts. */
  expectedError: number
  /** The largest of these distances. */
  maximumError: number
  /** The Brier score: the mean of (probability - label)^2. Needs no bins. */
  brier: number
}

const last = (values: ArrayLike<number>): number => (values.length === 0 ? 0 : values[values.length - 1]!)

/** @internal */
export const positivesOf = (counts: Counts): number => last(counts.truePositives)
const negativesOf = (counts: Counts): number => last(counts.falsePositives)
const precisionAt = ({ truePositives, falsePositives }: Counts, i: number): number =>
  truePositives[i]! / (truePositives[i]! + falsePositives[i]!)

/** @internal */
export function averagePrecision(counts: Counts): number {
  const { truePositives } = counts
  const positives = positivesOf(counts)
  if (truePositives.length === 0) return NaN
  let area = 0
  for (let i = 0, before = 0; i < truePositives.length; before = truePositives[i++]!)
    area += ((truePositives[i]! - before) / Math.max(positives, 1)) * precisionAt(counts, i)
  return area
}

/** @internal */
export function rocAuc(counts: Counts): number {
  const { truePositives, falsePositives } = counts
  // Twice the number of pairs of a positive and a negative example in the right order: whole numbers.
  let pairs = 0
  for (let i = 0, tp = 0, fp = 0; i < truePositives.length; tp = truePositives[i]!, fp = falsePositives[i++]!)
    pairs += (falsePositives[i]! - fp) * (truePositives[i]! + tp)
  return pairs / 2 / (positivesOf(counts) * negativesOf(counts))
}

/** @internal */
export function precisionRecallOf(counts: Counts): PrecisionRecallCurve {
  const n = counts.thresholds.length
  const positives = positivesOf(counts)
  const precision = new Float64Array(n + 1)
  const recall = new Float64Array(n + 1)
  const thresholds = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const to = n - 1 - i
    precision[to] = precisionAt(counts, i)
    recall[to] = positives === 0 ? 1 : counts.truePositives[i]! / positives
    thresholds[to] = counts.thresholds[i]!
  }
  precision[n] = 1
  return { precision, recall, thresholds, area: averagePrecision(counts) }
}

/** @internal */
export function rocOf(counts: Counts): RocCurve {
  const share = (values: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: values.length + 1 }, (_, i) => (i === 0 ? 0 : values[i - 1]!) / last(values))
  return {
    falsePositiveRate: share(counts.falsePositives),
    truePositiveRate: share(counts.truePositives),
    thresholds: Float64Array.from([Infinity, ...iterate(counts.thresholds)]),
    area: rocAuc(counts)
  }
}

function* iterate(values: ArrayLike<number>): Generator<number> {
  for (let i = 0; i < values.length; i++) yield values[i]!
}

/** @internal */
export function countsAt(counts: Counts, threshold: number): BinaryCounts {
  // How many distinct scores reach the threshold.
  let [low, high] = [0, counts.thresholds.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (counts.thresholds[middle]! >= threshold) low = middle + 1
    else high = middle
  }
  const truePositives = low === 0 ? 0 : counts.truePositives[low - 1]!
  const falsePositives = low === 0 ? 0 : counts.falsePositives[low - 1]!
  const falseNegatives = positivesOf(counts) - truePositives
  const trueNegatives = negativesOf(counts) - falsePositives
  return {
    threshold,
    truePositives,
    falsePositives,
    trueNegatives,
    falseNegatives,
    accuracy: (truePositives + trueNegatives) / (positivesOf(counts) + negativesOf(counts)),
    precision: ratio(truePositives, truePositives + falsePositives),
    recall: ratio(truePositives, truePositives + falseNegatives),
    f1: ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives)
  }
}

/** @internal The point with the most recall among those with at least that precision. */
export function bestRecall(counts: Counts, precision: number): OperatingPoint {
  const positives = positivesOf(counts)
  // Recall grows with falling thresholds: of equal ones the first has the most precision.
  let best: OperatingPoint = { precision: 1, recall: 0, threshold: Infinity }
  for (let i = 0; i < counts.thresholds.length; i++) {
    const recall = ratio(counts.truePositives[i]!, positives)
    if (recall > best.recall && precisionAt(counts, i) >= precision)
      best = { precision: precisionAt(counts, i), recall, threshold: counts.thresholds[i]! }
  }
  return best
}

/** @internal The point with the most precision among those with at least that recall. */
export function bestPrecision(counts: Counts, recall: number): OperatingPoint {
  const positives = positivesOf(counts)
  let best: OperatingPoint | undefined = recall <= 0 ? { precision: 1, recall: 0, threshold: Infinity } : undefined
  for (let i = 0; i < counts.thresholds.length; i++) {
    const point = {
      precision: precisionAt(counts, i),
      recall: ratio(counts.truePositives[i]!, positives),
      threshold: counts.thresholds[i]!
    }
    // Of equal precisions the last has the most recall.
    if (point.recall >= recall && point.precision >= (best?.precision ?? 0)) best = point
  }
  return best ?? { precision: 0, recall: 0, threshold: -Infinity }
}

/** @internal */
export function calibrationOf(counts: Counts, bins: number): Calibration {
  const { thresholds, truePositives, falsePositives } = counts
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, positives: 0 }))
  let brier = 0
  for (let i = 0, tp = 0, fp = 0; i < thresholds.length; tp = truePositives[i]!, fp = falsePositives[i++]!) {
    const [p, positives, negatives] = [thresholds[i]!, truePositives[i]! - tp, falsePositives[i]! - fp]
    brier += positives * (1 - p) ** 2 + negatives * p ** 2
    let b = Math.min(Math.max(Math.ceil(p * bins) - 1, 0), bins - 1)
    // The product is rounded: the edges decide.
    while (b > 0 && p <= b / bins) b--
    while (b < bins - 1 && p > (b + 1) / bins) b++
    const bin = sums[b]!
    bin.count += positives + negatives
    bin.probability += p * (positives + negatives)
    bin.positives += positives
  }
  const total = positivesOf(counts) + negativesOf(counts)
  const distances = sums.map(({ count, probability, positives }) =>
    count === 0 ? 0 : Math.abs(positives - probability) / count
  )
  return {
    bins: sums.map(({ count, probability, positives }, b) => ({
      low: b / bins,
      high: (b + 1) / bins,
      count,
      meanProbability: probability / count,
      positiveShare: positives / count
    })),
    expectedError: distances.reduce((error, distance, b) => error + distance * sums[b]!.count, 0) / total,
    maximumError: total === 0 ? NaN : Math.max(...distances),
    brier: brier / total
  }
}
