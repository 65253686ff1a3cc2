// Views, and ops that lay values out anew: reshape, permute, slice and get, pad, concat, broadcasting; casts, ranges, assignment.
import { checkInteger, checkIntegers, checkWord, describe, expected, quoted } from '../errors.js'
import { addMethods, binary, call, opNumbers, Tensor, type DType, type NumberDType } from '../tensor.js'
import { onDevice } from '../device.js'
import { checkShape, dtypeCode, type TensorOptions } from './creation.js'

/**
 * Where `get` looks along one axis: a number picks one index and drops the axis; [start, stop, step] takes a range, where null or
 * leaving out means from the beginning, to the end, by 1; null takes the whole axis; '...' stands for as many whole axes as are left.
 * Negative numbers count from the end, and ranges are clamped, as in Python.
 */
export type Selector =
  number | null | '...' | readonly [start?: number | null, stop?: number | null, step?: number | null]
/** Where `slice` takes its part. */
export interface SliceOptions {
  /** The axis, 0 by default. */
  axis?: number
  /** The distance between elements, 1 by default; a negative one runs backwards. */
  step?: number
}
/** For each axis what is added before and behind it, or one number for both; negative numbers cut. One number: for all axes. */
export type Padding = number | readonly (number | readonly [low: number, high: number])[]
/** What `pad` puts into the new places. */
export interface PadOptions {
  /** What the new places hold: one value (the default), the tensor mirrored at its edge element, or its edge element. */
  mode?: 'constant' | 'reflect' | 'replicate'
  /** The value of new places, 0 by default. */
  value?: number
}

const ops = opNumbers(['assign'])

function checkTensor(op: string, x: unknown): asserts x is Tensor<any> {
  if (!(x instanceof Tensor)) throw expected(op, 'a tensor', describe(x))
}

// An axis of x from 0; `extra` 1 allows the place behind the last.
function axisOf(op: string, x: Tensor<any>, axis: unknown, extra = 0): number {
  const rank = x.rank + extra
  checkInteger(op, `an axis in [${-rank}, ${rank})`, axis, -rank, rank - 1)
  return (axis as number) < 0 ? (axis as number) + rank : (axis as number)
}

function view(x: Tensor<any>, shape: readonly number[]): Tensor<any> {
  return call('reshape', [x], shape)
}

/**
 * The same values in another shape; one size may be -1 and follows from the others. Shares memory with x.
 * @throws where the number of elements differs.
 */
export function reshape<D extends DType>(x: Tensor<D>, shape: readonly number[]): Tensor<D> {
  if (!Array.isArray(shape)) throw expected('reshape', 'a shape (an array of sizes)', quoted(shape))
  if (shape.length > 8) throw expected('reshape', 'a shape of at most 8 axes', `${shape.length} axes`)
  return view(x, shape)
}

/** The axes from `first` to `last` (all, if left out) as one. Shares memory. */
export function flatten<D extends DType>(x: Tensor<D>, first = 0, last = -1): Tensor<D> {
  checkTensor('flatten', x)
  if (x.rank === 0) return view(x, [1])
  const from = axisOf('flatten', x, first)
  const to = axisOf('flatten', x, last)
  if (to < from) throw expected('flatten', 'a first axis before the last', `${first} and ${last}`)
  const { shape } = x
  const joined = shape.slice(from, to + 1).reduce((n, d) => n * d, 1)
  return view(x, [...shape.slice(0, from), joined, ...shape.slice(to + 1)])
}

/** Without its axes of size 1, or without those named. Shares memory. */
export function squeeze<D extends DType>(x: Tensor<D>, axis?: number | readonly number[]): Tensor<D> {
  checkTensor('squeeze', x)
  const { shape } = x
  if (axis === undefined)
    return view(
      x,
      shape.filter((size) => size !== 1)
    )
  const gone = (Array.isArray(axis) ? (axis as number[]) : [axis]).map((one) => axisOf('squeeze', x, one))
  for (const one of gone) {
    if (shape[one] !== 1)
      throw expected('squeeze', `a size of 1 on axis ${one}`, String(shape[one]), `The shape is [${shape.join(', ')}].`)
  }
  return view(
    x,
    shape.filter((_, i) => !gone.includes(i))
  )
}

