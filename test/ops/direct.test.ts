// Convolutions by sums alone, with the ReLU and the maximum pooling that follow, and their gradients: of whole numbers so small that
// every sum is exact, whatever its order, so that all must be what a loop over plain numbers gives.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { computeAsAsked } from '../support/precision.js'

type DType = 'float32' | 'bfloat16' | 'float16'
type Pair = readonly [number, number]
interface Case {
  x: [n: number, h: number, w: number, c: number]
  kernel: [o: number, h: number, w: number]
  stride?: Pair
  padding?: readonly [Pair, Pair]
  pool?: { size: Pair; stride: Pair; padding?: Pair }
  bias?: boolean
  /** Of few channels, with whole windows: GPUs, too, have it and its pool as one kernel. */
  first?: boolean
  /** The same of channels that fill products on tensor cores, in half precision. */
  products?: boolean
}

const same = [
  [1, 1],
  [1, 1]
] as const
const twice = [
  [2, 2],
  [2, 2]
] as const
const uneven = [
  [2, 0],
  [0, 3]
] as const
const thirds = { size: [3, 3], stride: [3, 3] } as const
const halved = { size: [2, 2], stride: [2, 2] } as const
const cases: Case[] = [
  { x: [2, 6, 8, 3], kernel: [32, 3, 3], padding: same, pool: halved, bias: true },
  { x: [4, 32, 32, 3], kernel: [32, 3, 3], padding: same, pool: halved, bias: true },
  { x: [4, 32, 32, 3], kernel: [32, 3, 3], padding: same },
  // channels that fill no vector, or several
  { x: [2, 7, 9, 1], kernel: [1, 3, 3], pool: halved },
  { x: [2, 7, 9, 2], kernel: [5, 2, 3], pool: halved, bias: true },
  { x: [2, 7, 9, 4], kernel: [17, 3, 2], pool: halved, bias: true },
  { x: [2, 7, 9, 8], kernel: [48, 3, 3], padding: same, pool: halved, bias: true },
  { x: [1, 5, 6, 3], kernel: [72, 3, 3], bias: true },
  // rows shorter than what is computed at a time, of odd and even length, and longer
  { x: [1, 3, 3, 3], kernel: [16, 3, 3], bias: true },
  { x: [2, 4, 4, 3], kernel: [16, 3, 3], pool: halved },
  { x: [2, 9, 9, 3], kernel: [16, 3, 3], pool: halved },
  { x: [1, 3, 33, 3], kernel: [16, 1, 1], pool: { size: [1, 4], stride: [1, 4] } },
  // first layers: several tiles of windows down and along, the last of them not full, channels past a block's
  { first: true, x: [3, 21, 71, 1], kernel: [36, 3, 3], padding: same, pool: halved, bias: true },
  { first: true, x: [2, 18, 70, 2], kernel: [8, 3, 3], pool: halved },
  { first: true, x: [1, 20, 37, 3], kernel: [68, 3, 3], padding: same, pool: halved },
  { first: true, x: [2, 11, 10, 4], kernel: [4, 3, 3], padding: same, pool: halved, bias: true },
  { first: true, x: [1, 28, 28, 1], kernel: [8, 5, 5], pool: halved, bias: true },
  { first: true, x: [2, 13, 14, 2], kernel: [12, 5, 5], padding: twice, pool: halved, bias: true },
  { first: true, x: [2, 13, 14, 3], kernel: [32, 5, 5], padding: twice, pool: halved, bias: true },
  { first: true, x: [1, 13, 14, 4], kernel: [32, 5, 5], padding: uneven, pool: halved, bias: true },
  { first: true, x: [2, 31, 32, 1], kernel: [32, 3, 3], pool: thirds, bias: true },
  { first: true, x: [2, 44, 29, 2], kernel: [4, 3, 3], padding: same, pool: thirds },
  { first: true, x: [1, 14, 33, 3], kernel: [32, 3, 3], padding: uneven, pool: thirds, bias: true },
  { first: true, x: [2, 7, 7, 4], kernel: [36, 3, 3], padding: same, pool: thirds, bias: true },
  { first: true, x: [1, 16, 16, 1], kernel: [16, 5, 5], padding: twice, pool: thirds },
  { first: true, x: [1, 16, 17, 2], kernel: [16, 5, 5], padding: twice, pool: thirds, bias: true },
  { first: true, x: [1, 10, 30, 3], kernel: [16, 5, 5], pool: thirds, bias: true },
  { first: true, x: [1, 8, 11, 4], kernel: [16, 5, 5], padding: uneven, pool: thirds, bias: true },
  // large kernels, strides, also past the kernel
  {
    x: [2, 23, 22, 3],
    kernel: [64, 7, 7],
    stride: [2, 2],
    padding: [
      [3, 3],
      [3, 3]
    ],
    pool: { size: [3, 3], stride: [2, 2], padding: [1, 1] },
    bias: true
  },
  { x: [1, 43, 47, 3], kernel: [24, 11, 11], stride: [4, 4], pool: { size: [3, 3], stride: [2, 2] }, bias: true },
  { x: [2, 11, 13, 3], kernel: [16, 2, 2], stride: [3, 4], pool: halved },
  {
    x: [1, 2, 2, 2],
    kernel: [16, 1, 2],
    stride: [5, 6],
    padding: [
      [7, 0],
      [9, 1]
    ],
    bias: true
  },
  // channels enough for other algorithms, which `exact` keeps out
  { x: [2, 12, 13, 16], kernel: [32, 3, 3], padding: same, bias: true },
  { x: [2, 12, 13, 16], kernel: [32, 3, 3], padding: same, pool: halved, bias: true },
  { x: [3, 16, 16, 33], kernel: [24, 3, 3], padding: same },
  { x: [3, 15, 16, 20], kernel: [40, 3, 3], stride: [2, 2], bias: true },
  // products on tensor cores: one tile and several, that end anywhere; bands of 32 and 64 channels, not all full; kernels of every size
  // there is; paddings, one larger than the kernel
  { products: true, x: [1, 16, 16, 16], kernel: [16, 3, 3], padding: same, pool: halved, bias: true },
  { products: true, x: [2, 17, 33, 32], kernel: [64, 3, 3], padding: same, pool: halved, bias: true },
  { products: true, x: [1, 18, 20, 64], kernel: [40, 3, 3], padding: uneven, pool: halved },
  { products: true, x: [2, 13, 14, 16], kernel: [32, 5, 5], padding: twice, pool: halved, bias: true },
  { products: true, x: [3, 7, 9, 16], kernel: [8, 1, 1], pool: halved },
  { products: true, x: [1, 8, 8, 128], kernel: [128, 3, 3], padding: same, pool: halved, bias: true },
  { x: [1, 5, 7, 48], kernel: [80, 3, 3], bias: true },
  { x: [1, 20, 18, 32], kernel: [16, 5, 5], padding: uneven, bias: true },
  { x: [1, 4, 19, 16], kernel: [64, 1, 1] },
  {
    x: [1, 6, 6, 16],
    kernel: [16, 3, 3],
    padding: [
      [3, 3],
      [4, 2]
    ]
  },
  // windows that overlap, leave places out, reach over the edge
  {
    x: [2, 9, 9, 3],
    kernel: [16, 3, 3],
    padding: same,
    pool: { size: [3, 2], stride: [1, 1], padding: [1, 0] },
    bias: true
  },
  { x: [2, 12, 13, 3], kernel: [16, 3, 3], pool: { size: [2, 2], stride: [3, 4] } },
  { x: [2, 8, 8, 3], kernel: [18, 3, 3], pool: { size: [4, 5], stride: [2, 3], padding: [2, 2] } }
]

