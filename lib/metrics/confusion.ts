// The confusion matrix of a classifier, counted on the device, and what is read from it.
import { inspect } from 'node:util'
import { checkWord, describe, expected } from '../errors.js'
import { zeros } from '../functional/creation.js'
import { assign } from '../functional/shape.js'
import { call, keep, type Tensor } from '../tensor.js'
import { classNames, classNumber, classNumbers, follow, takeState, updating, type State } from './check.js'
import { accuracyOf, averageOf, ratio, rowsOf, sum, type Average } from './rates.js'
import { Report, table } from './report.js'

export type { Average } from './rates.js'

/** A class by name or number. */
export type ClassOf = string | number

/** What `Confusion` takes. */
export interface ConfusionOptions {
  /** The class that precision, recall and F1 are about: of two classes the second unless given; of more, the mean over all. */
  positive?: ClassOf | undefined
}

/** What a metric is asked for: one class, or an average over all. @inline */
export type Of = ClassOf | { average: Average }

const averages = ['macro', 'micro', 'weighted'] as const

/**
 * A confusion matrix: how many examples of each class (rows) were taken for which class (columns).
 *
 *     const confusion = new nt.metrics.Confusion(['other', 'bird'])
 *     confusion.update(logits.argmax(1), labels)
 *     console.log(await confusion.accuracy(), await confusion.recall('bird'), String(confusion))
 *     console.log(await confusion.f1({ average: 'macro' }), await confusion.report())
 */
export class Confusion {
  /** The names of the classes. */
  readonly classes: readonly string[]
  readonly #counts: Tensor<'int32'>
  readonly #positive: number | undefined

  /** @param classes their names, or how many there are. */
  constructor(classes: readonly string[] | number, options: ConfusionOptions = {}) {
    this.classes = classNames('Confusion', classes)
    if (typeof options !== 'object' || options === null)
      throw expected('Confusion', 'an object of options', describe(options))
    this.#positive =
      options.positive !== undefined
        ? classNumber('Confusion', this.classes, options.positive)
        : this.classes.length === 2
          ? 1
          : undefined
    this.#counts = keep(zeros([this.classes.length, this.classes.length], { dtype: 'int32' }))
  }

  /**
   * Counts a batch. Nothing is read back.
   * @param predictions [n]: numbers of classes, e.g. `logits.argmax(1)`, of int32, int64, uint8 or bool
   * @param labels [n], of such a dtype too. A number that is no class fails in the queue, and nothing of the batch is counted.
   */
  update(predictions: Tensor<any>, labels: Tensor<any>): void {
    updating(() => {
      const guesses = classNumbers('Confusion.update', 'predictions', predictions)
      follow(this.state(), guesses)
      call('count', [guesses, classNumbers('Confusion.update', 'labels', labels), this.#counts])
    })
  }

  /** Sets all counts to 0. */
  reset(): void {
    assign(this.#counts, 0)
  }

  /** The tensors of the counts, for a checkpoint. */
  state(): State {
    return { counts: this.#counts }
  }
  /** Takes on a copy of a state that `state()` of such a matrix gave. */
  loadState(state: State): void {
    takeState('Confusion.loadState', state, this.state())
  }

  /** The counts: `matrix[label][prediction]`. */
  async matrix(): Promise<number[][]> {
    return this.#rows(await this.#counts.data())
  }

  /** The share of examples that were taken for what they are; NaN before the first. */
  async accuracy(): Promise<number> {
    return accuracyOf(await this.matrix())
  }

  /**
   * Of those taken for the class, the share that is of it: true positives / (true + false positives); 0 where there are none.
   * @param of a class, or `{ average: 'macro' | 'micro' | 'weighted' }` over all: see `Report`
   */
  async precision(of?: Of): Promise<number> {
    return this.#metric('precision', of)
  }

  /**
   * Of those that are of the class, the share that was found: true positives / (true positives + false negatives); 0 where there
   * are none.
   * @param of as for `precision`
   */
  async recall(of?: Of): Promise<number> {
    return this.#metric('recall', of)
  }

  /**
   * The harmonic mean of precision and recall: 2 true positives / (2 true positives + false positives + false negatives). Averages
   * are of the classes' F1.
   * @param of as for `precision`
   */
  async f1(of?: Of): Promise<number> {
    return this.#metric('f1', of)
  }

  /** Precision, recall and F1 of each class and their averages: numbers, and a table where printed. */
  async report(): Promise<Report> {
    return new Report(this.classes, await this.matrix())
  }

  /** The matrix as a table, with precision and recall of each class. Waits for the counts. */
  toString(): string {
    const matrix = this.#rows(this.#counts.dataSync())
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
    const columns = this.classes.map((_, c) => matrix.map((row) => row[c]!))
    return [
      'rows: labels, columns: predictions, last corner: accuracy',
      table([
        ['', ...this.classes, 'recall'],
        ...matrix.map((row, c) => [this.classes[c]!, ...row.map(String), percent(ratio(row[c]!, sum(row)))]),
        [
          'precision',
          ...columns.map((column, c) => percent(ratio(column[c]!, sum(column)))),
          percent(accuracyOf(matrix))
        ]
      ])
    ].join('\n')
  }
  /** @internal What console.log prints. Not declared, so that the types need none of Node's. */
  [inspect.custom](): string {
    return this.toString()
  }

  #rows(counts: Int32Array): number[][] {
    const n = this.classes.length
    return this.classes.map((_, i) => Array.from(counts.subarray(i * n, (i + 1) * n)))
  }

  async #metric(metric: 'precision' | 'recall' | 'f1', of: Of | undefined): Promise<number> {
    const what = of === undefined ? (this.#positive ?? { average: 'macro' }) : of
    const averaged = typeof what === 'object'
    const chosen = averaged
      ? checkWord('Confusion', 'an average', (what as { average: Average } | null)?.average, averages)
      : classNumber('Confusion', this.classes, what)
    const matrix = await this.matrix()
    const rows = rowsOf(this.classes, matrix)
    return (typeof chosen === 'string' ? averageOf(matrix, rows, chosen) : rows[chosen]!)[metric]
  }
}
