// How good a classifier is, counted on the device and read when asked for. Public as `metrics`.
import { inspect } from 'node:util'
import { describe, expected, quoted } from './errors.js'
import { zeros } from './functional/creation.js'
import { assign } from './functional/shape.js'
import { call, handleOf, keep, type Tensor } from './tensor.js'

/** The average of a metric over all classes, or one class by name or number. */
export type ClassOf = string | number

export interface ConfusionOptions {
  /** The class that precision, recall and F1 are about: of two classes the second unless given; of more, the mean over all. */
  positive?: ClassOf | undefined
}

/**
 * A confusion matrix: how many examples of each class (rows) were taken for which class (columns).
 *
 *     const confusion = new nt.metrics.Confusion(['other', 'bird'])
 *     confusion.update(logits.argmax(1), labels)
 *     console.log(await confusion.accuracy(), await confusion.recall('bird'), String(confusion))
 */
export class Confusion {
  readonly classes: readonly string[]
  readonly #counts: Tensor<'int32'>
  readonly #positive: number | undefined

  /** @param classes their names, or how many there are. */
  constructor(classes: readonly string[] | number, options: ConfusionOptions = {}) {
    const names =
      typeof classes === 'number' && Number.isInteger(classes) && classes >= 1 && classes <= 10_000
        ? Array.from({ length: classes }, (_, i) => String(i))
        : classes
    if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string')) {
      throw expected('Confusion', 'the names of the classes, or their number from 1 to 10000', quoted(classes))
    }
    if (typeof options !== 'object' || options === null)
      throw expected('Confusion', 'an object of options', describe(options))
    this.classes = [...(names as string[])]
    this.#positive =
      options.positive !== undefined ? this.#numberOf(options.positive) : this.classes.length === 2 ? 1 : undefined
    this.#counts = keep(zeros([this.classes.length, this.classes.length], { dtype: 'int32' }))
  }

  /**
   * Counts a batch. Nothing is read back.
   * @param predictions int32 [n]: numbers of classes, e.g. `logits.argmax(1)`
   * @param labels [n] of an integer dtype. A number that is no class fails in the queue, and nothing of the batch is counted.
   */
  update(predictions: Tensor<any>, labels: Tensor<any>): void {
    handleOf('Confusion.update', predictions)
    handleOf('Confusion.update', labels)
    const same = labels.dtype === 'int32'
    const numbers = same ? labels : labels.astype('int32')
    call('count', [predictions, numbers, this.#counts]).dispose()
    if (!same) numbers.dispose()
  }

  /** Sets all counts to 0. */
  reset(): void {
    assign(this.#counts, 0)
  }

  /** The counts: `matrix[label][prediction]`. */
  async matrix(): Promise<number[][]> {
    return this.#rows(await this.#counts.data())
  }

  /** The share of examples that were taken for what they are; NaN before the first. */
  async accuracy(): Promise<number> {
    return accuracyOf(await this.matrix())
  }

  /** Of those taken for the class, the share that is of it: true positives / (true + false positives); 0 where there are none. */
  async precision(of?: ClassOf): Promise<number> {
    return this.#average(of, (matrix, c) => ratio(matrix[c]![c]!, sum(matrix.map((row) => row[c]!))))
  }

  /** Of those that are of the class, the share that was found: true positives / (true positives + false negatives); 0 where there are none. */
  async recall(of?: ClassOf): Promise<number> {
    return this.#average(of, (matrix, c) => ratio(matrix[c]![c]!, sum(matrix[c]!)))
  }

  /** The harmonic mean of precision and recall: 2 true positives / (2 true positives + false positives + false negatives). */
  async f1(of?: ClassOf): Promise<number> {
    return this.#average(of, (matrix, c) =>
      ratio(2 * matrix[c]![c]!, sum(matrix[c]!) + sum(matrix.map((row) => row[c]!)))
    )
  }

  /** The matrix as a table, with precision and recall of each class. Waits for the counts. */
  toString(): string {
    const matrix = this.#rows(this.#counts.dataSync())
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
    const columns = this.classes.map((_, c) => matrix.map((row) => row[c]!))
    const table = [
      ['', ...this.classes, 'recall'],
      ...matrix.map((row, c) => [this.classes[c]!, ...row.map(String), percent(ratio(row[c]!, sum(row)))]),
      ['precision', ...columns.map((column, c) => percent(ratio(column[c]!, sum(column)))), percent(accuracyOf(matrix))]
    ]
    const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
    const lines = table.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
    )
    return ['rows: labels, columns: predictions, last corner: accuracy', ...lines]
      .map((line) => line.trimEnd())
      .join('\n')
  }
  /** @internal What console.log prints. Not declared, so that the types need none of Node's. */
  [inspect.custom](): string {
    return this.toString()
  }

  #rows(counts: Int32Array): number[][] {
    const n = this.classes.length
    return this.classes.map((_, i) => Array.from(counts.subarray(i * n, (i + 1) * n)))
  }

  async #average(of: ClassOf | undefined, metric: (matrix: number[][], c: number) => number): Promise<number> {
    const one = of === undefined ? this.#positive : this.#numberOf(of)
    const matrix = await this.matrix()
    if (one !== undefined) return metric(matrix, one)
    return sum(matrix.map((_, c) => metric(matrix, c))) / matrix.length
  }

  #numberOf(of: ClassOf): number {
    const c = typeof of === 'string' ? this.classes.indexOf(of) : of
    if (!Number.isInteger(c) || c < 0 || c >= this.classes.length) {
      throw expected(
        'Confusion',
        `a class of ${this.classes.slice(0, 10).join(', ')}${this.classes.length > 10 ? ', …' : ''}`,
        quoted(of)
      )
    }
    return c
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b)
const accuracyOf = (matrix: readonly (readonly number[])[]): number =>
  sum(matrix.map((row, c) => row[c]!)) / sum(matrix.flat())
