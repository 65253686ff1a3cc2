// The tensor: a small object with an integer handle to what lives in native memory. Reading, freeing, and calling ops.
import { inspect } from 'node:util'
import { expected, quoted } from './errors.js'
import { native } from './native.js'
import type { OpName } from './op-names.generated.js'

/** What a tensor's elements are. */
export type DType = 'float32' | 'bfloat16' | 'float16' | 'int32' | 'int64' | 'uint8' | 'bool'
/** The floating dtypes. */
export type FloatDType = 'float32' | 'bfloat16' | 'float16'
/** The dtypes of whole numbers. */
export type IntegerDType = 'int32' | 'int64' | 'uint8'
/** The dtypes that one can calculate with: all but bool. */
export type NumberDType = FloatDType | IntegerDType

/** What `data()` gives: Float32Array for float32, bfloat16 and float16 (each fits exactly); Uint8Array of 0 and 1 for bool. */
export type DataOf<D extends DType> = D extends FloatDType
  ? Float32Array
  : D extends 'int32'
    ? Int32Array
    : D extends 'int64'
      ? BigInt64Array
      : Uint8Array

/** What `array()` gives inside its nesting: numbers, bigint for int64, boolean for bool. */
export type ElementOf<D extends DType> = D extends 'bool' ? boolean : D extends 'int64' ? bigint : number
/** A value, or arrays of such, as deep as the shape. */
export type Nested<T> = T | Nested<T>[]

