// Which tensors of a module are its state. A tensor becomes a parameter or a buffer by being marked, not by being a field.
import { expected, quoted } from '../errors.js'
import { requireGradient } from '../autograd.js'
import { keep, Tensor, type DType, type FloatDType } from '../tensor.js'

/** 'parameter': trained and saved; 'buffer': only saved. */
export type VariableKind = 'parameter' | 'buffer'

const kinds = new WeakMap<Tensor<DType>, VariableKind>()

/**
 * Makes `value` a parameter of the module whose field it is put in: it collects a gradient, optimizers change it, and it
 * is saved with the module. Lives until its module does, also when made inside `tidy`.
 *
 *     scale = nn.parameter(nt.ones([3]))
 */
export function parameter<D extends FloatDType>(value: Tensor<D>): Tensor<D> {
  return mark('parameter', value)
}

/** Makes `value` a buffer of the module whose field it is put in: saved with the module, but without a gradient. */
export function buffer<D extends DType>(value: Tensor<D>): Tensor<D> {
  return mark('buffer', value)
}

/** What a tensor was marked as; undefined for any other tensor. */
export const kindOf = (tensor: Tensor<DType>): VariableKind | undefined => kinds.get(tensor)

function mark<D extends DType>(kind: VariableKind, value: Tensor<D>): Tensor<D> {
  if (!(value instanceof Tensor)) throw expected(kind, 'a tensor', quoted(value))
  if (kinds.get(value) === kind) return value
  const tensor = keep(value.requiresGradient ? value.detach() : value)
  if (kind === 'parameter') requireGradient(tensor)
  kinds.set(tensor, kind)
  return tensor
}
