// What scripts/golden-metrics.py stored, and comparison with it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as nt from '../../lib/index.js'

/** NaN is stored as null. */
export type Stored = number | null

export interface BinaryCase {
  scores: number[]
  labels: number[]
  precisionRecall: Record<'precision' | 'recall' | 'thresholds', Stored[]>
  roc: Record<'falsePositiveRate' | 'truePositiveRate' | 'thresholds', Stored[]>
  averagePrecision: Stored
  rocAuc: Stored
  recallAt: Record<string, number>
  precisionAt: Record<string, number>
  at: Record<keyof nt.metrics.BinaryCounts, number>[]
  brier: number
  calibration: {
    bins: number
    counts: number[]
    share: number[]
    mean: number[]
    expectedError: number
    maximumError: number
  }[]
}
type Averages = Record<nt.metrics.Average, Stored>
export interface ClassCase {
  scores: number[][]
  labels: number[]
  matrix: number[][]
  /** Of each class precision, recall, F1 and the number of examples. */
  classes: [number, number, number, number][]
  averages: Record<nt.metrics.Average, [number, number, number]>
  accuracy: number
  topK: Record<string, number>
  averagePrecision: Averages
  rocAuc: Averages
}

export function golden<T>(name: 'binary' | 'several'): [string, T][] {
  const text = readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')
  return Object.entries(JSON.parse(text) as Record<string, T>)
}

/** Equal but for rounding in float64. */
export function same(got: number | ArrayLike<number>, wanted: Stored | ArrayLike<Stored>, what: string): void {
  const [a, b] = [
    typeof got === 'number' ? [got] : got,
    typeof wanted === 'object' && wanted !== null ? wanted : [wanted]
  ]
  assert.equal(a.length, b.length, `${what}: as many values`)
  for (let i = 0; i < b.length; i++) {
    const value = b[i] ?? NaN
    if (!Object.is(a[i], value) && !(Math.abs(a[i]! - value) <= 1e-12))
      assert.fail(`${what}: ${value} wanted at ${i}, got ${a[i]}`)
  }
}

export const ints = (...values: number[]): nt.Tensor<'int32'> => nt.tensor(new Int32Array(values))

/** Where parts of n examples begin and end: of different sizes, one empty. */
export function* parts(n: number): Generator<[number, number]> {
  let first = 0
  for (let size = 0; first < n; first += size++) yield [first, Math.min(n, first + size)]
}
