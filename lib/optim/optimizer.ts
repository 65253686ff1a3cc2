// What all optimizers share: which parameters, their state, the step counter and the learning rate. All of these are tensors,
// so that a compiled training step moves them on when it is replayed.
import { backward, withGradientMode } from '../autograd.js'
import { noteDependency } from '../compile.js'
import { describe, expected } from '../errors.js'
import { tensor, zeros } from '../functional/creation.js'
import { add, div, minimum, mul, sqrt, square } from '../functional/elementwise.generated.js'
import { assign } from '../functional/shape.js'
import { callMany, keep, Tensor, tidy, writeBytes, type FloatDType } from '../tensor.js'
import { Schedule } from './schedules.js'

/** What an optimizer trains: anything with `parameters()` (a Module), or the parameters themselves. */
export type Trainable = { parameters(): Iterable<Tensor<any>> } | Iterable<Tensor<any>>

export interface OptimizerOptions {
  /** A number, or a schedule: `optim.cosine(0.1, { steps: 1000 })`. */
  learningRate?: number | Schedule | undefined
  /** Gradients are scaled down where the norm of all of them together is larger than this. */
  clipNorm?: number | undefined
}

// The kernels' numbers: kind, momentum, beta1, beta2, epsilon, weight decay, nesterov.
export interface Rule {
  kind: 'sgd' | 'adam' | 'adamw'
  momentum?: number
  beta1?: number
  beta2?: number
  epsilon?: number
  weightDecay: number
  nesterov?: boolean
  /** The names of a parameter's state tensors. */
  slots: readonly string[]
}

/** @internal Checks a number of an optimizer's options, in [low, high). */
export function checkOption(op: string, name: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && value >= low && value < high) return value
  const range = high === Infinity ? `a finite number of at least ${low}` : `a number in [${low}, ${high})`
  throw expected(op, `${name} to be ${range}`, describe(value))
}

type Slots = Record<string, Tensor<'float32'>>

/** Changes parameters so that a loss becomes smaller. */
export abstract class Optimizer {
  readonly #name: string
  readonly #rule: Rule
  readonly #clipNorm: number | undefined
  #learningRate: number | Schedule = 0
  #rate: Tensor<'float32'> | undefined // of a learning rate that is a number
  #steps: Tensor<'float32'> | undefined // how many have been done
  readonly #slots = new Map<Tensor<any>, Slots>()

  protected constructor(name: string, rule: Rule, options: OptimizerOptions, learningRate: number) {
    this.#name = name
    this.#rule = rule
    const { clipNorm } = options
    if (clipNorm !== undefined && !(checkOption(name, 'clipNorm', clipNorm, 0, Infinity) > 0)) {
      throw expected(name, 'clipNorm to be above 0', clipNorm)
    }
    this.#clipNorm = clipNorm
    this.learningRate = options.learningRate ?? learningRate
  }

