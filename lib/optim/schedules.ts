// Schedules of the learning rate. Each is one formula of the number of steps done, read twice: over numbers (`at`), and over
// the optimizer's step counter, a tensor, so that a replayed training step follows it.
import { checkInteger, checkNumber, describe, expected } from '../errors.js'
import * as rows from '../functional/elementwise.generated.js'
import { where } from '../functional/select.js'
import type { Tensor } from '../tensor.js'

/** The arithmetic that a formula is written in: T is a number, or a float32 tensor. */
export interface Arithmetic<T> {
  /** a + b */
  add(a: T | number, b: T | number): T
  /** a - b */
  sub(a: T | number, b: T | number): T
  /** a * b */
  mul(a: T | number, b: T | number): T
  /** The smaller of a and b. */
  minimum(a: T | number, b: number): T
  /** The whole number at or below a. */
  floor(a: T): T
  /** The cosine of a, in radians. */
  cos(a: T): T
  /** A constant to the power of a. */
  power(base: number, a: T): T
  /** a where t < bound, else b. */
  below(t: T, bound: number, a: T, b: T): T
  /** `value` as a T. */
  constant(value: number): T
}

const overNumbers: Arithmetic<number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  minimum: Math.min,
  floor: Math.floor,
  cos: Math.cos,
  power: (base, a) => base ** a,
  below: (t, bound, a, b) => (t < bound ? a : b),
  constant: (value) => value
}

type Scalar = Tensor<'float32'>
const overTensors = (like: Scalar): Arithmetic<Scalar> => ({
  add: rows.add,
  sub: rows.sub,
  mul: rows.mul,
  minimum: rows.minimum,
  floor: rows.floor,
  cos: rows.cos,
  power: (base, a) => rows.exp(rows.mul(a, Math.log(base))),
  below: (t, bound, a, b) => where(rows.less(t, bound), a, b),
  constant: (value) => rows.add(rows.mul(like, 0), value)
})

/** A schedule as plain data: which one, and its options. */
export interface ScheduleDescription {
  /** The name of the function that makes it. */
  kind: string
  [option: string]: number | string | readonly number[] | ScheduleDescription
}

/** How the learning rate goes with the number of steps done. */
export class Schedule {
  readonly #formula: <T>(t: T, math: Arithmetic<T>) => T
  readonly #description: ScheduleDescription

  /**
   * @param formula the learning rate after t steps (0 for the first), in the arithmetic given.
   * @param description what `describe` gives.
   */
  constructor(formula: <T>(t: T, math: Arithmetic<T>) => T, description: ScheduleDescription = { kind: 'custom' }) {
    if (typeof formula !== 'function') throw expected('Schedule', 'a function', describe(formula))
    this.#formula = formula
    this.#description = description
  }

  /** The schedule as plain data: `{ kind: 'cosine', rate: 0.1, steps: 1000, to: 0, warmup: 50 }`. */
  describe(): ScheduleDescription {
    return this.#description
  }

  /** The learning rate when `steps` steps have been done. */
  at(steps: number): number {
    return this.#formula(checkNumber('Schedule.at', 'a number of steps', steps), overNumbers)
  }

  /** The same, as a tensor float32 [] from a tensor float32 []. */
  tensor(steps: Tensor<'float32'>): Tensor<'float32'> {
    return this.#formula(steps, overTensors(steps))
  }

  /** @internal The formula for use inside another. */
  within<T>(t: T, math: Arithmetic<T>): T {
    return this.#formula(t, math)
  }
}

function rateOf(op: string, rate: unknown): number {
  if (typeof rate !== 'number' || !(rate >= 0 && rate < Infinity)) {
    throw expected(op, 'a learning rate of at least 0', describe(rate))
  }
  return rate
}
function optionsOf<O extends object>(op: string, options: O): O {
  if (typeof options !== 'object' || options === null) throw expected(op, 'an object of options', describe(options))
  return options
}
const stepsOf = (op: string, name: string, value: unknown): number =>
  checkInteger(op, `${name} as a whole number from 1`, value, 1)

// The share of `steps` that t has done, at most 1.
const share = <T>(t: T, steps: number, math: Arithmetic<T>): T => math.minimum(math.mul(t, 1 / steps), 1)
// From one rate to another along half a wave of the cosine.
const wave = <T>(done: T, from: number, to: number, math: Arithmetic<T>): T =>
  math.add(math.mul(math.add(math.cos(math.mul(done, Math.PI)), 1), (from - to) / 2), to)

/** From `rate` to `to` (0 unless given) in a straight line over `steps` steps; then it stays. */
export function linear(rate: number, options: { steps: number; to?: number | undefined }): Schedule {
  const op = 'optim.linear'
  const { steps, to = 0 } = optionsOf(op, options)
  rateOf(op, rate)
  rateOf(op, to)
  stepsOf(op, 'steps', steps)
  const formula = <T>(t: T, math: Arithmetic<T>): T => math.add(math.mul(share(t, steps, math), to - rate), rate)
  return new Schedule(formula, { kind: 'linear', rate, steps, to })
}

/**
 * From `rate` to `to` (0 unless given) along half a cosine wave over `steps` steps; then it stays. (Loshchilov and Hutter, 2017.)
 * The first `warmup` of these steps, a twentieth unless given, rise to `rate` in a straight line: at the full rate the first
 * steps of momentum can throw a fresh network to where its ReLUs are all 0, from where it doesn't come back.
 */
