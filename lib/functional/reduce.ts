// Reductions over axes, and running sums and products.
import { checkInteger, checkNumber, describe, expected, quoted } from '../errors.js'
import { addMethods, call, Tensor, type DType, type FloatDType } from '../tensor.js'
import { abs, exp, isFinite, log, pow, sqrt, square } from './elementwise.generated.js'
import { where } from './select.js'
import { squeeze } from './shape.js'

/** Which axes are reduced: one, several, or all (left out). Negative axes count from the end. */
export type Axes = number | readonly number[] | undefined
/** What every reduction takes. */
export interface ReduceOptions {
  /** Keeps the reduced axes, with size 1. */
  keepDims?: boolean
}
/** What `variance` and `std` take. */
export interface VarianceOptions extends ReduceOptions {
  /** What is taken from the number of elements in the divisor: 1 (the default) for a sample, 0 for a whole population. */
  correction?: number
}
/** What `norm` takes. */
export interface NormOptions extends ReduceOptions {
  /** p of the p-norm: 2 (the default), 1, Infinity, -Infinity, 0 (how many are not zero), or any other number. */
  order?: number
}
/** What running sums and products take. */
export interface CumulateOptions {
  /** Leaves out each element's own value: the first result is 0 (for a product 1). */
  exclusive?: boolean
  /** Runs from the last element to the first. */
  reverse?: boolean
}
/** Sums and products of uint8 and bool are int32. */
export type SumOf<D extends DType> = D extends 'uint8' | 'bool' ? 'int32' : D

type ReduceOp = 'sum' | 'mean' | 'prod' | 'max' | 'min' | 'any' | 'all'

function checkOptions(op: string, options: unknown): void {
  if (typeof options !== 'object' || options === null) throw expected(op, 'options ({ keepDims })', quoted(options))
}

function reduce(op: ReduceOp, x: Tensor<any>, axis: Axes, options: ReduceOptions): Tensor<any> {
  checkOptions(op, options)
  const keep = options.keepDims ? 1 : 0
  if (axis === undefined) return call(op, [x], [keep, 1])
  if (typeof axis === 'number') return call(op, [x], [keep, 0, axis])
  if (!Array.isArray(axis)) throw expected(op, 'an axis or an array of axes', quoted(axis))
  if (axis.length > 8) throw expected(op, 'at most 8 axes', String(axis.length))
  return call(op, [x], [keep, 0, ...(axis as number[])])
}

/**
 * The sum of the elements along `axis` (all axes if left out). Floats are added pairwise in float32, so that the rounding error
 * grows with the logarithm of their number; sums of uint8 and bool are int32, other integers keep their dtype and wrap.
 * @throws where an axis is outside [-rank, rank) or named twice.
 */
export function sum<D extends DType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<SumOf<D>> {
  return reduce('sum', x, axis, options)
}

/** The mean of the elements along `axis` (all axes if left out), of floats. NaN where there are none. */
export function mean<D extends FloatDType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<D> {
  return reduce('mean', x, axis, options)
}

/** The product of the elements along `axis` (all axes if left out); dtypes as for `sum`. The gradient is right beside zeros, too. */
export function prod<D extends DType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<SumOf<D>> {
  return reduce('prod', x, axis, options)
}

/**
 * The largest element along `axis` (of all, if left out); NaN if one is NaN. Elements that tie share the gradient equally.
 * @throws where there are no elements along the axis.
 */
export function max<D extends DType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<D> {
  return reduce('max', x, axis, options)
}

/** The smallest element along `axis`: see `max`. */
export function min<D extends DType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<D> {
  return reduce('min', x, axis, options)
}

/** Whether any element along `axis` (of all, if left out) is not zero. */
export function any(x: Tensor<DType>, axis?: Axes, options: ReduceOptions = {}): Tensor<'bool'> {
  return reduce('any', x, axis, options)
}

/** Whether no element along `axis` (of all, if left out) is zero. */
export function all(x: Tensor<DType>, axis?: Axes, options: ReduceOptions = {}): Tensor<'bool'> {
  return reduce('all', x, axis, options)
}

