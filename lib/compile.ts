// compile: a function of tensors runs eagerly once, is recorded once, and is then replayed natively.
import { checkInteger, describe, expected, quoted } from './errors.js'
import { device, movesSoFar } from './device.js'
import { native } from './native.js'
import { call, putInputs, takeResults, Tensor, tensorsIn, type DType } from './tensor.js'
import { gradientMode, withGradientMode } from './autograd.js'
import { Profile, type ProfiledCall } from './profile.js'
import { checkComputation, computation, computing, type Computation } from './compute.js'

export interface CompileOptions extends Computation {
  /** Runs the function itself every n-th time beside its recording and compares the results: finds JavaScript that changed. */
  verify?: number
}

/** A recording of a compiled function, for one signature. */
export interface Program {
  /** One line a kernel call, and the memory plan. */
  toString(): string
  /**
   * Runs the recording once, as a call with these arguments does, and tells what each kernel call has taken; waits for it. Caches are
   * cold at a recording's first run: profile a later one.
   */
  profile(...args: unknown[]): Profile
}

/** What `compile` gives: called as the function itself. */
export interface Compiled<A extends unknown[], R> {
  /** Runs the function, or its recording. */
  (...args: A): R
  /** The recordings so far, one for each signature. */
  readonly programs: readonly Program[]
}

// What a recording depends on beside its arguments (training modes, what is trainable), as it was.
interface Guard {
  value: () => unknown
  was: unknown
}
let guards: Guard[] | undefined

/**
 * Tells a function that is being compiled that it depends on a value outside of its arguments: where the value is another
 * at a later call, the function runs and is recorded anew. The value is compared with `Object.is`.
 */
export function noteDependency(value: () => unknown): void {
  guards?.push({ value, was: value() })
}

/** @internal Whether a compiled function is being run or recorded: what its JavaScript does now, a replay will not do. */
export function compiling(): boolean {
  return guards !== undefined
}

const registry = new FinalizationRegistry((program: number) => native.programFree(program))

class Recording implements Program {
  readonly program: number
  readonly guards: readonly Guard[]
  /** The function's result with tensors replaced by their position. */
  readonly results: unknown
  #moves = movesSoFar()
  #stale = false
  constructor(program: number, guards: readonly Guard[], results: unknown) {
    this.program = program
    this.guards = guards
    this.results = results
    registry.register(this, program)
  }
  toString(): string {
    return native.programText(this.program)
  }
  profile(...args: unknown[]): Profile {
    if (this.isStale) {
      throw expected(
        'profile',
        'a recording of tensors that are where they were',
        'one of which some have been moved to another device'
      )
    }
    const inputs = tensorsIn(args)
    putInputs('profile', inputs)
    return new Profile(JSON.parse(native.programProfile(this.program, inputs.length)) as ProfiledCall[])
  }
  /** Whether it reads or changes memory that a tensor has left for another device. */
  get isStale(): boolean {
    if (this.#moves === movesSoFar()) return this.#stale
    this.#moves = movesSoFar()
    return (this.#stale ||= native.isStale(this.program))
  }
}

interface Signature {
  /** Eager runs, since which nothing may have been moved to another device: state that follows is moved by such a run. */
  warm: { guards: readonly Guard[]; moves: number }[]
  recordings: Recording[]
}

const holds = (list: readonly Guard[]): boolean => list.every((guard) => Object.is(guard.value(), guard.was))

class Position {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
}

// The function's result with tensors replaced by positions; only tensors in arrays and plain objects can be replayed.
function withoutTensors(value: unknown, found: Tensor<DType>[]): unknown {
  if (value instanceof Tensor) return new Position(found.push(value) - 1)
  if (value === undefined || value === null) return value
  if (Array.isArray(value)) return value.map((item) => withoutTensors(item, found))
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutTensors(item, found)]))
  }
  throw expected(
    'compile',
    'a function that returns tensors, or arrays or objects of them',
    value instanceof Promise ? 'a promise' : describe(value),
    'A replay cannot compute other values; await and convert outside of it.'
  )
}
function withTensors(value: unknown, tensors: readonly Tensor<DType>[]): unknown {
  if (value instanceof Position) return tensors[value.index]
  if (Array.isArray(value)) return value.map((item) => withTensors(item, tensors))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withTensors(item, tensors)]))
  }
  return value
}