export function cosine(
  rate: number,
  options: { steps: number; to?: number | undefined; warmup?: number | undefined }
): Schedule {
  const op = 'optim.cosine'
  const { steps, to = 0 } = optionsOf(op, options)
  rateOf(op, rate)
  rateOf(op, to)
  stepsOf(op, 'steps', steps)
  const rising = checkInteger(
    op,
    `warmup as a whole number in [0, ${steps})`,
    options.warmup ?? Math.floor(steps / 20),
    0,
    steps - 1
  )
  const description = { kind: 'cosine', rate, steps, to, warmup: rising }
  if (rising === 0) return new Schedule((t, math) => wave(share(t, steps, math), rate, to, math), description)
  return new Schedule((t, math) => {
    const rest = math.sub(t, math.minimum(t, rising))
    const up = math.mul(math.add(t, 1), rate / (rising + 1))
    return math.below(t, rising, up, wave(share(rest, steps - rising, math), rate, to, math))
  }, description)
}

// rate * factor^n
const powers = <T>(rate: number, factor: number, n: T, math: Arithmetic<T>): T => math.mul(math.power(factor, n), rate)

function factorOf(op: string, factor: unknown): number {
  if (typeof factor === 'number' && factor > 0 && factor < Infinity) return factor
  throw expected(op, 'a factor above 0', describe(factor))
}

/** `rate`, multiplied by `factor` (0.1 unless given) after every `every` steps. */
export function step(rate: number, options: { every: number; factor?: number | undefined }): Schedule {
  const op = 'optim.step'
  const { every, factor = 0.1 } = optionsOf(op, options)
  rateOf(op, rate)
  stepsOf(op, 'every', every)
  factorOf(op, factor)
  return new Schedule(
    // Half a step more, so that the rounding of a product cannot fall below a whole number.
    (t, math) => powers(rate, factor, math.floor(math.mul(math.add(t, 0.5), 1 / every)), math),
    { kind: 'step', rate, every, factor }
  )
}

/** `rate`, multiplied by `factor` (0.1 unless given) after each of the numbers of steps in `at`. */
export function multiStep(rate: number, options: { at: readonly number[]; factor?: number | undefined }): Schedule {
  const op = 'optim.multiStep'
  const { at, factor = 0.1 } = optionsOf(op, options)
  rateOf(op, rate)
  factorOf(op, factor)
  if (!Array.isArray(at)) throw expected(op, 'at as an array of numbers of steps', describe(at))
  const places = at.map((steps) => stepsOf(op, 'at', steps))
  const formula = <T>(t: T, math: Arithmetic<T>): T => {
    const [none, one] = [math.constant(0), math.constant(1)]
    const passed = places.map((steps) => math.below(t, steps, none, one))
    return powers(
      rate,
      factor,
      passed.reduce((a, b) => math.add(a, b), none),
      math
    )
  }
  return new Schedule(formula, { kind: 'multiStep', rate, at: places, factor })
}

/** `rate`, multiplied by `factor` after every step. */
export function exponential(rate: number, options: { factor: number }): Schedule {
  const op = 'optim.exponential'
  const { factor } = optionsOf(op, options)
  rateOf(op, rate)
  factorOf(op, factor)
  return new Schedule((t, math) => powers(rate, factor, t, math), { kind: 'exponential', rate, factor })
}

/** From `from` (0 unless given) up to `schedule` (or a constant rate) in `steps` steps; then the schedule from its beginning. */
export function warmup(schedule: Schedule | number, options: { steps: number; from?: number | undefined }): Schedule {
  const op = 'optim.warmup'
  const { steps, from = 0 } = optionsOf(op, options)
  stepsOf(op, 'steps', steps)
  rateOf(op, from)
  const inner = toSchedule(op, schedule)
  const first = inner.at(0)
  const description = { kind: 'warmup', schedule: inner.describe(), steps, from }
  return new Schedule((t, math) => {
    const rising = math.add(math.mul(share(t, steps, math), first - from), from)
    // Never negative, where its value is not used.
    const rest = math.sub(t, math.minimum(t, steps))
    return math.below(t, steps, rising, inner.within(rest, math))
  }, description)
}

/**
 * Up from `peak` / 25 to `peak` in the first part of the steps (`warmup`, 0.3 unless given), then down to a 10,000th of the
 * start, both along half a cosine wave. (Smith and Topin, 2018; as torch.optim.lr_scheduler.OneCycleLR.)
 */
export function oneCycle(
  peak: number,
  options: { steps: number; warmup?: number | undefined; start?: number | undefined; end?: number | undefined }
): Schedule {
  const op = 'optim.oneCycle'
  const { steps, warmup: part = 0.3, start = peak / 25, end = start / 1e4 } = optionsOf(op, options)
  rateOf(op, peak)
  rateOf(op, start)
  rateOf(op, end)
  stepsOf(op, 'steps', steps)
  if (typeof part !== 'number' || !(part > 0 && part < 1)) throw expected(op, 'a warm-up in (0, 1)', describe(part))
  const description = { kind: 'oneCycle', rate: peak, steps, warmup: part, start, end }
  const top = Math.max(part * steps - 1, Number.EPSILON)
  const down = Math.max(steps - 1 - top, Number.EPSILON)
  return new Schedule((t, math) => {
    const rising = wave(share(t, top, math), start, peak, math)
    const falling = wave(share(math.sub(t, math.minimum(t, top)), down, math), peak, end, math)
    return math.below(t, top, rising, falling)
  }, description)
}

/** @internal A rate that does not change, or a schedule, as a schedule. */
export function toSchedule(op: string, rate: unknown): Schedule {
  if (rate instanceof Schedule) return rate
  if (typeof rate !== 'number') throw expected(op, 'a learning rate: a number or a schedule', describe(rate))
  const constant = rateOf(op, rate)
  return new Schedule((_, math) => math.constant(constant), { kind: 'constant', rate: constant })
}
