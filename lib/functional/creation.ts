// Making tensors from JavaScript values, and constants.
import { checkInteger, expected, quoted } from '../errors.js'
import { native } from '../native.js'
import { onDevice } from '../device.js'
import { call, dtypes, Tensor, wrap, type DType, type Nested } from '../tensor.js'

/** A shape, which may be left out, and options without a dtype. @inline */
type Where = [shape?: readonly number[] | undefined, options?: PlacementOnly] | [options: PlacementOnly]
/** @inline */
type Numbers = Nested<number> | Float32Array | Float64Array
/** Where a tensor is made. */
export interface Placement {
  /** Where the result is made, e.g. 'cuda:0'; on the default device unless given. */
  device?: string | undefined
}
/** What a tensor is made as. */
export interface TensorOptions<D extends DType> extends Placement {
  /** The dtype of the result; what the values are decides otherwise. */
  dtype: D
}
/** Options without a dtype. @inline */
type PlacementOnly = Placement & { dtype?: undefined }
type AnyOptions = Placement & { dtype?: DType | undefined }

const arrayTypes = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array
} as const
/** @inline */
type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Uint8ClampedArray

/** @internal The number of a dtype in native code; a word that is none is an error. */
export function dtypeCode(op: string, dtype: unknown): number {
  const code = dtypes.indexOf(dtype as DType)
  if (code < 0) throw expected(op, `a dtype of ${dtypes.map((d) => `'${d}'`).join(', ')}`, quoted(dtype))
  return code
}

/** @internal Checks a shape and gives it back. */
export function checkShape(op: string, shape: unknown): readonly number[] {
  if (!Array.isArray(shape)) throw expected(op, 'a shape (an array of sizes)', quoted(shape))
  if (shape.length > 8) throw expected(op, 'a shape of at most 8 axes', `${shape.length} axes`)
  for (const size of shape) checkInteger(op, 'sizes that are whole numbers from 0', size, 0)
  return shape as number[]
}

function dtypeOf(value: unknown): DType {
  if (value instanceof Int32Array) return 'int32'
  if (value instanceof BigInt64Array) return 'int64'
  if (value instanceof Uint8Array || value instanceof Uint8ClampedArray) return 'uint8'
  let first: unknown = value
  while (Array.isArray(first)) first = first[0]
  return typeof first === 'boolean' ? 'bool' : typeof first === 'bigint' ? 'int64' : 'float32'
}

function isTypedArray(value: unknown): value is TypedArray {
  return (
    value instanceof Float32Array ||
    value instanceof Float64Array ||
    value instanceof Int32Array ||
    value instanceof BigInt64Array ||
    value instanceof Uint8Array ||
    value instanceof Uint8ClampedArray
  )
}

function shapeOf(values: unknown): number[] {
  const shape: number[] = []
  for (let v = values; Array.isArray(v); v = v[0]) {
    shape.push(v.length)
    if (shape.length > 8) throw expected('tensor', 'at most 8 levels of nesting', 'more')
  }
  return shape
}

// Writes nested arrays flat; every level must have the size that its first element has.
function flatten(values: unknown, shape: readonly number[], axis: number, write: (value: unknown) => void): void {
  if (axis === shape.length) {
    if (Array.isArray(values)) throw expected('tensor', 'arrays that are nested alike', 'a number beside an array')
    return write(values)
  }
  if (!Array.isArray(values) || values.length !== shape[axis]) {
    throw expected(
      'tensor',
      `arrays of one length (${shape[axis]}) at depth ${axis}`,
      Array.isArray(values) ? `one of ${values.length}` : quoted(values)
    )
  }
  for (const value of values) flatten(value, shape, axis + 1, write)
}

function convert(value: unknown, dtype: DType): number | bigint {
  const kind = typeof value
  if (kind !== 'number' && kind !== 'boolean' && kind !== 'bigint')
    throw expected('tensor', 'numbers, booleans or bigints', quoted(value))
  if (dtype === 'float32') return Number(value)
  if (dtype === 'bool') return value ? 1 : 0
  const low = dtype === 'int32' ? -(2 ** 31) : dtype === 'int64' ? -(2 ** 63) : 0
  const high = dtype === 'int32' ? 2 ** 31 - 1 : dtype === 'int64' ? 2 ** 63 : 255
  if ((kind === 'number' && !Number.isInteger(value)) || (value as number) < low || (value as number) > high) {
    throw expected('tensor', `values that ${dtype} can hold`, quoted(value))
  }
  return dtype === 'int64' ? BigInt(value as number) : Number(value)
}

/**
 * A tensor of the given values: numbers, nested arrays or a typed array (which is copied).
 *
 * Numbers give float32, booleans bool, bigints int64; Int32Array, BigInt64Array and Uint8Array give int32, int64 and uint8,
 * Float32Array and Float64Array float32. `shape` may be left out where the nesting says it; `{ dtype }` decides otherwise.
 */
