// Gradients of convolutions' weights over more places, channels and windows than fit into one block of sums, beside sums in
// float64.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

interface Row {
  /** [n, h, w, c] */
  x: [number, number, number, number]
  /** [o, kh, kw, c] */
  weights: [number, number, number, number]
  stride?: [number, number]
  padding?: [[number, number], [number, number]]
  dilation?: number
}
type T = nt.Tensor<any>

const rows: Record<string, Row> = {
  'of one pixel': { x: [2, 13, 15, 64], weights: [96, 1, 1, 64] },
  'of one pixel, with a stride': { x: [3, 14, 13, 96], weights: [320, 1, 1, 96], stride: [2, 2] },
  'of more columns than a block has': { x: [1, 9, 8, 288], weights: [64, 1, 1, 288] },
  'with a stride and padding': { x: [2, 15, 14, 32], weights: [64, 3, 3, 32], stride: [2, 2], padding: [[1, 1], [1, 1]] }, // prettier-ignore
  'dilated, wider than high': { x: [2, 12, 21, 32], weights: [32, 1, 5, 32], stride: [1, 2], padding: [[0, 0], [3, 1]], dilation: 2 } // prettier-ignore
}
const bounds = { float32: 3e-6, bfloat16: 2e-2, float16: 2e-3 }

/** In float64: the gradient of the weights for that of the result. */
function reference(
  { x: [n, h, w, c], weights: [o, kh, kw], ...row }: Row,
  [oh, ow]: number[],
  x: number[],
  g: number[]
) {
  const { stride = [1, 1], padding = [[0, 0], [0, 0]], dilation = 1 } = row // prettier-ignore
  const dw = new Float64Array(o * kh * kw * c)
  for (let image = 0; image < n; image++)
    for (let i = 0; i < oh!; i++)
      for (let j = 0; j < ow!; j++)
        for (let a = 0; a < kh; a++)
          for (let b = 0; b < kw; b++) {
            const r = i * stride[0] - padding[0][0] + a * dilation
            const q = j * stride[1] - padding[1][0] + b * dilation
            if (r < 0 || r >= h || q < 0 || q >= w) continue
            const [from, at] = [((image * h + r) * w + q) * c, ((image * oh! + i) * ow! + j) * o]
            for (let k = 0; k < o; k++)
              for (let l = 0; l < c; l++) dw[((k * kh + a) * kw + b) * c + l]! += g[at + k]! * x[from + l]!
          }
  return [...dw]
}

const numbers = (t: T) => [...t.astype('float32').dataSync()] as number[]
const uniform = (shape: number[], seed: number, dtype: nt.DType): T =>
  nt.random.uniform(shape, { low: -1, high: 1, seed }).astype(dtype)

onEachDevice("large gradients of convolutions' weights", () => {
  for (const [name, row] of Object.entries(rows))
    for (const dtype of ['float32', 'bfloat16', 'float16'] as const)
      it(`${dtype}, ${name}`, () => {
        const { x: size, weights, ...options } = row
        const [x, w] = [uniform(size, 1, dtype), uniform(weights, 2, dtype)]
        const shape = nt.conv2d(x, w, options).shape as number[]
        const ys = uniform(shape, 3, dtype)
        const [got] = nt.grads((w: T) => nt.conv2d(x, w, options).mul(ys).sum())(w)
        const want = reference(row, shape.slice(1, 3), numbers(x), numbers(ys))
        const values = numbers(got!)
        const norm = (f: (v: number, at: number) => number) =>
          Math.sqrt(want.reduce((sum, v, at) => sum + f(v, at) ** 2, 0))
        const error = norm((v, at) => values[at]! - v) / norm((v) => v)
        assert.ok(error <= bounds[dtype], `error ${error}`)
      })
})