// Arguments: tensors become inputs; anything else is part of the signature.
function split(args: readonly unknown[], tensors: Tensor<DType>[]): string {
  const visit = (value: unknown): unknown => {
    if (value instanceof Tensor) {
      if (value.requiresGradient) {
        throw expected(
          'compile',
          'arguments without history',
          'one through which a gradient flows',
          'Pass it through detach(), or differentiate inside.'
        )
      }
      tensors.push(value)
      return `${value.dtype}[${value.shape.join()}] ${value.device}`
    }
    if (Array.isArray(value)) return value.map(visit)
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.entries(value).map(([key, item]) => [key, visit(item)])
    }
    if (value === undefined || value === null || ['number', 'string', 'boolean'].includes(typeof value))
      return [typeof value, String(value)]
    throw expected(
      'compile',
      'arguments that are tensors, numbers, strings, booleans, or arrays or objects of them',
      quoted(value)
    )
  }
  return JSON.stringify(args.map(visit))
}
function replaceTensors(value: unknown, next: () => Tensor<DType>): unknown {
  if (value instanceof Tensor) return next()
  if (Array.isArray(value)) return value.map((item) => replaceTensors(item, next))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceTensors(item, next)]))
  }
  return value
}

function collectGuards<T>(f: () => T): { result: T; collected: Guard[] } {
  const outer = guards
  const collected: Guard[] = []
  guards = collected
  try {
    return { result: f(), collected }
  } finally {
    guards = outer
    outer?.push(...collected)
  }
}

function record(f: (...args: never[]) => unknown, args: readonly unknown[], inputs: readonly Tensor<DType>[]) {
  putInputs('compile', inputs)
  const fresh = takeResults(native.recordBegin(inputs.length))
  const tensors: Tensor<DType>[] = []
  try {
    let position = 0
    const own = args.map((arg) => replaceTensors(arg, () => fresh[position++]!))
    // Not in tidy, which would hold what an eager run lets go in between.
    const { result, collected } = collectGuards(() => f(...(own as never[])))
    const shape = withoutTensors(result, tensors)
    putInputs('compile', tensors)
    const recording = new Recording(native.recordEnd(tensors.length), collected, shape)
    return { recording, result }
  } catch (error) {
    native.recordEnd(-1)
    throw error
  } finally {
    for (const tensor of fresh) if (!tensors.includes(tensor)) tensor.dispose() // a function may return what it is given
  }
}

function replay(recording: Recording, inputs: readonly Tensor<DType>[]): unknown {
  putInputs('compile', inputs)
  return withTensors(recording.results, takeResults(native.replay(recording.program, inputs.length)))
}

function compare(expectedResult: unknown, actual: unknown): void {
  const a = tensorsIn(expectedResult)
  const b = tensorsIn(actual)
  const differs = (x: Tensor<DType>, y: Tensor<DType>): boolean =>
    Buffer.compare(new Uint8Array(native.readSync(x.handle)), new Uint8Array(native.readSync(y.handle))) !== 0
  if (a.length !== b.length || a.some((t, i) => String(t.shape) !== String(b[i]!.shape) || differs(t, b[i]!))) {
    throw expected(
      'compile',
      'the same results from the function and from its recording',
      'others',
      'Something that the function reads beside its arguments has changed: pass it as an argument, or compile anew.'
    )
  }
}

