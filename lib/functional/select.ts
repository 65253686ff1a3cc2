// where and matmul: core ops that are not rows of elementwise.def.
import { expected, quoted } from '../errors.js'
import { addMethods, call, Tensor, type DType, type FloatDType } from '../tensor.js'
import { full } from './creation.js'

/**
 * a where the condition is true, b elsewhere; shapes broadcast. A number takes the dtype of the other side.
 */
export function where<D extends DType>(
  condition: Tensor<'bool'>,
  a: Tensor<D> | number,
  b: Tensor<D> | number
): Tensor<D> {
  const partner = a instanceof Tensor ? a : b
  if (!(partner instanceof Tensor)) throw expected('where', 'a tensor on at least one side', quoted(a))
  const side = (value: Tensor<D> | number): Tensor<D> => (typeof value === 'number' ? full([], value, partner) : value)
  return call('where', [condition, side(a), side(b)])
}

/** What `matmul` does to its operands and its result. */
export interface MatmulOptions {
  /** Takes a as [..., k, m]. */
  transposeA?: boolean
  /** Takes b as [..., n, k]. */
  transposeB?: boolean
  /** [n], added to each row of the result. */
  bias?: Tensor<any> | undefined
  /** Applied last. */
  activation?: 'relu' | undefined
}

/**
 * The matrix product of a [..., m, k] and b [..., k, n]: [..., m, n]; batch axes broadcast. Accumulates in float32.
 * @throws where a or b has fewer than two axes, the inner sizes differ, or the dtypes differ.
 */
export function matmul<D extends FloatDType>(a: Tensor<D>, b: Tensor<D>, options: MatmulOptions = {}): Tensor<D> {
  const { transposeA = false, transposeB = false, bias, activation } = options ?? {}
  if (activation !== undefined && activation !== 'relu')
    throw expected('matmul', "the activation 'relu' or none", quoted(activation))
  const inputs = bias === undefined ? [a, b] : [a, b, bias]
  return call('matmul', inputs, [
    Number(Boolean(transposeA)),
    Number(Boolean(transposeB)),
    activation === 'relu' ? 1 : 0
  ])
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** The matrix product with `other`: see `matmul`. */
    matmul(this: Tensor<D & FloatDType>, other: Tensor<D & FloatDType>, options?: MatmulOptions): Tensor<D>
  }
}

addMethods({ matmul })