export const dtypes = ['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const

/** The bytes of an element. */
export const elementBytes: Readonly<Record<DType, number>> = {
  ...{ float32: 4, bfloat16: 2, float16: 2 },
  ...{ int32: 4, int64: 8, uint8: 1, bool: 1 }
}

interface Spec {
  shape: readonly number[]
  dtype: DType
}

/**
 * A dense, row-major array of one dtype on a device. Ops return at once; a native queue does the work in order, and reading
 * (`data`, `array`, `item`) is where one waits. Memory is freed when JavaScript lets go of the tensor, or at once by
 * `dispose()`, `using` or `tidy`.
 */
export class Tensor<D extends DType = 'float32'> {
  /** @internal The native tensor. */
  readonly handle: number
  /** @internal An object that the tensors of one block of handles share: when it is collected, native memory follows. */
  readonly block: object
  #spec: Spec | undefined = undefined
  #requiresGradient: boolean | undefined = undefined
  #device: string | undefined = undefined

  /** @internal Tensors come from `tensor`, `zeros` and ops. */
  constructor(handle: number, block: object) {
    this.handle = handle
    this.block = block
  }

  /** An object of this class alone is a tensor: one that was given its prototype is not. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #spec in value
  }

  #describe(): Spec {
    if (this.#spec === undefined) {
      const code = native.describe(this.handle)
      const shape: number[] = []
      for (let i = 0; i < (code & 15); i++) shape.push(native.numbers[i]!)
      this.#spec = { shape: Object.freeze(shape), dtype: dtypes[code >> 4]! }
    }
    return this.#spec
  }

  /** The sizes of the axes. */
  get shape(): readonly number[] {
    return this.#describe().shape
  }
  /** What the elements are. */
  get dtype(): D {
    return this.#describe().dtype as D
  }
  /** The number of axes. */
  get rank(): number {
    return this.shape.length
  }
  /** The number of elements. */
  get size(): number {
    return this.shape.reduce((n, d) => n * d, 1)
  }
  /** The bytes that the values take. */
  get byteLength(): number {
    return this.size * elementBytes[this.dtype]
  }
  /** Where the values are. */
  get device(): string {
    return (this.#device ??= native.deviceOf(this.handle))
  }
  /** @internal The values have been brought to other memory. */
  forgetDevice(): void {
    this.#device = undefined
  }
  /** Whether operations on this tensor are recorded for differentiation. */
  get requiresGradient(): boolean {
    return (this.#requiresGradient ??= native.requiresGradient(this.handle))
  }
  /** @internal Whether it does has changed. */
  forgetRequirement(): void {
    this.#requiresGradient = undefined
  }
  /** Whether its memory has been given back. */
  get disposed(): boolean {
    return !native.alive(this.handle)
  }

  /** The values, flat, in row-major order. Waits without blocking the event loop. */
  async data(): Promise<DataOf<D>> {
    return typed(this.dtype, await read(readable(this))) as DataOf<D>
  }
  /** The values, flat, in row-major order. Blocks until they are there. */
  dataSync(): DataOf<D> {
    const code = native.readSmall(handleOf('data', this))
    if (code >= 0) return takeSmall(code) as DataOf<D>
    return typed(this.dtype, native.readSync(readable(this).handle)) as DataOf<D>
  }
  /** The values as nested arrays; bool gives booleans, int64 gives bigints. */
  async array(): Promise<Nested<ElementOf<D>>> {
    return nest(await this.data(), this.shape, this.dtype) as Nested<ElementOf<D>>
  }
  /** Like `array`, but blocks. */
  arraySync(): Nested<ElementOf<D>> {
    return nest(this.dataSync(), this.shape, this.dtype) as Nested<ElementOf<D>>
  }
  /** The value of a tensor of one element, as a number (bool: 0 or 1; an int64 beyond 2^53 is rounded: see `data`). */
  async item(): Promise<number> {
    if (this.size !== 1) throw expected('item', 'a tensor of one element', this.#text(), 'See data() and array().')
    return Number((await this.data())[0])
  }
  /** Like `item`, but blocks. */
  itemSync(): number {
    return native.itemSync(readable(this).handle)
  }
  /** The raw bytes as they lie in memory, in the machine's byte order. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await read(this))
  }

  /** @internal The same in memory of as many bytes that there is already. */
  async bytesInto(memory: ArrayBuffer): Promise<Uint8Array> {
    return new Uint8Array(await native.readLater(this.handle, memory))
  }

  /** Frees the memory now. Using the tensor afterwards is an error; disposing twice is not. */
  dispose(): void {
    native.dispose(this.handle)
  }
  /** What `using` calls: `dispose`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The same values without history: no gradient flows through the result. Shares memory. */
  detach(): Tensor<D> {
    return wrap(native.detach(this.handle))
  }

  #text(): string {
    return `${this.dtype} [${this.shape.join(', ')}]`
  }
  /** Dtype and shape, without the values. */
  toString(): string {
    return this.disposed ? 'Tensor (disposed)' : `Tensor ${this.#text()}`
  }
  /** @internal What console.log prints. Not declared, so that the types need none of Node's. */
  [inspect.custom](): string {
    if (this.disposed) return this.toString()
    if (this.size > 1_000_000) return `Tensor ${this.#text()}`
    try {
      return `Tensor ${this.#text()}\n${print(this.dataSync(), this.shape, this.dtype)}`
    } catch (error) {
      return `Tensor ${this.#text()} (${(error as Error).message})`
    }
  }
}

/**
 * @internal Puts new values into a tensor's memory, in the order of the queue: all who hold the tensor see them, compiled
 * functions too.
 */
export function writeBytes(tensor: Tensor<DType>, bytes: Uint8Array): void {
  native.write(tensor.handle, bytes)
}

// Half-precision values are read as float32.
function readable(tensor: Tensor<DType>): Tensor<DType> {
  const { dtype } = tensor
  return dtype === 'bfloat16' || dtype === 'float16' ? call('cast', [tensor], [dtypes.indexOf('float32')]) : tensor
}

// The values of a small tensor, which native code has left in the scratch memory: an array made here costs a fraction of a
// buffer made there.
function takeSmall(code: number): Float32Array | Int32Array | BigInt64Array | Uint8Array {
  const count = code >> 4
  switch (dtypes[code & 15]) {
    case 'int32':
      return copyInto(new Int32Array(count), smallInt32)
    case 'int64':
      return copyInto(new BigInt64Array(count), smallInt64)
    case 'uint8':
    case 'bool':
      return copyInto(new Uint8Array(count), smallUint8)
    default:
      return copyInto(new Float32Array(count), smallFloat32)
  }
}
const { buffer: scratch, byteOffset: scratchOffset } = native.numbers
const smallFloat32 = new Float32Array(scratch, scratchOffset)
const smallInt32 = new Int32Array(scratch, scratchOffset)
const smallInt64 = new BigInt64Array(scratch, scratchOffset)
const smallUint8 = new Uint8Array(scratch, scratchOffset)
function copyInto<A extends { length: number; [i: number]: any }>(to: A, from: A): A {
  for (let i = 0; i < to.length; i++) to[i] = from[i]
  return to
}

let immediateReads = 0
async function read(tensor: Tensor<DType>): Promise<ArrayBuffer> {
  const now = native.readNow(tensor.handle)
  if (now === undefined) return native.readLater(tensor.handle)
  // Promises that are resolved at once keep timers and sockets from their turn.
  if (++immediateReads % 256 === 0) await new Promise((resolve) => setImmediate(resolve))
  return now
}

function typed(dtype: DType, buffer: ArrayBuffer): Float32Array | Int32Array | BigInt64Array | Uint8Array {
  switch (dtype) {
    case 'int32':
      return new Int32Array(buffer)
    case 'int64':
      return new BigInt64Array(buffer)
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer)
    default:
      return new Float32Array(buffer)
  }
}

function nest(data: ArrayLike<number | bigint>, shape: readonly number[], dtype: DType): unknown {
  let position = 0
  const build = (axis: number): unknown => {
    if (axis === shape.length) {
      const value = data[position++]
      return dtype === 'bool' ? value !== 0 : value
    }
    return Array.from({ length: shape[axis]! }, () => build(axis + 1))
  }
  return build(0)
}

const printEdge = 3
function print(data: ArrayLike<number | bigint>, shape: readonly number[], dtype: DType): string {
  const summarize = data.length > 1000
  const format = (value: number | bigint): string => {
    if (dtype === 'bool') return value ? 'true' : 'false'
    if (typeof value === 'bigint' || Number.isInteger(value)) return String(value)
    return String(Number(value.toPrecision(5)))
  }
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, d) => n * d, 1))
  const visible = (n: number): (number | undefined)[] =>
    summarize && n > 2 * printEdge ? [0, 1, 2, undefined, n - 3, n - 2, n - 1] : Array.from({ length: n }, (_, i) => i)
  let width = 0
  const scan = (axis: number, offset: number): void => {
    if (axis === shape.length) width = Math.max(width, format(data[offset]!).length)
    else for (const i of visible(shape[axis]!)) if (i !== undefined) scan(axis + 1, offset + i * strides[axis]!)
  }
  if (data.length > 0) scan(0, 0)
  const build = (axis: number, offset: number, indent: string): string => {
    if (axis === shape.length) return format(data[offset]!).padStart(width)
    const parts = visible(shape[axis]!).map((i) =>
      i === undefined ? '...' : build(axis + 1, offset + i * strides[axis]!, `${indent} `)
    )
    const separator = axis === shape.length - 1 ? ', ' : `,${'\n'.repeat(shape.length - 1 - axis)}${indent} `
    return `[${parts.join(separator)}]`
  }
  return build(0, 0, '')
}

