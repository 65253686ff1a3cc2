// Random numbers from Philox 4x32-10: with a seed the same on every device; else from the device's default generator, whose state is
// a tensor, so that a replayed function sees new numbers each time. Public as `random`.
import { checkInteger, checkNumber, describe, expected } from '../errors.js'
import { device as defaultDevice, onDevice } from '../device.js'
import { call, keep, writeBytes, type DType, type FloatDType, type IntegerDType, type Tensor } from '../tensor.js'
import { checkShape, dtypeCode, tensor, type Placement } from './creation.js'

const distributions = { bits: 0, uniform: 1, normal: 2, integers: 3, bernoulli: 4, permutation: 5 } as const
const largestSeed = Number.MAX_SAFE_INTEGER

/** Where, and from which seed, numbers are drawn. */
export interface Seeded extends Placement {
  /** A whole number in [0, 2^53): the result then depends on it alone. Without it the device's default generator goes on. */
  seed?: number | undefined
}
/** What functions that draw numbers take. */
export interface RandomOptions<D extends DType> extends Seeded {
  /** The dtype of the result. */
  dtype?: D | undefined
}

// Every device has a generator; all of them begin with the same seed, and so give the same numbers.
let firstState = new BigInt64Array([BigInt(Math.floor(Math.random() * largestSeed)), 0n])
const states = new Map<string, Tensor<'int64'>>()

/** @internal The state of a device's default generator, int64 [2]: the seed and the number of the next block of random bits. */
export function generatorState(device = defaultDevice()): Tensor<'int64'> {
  let state = states.get(device)
  if (state === undefined) states.set(device, (state = keep(tensor(firstState, { device }))))
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
  { seed, device }: Seeded,
  a: number,
  b: number
): Tensor<any> {
  const sizes = checkShape(op, shape)
  const kind = distributions[distribution]
  const code = dtypeCode(op, dtype)
  if (seed !== undefined) checkInteger(op, 'a seed that is a whole number in [0, 2^53)', seed, 0, largestSeed)
  return onDevice(op, device, () =>
    seed === undefined
      ? call('random', [generatorState()], [kind, 0, 0, a, b, code, ...sizes])
      : call('random', [], [kind, 1, seed, a, b, code, ...sizes])
  )
}

/** Starts the default generators of all devices anew, from a whole number in [0, 2^53). Compiled functions follow. */
export function seed(value: number): void {
  checkInteger('random.seed', 'a whole number in [0, 2^53)', value, 0, largestSeed)
  firstState = new BigInt64Array([BigInt(value), 0n])
  generatorState()
  for (const state of states.values()) writeBytes(state, new Uint8Array(firstState.buffer))
}

/** Numbers spread evenly over [low, high), which is [0, 1) unless given; multiples of (high - low) / 2^24. */
export function uniform<D extends FloatDType = 'float32'>(
  shape: readonly number[],
  given?: RandomOptions<D> & { low?: number | undefined; high?: number | undefined }
): Tensor<D> {
  const op = 'random.uniform'
  const { dtype = 'float32', low = 0, high = 1, ...rest } = options(op, given)
  checkNumber(op, 'a number as low', low)
  checkNumber(op, 'a number as high', high)
  return draw(op, 'uniform', shape, dtype, rest, low, high)
}

/** Normally distributed numbers of the given mean (0) and standard deviation (1). */
export function normal<D extends FloatDType = 'float32'>(
  shape: readonly number[],
  given?: RandomOptions<D> & { mean?: number | undefined; std?: number | undefined }
): Tensor<D> {
  const op = 'random.normal'
  const { dtype = 'float32', mean = 0, std = 1, ...rest } = options(op, given)
  checkNumber(op, 'a number as mean', mean)
  checkNumber(op, 'a number as std', std)
  return draw(op, 'normal', shape, dtype, rest, mean, std)
}

/** Whole numbers in [low, high), each as likely as the others. */
export function integers<D extends IntegerDType = 'int32'>(
  shape: readonly number[],
  low: number,
  high: number,
  given?: RandomOptions<D>
): Tensor<D> {
  const op = 'random.integers'
  const { dtype = 'int32', ...rest } = options(op, given)
  checkInteger(op, 'a whole number as low', low)
  checkInteger(op, 'a whole number as high', high)
  return draw(op, 'integers', shape, dtype, rest, low, high)
}

/** `value` (1 unless given) with the given probability, else 0. */
export function bernoulli<D extends DType = 'float32'>(
  shape: readonly number[],
  probability: number,
  given?: RandomOptions<D> & { value?: number | undefined }
): Tensor<D> {
  const op = 'random.bernoulli'
  const { dtype = 'float32', value = 1, ...rest } = options(op, given)
  checkNumber(op, 'a probability in [0, 1]', probability)
  checkNumber(op, 'a number as value', value)
  return draw(op, 'bernoulli', shape, dtype, rest, probability, value)
}

/** The numbers 0 to n - 1 in random order: int32 [n]. */
export function permutation(n: number, given?: Seeded): Tensor<'int32'> {
  const op = 'random.permutation'
  checkInteger(op, 'a whole number from 0', n, 0)
  return draw(op, 'permutation', [n], 'int32', options(op, given), 0, 0)
}

/** The generator's raw 32-bit words, as int32. */
export function bits(shape: readonly number[], given?: Seeded): Tensor<'int32'> {
  return draw('random.bits', 'bits', shape, 'int32', options('random.bits', given), 0, 0)
}