// Runs both from the same state (parameters, running statistics, counters) and keeps what the function itself has done.
function verified(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  inputs: Tensor<DType>[],
  recording: Recording
): unknown {
  const state = takeResults(native.programState(recording.program))
  const before = state.map((t) => call('copy', [t]))
  const replayed = replay(recording, inputs)
  for (const [i, t] of state.entries()) native.write(t.handle, native.readSync(before[i]!.handle))
  for (const t of [...state, ...before]) t.dispose()
  const result = f(...(args as never[]))
  compare(result, replayed)
  for (const t of tensorsIn(replayed)) t.dispose()
  return result
}

/** What `f` gives, with all that it has changed brought back; what it has made stays: state that a first run makes is as it was made. */
function undone<T>(f: () => T): T {
  native.journalBegin()
  try {
    return f()
  } finally {
    native.journalEnd()
  }
}

/**
 * A function of tensors that runs eagerly the first time, is recorded the second time, and is replayed natively from then
 * on: one call a step, memory from a plan. For each signature (shapes and dtypes of the arguments, other arguments' values,
 * training modes, precision) there is a recording of its own.
 *
 * The function must do the same every time: what its JavaScript decides is frozen into the recording (`verify` finds out).
 * Tensors that it makes and does not return are freed when it ends. Reading a value inside it is an error.
 */
export function compile<A extends unknown[], R>(f: (...args: A) => R, options: CompileOptions = {}): Compiled<A, R> {
  return compileAs(f, options, false)
}

/**
 * @internal The same, where each call gives what a replay gives, the first two included, which run the function itself: kernels of a
 * replay may round otherwise than the ops one by one. What these runs have changed is undone, and the recording replayed.
 */
export function compileReplayed<A extends unknown[], R>(
  f: (...args: A) => R,
  options: CompileOptions = {}
): Compiled<A, R> {
  return compileAs(f, options, true)
}

function compileAs<A extends unknown[], R>(
  f: (...args: A) => R,
  options: CompileOptions,
  replayed: boolean
): Compiled<A, R> {
  if (typeof f !== 'function') throw expected('compile', 'a function', quoted(f))
  const { verify, compute, exact } = options ?? {}
  if (verify !== undefined) checkInteger('compile', 'verify to be a whole number from 1', verify, 1)
  checkComputation('compile', { compute, exact })
  const signatures = new Map<string, Signature>()
  let calls = 0

  const run = (args: A): R => {
    const inputs: Tensor<DType>[] = []
    const mode = gradientMode()
    const now = computation()
    const key = `${mode} ${now.compute} ${now.exact} ${device()} ${split(args, inputs)}`
    let signature = signatures.get(key)
    if (signature === undefined) signatures.set(key, (signature = { warm: [], recordings: [] }))
    calls++
    const recording = signature.recordings.find((r) => !r.isStale && holds(r.guards))
    if (recording !== undefined) {
      if (verify !== undefined && calls % verify === 0) return verified(f as never, args, inputs, recording) as R
      return replay(recording, inputs) as R
    }
    for (const one of signatures.values()) one.recordings = one.recordings.filter((r) => !r.isStale)
    const first = (): R => {
      const { result, collected } = collectGuards(() => f(...args))
      withoutTensors(result, [])
      signature.warm = signature.warm.filter(({ moves }) => moves === movesSoFar())
      signature.warm.push({ guards: collected, moves: movesSoFar() })
      return result
    }
    const second = () => withGradientMode(mode, () => record(f as never, args, inputs))
    if (!signature.warm.some(({ guards, moves }) => moves === movesSoFar() && holds(guards))) {
      if (!replayed) return first()
      undone(first)
    }
    const recorded = replayed ? undone(second) : second()
    signature.recordings.push(recorded.recording)
    return (replayed ? replay(recorded.recording, inputs) : recorded.result) as R
  }
  const compiled = (...args: A): R =>
    compute === undefined && exact === undefined
      ? run(args)
      : computing({ compute, exact }, tensorsIn(args)[0]?.device ?? device(), () => run(args))
  return Object.defineProperty(compiled, 'programs', {
    get: () => [...signatures.values()].flatMap((s) => s.recordings)
  }) as Compiled<A, R>
}
