// What the network made of the validation set, unpacked, and the questions that the page asks of it.
import type { Counts } from '../../metrics/curves.js'
import type { Example, RunData } from '../run-data.js'
import { float32, uint16 } from './arrays.js'

/** A picture with what is said beneath it. */
export interface Shown extends Example {
  /** The probability that decides in which order they are shown. */
  probability: number
  label: string
  prediction: string
}

export class Judged {
  readonly epoch: number
  readonly classes: readonly string[]
  readonly labels: Uint16Array
  readonly predictions: Uint16Array
  readonly confidence: Float32Array
  /** The probabilities of a class, by its number. */
  readonly scores: ReadonlyMap<number, Float32Array>
  readonly #examples: readonly Example[]

  /** undefined where the run has no predictions yet. */
  static of({ config, predictions, pictures }: RunData): Judged | undefined {
    return predictions ? new Judged(config.classes, predictions, pictures?.validation ?? []) : undefined
  }

  private constructor(
    classes: readonly string[],
    packed: NonNullable<RunData['predictions']>,
    examples: readonly Example[]
  ) {
    this.epoch = packed.epoch
    this.classes = classes
    this.labels = uint16(packed.labels)
    this.predictions = uint16(packed.predictions)
    this.confidence = float32(packed.confidence)
    this.scores = new Map(packed.scores.map(([c, values]) => [c, float32(values)]))
    this.#examples = examples.filter(({ index }) => index < this.labels.length)
  }

  /** `matrix[label][prediction]` */
  get matrix(): number[][] {
    const matrix = this.classes.map(() => this.classes.map(() => 0))
    this.labels.forEach((label, i) => matrix[label]![this.predictions[i]!]!++)
    return matrix
  }

  /** The pictures of one cell of the matrix, the most wrong first: sure mistakes, and right answers that were unsure. */
  cell(label: number, prediction: number): Shown[] {
    const isIn = (i: number) => this.labels[i] === label && this.predictions[i] === prediction
    return this.#shown(isIn, this.confidence, label === prediction)
  }

  /** The pictures that are of class `c` or not, and have at least that probability or not, the most wrong first. */
  outcome(c: number, isPositive: boolean, threshold: number, isAbove: boolean): Shown[] {
    const scores = this.scores.get(c)!
    const isIn = (i: number) => (this.labels[i] === c) === isPositive && scores[i]! >= threshold === isAbove
    return this.#shown(isIn, scores, isPositive)
  }

  #shown(isIn: (i: number) => boolean, probabilities: Float32Array, rising: boolean): Shown[] {
    const sign = rising ? 1 : -1
    return this.#examples
      .filter(({ index }) => isIn(index))
      .map((example) => ({
        ...example,
        probability: probabilities[example.index]!,
        label: this.classes[this.labels[example.index]!]!,
        prediction: this.classes[this.predictions[example.index]!]!
      }))
      .sort((a, b) => sign * (a.probability - b.probability))
  }

  /** The counts of class `c` against the rest at every threshold. */
  counts(c: number): Counts {
    const scores = this.scores.get(c)!
    const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!)
    const counts = { thresholds: [] as number[], truePositives: [] as number[], falsePositives: [] as number[] }
    let [truePositives, falsePositives] = [0, 0]
    order.forEach((at, i) => {
      if (this.labels[at] === c) truePositives++
      else falsePositives++
      if (scores[order[i + 1] ?? -1] === scores[at]) return
      counts.thresholds.push(scores[at]!)
      counts.truePositives.push(truePositives)
      counts.falsePositives.push(falsePositives)
    })
    return counts
  }
}