// --- handles

const soloSlot = 63
let currentBlock: object = {}
let currentBlockId = -1

/** @internal The tensor of a handle that native code has just given out. */
export function wrap<D extends DType>(handle: number): Tensor<D> {
  const id = handle >> 6
  let block = currentBlock
  if (id !== currentBlockId) {
    block = {}
    native.adopt(id, block)
    if ((handle & 63) !== soloSlot) {
      currentBlock = block
      currentBlockId = id
    }
  }
  const tensor = new Tensor<D>(handle, block)
  if (scope !== undefined) scope.add(tensor)
  return tensor
}

/** @internal The handle of an argument; anything but a tensor is an error. */
export function handleOf(op: string, value: unknown): number {
  if (value instanceof Tensor) return value.handle
  throw expected(
    op,
    'a tensor',
    quoted(value),
    typeof value === 'object' && value !== null && 'handle' in value
      ? 'A tensor belongs to the thread that made it.'
      : ''
  )
}

/** @internal Puts tensors into the scratch memory; `undefined` is none. */
export function putInputs(op: string, tensors: readonly (Tensor<DType> | undefined)[], first = 0): void {
  const { inputs } = native
  if (first + tensors.length > inputs.length)
    throw expected(op, `at most ${inputs.length} tensors`, String(tensors.length))
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]
    inputs[first + i] = tensor === undefined ? -1 : handleOf(op, tensor)
  }
}

/** @internal The tensors that native code has put into the scratch memory. */
export function takeResults(count: number): Tensor<DType>[] {
  // Wrapping may call native code, which must not find the scratch memory changed under it: read all handles first.
  const handles = Array.from(native.results.subarray(0, count))
  return handles.map((handle) => (handle < 0 ? (undefined as unknown as Tensor<DType>) : wrap(handle)))
}

// --- calling ops

const numberOf = new Map<string, number>(native.ops.map((name, i) => [name, i]))

/** @internal The native numbers of ops. */
export function opNumbers<const N extends readonly OpName[]>(names: N): Record<N[number], number> {
  return Object.fromEntries(names.map((name) => [name, numberOf.get(name)!])) as Record<N[number], number>
}

