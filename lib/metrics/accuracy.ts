// The share of right answers, counted on the device.
import { checkInteger, describe, expected } from '../errors.js'
import { ones, zeros } from '../functional/creation.js'
import { scatterAddAlong } from '../functional/indexing.js'
import { assign } from '../functional/shape.js'
import { handleOf, keep, type Tensor } from '../tensor.js'
import { classNumbers, follow, specOf, takeState, updating, type State } from './check.js'

/** What `Accuracy` takes. */
export interface AccuracyOptions {
  /** An answer is right where the label is among that many classes with the highest scores: 1 unless given. */
  topK?: number | undefined
}

/**
 * The share of examples that were taken for what they are.
 *
 *     const [accuracy, top5] = [new nt.metrics.Accuracy(), new nt.metrics.Accuracy({ topK: 5 })]
 *     accuracy.update(logits, labels)
 *     top5.update(logits, labels)
 *     console.log(await accuracy.value(), await top5.value())
 */
export class Accuracy {
  /** Among how many of the highest scores the label has to be. */
  readonly topK: number
  readonly #right: Tensor<'int64'>
  readonly #examples: Tensor<'int64'>

  constructor(options: AccuracyOptions = {}) {
    if (typeof options !== 'object' || options === null)
      throw expected('Accuracy', 'an object of options', describe(options))
    this.topK = checkInteger('Accuracy', 'topK to be a whole number from 1', options.topK ?? 1, 1)
    this.#right = keep(zeros([], { dtype: 'int64' }))
    this.#examples = keep(zeros([], { dtype: 'int64' }))
  }

  /**
   * Counts a batch. Nothing is read back.
   * @param predictions scores [n, classes], e.g. logits, of which the highest counts (of equal ones the first, as for `argmax`);
   *   or, without `topK`, numbers of classes [n]
   * @param labels [n], of int32, int64, uint8 or bool. Beside scores, a number that is no class is an error when the value is read.
   */
  update(predictions: Tensor<any>, labels: Tensor<any>): void {
    const op = 'Accuracy.update'
    handleOf(op, predictions)
    updating(() => {
      const right = classNumbers(op, 'labels', labels)
      const scores = predictions.rank === 2
      if (!scores && (predictions.rank !== 1 || this.topK > 1)) {
        throw expected(op, `scores [n, classes]${this.topK > 1 ? '' : ' or predictions [n]'}`, specOf(predictions))
      }
      const n = predictions.shape[0]!
      if (labels.rank !== 1 || labels.shape[0] !== n)
        throw expected(op, `labels [${n}], one for each prediction`, specOf(labels))
      if (n === 0) return
      follow(this.state(), predictions)
      const hits = scores ? this.#among(predictions, right) : classNumbers(op, 'predictions', predictions).equal(right)
      assign(this.#right, this.#right.add(hits.sum().astype('int64')))
      assign(this.#examples, this.#examples.add(n))
    })
  }

  // Where the label is among the k classes with the highest scores.
  #among(scores: Tensor<any>, labels: Tensor<'int32'>): Tensor<'uint8'> {
    const classes = scores.shape[1]!
    if (this.topK > classes)
      throw expected('Accuracy.update', `scores of at least ${this.topK} classes`, specOf(scores), 'See topK.')
    const { indices } = scores.topK(this.topK)
    const chosen = scatterAddAlong(indices, ones(indices.shape, { dtype: 'uint8', device: indices.device }), classes)
    return chosen.gatherAlong(labels.unsqueeze(1))
  }

  /** The share of right answers; NaN before the first. */
  async value(): Promise<number> {
    const [right, examples] = await Promise.all([this.#right.item(), this.#examples.item()])
    return right / examples
  }

  /** Forgets all examples. */
  reset(): void {
    assign(this.#right, 0)
    assign(this.#examples, 0)
  }

  /** The tensors of the counts, for a checkpoint. */
  state(): State {
    return { right: this.#right, examples: this.#examples }
  }
  /** Takes on a copy of a state that `state()` gave. */
  loadState(state: State): void {
    takeState('Accuracy.loadState', state, this.state())
  }
}