const whole = (shape: number[], most: number, seed: number) =>
  nt.random.uniform(shape, { low: -most, high: most + 1, seed }).floor() as nt.Tensor

/** The pooled values, the gradients of the weights, the images and the bias, given that of the pooled values. */
function reference(p: Case, [x, w, b, g]: number[][]): number[][] {
  const [n, height, width, c] = p.x
  const [o, kh, kw] = p.kernel
  const { stride = [1, 1], padding = [[0, 0] as const, [0, 0] as const], pool } = p
  const places = (size: number, kernel: number, step: number, [low, high]: Pair) =>
    Math.floor((size + low + high - kernel) / step) + 1
  const [oh, ow] = [places(height, kh, stride[0], padding[0]), places(width, kw, stride[1], padding[1])]
  // f(result, weight, input) for each product of a sum.
  const products = (i: number, r: number, q: number, k: number, f: (weight: number, input: number) => void) => {
    for (let y = 0; y < kh; y++) {
      for (let z = 0; z < kw; z++) {
        const [row, column] = [r * stride[0] - padding[0][0] + y, q * stride[1] - padding[1][0] + z]
        if (row < 0 || row >= height || column < 0 || column >= width) continue
        for (let l = 0; l < c; l++) f(((k * kh + y) * kw + z) * c + l, ((i * height + row) * width + column) * c + l)
      }
    }
  }
  const sum = (i: number, r: number, q: number, k: number) => {
    let value = b![k] ?? 0
    products(i, r, q, k, (weight, input) => (value += w![weight]! * x![input]!))
    return Math.max(value, 0)
  }
  const { size, stride: step, padding: low = [0, 0] } = pool ?? { size: [1, 1], stride: [1, 1] }
  const [ph, pw] = [places(oh, size[0], step[0], [low[0], low[0]]), places(ow, size[1], step[1], [low[1], low[1]])]
  const y: number[] = []
  const dw = new Array<number>(w!.length).fill(0)
  const dx = new Array<number>(x!.length).fill(0)
  const db = new Array<number>(o).fill(0)
  for (let i = 0; i < n; i++) {
    const sums = Array.from({ length: oh * ow * o }, (_, at) =>
      sum(i, Math.floor(at / o / ow), Math.floor(at / o) % ow, at % o)
    )
    for (let at = 0; at < ph * pw * o; at++) {
      const [r, q, k] = [Math.floor(at / o / pw), Math.floor(at / o) % pw, at % o]
      let best = -1
      let [bestRow, bestColumn] = [0, 0]
      for (let row = r * step[0] - low[0]; row < r * step[0] - low[0] + size[0]; row++) {
        for (let column = q * step[1] - low[1]; column < q * step[1] - low[1] + size[1]; column++) {
          if (row < 0 || row >= oh || column < 0 || column >= ow) continue
          const value = sums[(row * ow + column) * o + k]!
          if (value > best) [best, bestRow, bestColumn] = [value, row, column]
        }
      }
      const gradient = best > 0 ? g![y.length]! : 0
      y.push(best)
      db[k]! += gradient
      products(i, bestRow, bestColumn, k, (weight, input) => {
        dw[weight]! += gradient * x![input]!
        dx[input]! += gradient * w![weight]!
      })
    }
  }
  return [y, dw, dx, db]
}

