// Precision, recall and F1 of each class and averaged, as a table.
import { inspect } from 'node:util'
import { accuracyOf, averageOf, rowsOf, type ReportRow } from './rates.js'

/** Precision, recall and F1 of each class and averaged, as numbers and, by `String(report)` and `console.log`, as a table. */
export class Report {
  /** One row a class, in their order. */
  readonly classes: readonly ReportRow[]
  /** The mean over all classes, those without examples included. */
  readonly macro: ReportRow
  /** Of the counts of all classes together: where each example has one label, all three are the accuracy. */
  readonly micro: ReportRow
  /** The mean over all classes, each weighted with its examples. */
  readonly weighted: ReportRow
  /** The share of examples that were taken for what they are; NaN before the first. */
  readonly accuracy: number

  /** @internal Reports come from `Confusion.report`. */
  constructor(classes: readonly string[], matrix: readonly (readonly number[])[]) {
    this.classes = rowsOf(classes, matrix)
    this.macro = averageOf(matrix, this.classes, 'macro')
    this.micro = averageOf(matrix, this.classes, 'micro')
    this.weighted = averageOf(matrix, this.classes, 'weighted')
    this.accuracy = accuracyOf(matrix)
  }

  /** The table as text. */
  toString(): string {
    const lineOf = (one: ReportRow): string[] => [
      one.name,
      ...[one.precision, one.recall, one.f1].map((value) => value.toFixed(4)),
      String(one.support)
    ]
    return table([
      ['', 'precision', 'recall', 'f1', 'examples'],
      ...this.classes.map(lineOf),
      ...[this.macro, this.weighted].map(lineOf),
      ['accuracy', '', '', this.accuracy.toFixed(4), String(this.micro.support)]
    ])
  }
  /** @internal What console.log prints. Not declared, so that the types need none of Node's. */
  [inspect.custom](): string {
    return this.toString()
  }
}

/** @internal Lines of cells: the first column to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)))
  return rows
    .map((cells) => cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}