export function tensor(values: Uint8Array | Uint8ClampedArray, ...where: Where): Tensor<'uint8'>
export function tensor(values: Int32Array, ...where: Where): Tensor<'int32'>
export function tensor(values: BigInt64Array | Nested<bigint>, ...where: Where): Tensor<'int64'>
export function tensor(values: Numbers, ...where: Where): Tensor<'float32'>
export function tensor(values: Nested<boolean>, ...where: Where): Tensor<'bool'>
export function tensor<D extends DType>(
  values: Numbers | TypedArray | Nested<boolean> | Nested<bigint>,
  options: TensorOptions<D>
): Tensor<D>
export function tensor<D extends DType>(
  values: Numbers | TypedArray | Nested<boolean> | Nested<bigint>,
  shape: readonly number[] | undefined,
  options: TensorOptions<D>
): Tensor<D>
export function tensor(values: unknown, second?: unknown, third?: unknown): Tensor<any> {
  const shapeGiven = Array.isArray(second)
  const options = (shapeGiven || second === undefined ? third : second) as AnyOptions | undefined
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw expected('tensor', 'a shape or options { dtype, device }', quoted(options))
  }
  const dtype = options?.dtype ?? dtypeOf(values)
  dtypeCode('tensor', dtype)
  // Half-precision values are rounded by the device.
  if (dtype === 'bfloat16' || dtype === 'float16') {
    const shape = shapeGiven ? (second as number[]) : undefined
    const full = tensor(values as Numbers, shape, { dtype: 'float32', device: options?.device })
    const half = call('cast', [full], [dtypeCode('tensor', dtype)])
    full.dispose()
    return half
  }
  const flat = isTypedArray(values)
  if (!flat && !Array.isArray(values) && !['number', 'boolean', 'bigint'].includes(typeof values)) {
    throw expected(
      'tensor',
      'numbers, nested arrays or a typed array',
      quoted(values),
      'Typed arrays: Float32Array, Int32Array, BigInt64Array, Uint8Array.'
    )
  }
  const nesting = flat ? [values.length] : shapeOf(values)
  const count = nesting.reduce((n, d) => n * d, 1)
  const shape = shapeGiven ? checkShape('tensor', second) : nesting
  if (shape.reduce((n, d) => n * d, 1) !== count) {
    throw expected(
      'tensor',
      `${shape.reduce((n, d) => n * d, 1)} values for the shape [${shape.join(', ')}]`,
      String(count)
    )
  }
  const ArrayType = arrayTypes[dtype]
  let data: ArrayBufferView
  if (
    flat &&
    (values instanceof ArrayType || (values instanceof Uint8ClampedArray && dtype === 'uint8')) &&
    dtype !== 'bool'
  ) {
    data = values
  } else {
    const made = new ArrayType(count)
    let position = 0
    const write = (value: unknown): void => {
      made[position++] = convert(value, dtype) as never
    }
    if (flat) for (const value of values) write(value)
    else flatten(values, nesting, 0, write)
    data = made
  }
  return fromBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), shape, dtype, options)
}

/** A tensor of raw bytes in the machine's byte order (which `Tensor.bytes` gives). */
export function fromBytes<D extends DType>(
  bytes: Uint8Array,
  shape: readonly number[],
  dtype: D,
  options: Placement = {}
): Tensor<D> {
  if (!(bytes instanceof Uint8Array)) throw expected('fromBytes', 'a Uint8Array', quoted(bytes))
  checkShape('fromBytes', shape)
  const code = dtypeCode('fromBytes', dtype)
  return onDevice('fromBytes', options.device, () => {
    for (let i = 0; i < shape.length; i++) native.numbers[i] = shape[i]!
    return wrap(native.create(code, shape.length, bytes))
  })
}

/** A tensor of one value throughout. */
export function full(shape: readonly number[], value: number, options?: PlacementOnly): Tensor<'float32'>
export function full<D extends DType>(shape: readonly number[], value: number, options: TensorOptions<D>): Tensor<D>
export function full(shape: readonly number[], value: number, options?: AnyOptions): Tensor<any> {
  if (typeof value !== 'number') throw expected('full', 'a number', quoted(value))
  return constant('full', shape, value, options)
}

function constant(op: string, shape: readonly number[], value: number, options?: AnyOptions): Tensor<any> {
  const numbers = [value, dtypeCode(op, options?.dtype ?? 'float32'), ...checkShape(op, shape)]
  return onDevice(op, options?.device, () => call('fill', [], numbers))
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options?: PlacementOnly): Tensor<'float32'>
export function zeros<D extends DType>(shape: readonly number[], options: TensorOptions<D>): Tensor<D>
export function zeros(shape: readonly number[], options?: AnyOptions): Tensor<any> {
  return constant('zeros', shape, 0, options)
}

/** A tensor of ones. */
export function ones(shape: readonly number[], options?: PlacementOnly): Tensor<'float32'>
export function ones<D extends DType>(shape: readonly number[], options: TensorOptions<D>): Tensor<D>
export function ones(shape: readonly number[], options?: AnyOptions): Tensor<any> {
  return constant('ones', shape, 1, options)
}

/** Zeros of another tensor's shape and dtype, where that is. */
export function zerosLike<D extends DType>(like: Tensor<D>): Tensor<D> {
  if (!(like instanceof Tensor)) throw expected('zerosLike', 'a tensor', quoted(like))
  return constant('zerosLike', like.shape, 0, like)
}

/** Ones of another tensor's shape and dtype, where that is. */
export function onesLike<D extends DType>(like: Tensor<D>): Tensor<D> {
  if (!(like instanceof Tensor)) throw expected('onesLike', 'a tensor', quoted(like))
  return constant('onesLike', like.shape, 1, like)
}
