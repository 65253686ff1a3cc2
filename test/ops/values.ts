// The values of a case's inputs, made from small integers alone so that scripts/golden.py makes the same ones.
import type { DType } from '../../lib/index.js'

export interface Input {
  shape: number[]
  dtype: DType
  /** Floats: distinct values spread evenly over [low, high), never 0. Integers: uniform in [low, high]. */
  domain: [number, number]
  seed: number
  /** The values themselves, instead of the above. */
  values?: number[]
}

export const isFloat = (dtype: DType) => dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16'

/** 32 well mixed bits (MurmurHash3's finaliser). */
export function hash(seed: number, i: number): number {
  let h = (i + Math.imul(seed, 0x9e3779b1)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export const elements = (shape: number[]) => shape.reduce((product, size) => product * size, 1)

export function valuesOf({ shape, dtype, domain: [low, high], seed, values }: Input): number[] {
  if (values) return values
  const hashes = Array.from({ length: elements(shape) }, (_, i) => hash(seed, i))
  if (dtype === 'bool') return hashes.map((h) => h & 1)
  if (!isFloat(dtype)) return hashes.map((h) => low + (h % (high - low + 1)))
  const result = new Array<number>(hashes.length)
  const order = hashes.map((_, i) => i).sort((i, j) => hashes[i]! - hashes[j]! || i - j)
  const step = (high - low) / hashes.length
  // Off the middle, so that none is 0, and by half a step apart for neighbouring seeds, so that two inputs do not meet.
  const offset = seed % 2 ? 0.25 : 0.75
  order.forEach((i, rank) => (result[i] = low + (rank + offset) * step))
  return result
}

/** The weights that make a scalar of an output: multiples of 1/4 in [-7/4, 7/4], exact in every floating dtype. */
export const weightsOf = (output: number, count: number) =>
  Array.from({ length: count }, (_, i) => ((hash(1000 + output, i) % 15) - 7) / 4)
