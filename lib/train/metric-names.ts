// The names of what a training or an evaluation watches, and how each is read.
import { checkInteger, didYouMean, expected, quoted } from '../errors.js'
import type { Confusion, Scores } from '../metrics/index.js'

/** Read from a confusion matrix. */
const ofConfusion = {
  accuracy: (confusion: Confusion) => confusion.accuracy(),
  precision: (confusion: Confusion) => confusion.precision(),
  recall: (confusion: Confusion) => confusion.recall(),
  f1: (confusion: Confusion) => confusion.f1()
}

/** Read from the probabilities of the positive class. */
const ofScores = {
  averagePrecision: (scores: Scores) => scores.averagePrecision(),
  rocAuc: (scores: Scores) => scores.rocAuc()
}

/**
 * Of the confusion matrix: 'accuracy', 'precision', 'recall', 'f1' (of the positive class; without one the mean over the
 * classes). Of the positive class's probabilities: 'averagePrecision', 'rocAuc', and 'recall@0.97', the largest recall that a
 * threshold gives with a precision of at least 0.97.
 * @useDeclaredType
 */
export type MetricName = keyof typeof ofConfusion | keyof typeof ofScores | `recall@${number}`

const names: string[] = [...Object.keys(ofConfusion), ...Object.keys(ofScores)]

/** The precision in 'recall@0.97'; undefined for another name. */
const precisionIn = (name: string): number | undefined => {
  const value = /^recall@(0?\.\d+|1(?:\.0*)?)$/.exec(name)?.[1]
  return value === undefined ? undefined : Number(value)
}

export function checkMetrics(op: string, metrics: unknown, positive: string | undefined): readonly MetricName[] {
  if (!Array.isArray(metrics)) throw expected(op, 'metrics as an array of names', quoted(metrics))
  checkInteger(op, 'at most 20 metrics', metrics.length, 0, 20)
  for (const name of metrics as unknown[]) {
    if (typeof name !== 'string' || !(names.includes(name) || precisionIn(name) !== undefined)) {
      const hint = typeof name === 'string' ? didYouMean(name, names) : ''
      throw expected(op, `metrics of ${names.join(', ')} and recall@<precision>`, quoted(name), hint)
    }
    if (!(name in ofConfusion) && positive === undefined) {
      throw expected(op, `a positive class with the metric ${name}`, 'none', 'Name it with `positive`.')
    }
  }
  return [...new Set(metrics as MetricName[])]
}

/** Whether a metric is one of a confusion matrix, which training counts, too. */
export const isOfConfusion = (name: MetricName): name is keyof typeof ofConfusion => name in ofConfusion

/** The value of a metric. */
export function readMetric(name: MetricName, confusion: Confusion, scores: Scores | undefined): Promise<number> {
  if (isOfConfusion(name)) return ofConfusion[name](confusion)
  if (name in ofScores) return ofScores[name as keyof typeof ofScores](scores!)
  return scores!.recallAt({ precision: precisionIn(name)! }).then(({ recall }) => recall)
}