function arg(
  op: 'argmax' | 'argmin',
  x: Tensor<DType>,
  axis: number | undefined,
  options: ReduceOptions
): Tensor<'int32'> {
  checkOptions(op, options)
  return call(op, [x], axis === undefined ? [options.keepDims ? 1 : 0, 1] : [options.keepDims ? 1 : 0, 0, axis])
}

/**
 * The index of the largest element along `axis`, of the first one where several tie; a NaN counts as the largest. Without an
 * axis, the index in the flattened tensor.
 * @throws where there are no elements along the axis.
 */
export function argmax(x: Tensor<DType>, axis?: number, options: ReduceOptions = {}): Tensor<'int32'> {
  return arg('argmax', x, axis, options)
}

/** The index of the smallest element along `axis`, of the first where several tie; a NaN counts as the smallest: see `argmax`. */
export function argmin(x: Tensor<DType>, axis?: number, options: ReduceOptions = {}): Tensor<'int32'> {
  return arg('argmin', x, axis, options)
}

const kept = { keepDims: true }

// How many elements of x become one.
function countOf(op: string, x: Tensor<any>, axis: Axes): number {
  if (!(x instanceof Tensor)) throw expected(op, 'a tensor', describe(x))
  const { shape, rank } = x
  if (axis === undefined) return x.size
  let count = 1
  for (const one of Array.isArray(axis) ? (axis as number[]) : [axis as number]) {
    checkInteger(op, `an axis in [${-rank}, ${rank})`, one, -rank, rank - 1)
    count *= shape[one < 0 ? one + rank : one]!
  }
  return count
}

// The square root whose slope at 0 is taken to be 0, not infinite.
function rootOf<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
  const zero = x.equal(0)
  return where(zero, 0, sqrt(where(zero, 1, x)))
}

/**
 * The variance along `axis` (over all axes if left out): the sum of squared distances from the mean, divided by the number of
 * elements less `correction` (1 by default, as in PyTorch).
 */
export function variance<D extends FloatDType>(x: Tensor<D>, axis?: Axes, options: VarianceOptions = {}): Tensor<D> {
  checkOptions('variance', options)
  const { correction = 1 } = options
  checkNumber('variance', 'a number as correction', correction)
  const divisor = Math.max(0, countOf('variance', x, axis) - correction)
  const distance = x.sub(mean(x, axis, kept))
  return sum(square(distance), axis, options).div(divisor) as Tensor<D>
}

/** The standard deviation along `axis`: the square root of `variance`. Where it is 0, its gradient is 0. */
export function std<D extends FloatDType>(x: Tensor<D>, axis?: Axes, options: VarianceOptions = {}): Tensor<D> {
  return rootOf(variance(x, axis, options))
}

/** log(sum(exp(x))) along `axis` (over all axes if left out), without overflow. */
export function logSumExp<D extends FloatDType>(x: Tensor<D>, axis?: Axes, options: ReduceOptions = {}): Tensor<D> {
  checkOptions('logSumExp', options)
  const largest = max(x, axis, kept).detach()
  const shift = where(isFinite(largest), largest, 0)
  const result = log(sum(exp(x.sub(shift)), axis, kept) as Tensor<D>).add(shift)
  if (options.keepDims) return result
  return axis === undefined ? result.reshape([]) : squeeze(result, axis)
}

/**
 * The norm of x along `axis` (of all elements if left out): (sum |x|^order)^(1/order), by default the Euclidean one. Where it is
 * 0, its gradient is 0.
 */
export function norm<D extends FloatDType>(x: Tensor<D>, axis?: Axes, options: NormOptions = {}): Tensor<D> {
  checkOptions('norm', options)
  const { order = 2, ...rest } = options
  checkNumber('norm', 'a number as order', order)
  if (order === 2) return rootOf(sum(square(x), axis, rest) as Tensor<D>)
  const size = abs(x)
  if (order === 1) return sum(size, axis, rest) as Tensor<D>
  if (order === Infinity) return max(size, axis, rest)
  if (order === -Infinity) return min(size, axis, rest)
  if (order === 0) return sum(x.notEqual(0).astype(x.dtype), axis, rest) as Tensor<D>
  return pow(sum(pow(size, order), axis, rest) as Tensor<D>, 1 / order)
}

