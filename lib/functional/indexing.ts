// Picking by indices and adding up at them, one-hot vectors, sorting. (Ranges and single indices: `get` in shape.ts.)
import { checkInteger, describe, expected, quoted } from '../errors.js'
import { addMethods, call, callMany, Tensor, type DType, type NumberDType } from '../tensor.js'
import { full, type TensorOptions } from './creation.js'
import { astype, unsqueeze } from './shape.js'

/** A tensor of indices. */
export type IndexTensor = Tensor<'int32'> | Tensor<'int64'>
/** What is sorted, and how. */
export interface SortOptions {
  /** From the largest to the smallest. */
  descending?: boolean
}
/** Which values are picked. */
export interface TopKOptions {
  /** The axis, the last by default. */
  axis?: number
  /** false: the k smallest, from the smallest on. */
  largest?: boolean
}
/** Sorted values, and where each was along the axis. */
export interface Sorted<D extends DType> {
  /** The values, in their order. */
  values: Tensor<D>
  /** Where each of them was on the axis. */
  indices: Tensor<'int32'>
}

/**
 * The slices of x at the given indices along `axis` (the first by default): the result's shape is x's with that axis replaced by the
 * shape of the indices. The gradient adds up where an index occurs more than once.
 * @throws where the indices are not int32 or int64; an index outside [0, size) is an error when the values are read.
 */
export function gather<D extends DType>(x: Tensor<D>, indices: IndexTensor, axis = 0): Tensor<D> {
  return call('gather', [x, indices], [axis, 0])
}

/**
 * One element for each index, along `axis` (the last by default): result[i, j] = x[i, indices[i, j]]. The indices have x's shape but
 * for that axis. What `argmax`, `sort` and `topK` give as indices fits.
 */
export function gatherAlong<D extends DType>(x: Tensor<D>, indices: IndexTensor, axis = -1): Tensor<D> {
  return call('gather', [x, indices], [axis, 1])
}

/**
 * The opposite of `gather`: zeros with `size` places on `axis` (the first by default), and each slice of `updates` added at its index,
 * in the order of the indices. updates has the result's shape with that axis replaced by the shape of the indices.
 * @throws where shapes don't fit; an index outside [0, size) is an error when the values are read.
 */
export function scatterAdd<D extends NumberDType>(
  indices: IndexTensor,
  updates: Tensor<D>,
  size: number,
  axis = 0
): Tensor<D> {
  return call('scatterAdd', [indices, updates], [axis, 0, size])
}

/** The opposite of `gatherAlong`: result[i, indices[i, j]] += updates[i, j], from zeros with `size` places on `axis`. */
export function scatterAddAlong<D extends NumberDType>(
  indices: IndexTensor,
  updates: Tensor<D>,
  size: number,
  axis = -1
): Tensor<D> {
  return call('scatterAdd', [indices, updates], [axis, 1, size])
}

/** The rows of weights [n, d] that the indices (of any shape) name: [...indices.shape, d]. */
export function embedding<D extends DType>(weights: Tensor<D>, indices: IndexTensor): Tensor<D> {
  return call('gather', [weights, indices], [0, 0])
}

/**
 * One-hot vectors: a new last axis of `classes` places, 1 at each index and 0 elsewhere; float32 unless `{ dtype }` says otherwise.
 * An index outside [0, classes) is an error when the values are read.
 */
export function oneHot(indices: IndexTensor, classes: number): Tensor<'float32'>
export function oneHot<D extends DType>(indices: IndexTensor, classes: number, options: TensorOptions<D>): Tensor<D>
export function oneHot(indices: IndexTensor, classes: number, options?: TensorOptions<DType>): Tensor<any> {
  if (!(indices instanceof Tensor)) throw expected('oneHot', 'a tensor of indices', describe(indices))
  const { dtype: given } = indices as Tensor<DType>
  if (given !== 'int32' && given !== 'int64') {
    throw expected('oneHot', 'indices of int32 or int64', given, "Use astype('int32').")
  }
  checkInteger('oneHot', 'a number of classes from 0', classes, 0)
  const dtype = options?.dtype ?? 'float32'
  const places = unsqueeze(indices as Tensor<'int32'>, -1)
  const { shape, device } = places
  const ones = full(shape, 1, { dtype: dtype === 'bool' ? 'uint8' : dtype, device })
  return astype(call('scatterAdd', [places, ones], [-1, 1, classes]), dtype)
}

function sorted(op: 'sort' | 'topK', x: Tensor<any>, parameters: number[]): Sorted<any> {
  const [values, indices] = callMany(op, [x], parameters)
  return { values: values!, indices: indices! }
}

/**
 * The values along `axis` (the last by default) in order, and their indices. Stable: equal values keep their order. NaN counts as the
 * largest. The gradient goes back to where each value came from.
 */
export function sort<D extends DType>(x: Tensor<D>, axis = -1, options: SortOptions = {}): Sorted<D> {
  if (typeof options !== 'object' || options === null)
    throw expected('sort', 'options ({ descending })', quoted(options))
  return sorted('sort', x, [axis, options.descending ? 1 : 0])
}

/** The indices that put the values along `axis` in order: see `sort`. */
export function argsort(x: Tensor<DType>, axis = -1, options: SortOptions = {}): Tensor<'int32'> {
  const { values, indices } = sort(x, axis, options)
  values.dispose()
  return indices
}

/** The k largest values along an axis (the last by default), from the largest on, and their indices: see `sort`. */
export function topK<D extends DType>(x: Tensor<D>, k: number, options: TopKOptions = {}): Sorted<D> {
  if (typeof options !== 'object' || options === null)
    throw expected('topK', 'options ({ axis, largest })', quoted(options))
  const { axis = -1, largest = true } = options
  return sorted('topK', x, [axis, largest ? 1 : 0, k])
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** The slices at the given indices along `axis`, the first by default: see `gather`. */
    gather(indices: IndexTensor, axis?: number): Tensor<D>
    /** One element for each index along `axis`, the last by default: see `gatherAlong`. */
    gatherAlong(indices: IndexTensor, axis?: number): Tensor<D>
    /** The values along `axis` (the last by default) in order, and their indices: see `sort`. */
    sort(axis?: number, options?: SortOptions): Sorted<D>
    /** The indices that put the values along `axis` (the last by default) in order. */
    argsort(axis?: number, options?: SortOptions): Tensor<'int32'>
    /** The k largest values along an axis (the last by default), and their indices: see `topK`. */
    topK(k: number, options?: TopKOptions): Sorted<D>
  }
}

addMethods({ gather, gatherAlong, sort, argsort, topK })
