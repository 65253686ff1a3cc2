// Scores of several classes: each class against the rest, averages over them, and the confidence of the answers.
import { checkWord, describe, expected } from '../errors.js'
import { oneHot } from '../functional/indexing.js'
import { handleOf, tidy, type Tensor } from '../tensor.js'
import { classNames, classNumber, classNumbers, specOf, tensorsOf, updating, type State } from './check.js'
import type { Average, ClassOf } from './confusion.js'
import { refuseCompiling, Scores } from './scores.js'
import { Store } from './store.js'

/**
 * The scores of several classes, kept on the device and exact for the whole set as `Scores` are.
 *
 *     const scores = new nt.metrics.ClassScores(['cat', 'dog', 'bird'])
 *     scores.update(logits.softmax(1), labels)
 *     const birds = await scores.of('bird') // Scores: bird or not
 *     console.log(await birds.averagePrecision(), await scores.rocAuc(), await (await scores.confidence()).calibration())
 */
export class ClassScores {
  /** The names of the classes. */
  readonly classes: readonly string[]
  readonly #scores = new Store() // float32 [n, classes]
  readonly #labels = new Store() // int32 [n]

  /** @param classes their names, or how many there are. */
  constructor(classes: readonly string[] | number) {
    this.classes = classNames('ClassScores', classes)
  }

  /** How many examples there are. */
  get size(): number {
    return this.#labels.size
  }

  /**
   * Adds a batch. Nothing is read back. A NaN, or a label that is no class, is an error when something is read.
   * @param scores [n, classes], floats, e.g. probabilities
   * @param labels [n], of int32, int64, uint8 or bool
   */
  update(scores: Tensor<any>, labels: Tensor<any>): void {
    const op = 'ClassScores.update'
    handleOf(op, scores)
    refuseCompiling(op)
    const n = scores.shape[0]
    if (!/float/.test(scores.dtype as string) || scores.rank !== 2 || scores.shape[1] !== this.classes.length)
      throw expected(op, `scores [n, ${this.classes.length}] of a floating dtype`, specOf(scores))
    updating(() => {
      const numbers = classNumbers(op, 'labels', labels)
      if (specOf(numbers) !== `int32 [${n}]`) throw expected(op, `labels [${n}], one for each row`, specOf(labels))
      this.#scores.push(scores.astype('float32'))
      this.#labels.push(numbers)
    })
  }

  /** Forgets all examples. */
  reset(): void {
    this.#scores.clear()
    this.#labels.clear()
  }

  /** The tensors of the scores and labels, for a checkpoint; without examples none. */
  state(): State {
    const [scores, labels] = [this.#scores.whole(), this.#labels.whole()]
    return scores === undefined || labels === undefined ? {} : { scores, labels }
  }
  /** Takes on a copy of a state that `state()` of such scores gave. */
  loadState(state: State): void {
    const op = 'ClassScores.loadState'
    refuseCompiling(op)
    const empty = typeof state === 'object' && state !== null && Object.keys(state).length === 0
    const given = empty ? undefined : tensorsOf(op, state, ['scores', 'labels'])
    if (given !== undefined) {
      const wanted = { scores: `float32 [n, ${this.classes.length}]`, labels: 'int32 [n]' }
      const n = String(given.scores.shape[0] ?? 'n')
      for (const name of ['scores', 'labels'] as const) {
        if (specOf(given[name]) !== wanted[name].replace('[n', `[${n}`))
          throw expected(op, `'${name}' as ${wanted[name]}`, specOf(given[name]))
      }
    }
    updating(() => {
      const copies = given && { scores: given.scores.copy(), labels: given.labels.copy() }
      this.reset()
      if (copies) {
        this.#scores.push(copies.scores)
        this.#labels.push(copies.labels)
      }
    })
  }

  /** The scores of one class against the rest, as they are now. */
  async of(name: ClassOf): Promise<Scores> {
    const c = classNumber('ClassScores', this.classes, name)
    return (await this.#labelled())
      ? this.#binary((scores, labels) => [scores.get(null, c), labels.equal(c)])
      : new Scores()
  }

  /**
   * The highest score of each example, positive where its class is the label: `calibration` of these is that of the answers, and
   * `recallAt` tells how sure an answer must be.
   */
  async confidence(): Promise<Scores> {
    if (!(await this.#labelled())) return new Scores()
    return this.#binary((scores, labels) => [scores.max(1), scores.argmax(1).equal(labels)])
  }

  /** The average precision over classes, 'macro' unless given: see `Scores.averagePrecision`. */
  async averagePrecision(options: { average?: Average | undefined } = {}): Promise<number> {
    return this.#average('averagePrecision', options)
  }

  /**
   * The area under the ROC curve over classes, one against the rest, 'macro' unless given: see `Scores.rocAuc`. NaN if a class has no
   * examples, but for 'weighted', where it doesn't count, and 'micro'.
   */
  async rocAuc(options: { average?: Average | undefined } = {}): Promise<number> {
    return this.#average('rocAuc', options)
  }

  async #average(metric: 'averagePrecision' | 'rocAuc', options: { average?: Average | undefined }): Promise<number> {
    const op = `ClassScores.${metric}`
    if (typeof options !== 'object' || options === null) throw expected(op, 'options ({ average })', describe(options))
    const average = checkWord(op, 'an average', options.average ?? 'macro', ['macro', 'micro', 'weighted'] as const)
    if (!(await this.#labelled())) return NaN
    const classes = this.classes.length
    if (average === 'micro') {
      // Every score of every example is a question of its own.
      const all = this.#binary((scores, labels) => [
        scores.flatten(),
        oneHot(labels, classes, { dtype: 'bool' }).flatten()
      ])
      const value = await all[metric]()
      all.reset()
      return value
    }
    let [sum, total] = [0, 0]
    for (let c = 0; c < classes; c++) {
      const one = this.#binary((scores, labels) => [scores.get(null, c), labels.equal(c)])
      const weight = average === 'macro' ? 1 : (await one.at(-Infinity)).truePositives
      if (weight > 0) sum += weight * (await one[metric]())
      total += weight
      one.reset()
    }
    return sum / total
  }

  // Whether there are examples; their labels are classes.
  async #labelled(): Promise<boolean> {
    const labels = this.#labels.whole()
    if (labels === undefined) return false
    const classes = this.classes.length
    const outside = tidy(() => labels.less(0).logicalOr(labels.greaterEqual(classes)).sum())
    const wrong = await outside.item()
    outside.dispose()
    if (wrong > 0)
      throw expected('ClassScores', `labels in [0, ${classes})`, `others for ${wrong} of ${this.size} examples`)
    return true
  }

  #binary(make: (scores: Tensor<'float32'>, labels: Tensor<'int32'>) => [Tensor<any>, Tensor<any>]): Scores {
    const made = new Scores()
    tidy(() => made.update(...make(this.#scores.whole() as Tensor<'float32'>, this.#labels.whole() as Tensor<'int32'>)))
    return made
  }
}
