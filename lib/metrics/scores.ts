// Scores of a yes-no question, kept on the device, and the counts at every threshold.
import { compiling } from '../compile.js'
import { checkInteger, checkNumber, describe, expected, quoted } from '../errors.js'
import { ones } from '../functional/creation.js'
import { isNaN } from '../functional/elementwise.generated.js'
import { scatterAdd } from '../functional/indexing.js'
import { where } from '../functional/select.js'
import { arange, concat, stack } from '../functional/shape.js'
import { keep, handleOf, tidy, type DType, type Tensor } from '../tensor.js'
import { specOf, tensorsOf, updating, type State } from './check.js'
import {
  averagePrecision,
  bestPrecision,
  bestRecall,
  calibrationOf,
  countsAt,
  precisionRecallOf,
  rocAuc,
  rocOf,
  type BinaryCounts,
  type Calibration,
  type Counts,
  type OperatingPoint,
  type PrecisionRecallCurve,
  type RocCurve
} from './curves.js'
import { Store } from './store.js'

const floats: readonly DType[] = ['float32', 'bfloat16', 'float16']
const labelTypes: readonly DType[] = ['bool', 'uint8', 'int32', 'int64']

/** @internal A call that a replay of a compiled function would leave out. */
export function refuseCompiling(op: string): void {
  if (compiling()) {
    throw expected(
      op,
      'a call outside of a compiled function',
      'one within',
      'What it keeps grows: return the scores, and update with them outside.'
    )
  }
}

/**
 * How well scores tell positive examples from negative ones, at every threshold: precision-recall and ROC curves, operating points
 * and calibration, exact for the whole set. Scores are kept on the device (5 bytes an example) and nothing is read before it is asked
 * for. Equal scores are one threshold.
 *
 *     const scores = new nt.metrics.Scores()
 *     scores.update(logits.softmax(1).get(null, 1), labels)
 *     console.log(await scores.averagePrecision(), await scores.recallAt({ precision: 0.9 }))
 */
export class Scores {
  readonly #scores = new Store() // float32
  readonly #labels = new Store() // uint8: 0, 1, and anything else for a label that is neither
  #counts: Promise<Counts> | undefined

  /** How many examples there are. */
  get size(): number {
    return this.#scores.size
  }

  /**
   * Adds a batch. Nothing is read back. A NaN or a label that is neither 0 nor 1 is an error when something is read.
   * @param scores [n], floats: the higher, the likelier positive; for `calibration` probabilities
   * @param isPositive [n]: 1 (true) or 0, of bool, uint8, int32 or int64
   */
  update(scores: Tensor<any>, isPositive: Tensor<any>): void {
    const op = 'Scores.update'
    handleOf(op, scores)
    handleOf(op, isPositive)
    refuseCompiling(op)
    if (!floats.includes(scores.dtype) || scores.rank !== 1)
      throw expected(op, 'scores [n] of a floating dtype', specOf(scores), 'One for each example: see get().')
    if (!labelTypes.includes(isPositive.dtype) || String(isPositive.shape) !== String(scores.shape)) {
      throw expected(
        op,
        `labels [${scores.shape[0]}] of bool, uint8, int32 or int64, one for each score`,
        specOf(isPositive)
      )
    }
    this.#counts = undefined
    updating(() => {
      this.#scores.push(scores.astype('float32'))
      const wide = isPositive.dtype === 'int32' || isPositive.dtype === 'int64'
      this.#labels.push((wide ? isPositive.clip(-1, 2) : isPositive).astype('uint8'))
    })
  }

  /** Forgets all examples. */
  reset(): void {
    this.#scores.clear()
    this.#labels.clear()
    this.#counts = undefined
  }

