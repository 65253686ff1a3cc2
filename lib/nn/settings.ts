// What layers with weights have in common: their options, and how their tensors are described.
import { expected, quoted } from '../errors.js'
import type { FloatDType, Tensor } from '../tensor.js'
import type { ActivationName } from './activation.js'
import { defaultWeight, fans, initializerOf, uniform, type InitializerOption, type InitOptions } from './init.js'
import type { Variable } from './layer.js'

/** What layers with a weight and a bias take. */
export interface WeightOptions {
  /** Whether a bias is added; true unless given. */
  bias?: boolean | undefined
  /** Applied to the result; none unless given. */
  activation?: ActivationName | undefined
  /** Draws the first weights; as in PyTorch unless given: uniform within 1 / sqrt(inputs of an output). */
  initializer?: InitializerOption | undefined
  /** Draws the first biases; as in PyTorch unless given: uniform within 1 / sqrt(inputs of an output). */
  biasInitializer?: InitializerOption | undefined
  /** The same first values each time; without it they come from the generator that `nt.random.seed` sets. */
  seed?: number | undefined
  /** The dtype of the weights, and of the input that they go with; 'float32' unless given. */
  dtype?: FloatDType | undefined
}

export const WEIGHT_OPTIONS = ['bias', 'activation', 'initializer', 'biasInitializer', 'seed', 'dtype']

/** A layer's weight and bias. Their generators differ, also from those of a layer with the next seed. */
export function weightAndBias(
  { bias = true, initializer = defaultWeight, biasInitializer, seed, dtype = 'float32' }: WeightOptions,
  shape: readonly number[],
  outputs: number
): Record<string, Variable> {
  const seeded = (i: number) => (seed === undefined ? { dtype } : { dtype, seed: seed * 2 + i })
  const bound = 1 / Math.sqrt(Math.max(1, fans(shape).fanIn))
  const draw = initializerOf('initializer', initializer)
  const drawBias = biasInitializer
    ? initializerOf('biasInitializer', biasInitializer)
    : (sizes: readonly number[], options: InitOptions) => uniform(sizes, { low: -bound, high: bound, ...options })
  const weight: Variable = { kind: 'parameter', shape, dtype, initial: () => draw(shape, seeded(0)) }
  if (!bias) return { weight }
  return { weight, bias: { kind: 'parameter', shape: [outputs], dtype, initial: () => drawBias([outputs], seeded(1)) } }
}

/** Initialisers must be there; a seed small enough for the seeds that are made of it. */
export function checkInitial(
  op: string,
  { initializer, biasInitializer, seed }: Pick<WeightOptions, 'initializer' | 'biasInitializer' | 'seed'>
): void {
  for (const option of [initializer, biasInitializer]) if (option !== undefined) initializerOf(op, option)
  if (seed === undefined || (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 48)) return
  throw expected(op, 'a seed that is a whole number in [0, 2^48)', quoted(seed))
}

/**
 * A layer's tensor as one of the input's dtype. That the two are the same is the op's to check, at run time: a layer's
 * dtype is an option, not part of its type.
 */
export const typed = <D extends FloatDType>(tensor: Tensor<FloatDType>, _like: Tensor<D>): Tensor<D> =>
  tensor as Tensor<D>
