// Random numbers from Philox 4x32-10: with a seed the same on every device; else from the default generator, whose state is a
// tensor, so that a replayed function sees new numbers each time. Public as `random`.
import { checkInteger, checkNumber, describe, expected } from '../errors.js'
import { call, keep, writeBytes, type DType, type FloatDType, type IntegerDType, type Tensor } from '../tensor.js'
import { checkShape, dtypeCode, tensor } from './creation.js'

const distributions = { bits: 0, uniform: 1, normal: 2, integers: 3, bernoulli: 4, permutation: 5 } as const
const largestSeed = Number.MAX_SAFE_INTEGER

export interface RandomOptions<D extends DType> {
  /** A whole number in [0, 2^53): the result then depends on it alone. Without it the default generator goes on. */
  seed?: number | undefined
  dtype?: D | undefined
}

let state: Tensor<'int64'> | undefined

/** @internal The default generator's state, int64 [2]: the seed and the number of the next block of random bits. */
export function generatorState(): Tensor<'int64'> {
  state ??= keep(
    tensor(new BigInt64Array([BigInt(Math.floor(Math.random() * largestSeed)), 0n]), [2]) as Tensor<'int64'>
  )
  return state
}

function options<O extends object>(op: string, given: O | undefined): Partial<O> {
  if (given === undefined) return {}
  if (typeof given !== 'object' || given === null) throw expected(op, 'an object of options', describe(given))
  return given
}

function draw(
  op: string,
  distribution: keyof typeof distributions,
  shape: unknown,
  dtype: unknown,
  seed: unknown,
  a: number,
  b: number
): Tensor<any> {
  const sizes = checkShape(op, shape)
  const kind = distributions[distribution]
  const code = dtypeCode(op, dtype)
  if (seed === undefined) return call('random', [generatorState()], [kind, 0, 0, a, b, code, ...sizes])
  checkInteger(op, 'a seed that is a whole number in [0, 2^53)', seed, 0, largestSeed)
  return call('random', [], [kind, 1, seed as number, a, b, code, ...sizes])
}

/** Starts the default generator anew, from a whole number in [0, 2^53). Compiled functions follow. */
export function seed(value: number): void {
  checkInteger('random.seed', 'a whole number in [0, 2^53)', value, 0, largestSeed)
  const bytes = new Uint8Array(new BigInt64Array([BigInt(value), 0n]).buffer)
  writeBytes(generatorState(), bytes)
}

/** Numbers spread evenly over [low, high), which is [0, 1) unless given; multiples of (high - low) / 2^24. */
export function uniform<D extends FloatDType = 'float32'>(
  shape: readonly number[],
  given?: RandomOptions<D> & { low?: number | undefined; high?: number | undefined }
): Tensor<D> {
  const op = 'random.uniform'
  const { seed, dtype = 'float32', low = 0, high = 1 } = options(op, given)
  checkNumber(op, 'a number as low', low)
  checkNumber(op, 'a number as high', high)
  return draw(op, 'uniform', shape, dtype, seed, low, high)
}

/** Normally distributed numbers of the given mean (0) and standard deviation (1). */
export function normal<D extends FloatDType = 'float32'>(
  shape: readonly number[],
  given?: RandomOptions<D> & { mean?: number | undefined; std?: number | undefined }
): Tensor<D> {
  const op = 'random.normal'
  const { seed, dtype = 'float32', mean = 0, std = 1 } = options(op, given)
  checkNumber(op, 'a number as mean', mean)
  checkNumber(op, 'a number as std', std)
  return draw(op, 'normal', shape, dtype, seed, mean, std)
}

/** Whole numbers in [low, high), each as likely as the others. */
export function integers<D extends IntegerDType = 'int32'>(
  shape: readonly number[],
  low: number,
  high: number,
  given?: RandomOptions<D>
): Tensor<D> {
  const op = 'random.integers'
  const { seed, dtype = 'int32' } = options(op, given)
  checkInteger(op, 'a whole number as low', low)
  checkInteger(op, 'a whole number as high', high)
  return draw(op, 'integers', shape, dtype, seed, low, high)
}

/** `value` (1 unless given) with the given probability, else 0. */
export function bernoulli<D extends DType = 'float32'>(
  shape: readonly number[],
  probability: number,
  given?: RandomOptions<D> & { value?: number | undefined }
): Tensor<D> {
  const op = 'random.bernoulli'
  const { seed, dtype = 'float32', value = 1 } = options(op, given)
  checkNumber(op, 'a probability in [0, 1]', probability)
  checkNumber(op, 'a number as value', value)
  return draw(op, 'bernoulli', shape, dtype, seed, probability, value)
}

/** The numbers 0 to n - 1 in random order: int32 [n]. */
export function permutation(n: number, given?: { seed?: number | undefined }): Tensor<'int32'> {
  const op = 'random.permutation'
  checkInteger(op, 'a whole number from 0', n, 0)
  return draw(op, 'permutation', [n], 'int32', options(op, given).seed, 0, 0)
}

/** The generator's raw 32-bit words, as int32. */
export function bits(shape: readonly number[], given?: { seed?: number | undefined }): Tensor<'int32'> {
  return draw('random.bits', 'bits', shape, 'int32', options('random.bits', given).seed, 0, 0)
}
