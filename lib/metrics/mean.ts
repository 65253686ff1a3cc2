// A weighted mean of losses or other values, added up on the device.
import { checkNumber, expected, quoted } from '../errors.js'
import { full, zeros } from '../functional/creation.js'
import { assign, stack } from '../functional/shape.js'
import { handleOf, keep, Tensor } from '../tensor.js'
import { follow, specOf, takeState, updating, type State } from './check.js'

const floats = ['float32', 'bfloat16', 'float16']

/**
 * A weighted mean over a whole set, e.g. of a loss over batches of different sizes. Rounding errors of the running sums are carried
 * along (Knuth's exact addition of two numbers), so that they don't grow with the number of updates.
 *
 *     const loss = new nt.metrics.Mean()
 *     loss.update(batchLoss, batch.labels.shape[0]) // the mean over a batch, weighted with its size
 *     console.log(await loss.value())
 */
export class Mean {
  // Both [2]: the weighted sum and the sum of the weights.
  readonly #sums: Tensor
  readonly #errors: Tensor

  constructor() {
    this.#sums = keep(zeros([2]))
    this.#errors = keep(zeros([2]))
  }

  /**
   * Adds values. Nothing is read back.
   * @param values one value (a loss that is a mean), or several of any shape; floats
   * @param weight how much each counts: a number (1 unless given), or a tensor of the shape of the values. Finite, at least 0.
   */
  update(values: Tensor<any>, weight: number | Tensor<any> = 1): void {
    const op = 'Mean.update'
    handleOf(op, values)
    if (!floats.includes(values.dtype as string))
      throw expected(op, 'values of a floating dtype', specOf(values), "Use astype('float32').")
    if (weight instanceof Tensor) {
      if (String(weight.shape) !== String(values.shape))
        throw expected(op, `weights of the shape of the values, [${values.shape.join(', ')}]`, specOf(weight))
    } else {
      const what = 'a weight that is a finite number of at least 0, or a tensor'
      if (!(checkNumber(op, what, weight) >= 0 && weight < Infinity)) throw expected(op, what, quoted(weight))
    }
    if (values.size === 0) return
    updating(() => {
      follow(this.state(), values)
      const x: Tensor = values.astype('float32')
      const [sum, total] =
        weight instanceof Tensor
          ? [x.mul(weight.astype('float32')).sum(), weight.astype('float32').sum()]
          : [x.sum().mul(weight), full([], weight * values.size, { device: values.device })]
      const added = stack([sum, total])
      // What the rounded sum lacks: exact in floating point, whichever is larger.
      const next = this.#sums.add(added)
      const part = next.sub(this.#sums)
      const lost = this.#sums.sub(next.sub(part)).add(added.sub(part))
      assign(this.#errors, this.#errors.add(lost))
      assign(this.#sums, next)
    })
  }

  /** The mean; NaN before the first value, and where all weights are 0. */
  async value(): Promise<number> {
    const [sums, errors] = await Promise.all([this.#sums.data(), this.#errors.data()])
    // An infinite sum has no rounding error.
    const [sum, weight] = [0, 1].map((i) => (Number.isFinite(sums[i]) ? sums[i]! + errors[i]! : sums[i]!))
    return sum! / weight!
  }

  /** Forgets all values. */
  reset(): void {
    assign(this.#sums, 0)
    assign(this.#errors, 0)
  }

  /** The tensors of the sums, for a checkpoint. */
  state(): State {
    return { sums: this.#sums, errors: this.#errors }
  }
  /** Takes on a copy of a state that `state()` gave. */
  loadState(state: State): void {
    takeState('Mean.loadState', state, this.state())
  }
}