  /** The tensors of the scores and labels, for a checkpoint; without examples none. */
  state(): State {
    const [scores, labels] = [this.#scores.whole(), this.#labels.whole()]
    return scores === undefined || labels === undefined ? {} : { scores, labels }
  }
  /** Takes on a copy of a state that `state()` gave. */
  loadState(state: State): void {
    const op = 'Scores.loadState'
    const empty = typeof state === 'object' && state !== null && Object.keys(state).length === 0
    const given = empty ? undefined : tensorsOf(op, state, ['scores', 'labels'])
    if (given !== undefined) {
      const n = given.scores.rank === 1 ? given.scores.shape[0]! : 'n'
      if (specOf(given.scores) !== `float32 [${n}]`) throw expected(op, "'scores' as float32 [n]", specOf(given.scores))
      if (specOf(given.labels) !== `uint8 [${n}]`) throw expected(op, `'labels' as uint8 [${n}]`, specOf(given.labels))
    }
    refuseCompiling(op)
    const [scores, labels] = [given?.scores, given?.labels]
    updating(() => {
      // A copy first: the state may be this one's own.
      const [ownScores, ownLabels] = [scores?.copy(), labels?.copy()]
      this.reset()
      if (ownScores !== undefined && ownLabels !== undefined) {
        this.#scores.push(ownScores)
        this.#labels.push(ownLabels)
      }
    })
  }

  /** Precision and recall at every threshold, and the area, which is the average precision. */
  async precisionRecall(): Promise<PrecisionRecallCurve> {
    return precisionRecallOf(await this.#read())
  }

  /** The rates of true and false positives at every threshold, and the area. */
  async roc(): Promise<RocCurve> {
    return rocOf(await this.#read())
  }

  /**
   * The area under the precision-recall curve, as scikit-learn's `average_precision_score`: 0 without positive examples, NaN without
   * examples.
   */
  async averagePrecision(): Promise<number> {
    return averagePrecision(await this.#read())
  }

  /** The area under the ROC curve, as scikit-learn's `roc_auc_score`: NaN where all examples are positive, or all negative. */
  async rocAuc(): Promise<number> {
    return rocAuc(await this.#read())
  }

  /**
   * The most recall that a threshold reaches with at least that precision. Where none has that precision: recall 0 at a threshold of
   * Infinity.
   */
  async recallAt(target: { precision: number }): Promise<OperatingPoint> {
    return bestRecall(await this.#read(), share('Scores.recallAt', 'precision', target))
  }

  /**
   * The most precision that a threshold reaches with at least that recall. Where there are no positive examples: precision 0 at a
   * threshold of -Infinity.
   */
  async precisionAt(target: { recall: number }): Promise<OperatingPoint> {
    return bestPrecision(await this.#read(), share('Scores.precisionAt', 'recall', target))
  }

  /** What it gives to take scores of at least `threshold` (rounded to float32, as the scores are) for positive. */
  async at(threshold: number): Promise<BinaryCounts> {
    checkNumber('Scores.at', 'a threshold that is a number', threshold)
    return { ...countsAt(await this.#read(), Math.fround(threshold)), threshold }
  }

  /**
   * How far the scores can be taken for probabilities, in bins of equal width over [0, 1] (10 unless given), as scikit-learn's
   * `calibration_curve`.
   * @throws where a score is outside of [0, 1]
   */
  async calibration(options: { bins?: number | undefined } = {}): Promise<Calibration> {
    const op = 'Scores.calibration'
    if (typeof options !== 'object' || options === null) throw expected(op, 'options ({ bins })', describe(options))
    const bins = checkInteger(op, 'a number of bins from 1 to 100000', options.bins ?? 10, 1, 100_000)
    const counts = await this.#read()
    for (const one of [counts.thresholds[0], counts.thresholds[counts.thresholds.length - 1]])
      if (one !== undefined && !(one >= 0 && one <= 1)) throw expected(op, 'probabilities in [0, 1]', `one of ${one}`)
    return calibrationOf(counts, bins)
  }

  // The same counts serve all questions until there are other examples.
  async #read(): Promise<Counts> {
    this.#counts ??= countsOf(this.#scores.whole(), this.#labels.whole())
    return this.#counts
  }
}

function share(op: string, name: 'precision' | 'recall', target: unknown): number {
  const what = `{ ${name} } in [0, 1]`
  if (typeof target !== 'object' || target === null) throw expected(op, what, quoted(target))
  const value = (target as Record<string, unknown>)[name]
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) throw expected(op, what, quoted(value))
  return value
}

async function countsOf(scores: Tensor<'float32'> | undefined, labels: Tensor<'uint8'> | undefined): Promise<Counts> {
  if (scores === undefined || labels === undefined) return { thresholds: [], truePositives: [], falsePositives: [] }
  const n = scores.size
  const sorted = detached(() => {
    const { values, indices } = scores.sort(0, { descending: true })
    // The last of equal scores stands for its threshold.
    const ends = concat([
      values.slice(1).notEqual(values.slice(0, -1)),
      ones([1], { dtype: 'bool', device: scores.device })
    ])
    return {
      values,
      found: labels.gather(indices).cumsum(0),
      ends,
      rank: ends.cumsum(0, { exclusive: true }),
      facts: stack([ends.sum(), isNaN(scores).sum(), labels.greater(1).sum()])
    }
  })
  let picked: Tensor<any>[] = []
  try {
    const [distinct, unordered, unknown] = (await sorted.facts.data()) as unknown as [number, number, number]
    if (unordered > 0) throw expected('Scores', 'scores that are numbers', `NaN for ${unordered} of ${n} examples`)
    if (unknown > 0) throw expected('Scores', 'labels of 0 or 1', `others for ${unknown} of ${n} examples`)
    picked = detached(() => {
      const places = arange(0, n, 1, { dtype: 'int32', device: scores.device })
      const at = scatterAdd(sorted.rank, where(sorted.ends, places, 0), distinct)
      const truePositives = sorted.found.gather(at)
      return [sorted.values.gather(at), truePositives, at.add(1).sub(truePositives)]
    })
    const [thresholds, truePositives, falsePositives] = await Promise.all(picked.map((one) => one.data()))
    return { thresholds, truePositives, falsePositives } as Counts
  } finally {
    for (const one of [...Object.values(sorted), ...picked]) one.dispose()
  }
}

// Tensors that outlive every scope: who awaits them disposes of them.
function detached<T>(f: () => T): T {
  return keep(tidy(f))
}
