// Precision, recall and F1 from a confusion matrix: arithmetic alone, which pages do in the browser, too.

/** How metrics of classes become one: their plain mean, weighted by the classes' examples, or of all classes' counts added up. */
export type Average = 'macro' | 'micro' | 'weighted'

/** A class's row of the table, or that of a mean over classes. */
export interface ReportRow {
  /** The class, or which mean. */
  name: string
  /** Of those taken for the class, the share that is of it; 0 where there are none. */
  precision: number
  /** Of those that are of the class, the share that was found; 0 where there are none. */
  recall: number
  /** The harmonic mean of both: 2 true positives / (2 true positives + false positives + false negatives); 0 where that is 0 / 0. */
  f1: number
  /** How many examples are of the class. */
  support: number
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b)

/** @internal The share on the diagonal; NaN of nothing. */
export function accuracyOf(matrix: readonly (readonly number[])[]): number {
  return sum(matrix.map((row, c) => row[c]!)) / sum(matrix.map(sum))
}

function row(name: string, truePositives: number, predicted: number, support: number): ReportRow {
  return {
    name,
    precision: ratio(truePositives, predicted),
    recall: ratio(truePositives, support),
    f1: ratio(2 * truePositives, predicted + support),
    support
  }
}

/** @internal The metrics of each class of `matrix[label][prediction]`. */
export function rowsOf(classes: readonly string[], matrix: readonly (readonly number[])[]): ReportRow[] {
  const predicted = classes.map(() => 0)
  for (const counts of matrix) for (let c = 0; c < counts.length; c++) predicted[c]! += counts[c]!
  return classes.map((name, c) => row(name, matrix[c]![c]!, predicted[c]!, sum(matrix[c]!)))
}

/** @internal The average over classes. */
export function averageOf(matrix: readonly (readonly number[])[], rows: readonly ReportRow[], by: Average): ReportRow {
  const total = sum(rows.map(({ support }) => support))
  if (by === 'micro') {
    const right = sum(matrix.map((counts, c) => counts[c]!))
    return row('micro average', right, total, total)
  }
  const mean = (key: 'precision' | 'recall' | 'f1'): number =>
    by === 'macro'
      ? sum(rows.map((one) => one[key])) / rows.length
      : ratio(sum(rows.map((one) => one[key] * one.support)), total)
  return { name: `${by} average`, precision: mean('precision'), recall: mean('recall'), f1: mean('f1'), support: total }
}
