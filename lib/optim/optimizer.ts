// What all optimizers share: which parameters, their state, the step counter and the learning rate. All of these are tensors,
// so that a compiled training step moves them on when it is replayed.
import { backward, withGradientMode } from '../autograd.js'
import { noteDependency } from '../compile.js'
import { computation } from '../compute.js'
import { move, onDevice } from '../device.js'
import { checkWord, describe, expected } from '../errors.js'
import { tensor, zeros } from '../functional/creation.js'
import { add, div, minimum, mul, neg, sqrt, square } from '../functional/elementwise.generated.js'
import { where } from '../functional/select.js'
import { assign } from '../functional/shape.js'
import { callMany, keep, Tensor, tidy, writeBytes } from '../tensor.js'
import { LossScale } from './loss-scale.js'
import { moveAll } from './move.js'
import { Schedule, type ScheduleDescription } from './schedules.js'
import { checkState, type Wanted } from './state.js'

/** What an optimizer trains: anything with `parameters()` (a Module), or the parameters themselves. */
export type Trainable = { parameters(): Iterable<Tensor<any>> } | Iterable<Tensor<any>>

/** What every optimizer takes. */
export interface OptimizerOptions {
  /** A number, or a schedule: `optim.cosine(0.1, { steps: 1000 })`. */
  learningRate?: number | Schedule | undefined
  /** What weight decay takes hold of: 'all' parameters (unless given), or 'weights' alone: those of 2 axes or more, no biases and norms. */
  decay?: 'all' | 'weights' | undefined
  /** Gradients are scaled down where the norm of all of them together is larger than this. Where it is infinite the step is left out. */
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

/** An optimizer as plain data: its class, and all of its options. */
export interface OptimizerDescription {
  /** The name of its class. */
  kind: string
  /** A number, or the schedule. */
  learningRate: number | ScheduleDescription
  [option: string]: unknown
}

/** Changes parameters so that a loss becomes smaller. */
export abstract class Optimizer {
  readonly #name: string
  readonly #rule: Rule
  readonly #clipNorm: number | undefined
  readonly #decay: 'all' | 'weights'
  #learningRate: number | Schedule = 0
  #rate: Tensor<'float32'> | undefined // of a learning rate that is a number
  #steps: Tensor<'float32'> | undefined // how many have been done
  // All parameters that the models had, the frozen ones too, in their order: a parameter's position names its state.
  readonly #parameters = new Set<Tensor<any>>()
  readonly #slots = new Map<Tensor<any>, Slots>()
  #count: Tensor<'float32'> | undefined // how many gradients have been accumulated since the last step
  readonly #sums = new Map<Tensor<any>, Tensor<'float32'>>()
  #scale: LossScale | undefined // of float16
  #one: Tensor<'float32'> | undefined

  protected constructor(name: string, rule: Rule, options: OptimizerOptions, learningRate: number) {
    this.#name = name
    this.#rule = rule
    const { clipNorm } = options
    if (clipNorm !== undefined && !(checkOption(name, 'clipNorm', clipNorm, 0, Infinity) > 0)) {
      throw expected(name, 'clipNorm to be above 0', clipNorm)
    }
    this.#clipNorm = clipNorm
    this.#decay = checkWord(name, 'decay', options.decay ?? 'all', ['all', 'weights'] as const)
    this.learningRate = options.learningRate ?? learningRate
  }

  /** The learning rate as it was set. Setting a number or a schedule takes effect from the next step on, compiled or not. */
  get learningRate(): number | Schedule {
    return this.#learningRate
  }
  /** A rate from 0, or a schedule. */
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

