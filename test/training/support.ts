// What scripts/golden-training.py stored, and the inputs that it computed with, made anew.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as nt from '../../lib/index.js'
import type { Tensor } from '../../lib/index.js'

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as T
}

/** Base64 of little-endian float32. */
export function floats(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)
}

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1)

/** 32 well mixed bits (MurmurHash3's finaliser). */
export function hash(seed: number, i: number): number {
  let h = (i + Math.imul(seed, 0x9e3779b1)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Multiples of 2^-7 in [-1, 1). */
export function numbers(seed: number, shape: readonly number[]): Tensor {
  return nt.tensor(
    Float32Array.from({ length: count(shape) }, (_, i) => (hash(seed, i) >>> 24) / 128 - 1),
    shape
  )
}

/** All values are within `allowed` of those wanted, relative to `scale` or to the wanted value, whichever is larger. */
export function near(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  allowed: number,
  what: string,
  scale = 1
): void {
  assert.equal(got.length, wanted.length, `${what}: as many values`)
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(got[i]! - wanted[i]!)
    if (!(difference <= allowed * Math.max(scale, Math.abs(wanted[i]!)))) {
      assert.fail(`${what}: ${wanted[i]} wanted at ${i}, got ${got[i]} (allowed ${allowed})`)
    }
  }
}
