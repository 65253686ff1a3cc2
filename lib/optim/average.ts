// The moving average of a model's weights: smoother than the last step's, and often better.
import { withGradientMode } from '../autograd.js'
import { noteDependency } from '../compile.js'
import { move } from '../device.js'
import { checkOptions, describe, expected } from '../errors.js'
import { zeros } from '../functional/creation.js'
import { add, div, minimum, mul, sub } from '../functional/elementwise.generated.js'
import { assign } from '../functional/shape.js'
import type { Tensor } from '../tensor.js'
import { keep, tidy, type DType } from '../tensor.js'
import { moveAll } from './move.js'
import { checkOption } from './optimizer.js'
import { checkState, type State, type Wanted } from './state.js'

/** What can be averaged: a Module. */
export interface Averageable {
  /** What is averaged. */
  namedParameters(): ReadonlyMap<string, Tensor<any>>
  /** What is taken over as it is, or averaged, as the options say. */
  namedBuffers(): ReadonlyMap<string, Tensor<any>>
}

/** What `WeightAverage` takes. */
export interface WeightAverageOptions {
  /** How much of the average stays at an update; 0.999 unless given. */
  decay?: number | undefined
  /** Whether the first updates count for more: of update t (from 0) at most t / (t + 9) stays; true unless given. */
  warmup?: boolean | undefined
}

interface Entry {
  own: Tensor<any>
  /** The average: float32 of floats; integers are taken over as they are. */
  average: Tensor<any>
}

const SWAP_HINT = 'Call swap first.'

const isFloat = ({ dtype }: Tensor<DType>): boolean => ['float32', 'bfloat16', 'float16'].includes(dtype)

/**
 * The exponential moving average of a model's parameters and buffers (Polyak and Juditsky, 1992): at each update
 * average = decay * average + (1 - decay) * value; the first takes the values as they are, as torch.optim.swa_utils does.
 *
 *     const average = new optim.WeightAverage(network)
 *     const step = nt.compile((x, y) => { ...; optimizer.minimize(loss, network); average.update(); return loss })
 *     average.swap()         // the network has the averages
 *     await network.save(path)
 *     average.swap()         // and goes on with its own weights
 */
export class WeightAverage {
  readonly #model: Averageable
  readonly #decay: number
  readonly #warmup: boolean
  #updates: Tensor<'float32'> | undefined
  readonly #entries = new Map<string, Entry>()
  #own: Tensor<any>[] | undefined // while the model has the averages

  constructor(model: Averageable, options: WeightAverageOptions = {}) {
    const op = 'WeightAverage'
    if (typeof model?.namedParameters !== 'function' || typeof model.namedBuffers !== 'function') {
      throw expected(op, 'a module', describe(model))
    }
    const { decay = 0.999, warmup = true } = checkOptions(op, options, ['decay', 'warmup'])
    this.#decay = checkOption(op, 'decay', decay, 0, 1)
    if (typeof warmup !== 'boolean') throw expected(op, 'warmup to be true or false', describe(warmup))
    this.#warmup = warmup
    this.#model = model
  }

  /** Moves the average towards the model's values. To be called after each step of the optimizer, also in compiled functions. */
  update(): void {
    noteDependency(() => this.#own === undefined)
    if (this.#own !== undefined)
      throw expected('update', 'a model with its own weights', 'one with the averages', SWAP_HINT)
    tidy(() =>
      withGradientMode(false, () => {
        const done = this.#make()
        // What stays: 0 at the first update.
        const most = this.#warmup ? minimum(div(done, add(done, 9)), this.#decay) : mul(minimum(done, 1), this.#decay)
        const entries = [...this.#entries.values()]
        const floats = entries.filter(({ own }) => isFloat(own))
        const averages = floats.map(({ average }) => average)
        const ways = floats.map(({ own, average }) => sub(average, own.detach().astype('float32')))
        moveAll(averages, ways, sub(1, most))
        for (const { own, average } of entries) if (!isFloat(own)) assign(average, own)
        assign(done, add(done, 1))
      })
    )
  }

  /** Exchanges the model's values and the averages; called again it takes that back. */
  swap(): void {
    if (this.#updates === undefined) throw expected('swap', 'an average', 'none yet', 'Call update first.')
    tidy(() =>
      withGradientMode(false, () => {
        this.#make()
        const entries = [...this.#entries.values()]
        const back = this.#own?.map((value, i) => value.to(entries[i]!.own.device))
        this.#own = back ? undefined : entries.map(({ own }) => keep(own.detach().copy()))
        for (const [i, { own, average }] of entries.entries()) assign(own, back?.[i] ?? average.astype(own.dtype))
        for (const tensor of back ?? []) tensor.dispose()
      })
    )
  }

  /** Whether the model has the averages now. */
  get swapped(): boolean {
    return this.#own !== undefined
  }

  /** The tensors of the state, for a checkpoint: `updates`, and `weights.<name>` for each parameter and buffer. None before the first update. */
  state(): State {
    if (this.#updates === undefined) return {}
    const weights = [...this.#entries].map(([name, { average }]) => [`weights.${name}`, average])
    return { updates: this.#updates, ...(Object.fromEntries(weights) as State) }
  }

  /** Takes on a copy of a state that `state()` gave for such a model. */
  loadState(state: State): void {
    const op = 'loadState'
    if (this.#own !== undefined) throw expected(op, 'a model with its own weights', 'one with the averages', SWAP_HINT)
    const wanted = new Map<string, Wanted>([['updates', { dtype: 'float32', shape: [] }]])
    for (const [name, own] of this.#tensors()) {
      wanted.set(`weights.${name}`, { dtype: isFloat(own) ? 'float32' : own.dtype, shape: own.shape })
    }
    checkState(op, state, wanted)
    tidy(() =>
      withGradientMode(false, () => {
        const take = (to: Tensor<any>, name: string) => assign(to, state[name]!.detach().to(to.device))
        take(this.#make(), 'updates')
        for (const [name, { average }] of this.#entries) take(average, `weights.${name}`)
      })
    )
  }

  #tensors(): [string, Tensor<any>][] {
    return [...this.#model.namedParameters(), ...this.#model.namedBuffers()]
  }

  /** Makes the averages as copies of the model's values, or where they are there brings them to where these are; the number of updates. */
  #make(): Tensor<'float32'> {
    if (this.#updates !== undefined) {
      for (const { own, average } of this.#entries.values()) move(average, own.device)
      return move(this.#updates, this.#device ?? this.#updates.device)
    }
    for (const [name, own] of this.#tensors()) {
      const value = own.detach()
      this.#entries.set(name, { own, average: keep(isFloat(own) ? value.astype('float32').copy() : value.copy()) })
    }
    return (this.#updates = keep(zeros([], { device: this.#device })))
  }

  /** Where the model is. */
  get #device(): string | undefined {
    return this.#entries.values().next().value?.own.device
  }
}