  /** The learning rate as it was set. Setting a number or a schedule takes effect from the next step on, compiled or not. */
  get learningRate(): number | Schedule {
    return this.#learningRate
  }
  set learningRate(value: number | Schedule) {
    if (!(value instanceof Schedule)) {
      checkOption(this.#name, 'learningRate', value, 0, Infinity)
      if (this.#rate !== undefined) writeBytes(this.#rate, new Uint8Array(new Float32Array([value]).buffer))
    }
    this.#learningRate = value
  }

  /** The number of steps done. */
  async steps(): Promise<number> {
    return this.#steps === undefined ? 0 : this.#steps.item()
  }

  /** The learning rate of the next step. */
  async currentLearningRate(): Promise<number> {
    return this.#learningRate instanceof Schedule ? this.#learningRate.at(await this.steps()) : this.#learningRate
  }

  /** One step: the gradients of a scalar loss with respect to the model's parameters (those not frozen), and their update. */
  minimize(loss: Tensor<any>, model: Trainable): void {
    if (!(loss instanceof Tensor)) throw expected('minimize', 'a loss that is a tensor', describe(loss))
    const parameters = parametersOf('minimize', model)
    if (!loss.requiresGradient) {
      throw expected(
        'minimize',
        'a loss that was computed from the parameters',
        'one without history',
        'Compute it outside of noGrad.'
      )
    }
    tidy(() => this.#update(parameters, backward(loss, parameters)))
  }

  /** One step with gradients of your own: one for each of the model's parameters (those not frozen), in their order. */
  step(gradients: readonly Tensor<any>[], model: Trainable): void {
    const parameters = parametersOf('step', model)
    if (!Array.isArray(gradients) || gradients.length !== parameters.length) {
      throw expected('step', `an array of ${parameters.length} gradients, one for each parameter`, describe(gradients))
    }
    for (const gradient of gradients) {
      if (!(gradient instanceof Tensor)) throw expected('step', 'gradients that are tensors', describe(gradient))
    }
    tidy(() => this.#update(parameters, gradients))
  }

  /** The tensors of the state, for a checkpoint: `steps`, and for each parameter by its position e.g. `0.velocity`. */
  state(): Record<string, Tensor<'float32'>> {
    const state: Record<string, Tensor<'float32'>> = {}
    if (this.#steps !== undefined) state['steps'] = this.#steps
    ;[...this.#slots.values()].forEach((slots, i) => {
      for (const [name, slot] of Object.entries(slots)) state[`${i}.${name}`] = slot
    })
    return state
  }

  /** Takes on a copy of a state that `state()` of such an optimizer gave, for the same parameters. */
  loadState(state: Record<string, Tensor<any>>, model: Trainable): void {
    const op = 'loadState'
    if (typeof state !== 'object' || state === null) throw expected(op, 'an object of tensors', describe(state))
    const parameters = parametersOf(op, model)
    const wanted = new Map<string, readonly number[]>([['steps', []]])
    parameters.forEach((parameter, i) =>
      this.#rule.slots.forEach((name) => wanted.set(`${i}.${name}`, parameter.shape))
    )
    for (const [name, shape] of wanted) {
      const given = state[name]
      if (!(given instanceof Tensor)) throw expected(op, `a tensor '${name}'`, describe(given))
      if (given.dtype !== 'float32' || String(given.shape) !== String(shape)) {
        throw expected(op, `'${name}' as float32 [${shape.join(', ')}]`, `${given.dtype} [${given.shape.join(', ')}]`)
      }
    }
    const surplus = Object.keys(state).find((name) => !wanted.has(name))
    if (surplus !== undefined) throw expected(op, `state of ${parameters.length} parameters`, `'${surplus}' as well`)
    const take = (to: Tensor<'float32'>, name: string): unknown => assign(to, state[name]!.detach())
    take(this.#counter(), 'steps')
    parameters.forEach((parameter, i) => {
      for (const [name, slot] of Object.entries(this.#slotsOf(parameter))) take(slot, `${i}.${name}`)
    })
  }

  #counter(): Tensor<'float32'> {
    return (this.#steps ??= keep(zeros([])))
  }

  #slotsOf(parameter: Tensor<any>): Slots {
    let slots = this.#slots.get(parameter)
    if (slots === undefined) {
      slots = Object.fromEntries(this.#rule.slots.map((name) => [name, keep(zeros(parameter.shape))]))
      this.#slots.set(parameter, slots)
    }
    return slots
  }

  // The learning rate of the step after `done` others.
  #rateAfter(done: Tensor<'float32'>): Tensor<'float32'> {
    noteDependency(() => (this.#learningRate instanceof Schedule ? this.#learningRate : 'number'))
    if (this.#learningRate instanceof Schedule) return this.#learningRate.tensor(done)
    return (this.#rate ??= keep(tensor(this.#learningRate)))
  }

  #update(parameters: readonly Tensor<any>[], gradients: readonly Tensor<any>[]): void {
    withGradientMode(false, () => {
      const { kind, momentum = 0, beta1 = 0, beta2 = 0, epsilon = 0, weightDecay, nesterov = false } = this.#rule
      const steps = this.#counter()
      const rate = this.#rateAfter(steps)
      const given = this.#clipNorm === undefined ? gradients : clipped(gradients, this.#clipNorm)
      const next = add(steps, 1)
      const inputs = [rate, next]
      parameters.forEach((parameter, i) => {
        inputs.push(parameter, given[i]!, ...Object.values(this.#slotsOf(parameter)))
      })
      const code = { sgd: 0, adam: 1, adamw: 2 }[kind]
      callMany('optimizer', inputs, [
        code,
        parameters.length,
        momentum,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        nesterov ? 1 : 0
      ])
      assign(steps, next)
    })
  }
}

// As torch.nn.utils.clip_grad_norm_.
function clipped(gradients: readonly Tensor<any>[], limit: number): Tensor<any>[] {
  const squares = gradients.map((g) => square(g.astype('float32')).sum())
  const norm = sqrt(squares.reduce((a, b) => add(a, b)))
  const scale = minimum(div(limit, add(norm, 1e-6)), 1)
  return gradients.map((g: Tensor<FloatDType>) => mul(g, scale.astype(g.dtype)))
}

function parametersOf(op: string, model: Trainable): Tensor<any>[] {
  const what = 'a module or an array of parameters'
  if (typeof model !== 'object' || model === null) throw expected(op, what, describe(model))
  const given = 'parameters' in model && typeof model.parameters === 'function' ? model.parameters() : model
  if (given instanceof Tensor || typeof (given as Iterable<Tensor<any>>)[Symbol.iterator] !== 'function') {
    throw expected(op, what, describe(given), given instanceof Tensor ? 'Put it into an array.' : '')
  }
  const all = [...(given as Iterable<Tensor<any>>)]
  for (const parameter of all) {
    if (!(parameter instanceof Tensor)) throw expected(op, 'parameters that are tensors', describe(parameter))
  }
  noteDependency(() => all.map((parameter) => Number(parameter.requiresGradient)).join(''))
  const trainable = all.filter((parameter) => parameter.requiresGradient)
  if (trainable.length === 0) {
    throw expected(
      op,
      'at least one parameter that requires a gradient',
      `none of ${all.length}`,
      'See requireGradient.'
    )
  }
  return trainable
}
