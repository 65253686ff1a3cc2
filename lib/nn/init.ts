// How the values of new weights are drawn. Shapes are [out, in] and [out, height, width, in].
import { expected, quoted } from '../errors.js'
import { full, matmul, random, where } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'

/** What every initialiser takes. */
export interface InitOptions {
  /** Draws the same values each time; without it they come from the generator that `nt.random.seed` sets. */
  seed?: number | undefined
  /** 'float32' unless given. */
  dtype?: FloatDType | undefined
}

/** Makes the first values of a weight of `shape`. */
export type Initializer = (shape: readonly number[], options?: InitOptions) => Tensor

/** How a layer's option says what draws its weights: a function, its name, or its name and its options. */
export type InitializerOption = Initializer | InitializerName | InitializerSettings

/** An initialiser of `nn.init` with options of its own: `{ name: 'kaimingNormal', mode: 'fanOut' }`. */
export interface InitializerSettings {
  /** Which one. */
  name: InitializerName
  [option: string]: number | string
}

/** What follows the layer: it decides how much wider the weights have to be to keep the signal's size. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu'

/** What `kaimingUniform` and `kaimingNormal` take. */
export interface KaimingOptions extends InitOptions {
  /** The slope of leakyRelu below 0; 0 unless given. */
  slope?: number | undefined
  /** Keeps the size of the signal on the way forward (fanIn, the default) or of the gradient on the way back (fanOut). */
  mode?: 'fanIn' | 'fanOut' | undefined
  /** 'leakyRelu' unless given. */
  nonlinearity?: Nonlinearity | undefined
}

/** What `xavierUniform` and `xavierNormal` take. */
export interface XavierOptions extends InitOptions {
  /** A factor for the deviation; 1 unless given. */
  gain?: number | undefined
}

/** The numbers of inputs and outputs that one element of a weight connects: the size of `in` (of `out`) times the window. */
export function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  if (!Array.isArray(shape) || shape.length < 2) throw expected('init', 'a weight of at least 2 axes', quoted(shape))
  const window = product(shape.slice(1, -1))
  return { fanIn: window * shape.at(-1)!, fanOut: window * shape[0]! }
}

/** sqrt(2) for relu, sqrt(2 / (1 + slope^2)) for leakyRelu, 5/3 for tanh, else 1 (as PyTorch's calculate_gain). */
export function gain(nonlinearity: Nonlinearity, slope = 0): number {
  const gains: Record<Nonlinearity, number> = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + slope ** 2))
  }
  return gains[nonlinearity] ?? unknown(Object.keys(gains), nonlinearity)
}

/** Uniform in [-b, b), b = gain * sqrt(3 / fan) (He et al. 2015). */
export const kaimingUniform = (shape: readonly number[], options: KaimingOptions = {}): Tensor => {
  const bound = Math.sqrt(3) * kaimingDeviation(shape, options)
  return uniform(shape, { ...options, low: -bound, high: bound })
}

/** Normal with deviation gain / sqrt(fan) (He et al. 2015). */
export const kaimingNormal = (shape: readonly number[], options: KaimingOptions = {}): Tensor =>
  normal(shape, { ...options, std: kaimingDeviation(shape, options) })

/** Uniform in [-b, b), b = gain * sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export const xavierUniform = (shape: readonly number[], options: XavierOptions = {}): Tensor => {
  const bound = Math.sqrt(3) * xavierDeviation(shape, options)
  return uniform(shape, { ...options, low: -bound, high: bound })
}

/** Normal with deviation gain * sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export const xavierNormal = (shape: readonly number[], options: XavierOptions = {}): Tensor =>
  normal(shape, { ...options, std: xavierDeviation(shape, options) })

/** Normal with deviation 1 / sqrt(fanIn) (LeCun et al. 1998). */
export const lecunNormal: Initializer = (shape, options = {}) =>
  kaimingNormal(shape, { ...options, nonlinearity: 'linear' })

/** Uniform in [-b, b), b = sqrt(3 / fanIn) (LeCun et al. 1998). */
export const lecunUniform: Initializer = (shape, options = {}) =>
  kaimingUniform(shape, { ...options, nonlinearity: 'linear' })

/** Uniform in [low, high); [0, 1) unless given. */
export function uniform(shape: readonly number[], options: InitOptions & { low?: number; high?: number } = {}): Tensor {
  const { low = 0, high = 1 } = options
  return random.uniform(shape, { low, high, ...common(options) }) as Tensor
}

/** Normal with `mean` (0 unless given) and deviation `std` (1 unless given). */
export function normal(shape: readonly number[], options: InitOptions & { mean?: number; std?: number } = {}): Tensor {
  const { mean = 0, std = 1 } = options
  return random.normal(shape, { mean, std, ...common(options) }) as Tensor
}