  /** The optimizer's class and options as plain data, the schedule included. */
  describe(): OptimizerDescription {
    const { kind: _, slots: __, beta1, beta2, ...numbers } = this.#rule
    const betas = beta1 === undefined ? {} : { betas: [beta1, beta2] }
    const rate = this.#learningRate instanceof Schedule ? this.#learningRate.describe() : this.#learningRate
    const clip = this.#clipNorm === undefined ? {} : { clipNorm: this.#clipNorm }
    return { kind: this.#name, learningRate: rate, ...betas, ...numbers, decay: this.#decay, ...clip }
  }

  /**
   * One step: the gradients of a scalar loss with respect to the model's parameters (those not frozen), and their update. While float16 is
   * on (see `withCompute`) the loss is scaled as torch.amp.GradScaler does it, and a step whose gradients overflow is left out.
   */
  minimize(loss: Tensor<any>, model: Trainable): void {
    const parameters = this.#parametersOf('minimize', model)
    checkLoss('minimize', loss)
    this.#at(parameters, () => {
      const scale = this.#lossScale()
      this.#update(parameters, backward(scale?.scaled(loss) ?? loss, parameters), scale)
    })
  }

  /**
   * Adds the gradients of a scalar loss to those that wait for the next step: `minimize` (or `step`) then takes the mean of all
   * since the step before, its own included. Three batches of 32 and a step with a fourth are a step with a batch of 128.
   */
  accumulate(loss: Tensor<any>, model: Trainable): void {
    const parameters = this.#parametersOf('accumulate', model)
    checkLoss('accumulate', loss)
    this.#at(parameters, () => {
      const scale = this.#lossScale()
      const gradients = backward(scale?.scaled(loss) ?? loss, parameters)
      withGradientMode(false, () => {
        this.#count ??= keep(zeros([]))
        this.#addToSums(parameters, gradients, scale)
        assign(this.#count, add(this.#count, 1))
      })
    })
  }

  /** One step with gradients of your own, of no scaled loss: one for each of the model's parameters (those not frozen), in their order. */
  step(gradients: readonly Tensor<any>[], model: Trainable): void {
    const parameters = this.#parametersOf('step', model)
    if (!Array.isArray(gradients) || gradients.length !== parameters.length) {
      throw expected('step', `an array of ${parameters.length} gradients, one for each parameter`, describe(gradients))
    }
    for (const gradient of gradients) {
      if (!(gradient instanceof Tensor)) throw expected('step', 'gradients that are tensors', describe(gradient))
    }
    this.#at(parameters, () => this.#update(parameters, gradients))
  }

  /**
   * The tensors of the state, for a checkpoint: `steps`, for each parameter by its position in the model e.g. `0.velocity`, and
   * after `accumulate` also `accumulated` and e.g. `0.sum`, after float16 also `lossScale` and `goodSteps`.
   */
  state(): Record<string, Tensor<'float32'>> {
    const state: Record<string, Tensor<'float32'>> = {}
    if (this.#steps !== undefined) state['steps'] = this.#steps
    if (this.#count !== undefined) state['accumulated'] = this.#count
    if (this.#scale !== undefined)
      Object.assign(state, { lossScale: this.#scale.scale, goodSteps: this.#scale.goodSteps })
    for (const [i, parameter] of [...this.#parameters].entries()) {
      for (const [name, slot] of Object.entries(this.#slots.get(parameter) ?? {})) state[`${i}.${name}`] = slot
      const sum = this.#sums.get(parameter)
      if (sum !== undefined) state[`${i}.sum`] = sum
    }
    return state
  }

  /**
   * Takes on a copy of a state that `state()` of such an optimizer gave, for a model of the same parameters in the same order. A
   * parameter that is frozen now needs no state.
   */
  loadState(state: Record<string, Tensor<any>>, model: Trainable): void {
    const op = 'loadState'
    if (typeof state !== 'object' || state === null) throw expected(op, 'an object of tensors', describe(state))
    const parameters = allOf(op, model)
    const given = (name: string): boolean => Object.hasOwn(state, name)
    const scalar: Wanted = { dtype: 'float32', shape: [] }
    const wanted = new Map([['steps', scalar]])
    if (given('accumulated')) wanted.set('accumulated', scalar)
    if (given('lossScale')) wanted.set('lossScale', scalar).set('goodSteps', scalar)
    const trained: [number, Tensor<any>][] = []
    for (const [i, parameter] of parameters.entries()) {
      const names = this.#rule.slots.map((name) => `${i}.${name}`)
      const { shape, requiresGradient } = parameter
      if (requiresGradient || names.some(given)) {
        trained.push([i, parameter])
        for (const name of names) wanted.set(name, { dtype: 'float32', shape })
      }
      if (given(`${i}.sum`)) wanted.set(`${i}.sum`, { dtype: 'float32', shape })
    }
    checkState(op, state, wanted)
    this.#parameters.clear()
    for (const parameter of parameters) this.#parameters.add(parameter)
    this.#at(parameters, () => {
      const take = (to: Tensor<'float32'>, name: string): unknown => assign(to, state[name]!.detach().to(to.device))
      take(this.#counter(), 'steps')
      for (const [i, parameter] of trained) {
        for (const [name, slot] of Object.entries(this.#slotsOf(parameter))) take(slot, `${i}.${name}`)
      }
      this.#forgetSums()
      if (given('accumulated')) take((this.#count ??= keep(zeros([]))), 'accumulated')
      for (const [i, parameter] of parameters.entries()) {
        if (given(`${i}.sum`)) take(this.#sumOf(parameter), `${i}.sum`)
      }
      this.#scale?.reset()
      if (given('lossScale')) {
        this.#scale ??= new LossScale()
        take(this.#scale.scale, 'lossScale')
        take(this.#scale.goodSteps, 'goodSteps')
      }
    })
  }

  #lossScale(): LossScale | undefined {
    return computation().compute === 'float16' ? (this.#scale ??= new LossScale()) : undefined
  }

  #counter(): Tensor<'float32'> {
    return (this.#steps ??= keep(zeros([])))
  }

  /** Runs `f` where the parameters are. The state follows them to another device. */
  #at(parameters: readonly Tensor<any>[], f: () => void): void {
    const device = parameters[0]?.device
    const scalars = [this.#steps, this.#rate, this.#count, this.#one, this.#scale?.scale, this.#scale?.goodSteps]
    if (device !== undefined) for (const scalar of scalars) if (scalar !== undefined) move(scalar, device)
    onDevice(this.#name, device, () => tidy(f))
  }

  #slotsOf(parameter: Tensor<any>): Slots {
    let slots = this.#slots.get(parameter)
    if (slots === undefined) {
      slots = Object.fromEntries(this.#rule.slots.map((name) => [name, keep(zeros(parameter.shape))]))
      this.#slots.set(parameter, slots)
    }
    for (const slot of Object.values(slots)) move(slot, parameter.device)
    return slots
  }

  #sumOf(parameter: Tensor<any>): Tensor<'float32'> {
    let sum = this.#sums.get(parameter)
    if (sum === undefined) this.#sums.set(parameter, (sum = keep(zeros(parameter.shape))))
    return move(sum, parameter.device)
  }

  #forgetSums(): void {
    if (this.#count !== undefined) assign(this.#count, 0)
    for (const sum of this.#sums.values()) assign(sum, 0)
  }

  /** The parameters to train. */
  #parametersOf(op: string, model: Trainable): Tensor<any>[] {
    const all = allOf(op, model)
    for (const parameter of all) this.#parameters.add(parameter)
    noteDependency(() => all.map((parameter) => Number(parameter.requiresGradient)).join(''))
    const trainable = all.filter((parameter) => parameter.requiresGradient)
    if (trainable.length > 0) return trainable
    const got = `none of ${all.length}`
    throw expected(op, 'at least one parameter that requires a gradient', got, 'See requireGradient.')
  }

  // The learning rate of the step after `done` others.
  #rateAfter(done: Tensor<'float32'>): Tensor<'float32'> {
    noteDependency(() => (this.#learningRate instanceof Schedule ? this.#learningRate : 'number'))
    if (this.#learningRate instanceof Schedule) return this.#learningRate.tensor(done)
    return (this.#rate ??= keep(tensor(this.#learningRate)))
  }

  #update(parameters: readonly Tensor<any>[], gradients: readonly Tensor<any>[], scale?: LossScale): void {
    withGradientMode(false, () => {
      const { kind, momentum = 0, beta1 = 0, beta2 = 0, epsilon = 0, weightDecay, nesterov = false } = this.#rule
      const steps = this.#counter()
      const rate = this.#rateAfter(steps)
      let next = add(steps, 1)
      const { given, share } = this.#withSums(parameters, gradients, scale)
      let factor = share
      if (this.#clipNorm !== undefined) factor = clipped(given, factor, this.#clipNorm)
      if (scale !== undefined) {
        const isFinite = scale.update(given)
        factor = where(isFinite, factor, 0)
        next = where(isFinite, next, steps)
      }
      const apply = (decay: number, indices: readonly number[]): void => {
        if (indices.length === 0) return
        const inputs = [rate, next, factor]
        for (const i of indices) inputs.push(parameters[i]!, given[i]!, ...Object.values(this.#slotsOf(parameters[i]!)))
        const code = { sgd: 0, adam: 1, adamw: 2 }[kind]
        const numbers = [code, indices.length, momentum, beta1, beta2, epsilon, decay, nesterov ? 1 : 0]
        callMany('optimizer', inputs, numbers)
      }
      const indices = [...parameters.keys()]
      const decays = (i: number): boolean => this.#decay === 'all' || parameters[i]!.rank > 1
      apply(weightDecay, indices.filter(decays))
      apply(
        0,
        indices.filter((i) => !decays(i))
      )
      assign(steps, next)
      if (this.#count !== undefined) this.#forgetSums()
    })
  }

  /** What the step is made of: the gradients, or their sums with those accumulated before; times `share` they are means. */
  #withSums(
    parameters: readonly Tensor<any>[],
    gradients: readonly Tensor<any>[],
    scale: LossScale | undefined
  ): { given: readonly Tensor<any>[]; share: Tensor<'float32'> } {
    noteDependency(() => this.#count === undefined)
    if (this.#count === undefined) {
      return { given: gradients, share: scale?.inverse() ?? (this.#one ??= keep(tensor(1))) }
    }
    const sums = this.#addToSums(parameters, gradients, scale)
    const given = sums.map((sum, i) => sum.astype(parameters[i]!.dtype as 'float32'))
    return { given, share: div(1, add(this.#count, 1)) }
  }

  /** The sums, with gradients added to them that are those of the loss itself. */
  #addToSums(
    parameters: readonly Tensor<any>[],
    gradients: readonly Tensor<any>[],
    scale: LossScale | undefined
  ): Tensor<'float32'>[] {
    const sums = parameters.map((parameter) => this.#sumOf(parameter))
    const wide = gradients.map((gradient) => gradient.astype('float32') as Tensor)
    moveAll(sums, wide, scale ? neg(scale.inverse()) : -1)
    return sums
  }
}

/** The factor that brings gradients, which were to be taken times `factor`, to a norm of at most `limit`: as torch.nn.utils.clip_grad_norm_. */
function clipped(gradients: readonly Tensor<any>[], factor: Tensor<'float32'>, limit: number): Tensor<'float32'> {
  const squares = gradients.map((g) => square(g.astype('float32') as Tensor).sum())
  const norm = mul(sqrt(squares.reduce((a, b) => add(a, b))), factor)
  return mul(factor, minimum(div(limit, add(norm, 1e-6)), 1))
}

function checkLoss(op: string, loss: unknown): void {
  if (!(loss instanceof Tensor)) throw expected(op, 'a loss that is a tensor', describe(loss))
  if (loss.requiresGradient) return
  const what = 'a loss that was computed from the parameters'
  throw expected(op, what, 'one without history', 'Compute it outside of noGrad.')
}

/** All parameters of a model, the frozen ones too. */
function allOf(op: string, model: Trainable): Tensor<any>[] {
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
  return all
}