/** @internal Applies a native op; all its results. `undefined` stands for an input that is left out. */
export function callMany(
  op: OpName,
  tensors: readonly (Tensor<DType> | undefined)[],
  parameters: readonly number[] = []
): Tensor<any>[] {
  putInputs(op, tensors)
  const { numbers } = native
  for (let i = 0; i < parameters.length; i++) {
    const value = parameters[i]
    if (typeof value !== 'number') throw expected(op, 'numbers', quoted(value))
    numbers[i] = value
  }
  return takeResults(native.invoke(numberOf.get(op)!, tensors.length, parameters.length))
}

/** @internal Applies a native op; its first result. */
export function call(
  op: OpName,
  tensors: readonly (Tensor<DType> | undefined)[],
  parameters: readonly number[] = []
): Tensor<any> {
  return callMany(op, tensors, parameters)[0]!
}

/** @internal */
export function unary(op: number, name: string, x: Tensor<DType>): Tensor<DType> {
  return wrap(native.unary(op, handleOf(name, x)))
}
/** @internal */
export function unaryWith(op: number, name: string, x: Tensor<DType>, p: number, q: number): Tensor<DType> {
  for (const value of [p, q]) if (typeof value !== 'number') throw expected(name, 'a number', quoted(value))
  return wrap(native.unary(op, handleOf(name, x), p, q))
}
/** @internal */
export function binary(op: number, name: string, a: Tensor<DType> | number, b: Tensor<DType> | number): Tensor<DType> {
  if (a instanceof Tensor) {
    if (b instanceof Tensor) return wrap(native.binary(op, a.handle, b.handle))
    return wrap(native.binaryNumber(op, a.handle, numberFrom(name, b), false))
  }
  if (b instanceof Tensor) return wrap(native.binaryNumber(op, b.handle, numberFrom(name, a), true))
  throw expected(name, 'a tensor', quoted(a), 'At least one side is a tensor; nt.tensor(3) makes one of a number.')
}
function numberFrom(op: string, value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  throw expected(op, 'a tensor or a number', quoted(value))
}

/** @internal Makes functions whose first argument is a tensor methods of tensors. */
export function addMethods(functions: Record<string, (first: any, ...rest: any[]) => unknown>): void {
  for (const [name, f] of Object.entries(functions)) {
    Object.defineProperty(Tensor.prototype, name, {
      configurable: true,
      writable: true,
      value: function (this: Tensor<DType>, ...rest: unknown[]) {
        return f(this, ...rest)
      }
    })
  }
}

// --- scopes

let scope: Set<Tensor<DType>> | undefined

/** All tensors in a value: itself, or nested in arrays, plain objects and maps. */
export function tensorsIn(value: unknown, found: Tensor<DType>[] = [], seen = new Set<object>()): Tensor<DType>[] {
  if (value instanceof Tensor) found.push(value)
  else if (typeof value === 'object' && value !== null && !seen.has(value) && !ArrayBuffer.isView(value)) {
    seen.add(value)
    for (const item of value instanceof Map ? value.values() : Object.values(value)) tensorsIn(item, found, seen)
  }
  return found
}

/**
 * Runs a function and frees at once every tensor that it made, except those in its result and those given to `keep`.
 * The function must not be async: its tensors would be freed while it still waits.
 */
export function tidy<T>(f: () => T): T {
  if (typeof f !== 'function') throw expected('tidy', 'a function', quoted(f))
  const outer = scope
  const made = new Set<Tensor<DType>>()
  scope = made
  let result: T
  try {
    result = f()
    if (isPromise(result)) {
      result.catch(() => {}) // what becomes of it is no longer anybody's concern
      throw expected(
        'tidy',
        'a function that returns its result',
        'an async one',
        'Await outside of tidy, or dispose by hand.'
      )
    }
  } catch (error) {
    scope = outer
    for (const tensor of made) tensor.dispose()
    throw error
  }
  scope = outer
  const kept = new Set(tensorsIn(result))
  for (const tensor of made) {
    if (!kept.has(tensor)) tensor.dispose()
    else if (outer !== undefined) outer.add(tensor)
  }
  return result
}

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof (value as Promise<unknown> | undefined)?.then === 'function' &&
    typeof (value as Promise<unknown>).catch === 'function'
  )
}

/** Takes tensors out of the enclosing `tidy` scopes: they live until disposed of or collected. Gives its argument back. */
export function keep<T>(value: T): T {
  if (scope !== undefined) for (const tensor of tensorsIn(value)) scope.delete(tensor)
  return value
}