/** How often values outside of the bounds are drawn anew: 1 in 10^11 is then still outside, and is cut off. */
const ROUNDS = 8
const CUT = 2

/** Normal with `mean` and `std`, without values further than two deviations from the mean: those are drawn anew. */
export function truncatedNormal(
  shape: readonly number[],
  options: InitOptions & { mean?: number; std?: number } = {}
): Tensor {
  const { mean = 0, std = 1, seed, dtype = 'float32' } = options
  const draw = (round: number) => normal(shape, seed === undefined ? {} : { seed: seed * ROUNDS + round })
  let values = draw(0)
  for (let round = 1; round < ROUNDS; round++) values = where(values.abs().greater(CUT), draw(round), values)
  return values.clip(-CUT, CUT).mul(std).add(mean).astype(dtype) as Tensor
}

/** Zeros. */
export const zeros: Initializer = (shape, options = {}) => constant(0)(shape, options)

/** Ones. */
export const ones: Initializer = (shape, options = {}) => constant(1)(shape, options)

/** All values are `value`. */
export const constant =
  (value: number): Initializer =>
  (shape, { dtype = 'float32' } = {}) =>
    full(shape, value, { dtype }) as Tensor

/** Enough for singular values down to a millionth of the largest. */
const ORTHOGONAL_ROUNDS = 40

/**
 * Rows (or columns, where there are fewer) that are orthogonal and of length `gain` (1 unless given), the weight seen as
 * [out, inputs of an output] (Saxe et al. 2014): the orthogonal factor of a normal matrix, by Newton and Schulz's iteration.
 */
export function orthogonal(shape: readonly number[], options: XavierOptions = {}): Tensor {
  const { gain = 1, seed, dtype = 'float32' } = options
  const { fanIn } = fans(shape)
  const [rows, columns] = [shape[0]!, fanIn]
  const drawn = normal([rows, columns], seed === undefined ? {} : { seed })
  let tall = rows < columns ? drawn.transpose() : drawn
  tall = tall.div(tall.norm())
  for (let round = 0; round < ORTHOGONAL_ROUNDS; round++) {
    tall = tall.mul(1.5).sub(matmul(tall, matmul(tall, tall, { transposeA: true })).mul(0.5))
  }
  const result = rows < columns ? tall.transpose() : tall
  return result.mul(gain).reshape(shape).astype(dtype) as Tensor
}

/** PyTorch's first weights of convolutions and linear layers: uniform within 1 / sqrt(fanIn). */
export const defaultWeight: Initializer = (shape, options = {}) =>
  kaimingUniform(shape, { ...options, slope: Math.sqrt(5) })

const NAMED = {
  kaimingUniform,
  kaimingNormal,
  xavierUniform,
  xavierNormal,
  lecunUniform,
  lecunNormal,
  orthogonal,
  truncatedNormal,
  uniform,
  normal,
  zeros,
  ones,
  defaultWeight,
  constant: (shape, { value = 0, ...options }: InitOptions & { value?: number } = {}) => constant(value)(shape, options)
} satisfies Record<string, Initializer>

/** The initialisers that an option can name. @useDeclaredType */
export type InitializerName = keyof typeof NAMED

/** @internal The name of an initialiser of this file. */
export const initializerName = (value: unknown): InitializerName | undefined =>
  (Object.keys(NAMED) as InitializerName[]).find((name) => NAMED[name] === value)

/** @internal The function that an option of `op` names. */
export function initializerOf(op: string, option: unknown): Initializer {
  if (typeof option === 'function') return option as Initializer
  const { name, ...options } = (typeof option === 'string' ? { name: option } : (option ?? {})) as InitializerSettings
  if (typeof name !== 'string' || !Object.hasOwn(NAMED, name)) {
    const what = `a function as initializer, or one of ${Object.keys(NAMED).join(', ')} by name`
    throw expected(op, what, quoted(typeof option === 'object' && name !== undefined ? name : option))
  }
  return (shape, common) => NAMED[name](shape, { ...options, ...common })
}

function kaimingDeviation(shape: readonly number[], options: KaimingOptions): number {
  const { slope = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' } = options
  if (mode !== 'fanIn' && mode !== 'fanOut') unknown(['fanIn', 'fanOut'], mode)
  // Without inputs there is nothing to keep the size of, and no element to draw.
  return gain(nonlinearity, slope) / Math.sqrt(Math.max(1, fans(shape)[mode]))
}

function xavierDeviation(shape: readonly number[], options: XavierOptions): number {
  const { fanIn, fanOut } = fans(shape)
  return (options.gain ?? 1) * Math.sqrt(2 / Math.max(1, fanIn + fanOut))
}

const common = ({ seed, dtype = 'float32' }: InitOptions) => (seed === undefined ? { dtype } : { dtype, seed })

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)

function unknown(known: string[], got: unknown): never {
  throw expected('init', `one of ${known.join(', ')}`, quoted(got))
}