function cumulate(op: 'cumsum' | 'cumprod', x: Tensor<any>, axis: number, options: CumulateOptions): Tensor<any> {
  if (typeof options !== 'object' || options === null)
    throw expected(op, 'options ({ exclusive, reverse })', quoted(options))
  return call(op, [x], [axis, options.exclusive ? 1 : 0, options.reverse ? 1 : 0])
}

/** The running sum along `axis` (the first by default). uint8 and bool give int32. */
export function cumsum<D extends DType>(x: Tensor<D>, axis = 0, options: CumulateOptions = {}): Tensor<SumOf<D>> {
  return cumulate('cumsum', x, axis, options)
}

/** The running product along `axis` (the first by default). uint8 and bool give int32. The gradient is right beside zeros, too. */
export function cumprod<D extends DType>(x: Tensor<D>, axis = 0, options: CumulateOptions = {}): Tensor<SumOf<D>> {
  return cumulate('cumprod', x, axis, options)
}

/**
 * The linear recurrence y[i] = x[i] + factors[i] * y[i - 1] along `axis` (the first by default), from y[-1] = 0: discounted returns,
 * exponential averages. `reverse` runs from the last element to the first. x and factors have one shape and a float dtype.
 */
export function linearScan<D extends FloatDType>(
  x: Tensor<D>,
  factors: Tensor<D>,
  axis = 0,
  options: { reverse?: boolean } = {}
): Tensor<D> {
  if (typeof options !== 'object' || options === null)
    throw expected('linearScan', 'options ({ reverse })', quoted(options))
  return call('linearScan', [x, factors], [axis, options.reverse ? 1 : 0])
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** The sum along `axis`, of all elements if left out: see `sum`. */
    sum(axis?: Axes, options?: ReduceOptions): Tensor<SumOf<D>>
    /** The mean along `axis`, of all elements if left out. */
    mean(this: Tensor<D & FloatDType>, axis?: Axes, options?: ReduceOptions): Tensor<D>
    /** The product along `axis`, of all elements if left out. */
    prod(axis?: Axes, options?: ReduceOptions): Tensor<SumOf<D>>
    /** The largest element along `axis`, of all if left out. */
    max(axis?: Axes, options?: ReduceOptions): Tensor<D>
    /** The smallest element along `axis`, of all if left out. */
    min(axis?: Axes, options?: ReduceOptions): Tensor<D>
    /** Whether any element along `axis` is not zero. */
    any(axis?: Axes, options?: ReduceOptions): Tensor<'bool'>
    /** Whether no element along `axis` is zero. */
    all(axis?: Axes, options?: ReduceOptions): Tensor<'bool'>
    /** The index of the first largest element along `axis`. */
    argmax(axis?: number, options?: ReduceOptions): Tensor<'int32'>
    /** The index of the first smallest element along `axis`. */
    argmin(axis?: number, options?: ReduceOptions): Tensor<'int32'>
    /** The variance along `axis`: see `variance`. */
    variance(this: Tensor<D & FloatDType>, axis?: Axes, options?: VarianceOptions): Tensor<D>
    /** The standard deviation along `axis`: see `std`. */
    std(this: Tensor<D & FloatDType>, axis?: Axes, options?: VarianceOptions): Tensor<D>
    /** log(sum(exp(x))) along `axis`. */
    logSumExp(this: Tensor<D & FloatDType>, axis?: Axes, options?: ReduceOptions): Tensor<D>
    /** The norm along `axis`, the Euclidean one by default: see `norm`. */
    norm(this: Tensor<D & FloatDType>, axis?: Axes, options?: NormOptions): Tensor<D>
    /** The running sum along `axis`. */
    cumsum(axis?: number, options?: CumulateOptions): Tensor<SumOf<D>>
    /** The running product along `axis`. */
    cumprod(axis?: number, options?: CumulateOptions): Tensor<SumOf<D>>
  }
}

addMethods({ sum, mean, prod, max, min, any, all, argmax, argmin, variance, std, logSumExp, norm, cumsum, cumprod })
