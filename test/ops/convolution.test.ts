// Convolutions large enough for algorithms that round otherwise than sums do, alone and with what is fused into them, beside
// sums in float64.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

type Padding = 'same' | 'valid' | [[number, number], [number, number]]
interface Row {
  /** [n, h, w, c] */
  x: [number, number, number, number]
  /** Channels of the result. */
  o: number
  padding?: Padding
  bias?: boolean
}
type T = nt.Tensor<any>

const rows: Row[] = [
  { x: [2, 16, 16, 32], o: 64 },
  { x: [3, 12, 8, 64], o: 32, bias: false },
  // images that end inside a tile
  { x: [2, 13, 15, 16], o: 32 },
  { x: [4, 7, 7, 64], o: 16 },
  { x: [1, 33, 9, 32], o: 16, padding: 'valid' },
  { x: [2, 14, 10, 32], o: 32, padding: [[2, 0], [1, 2]] }, // prettier-ignore
  // channels that end inside a vector, a panel, a pair
  { x: [2, 13, 15, 20], o: 72 },
  { x: [2, 16, 14, 9], o: 41 },
  { x: [1, 12, 13, 35], o: 130, padding: 'valid' },
  { x: [1, 10, 9, 150], o: 17 },
  // one image, whose rows of tiles threads share; few tiles; many
  { x: [1, 44, 24, 16], o: 16 },
  { x: [1, 8, 8, 64], o: 64 },
  { x: [1, 4, 160, 16], o: 16 }
]

/**
 * The largest difference that rounding makes, in the norm of a whole tensor beside that of the true one; Winograd's transforms
 * round several times as much as sums. In a pool of half precision another place of a window may win.
 */
const bounds = { float32: 3e-6, bfloat16: 3e-2, float16: 2e-3 }
const POOLED_HALF = 0.2

/** What surrounds the convolution: between a ReLU and a ReLU with a maximum pool, all that backends fuse comes about. */
const surroundings = { alone: false, 'between a ReLU and a pool': true }

const sizes = ({ x: [n, h, w, c], o, padding = 'same' }: Row) => {
  const [rows, columns] = padding === 'same' ? [[1, 1], [1, 1]] as const : padding === 'valid' ? [[0, 0], [0, 0]] as const : padding // prettier-ignore
  return { n, h, w, c, o, top: rows[0], left: columns[0], oh: h + rows[0] + rows[1] - 2, ow: w + columns[0] + columns[1] - 2 } // prettier-ignore
}

/** In float64: the result, and the gradients of the sum of its products with `ys`, for x, weights and bias. */
function reference(row: Row, pooled: boolean, [x, weights, bias, ys]: number[][]): number[][] {
  const { n, h, w, c, o, top, left, oh, ow } = sizes(row)
  const input = Float64Array.from(x!, (v) => (pooled ? Math.max(v, 0) : v))
  const y = new Float64Array(n * oh * ow * o)
  /** f(place in y, in x, in the weights), of each product's first channel. */
  const products = (f: (to: number, from: number, tap: number) => void) => {
    for (let image = 0; image < n; image++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++)
          for (let a = 0; a < 3; a++)
            for (let b = 0; b < 3; b++) {
              const [r, q] = [i + a - top, j + b - left]
              if (r < 0 || r >= h || q < 0 || q >= w) continue
              for (let k = 0; k < o; k++)
                f(((image * oh + i) * ow + j) * o + k, ((image * h + r) * w + q) * c, ((k * 3 + a) * 3 + b) * c)
            }
  }
  y.forEach((_, i) => (y[i] = bias![i % o]!))
  products((to, from, tap) => {
    let sum = 0
    for (let k = 0; k < c; k++) sum += input[from + k]! * weights![tap + k]!
    y[to]! += sum
  })
  const [ph, pw] = pooled ? [oh >> 1, ow >> 1] : [oh, ow]
  const result = new Float64Array(n * ph * pw * o)
  const gradient = new Float64Array(y.length)
  for (let at = 0; at < result.length; at++) {
    if (!pooled) {
      result[at] = y[at]!
      gradient[at] = ys![at]!
      continue
    }
    const [k, window] = [at % o, Math.floor(at / o)]
    const [q, r, image] = [window % pw, Math.floor(window / pw) % ph, Math.floor(window / pw / ph)]
    const place = [0, 1, ow, ow + 1]
      .map((step) => ((image * oh + 2 * r) * ow + 2 * q + step) * o + k)
      .reduce((best, next) => (y[next]! > y[best]! ? next : best))
    result[at] = Math.max(0, y[place]!)
    gradient[place] = y[place]! > 0 ? ys![at]! : 0
  }
  const [dx, dw, db] = [new Float64Array(input.length), new Float64Array(weights!.length), new Float64Array(o)]
  gradient.forEach((g, i) => (db[i % o]! += g))
  products((to, from, tap) => {
    const g = gradient[to]!
    if (g === 0) return
    for (let k = 0; k < c; k++) {
      dx[from + k]! += g * weights![tap + k]!
      dw[tap + k]! += g * input[from + k]!
    }
  })
  if (pooled) dx.forEach((_, i) => (dx[i] = x![i]! > 0 ? dx[i]! : 0))
  return [result, dx, dw, db].map((values) => [...values])
}

