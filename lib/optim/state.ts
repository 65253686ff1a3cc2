// The state of optimizers and averages, as a checkpoint holds it: tensors by name.
import { describe, expected } from '../errors.js'
import { Tensor, type DType } from '../tensor.js'

/** @inline */
export type State = Record<string, Tensor<any>>

/** How a tensor of a state must be. */
export interface Wanted {
  dtype: DType
  shape: readonly number[]
}

/** Checks that a state has just the tensors wanted. */
export function checkState(op: string, state: unknown, wanted: ReadonlyMap<string, Wanted>): State {
  if (typeof state !== 'object' || state === null) throw expected(op, 'an object of tensors', describe(state))
  for (const [name, { dtype, shape }] of wanted) {
    const given: unknown = Object.hasOwn(state, name) ? (state as State)[name] : undefined
    if (!(given instanceof Tensor)) throw expected(op, `a tensor '${name}'`, describe(given))
    if (given.dtype !== dtype || String(given.shape) !== String(shape)) {
      const [is, should] = [given, { dtype, shape }].map((spec) => `${spec.dtype} [${spec.shape.join(', ')}]`)
      throw expected(op, `'${name}' as ${should!}`, is)
    }
  }
  const surplus = Object.keys(state).find((name) => !wanted.has(name))
  if (surplus !== undefined) throw expected(op, `a state of ${wanted.size} tensors`, `'${surplus}' as well`)
  return state as State
}
