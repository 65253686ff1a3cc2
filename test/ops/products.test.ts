// Matrix products of every layout, beside sums in double precision: few rows and many, inner sizes of several blocks and odd
// ones, edges of tiles, batches, and what follows the sums.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

type T = nt.Tensor
type FloatDType = 'float32' | 'bfloat16' | 'float16'
type Size = readonly [batch: number, m: number, n: number, k: number]
type Transposed = readonly [a: boolean, b: boolean]

const sizes: Size[] = [
  [1, 1, 1, 1],
  [1, 1, 40, 300],
  [1, 2, 33, 129],
  [1, 13, 50, 1100],
  [1, 70, 3, 37],
  [1, 41, 37, 2071],
  [1, 270, 18, 1030],
  [1, 18, 270, 1030],
  [1, 33, 129, 1],
  [5, 9, 35, 17],
  [2, 31, 65, 20]
]
const layouts: Record<string, Transposed> = {
  '': [false, false],
  ', b transposed': [false, true],
  ', a transposed': [true, false],
  ', both transposed': [true, true]
}

/** Half of the last place, relative to a number. */
const rounding: Record<FloatDType, number> = { float32: 2 ** -24, bfloat16: 2 ** -8, float16: 2 ** -11 }

const uniform = (shape: number[], dtype: FloatDType, seed: number) =>
  nt.random.uniform(shape, { low: -1, high: 1, seed }).astype(dtype) as T
const numbers = (t: T) => Float64Array.from((t.astype('float32') as T).dataSync())

/** Operands, and a function that fails where a result is farther from what it makes of their sums than rounding takes it. */
function product([batch, m, n, k]: Size, [transposeA, transposeB]: Transposed, dtype: FloatDType) {
  const a = uniform(transposeA ? [batch, k, m] : [batch, m, k], dtype, 1)
  const b = uniform(transposeB ? [batch, n, k] : [batch, k, n], dtype, 2)
  const [x, y] = [numbers(a), numbers(b)]
  const sums = new Float64Array(batch * m * n)
  const sizes = new Float64Array(batch * m * n)
  for (let i = 0; i < sums.length; i++) {
    const [at, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n]
    const [first, stepA] = transposeA ? [at * m * k + row, m] : [at * m * k + row * k, 1]
    const [second, stepB] = transposeB ? [at * k * n + column * k, 1] : [at * k * n + column, n]
    for (let l = 0; l < k; l++) {
      const term = x[first + l * stepA]! * y[second + l * stepB]!
      sums[i]! += term
      sizes[i]! += Math.abs(term)
    }
  }
  const check = (result: T, after = (sum: number) => sum) =>
    numbers(result).forEach((got, i) => {
      const want = after(sums[i]!)
      // Summing, then rounding of the sum and of what is made of it.
      const summing = (8 + Math.sqrt(k)) * 2 ** -24 * (1 + sizes[i]!)
      const allowed = summing + rounding[dtype] * (Math.abs(sums[i]!) + Math.abs(want))
      if (!(Math.abs(want - got) <= allowed)) assert.fail(`${dtype} ${i}: wanted ${want} within ${allowed}, got ${got}`)
    })
  return { a, b, check }
}

onEachDevice('matrix products', () => {
  for (const size of sizes)
    for (const [name, layout] of Object.entries(layouts))
      it(size.join(' x ') + name, () => {
        const [transposeA, transposeB] = layout
        for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
          const { a, b, check } = product(size, layout, dtype)
          check(nt.matmul(a, b, { transposeA, transposeB }))
          const bias = nt.full([size[2]], 0.5, { dtype })
          check(nt.matmul(a, b, { transposeA, transposeB, bias, activation: 'relu' }), (sum) => Math.max(sum + 0.5, 0))
        }
      })

  it('do what follows the sums, however these are made', () => {
    const replayed = (f: (x: T) => T, x: T) => {
      const compiled = nt.compile(f)
      for (let i = 0; i < 2; i++) compiled(x)
      return compiled(x)
    }
    for (const [m, n, k] of [
      [2, 70, 300],
      [90, 3, 40],
      [45, 70, 1100],
      [70, 45, 20]
    ] as const)
      for (const dtype of ['float32', 'bfloat16'] as const)
        for (const transposeB of [false, true]) {
          const { a, b, check } = product([1, m, n, k], [false, transposeB], dtype)
          const other = nt.full([1, m, n], 0.5, { dtype }) as T
          const multiply = (x: T) => nt.matmul(x, b, { transposeB })
          check(
            replayed((x) => multiply(x).add(other).relu(), a),
            (sum) => Math.max(sum + 0.5, 0)
          )
          const values = numbers(nt.tensor([...numbers(multiply(a))]).gelu())
          let i = 0
          if (dtype === 'float32')
            check(
              replayed((x) => multiply(x).gelu(), a),
              () => values[i++]!
            )
        }
  })
})