/** With a new axis of size 1 at place `axis` of the result (-1: last). Shares memory. */
export function unsqueeze<D extends DType>(x: Tensor<D>, axis: number): Tensor<D> {
  checkTensor('unsqueeze', x)
  const at = axisOf('unsqueeze', x, axis, 1)
  return view(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

/** The axes in another order: axis i of the result is axis order[i] of x. */
export function permute<D extends DType>(x: Tensor<D>, order: readonly number[]): Tensor<D> {
  checkIntegers('permute', 'an order (an array of axes)', order)
  if (order.length > 8) throw expected('permute', 'at most 8 axes', String(order.length))
  return call('permute', [x], order)
}

/** With two axes exchanged, the last two by default. */
export function transpose<D extends DType>(x: Tensor<D>, first = -2, second = -1): Tensor<D> {
  checkTensor('transpose', x)
  const a = axisOf('transpose', x, first)
  const b = axisOf('transpose', x, second)
  const order = x.shape.map((_, i) => (i === a ? b : i === b ? a : i))
  return call('permute', [x], order)
}

function boundOf(op: string, value: unknown): number {
  return value === undefined || value === null ? NaN : checkInteger(op, 'whole numbers or null in a range', value)
}

/**
 * A part of x, with one selector an axis; axes without one are taken whole:
 *
 *     x.get(0)                    // the first row; the axis is gone
 *     x.get([1, 3])               // rows 1 and 2
 *     x.get(null, [null, null, -1])  // every row, turned round
 *     x.get('...', -1)            // the last element along the last axis
 *
 * @throws where a number is outside [-size, size) or there are more selectors than axes.
 */
export function get<D extends DType>(x: Tensor<D>, ...selectors: Selector[]): Tensor<D> {
  checkTensor('get', x)
  const dots = selectors.indexOf('...')
  const chosen: (Selector | null)[] = [...selectors]
  if (dots >= 0) chosen.splice(dots, 1, ...Array<null>(Math.max(0, x.rank - selectors.length + 1)).fill(null))
  if (chosen.length > x.rank) {
    throw expected(
      'get',
      `at most ${x.rank} selectors`,
      String(chosen.length),
      `The tensor is ${x.dtype} [${x.shape.join(', ')}].`
    )
  }
  const parameters: number[] = []
  chosen.forEach((selector, axis) => {
    if (selector === null) parameters.push(NaN, NaN, 1)
    else if (Array.isArray(selector)) {
      const [start, stop, step] = selector as (number | null | undefined)[]
      if (selector.length > 3) throw expected('get', 'a range [start, stop, step]', `${selector.length} numbers`)
      const by = step ?? 1
      checkInteger('get', 'a step that is a whole number', by)
      if (by === 0) throw expected('get', 'a step other than 0', '0')
      parameters.push(boundOf('get', start), boundOf('get', stop), by)
    } else if (typeof selector === 'number') {
      const size = x.shape[axis]!
      checkInteger('get', `an index in [${-size}, ${size}) for axis ${axis}`, selector, -size, size - 1)
      parameters.push(selector, NaN, 0)
    } else
      throw expected(
        'get',
        "a number, a range [start, stop, step], null or '...'",
        quoted(selector),
        'To pick by a tensor of indices, use gather.'
      )
  })
  return call('slice', [x], parameters)
}

/** The elements from `start` to before `stop` along one axis (the first by default). Negative ones count from the end. */
export function slice<D extends DType>(
  x: Tensor<D>,
  start?: number | null,
  stop?: number | null,
  options: SliceOptions = {}
): Tensor<D> {
  checkTensor('slice', x)
  if (typeof options !== 'object' || options === null)
    throw expected('slice', 'options ({ axis, step })', quoted(options))
  const { axis = 0, step = 1 } = options
  checkInteger('slice', 'a step that is a whole number', step)
  if (step === 0) throw expected('slice', 'a step other than 0', '0')
  const parameters: number[] = []
  for (let i = axisOf('slice', x, axis); i > 0; i--) parameters.push(NaN, NaN, 1)
  return call('slice', [x], [...parameters, boundOf('slice', start), boundOf('slice', stop), step])
}

/** Turned round along the axes named (all, if left out). */
export function flip<D extends DType>(x: Tensor<D>, axis?: number | readonly number[]): Tensor<D> {
  checkTensor('flip', x)
  const all = axis === undefined ? x.shape.map((_, i) => i) : Array.isArray(axis) ? (axis as number[]) : [axis]
  const turned = all.map((one) => axisOf('flip', x, one))
  return call(
    'slice',
    [x],
    x.shape.flatMap((_, i) => [NaN, NaN, turned.includes(i) ? -1 : 1])
  )
}

/**
 * With places added before and behind each axis: `pad(x, [[1, 1], [0, 2]])` adds one row at the top and bottom and two columns on the
 * right. 'reflect' mirrors at the edge element without repeating it, and adds less than the axis has; 'replicate' repeats the edge.
 */
export function pad<D extends DType>(x: Tensor<D>, padding: Padding, options: PadOptions = {}): Tensor<D> {
  checkTensor('pad', x)
  if (typeof options !== 'object' || options === null)
    throw expected('pad', 'options ({ mode, value })', quoted(options))
  const { mode = 'constant', value = 0 } = options
  checkWord('pad', 'a mode', mode, ['constant', 'reflect', 'replicate'])
  if (typeof value !== 'number') throw expected('pad', 'a number as value', quoted(value))
  if (typeof padding !== 'number' && !Array.isArray(padding))
    throw expected('pad', 'padding (a number, or one or a pair for each axis)', quoted(padding))
  const each: readonly unknown[] = typeof padding === 'number' ? x.shape.map(() => padding) : (padding as unknown[])
  if (each.length !== x.rank)
    throw expected(
      'pad',
      `padding for ${x.rank} axes`,
      String(each.length),
      `The tensor is ${x.dtype} [${x.shape.join(', ')}].`
    )
  const pairs = each.map((one): readonly [number, number] => {
    const pair = typeof one === 'number' ? [one, one] : one
    checkIntegers('pad', 'a number or a pair [low, high] of whole numbers', pair)
    if ((pair as number[]).length !== 2) throw expected('pad', 'a pair [low, high]', describe(pair))
    return pair as [number, number]
  })
  if (mode === 'constant') return call('pad', [x], [value, ...pairs.flatMap(([low, high]) => [low, high, 0])])
  return pairs.reduce((padded, [low, high], axis) => padBy(mode, padded, axis, low, high), x as Tensor<any>)
}

// One axis padded with parts of the tensor itself.
function padBy(mode: 'reflect' | 'replicate', x: Tensor<any>, axis: number, low: number, high: number): Tensor<any> {
  const size = x.shape[axis]!
  const [least, most] = mode === 'reflect' ? [0, size - 1] : [0, size > 0 ? Infinity : 0]
  for (const n of [low, high]) {
    if (n < least || n > most)
      throw expected('pad', `padding in [${least}, ${Math.max(0, most)}] on axis ${axis} to ${mode}`, String(n))
  }
  if (low === 0 && high === 0) return x
  const part = (start: number, stop: number | null, step: number): Tensor<any> => slice(x, start, stop, { axis, step })
  const wide = (edge: Tensor<any>, n: number): Tensor<any> =>
    broadcastTo(
      edge,
      edge.shape.map((d, i) => (i === axis ? n : d))
    )
  const parts =
    mode === 'reflect'
      ? [low > 0 && part(low, 0, -1), x, high > 0 && part(-2, size - 2 - high >= 0 ? size - 2 - high : null, -1)]
      : [low > 0 && wide(part(0, 1, 1), low), x, high > 0 && wide(part(-1, null, 1), high)]
  return concat(
    parts.filter((one) => one !== false),
    axis
  )
}

function checkList(op: string, tensors: unknown): asserts tensors is readonly Tensor<any>[] {
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw expected(op, 'an array of at least one tensor', quoted(tensors))
}

/**
 * The tensors one behind the other along `axis` (the first by default).
 * @throws where dtypes differ, or shapes on any other axis.
 */
export function concat<D extends DType>(tensors: readonly Tensor<D>[], axis = 0): Tensor<D> {
  checkList('concat', tensors)
  return call('concat', tensors, [axis])
}

/** Tensors of one shape beside each other along a new axis (the first by default). */
export function stack<D extends DType>(tensors: readonly Tensor<D>[], axis = 0): Tensor<D> {
  checkList('stack', tensors)
  for (const one of tensors) checkTensor('stack', one)
  const shape = tensors[0]!.shape
  const other = tensors.find((one) => one.rank !== shape.length || one.shape.some((size, i) => size !== shape[i]))
  if (other) throw expected('stack', 'tensors of one shape', `[${shape.join(', ')}] and [${other.shape.join(', ')}]`)
  const at = axisOf('stack', tensors[0]!, axis, 1)
  return concat(
    tensors.map((one) => unsqueeze(one, at)),
    at
  )
}

/** Parts of x along `axis` (the first by default): as many equal ones as `parts` says, or parts of the sizes in an array. */
export function split<D extends DType>(x: Tensor<D>, parts: number | readonly number[], axis = 0): Tensor<D>[] {
  checkTensor('split', x)
  const at = axisOf('split', x, axis)
  const size = x.shape[at]!
  let sizes: readonly number[]
  if (Array.isArray(parts)) sizes = checkIntegers('split', 'sizes that are whole numbers from 0', parts, 0)
  else {
    checkInteger('split', 'a number of parts from 1, or an array of sizes', parts, 1)
    if (size % (parts as number) !== 0) throw expected('split', `a number of parts that divides ${size}`, String(parts))
    sizes = Array<number>(parts as number).fill(size / (parts as number))
  }
  const total = sizes.reduce((n, d) => n + d, 0)
  if (total !== size) throw expected('split', `sizes that add up to ${size}`, `[${sizes.join(', ')}]`)
  let start = 0
  return sizes.map((n) => slice(x, start, (start += n), { axis: at }))
}

/** x repeated to `shape`, as arithmetic does: sizes are aligned from the last axis, and those of 1 are stretched. */
export function broadcastTo<D extends DType>(x: Tensor<D>, shape: readonly number[]): Tensor<D> {
  return call('broadcastTo', [x], checkShape('broadcastTo', shape))
}

/** x laid side by side `repeats[i]` times along each axis i. */
export function tile<D extends DType>(x: Tensor<D>, repeats: readonly number[]): Tensor<D> {
  checkTensor('tile', x)
  checkIntegers('tile', 'repeats (whole numbers from 0)', repeats, 0)
  if (repeats.length !== x.rank) throw expected('tile', `${x.rank} repeats, one an axis`, String(repeats.length))
  const product = (sizes: readonly number[]): number => sizes.reduce((n, d) => n * d, 1)
  return repeats.reduce((tiled: Tensor<any>, times, axis) => {
    if (times === 1) return tiled
    const { shape } = tiled
    const outer = product(shape.slice(0, axis))
    const inner = product(shape.slice(axis))
    const wide = broadcastTo(view(tiled, [outer, 1, inner]), [outer, times, inner])
    return view(
      wide,
      shape.map((size, i) => (i === axis ? size * times : size))
    )
  }, x)
}

/**
 * The values in another dtype. Floats to integers: cut towards zero, held to what fits, NaN becomes 0. Integers to narrower ones
 * wrap. To bool: whether not zero. A gradient passes between floats. With the dtype it has, x itself, sharing memory.
 */
export function astype<D extends DType>(x: Tensor<DType>, dtype: D): Tensor<D> {
  checkTensor('astype', x)
  const code = dtypeCode('astype', dtype)
  return (x as Tensor<DType>).dtype === dtype ? call('identity', [x]) : call('cast', [x], [code])
}

/** The same values in memory of their own. A gradient passes. */
export function copy<D extends DType>(x: Tensor<D>): Tensor<D> {
  return call('copy', [x])
}

/**
 * Gives `target` new values in place: those of a tensor, broadcast to its shape, or a number. All who hold the target see them, and
 * so do tensors that share its memory. No gradient passes; gives the target back.
 * @throws where the target is a result that gradients flow through, or, outside of noGrad, the value is.
 */
export function assign<D extends DType>(target: Tensor<D>, value: Tensor<D> | number): Tensor<D> {
  checkTensor('assign', target)
  binary(ops.assign, 'assign', target, value).dispose()
  return target
}

/**
 * Numbers from `start` to before `stop` in steps of `step`: `arange(4)` is 0, 1, 2, 3. float32 unless `{ dtype }` says otherwise.
 */
export function arange(stop: number): Tensor<'float32'>
export function arange(start: number, stop: number, step?: number): Tensor<'float32'>
export function arange<D extends NumberDType>(
  start: number,
  stop: number,
  step: number,
  options: TensorOptions<D>
): Tensor<D>
export function arange(start: number, stop?: number, step = 1, options?: TensorOptions<NumberDType>): Tensor<any> {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  for (const value of [from, to, step]) {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw expected('arange', 'finite numbers', quoted(value))
  }
  if (step === 0) throw expected('arange', 'a step other than 0', '0')
  const count = Math.max(0, Math.ceil((to - from) / step))
  const dtype = dtypeCode('arange', options?.dtype ?? 'float32')
  return onDevice('arange', options?.device, () => call('iota', [], [dtype, from, step, count]))
}

/** `count` numbers in equal distances from `start` to `stop`, both included. float32 unless `{ dtype }` says otherwise. */
export function linspace(start: number, stop: number, count: number): Tensor<'float32'>
export function linspace<D extends NumberDType>(
  start: number,
  stop: number,
  count: number,
  options: TensorOptions<D>
): Tensor<D>
export function linspace(
  start: number,
  stop: number,
  count: number,
  options?: TensorOptions<NumberDType>
): Tensor<any> {
  for (const value of [start, stop]) {
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw expected('linspace', 'finite numbers', quoted(value))
  }
  checkInteger('linspace', 'a count from 0', count, 0)
  const step = count > 1 ? (stop - start) / (count - 1) : 0
  const dtype = dtypeCode('linspace', options?.dtype ?? 'float32')
  return onDevice('linspace', options?.device, () => call('iota', [], [dtype, start, step, count]))
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** The same values in another shape; one size may be -1. Shares memory. */
    reshape(shape: readonly number[]): Tensor<D>
    /** The axes from `first` to `last` (all, if left out) as one. Shares memory. */
    flatten(first?: number, last?: number): Tensor<D>
    /** Without its axes of size 1, or without those named. Shares memory. */
    squeeze(axis?: number | readonly number[]): Tensor<D>
    /** With a new axis of size 1 at place `axis`. Shares memory. */
    unsqueeze(axis: number): Tensor<D>
    /** The axes in another order. */
    permute(order: readonly number[]): Tensor<D>
    /** With two axes exchanged, the last two by default. */
    transpose(first?: number, second?: number): Tensor<D>
    /** A part: `x.get(0)`, `x.get([1, 3], null)`, `x.get('...', -1)`; see `get`. */
    get(...selectors: Selector[]): Tensor<D>
    /** The elements from `start` to before `stop` along one axis, the first by default. */
    slice(start?: number | null, stop?: number | null, options?: SliceOptions): Tensor<D>
    /** Turned round along the axes named (all, if left out). */
    flip(axis?: number | readonly number[]): Tensor<D>
    /** With places added before and behind each axis: see `pad`. */
    pad(padding: Padding, options?: PadOptions): Tensor<D>
    /** Parts along `axis`: see `split`. */
    split(parts: number | readonly number[], axis?: number): Tensor<D>[]
    /** Repeated to `shape`, as arithmetic does. */
    broadcastTo(shape: readonly number[]): Tensor<D>
    /** Laid side by side `repeats[i]` times along each axis i. */
    tile(repeats: readonly number[]): Tensor<D>
    /** The values in another dtype: see `astype`. */
    astype<E extends DType>(dtype: E): Tensor<E>
    /** The same values in memory of their own. */
    copy(): Tensor<D>
    /** New values in place: see `assign`. */
    assign(value: Tensor<D> | number): this
  }
}

addMethods({
  reshape,
  flatten,
  squeeze,
  unsqueeze,
  permute,
  transpose,
  get,
  slice,
  flip,
  pad,
  split,
  broadcastTo,
  tile,
  astype,
  copy,
  assign
})