const network = (row: Row, pooled: boolean): ((x: T, w: T, b: T, ys: T) => T[]) => {
  const { padding = 'same', bias = true } = row
  return (x, w, b, ys) => {
    let y = x
    const gradients = nt.grads((x: T, w: T, b?: T) => {
      const [input, activation] = pooled ? [x.relu(), 'relu' as const] : [x]
      const made = nt.conv2d(input, w, { padding, ...(b && { bias: b }), ...(activation && { activation }) })
      y = pooled ? nt.maxPool2d(made, 2) : made
      return y.mul(ys).sum()
    })
    const found = bias ? gradients(x, w, b) : gradients(x, w)
    return [y.detach(), ...found]
  }
}

onEachDevice('large convolutions', () => {
  for (const row of rows)
    for (const [surrounding, pooled] of Object.entries(surroundings))
      for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
        const { x, o, padding = 'same', bias = true } = row
        const said = `[${x.join(', ')}] to ${o} channels, ${JSON.stringify(padding)}${bias ? '' : ', without bias'}`
        it(`${dtype} ${said}, ${surrounding}`, () => {
          const { n, oh, ow } = sizes(row)
          const shapes = [x, [o, 3, 3, x[3]], [o], pooled ? [n, oh >> 1, ow >> 1, o] : [n, oh, ow, o]]
          const inputs = shapes.map((shape, i) => {
            const values = nt.random.uniform(shape, { low: -1, high: 1, seed: i + 1 })
            return values.mul(i === 2 && !bias ? 0 : 1).astype(dtype)
          })
          const f = network(row, pooled)
          const want = reference(row, pooled, inputs.map((t) => [...t.astype('float32').dataSync()] as number[])) // prettier-ignore
          for (const [how, call] of [
            ['eager', f],
            ['compiled', nt.compile(f)]
          ] as const)
            // prettier-ignore
            call(...(inputs as [T, T, T, T])).forEach((t, i) => {
              const got = [...t.astype('float32').dataSync()] as number[]
              const norm = (f: (v: number, at: number) => number) =>
                Math.sqrt(want[i]!.reduce((sum, v, at) => sum + f(v, at) ** 2, 0))
              const error = norm((v, at) => got[at]! - v) / norm((v) => v)
              const bound = pooled && dtype !== 'float32' ? POOLED_HALF : bounds[dtype]
              assert.ok(error <= bound, `${how}, ${['result', 'dx', 'dw', 'db'][i]}: error ${error}`)
            })
        })
      }
})