onEachDevice('convolutions by sums', (device) => {
  computeAsAsked()
  const numbers = (t: nt.Tensor) => [...t.astype('float32').dataSync()]
  for (const p of cases) {
    const { x, kernel, stride = [1, 1], padding, pool, bias = false } = p
    const said = Object.entries(p).map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    it(said.join(', '), () => {
      const isLater = x[3] > 8 // a layer whose images have a gradient, which goes on through a ReLU
      const inputs = [[...x], [...kernel, x[3]], ...(bias ? [[kernel[0]]] : [])].map((shape, i) =>
        whole(shape, isLater ? 1 : 2, i)
      )
      const forward = (x: nt.Tensor, w: nt.Tensor, b?: nt.Tensor) => {
        const y = nt.conv2d(x, w, { bias: b, stride, padding: padding ?? 'valid', activation: 'relu' } as never)
        return pool === undefined ? y : nt.maxPool2d(y, [...pool.size], { ...pool } as never)
      }
      const g = whole([...forward(inputs[0]!, inputs[1]!, inputs[2]).shape], 2, 4)
      const images = isLater ? inputs[0]!.relu() : inputs[0]!
      const values = reference(p, [images, inputs[1]!, inputs[2] ?? nt.zeros([0]), g].map(numbers))
      for (const [i, value] of numbers(images).entries()) if (value === 0) values[2]![i] = 0
      const wanted = values.filter((_, k) => (k !== 2 || isLater) && (k !== 3 || bias))
      const gradients = nt.grads((x: nt.Tensor, w: nt.Tensor, g: nt.Tensor, b?: nt.Tensor) =>
        forward(x.relu(), w, b).mul(g).sum()
      )
      const ofWeights = (x: nt.Tensor, w: nt.Tensor, g: nt.Tensor, b?: nt.Tensor) =>
        nt.grads((w: nt.Tensor, b?: nt.Tensor) => forward(x, w, b).mul(g).sum())(w, ...(b ? [b] : []))
      for (const dtype of ['float32', 'bfloat16', 'float16'] as DType[]) {
        const run = nt.compile(
          (x: nt.Tensor, w: nt.Tensor, g: nt.Tensor, ...b: nt.Tensor[]) => {
            const y = nt.noGrad(() => forward(isLater ? x.relu() : x, w, ...b))
            if (!isLater) return [y, ...ofWeights(x, w, g, ...b)]
            const [dx, dw, , ...db] = gradients(x, w, g, ...b)
            return [y, dw!, dx!, ...db]
          },
          { exact: true }
        )
        const [tx, tw, tg, ...tb] = [inputs[0]!, inputs[1]!, g, ...inputs.slice(2)].map(
          (t) => t.astype(dtype) as nt.Tensor
        )
        for (let i = 0; i < 3; i++) {
          for (const [k, result] of run(tx!, tw!, tg!, ...tb).entries()) {
            const rounded = numbers(nt.tensor(wanted[k]!).astype(dtype) as nt.Tensor)
            assert.deepEqual(numbers(result), rounded, `result ${k}, ${dtype}, call ${i}`)
          }
        }
        if (device === 'cpu' && isLater) assert.match(String(run.programs[0]), /activation gradients fused/)
        if ((device === 'cpu' || p.first) && pool !== undefined && !isLater)
          assert.match(String(run.programs[0]), /3 pools fused/)
        if (device === 'emulated' && p.products && dtype !== 'float32')
          assert.match(String(run.programs[0]), /pools fused/)
      }
    })
  }
  for (const activation of [undefined, 'relu'] as const) {
    for (const [channels, dtype] of [
      [3, 'float32'],
      [16, 'bfloat16']
    ] as const) {
      it(`a NaN wins its windows, ${activation ?? 'no activation'}, ${channels} channels`, () => {
        const shape = [1, 8, 8, channels]
        const values = numbers(whole(shape, 2, 0)).map((value, i) => (i === 33 * channels + 1 ? NaN : value))
        const x = nt.tensor(values, shape).astype(dtype) as nt.Tensor
        const w = whole([8, 3, 3, channels], 2, 1).astype(dtype) as nt.Tensor
        const f = (x: nt.Tensor) => nt.maxPool2d(nt.conv2d(x, w, { padding: 'same', activation } as never), 2)
        const [want, got] = [f, nt.compile(f, { exact: true })].map((f) => numbers(f(x)))
        assert.equal(want!.filter(Number.isNaN).length, 4 * 8)
        assert.deepEqual(got, want)
      })
    }
  }
})
