// Kernels that work in tiles, chunks or groups of four, beyond the first and past the last whole one, beside the CPU's: the
// table of ops has small tensors.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { computing } from '../../lib/compute.js'
import { needsOtherDevice, otherDevice } from '../support/devices.js'

type T = nt.Tensor
type FloatDType = 'float32' | 'bfloat16' | 'float16'

interface Case {
  shapes: number[][]
  f: (...inputs: T[]) => T | T[]
  /** Of float32, relative to the largest value: sums of many numbers differ in their order. */
  tolerance?: number
}

const integers = (shape: number[], below: number, seed: number) =>
  nt.random.uniform(shape, { low: 0, high: below, seed }).floor().astype('int32')

const cases: Record<string, Case> = {
  'elementwise, all together': {
    shapes: [
      [67, 31],
      [67, 31]
    ],
    f: (a, b) => a.mul(b).add(a.tanh())
  },
  'elementwise, along rows': { shapes: [[5, 7, 24], [24], [5, 7, 1]], f: (a, b, c) => a.mul(b).add(c) },
  'elementwise, along odd rows': { shapes: [[5, 7, 9], [9], [5, 1, 9]], f: (a, b, c) => a.mul(b).maximum(c) },
  'matmul, several tiles': { shapes: [[70, 133], [133, 90], [90]], f: (a, b, bias) => nt.matmul(a, b, { bias }) },
  'matmul, transposed, batches that broadcast': {
    shapes: [
      [3, 1, 33, 20],
      [2, 65, 33]
    ],
    f: (a, b) => nt.matmul(a, b, { transposeA: true, transposeB: true })
  },
  'matmul, few columns': {
    shapes: [[37, 700], [3, 700], [3]],
    f: (a, w, bias) => nt.matmul(a, w, { transposeB: true, bias }).relu()
  },
  'matmul, rows that meet one matrix': {
    shapes: [
      [3, 30, 40],
      [40, 50]
    ],
    f: (a, b) => nt.matmul(a, b)
  },
  'convolution, several tiles': {
    shapes: [[2, 13, 15, 20], [72, 3, 3, 20], [72]],
    f: (x, w, bias) => nt.conv2d(x, w, { bias, padding: 'same', activation: 'relu' })
  },
  'convolution of three channels': {
    shapes: [
      [3, 21, 22, 3],
      [17, 5, 5, 3]
    ],
    f: (x, w) => nt.conv2d(x, w, { stride: 2 })
  },
  'convolution, dilated, in groups': {
    shapes: [
      [2, 17, 16, 32],
      [48, 3, 3, 16]
    ],
    f: (x, w) => nt.conv2d(x, w, { dilation: 2, groups: 2, padding: 'same' })
  },
  'convolution, a channel a group': {
    shapes: [
      [2, 14, 15, 12],
      [12, 3, 3, 1]
    ],
    f: (x, w) => nt.conv2d(x, w, { groups: 12, stride: 2, padding: 'same' })
  },
  'maximum pool by four channels': { shapes: [[2, 14, 13, 8]], f: (x) => nt.maxPool2d(x, 2) },
  'maximum pool that overlaps, odd channels': {
    shapes: [[2, 14, 13, 5]],
    f: (x) => nt.maxPool2d(x, 3, { stride: 2, padding: 1 })
  },
  'average pool': { shapes: [[2, 14, 13, 12]], f: (x) => nt.avgPool2d(x, 3, { stride: 1, padding: 1 }) },
  'batch norm of many rows, far from 0': {
    shapes: [[7, 19, 21, 36], [36], [36]],
    f: (x, scale, offset) => nt.batchNorm(x.add(20), { scale, offset, training: true }),
    tolerance: 2e-4
  },
  'batch norm, odd channels': {
    shapes: [[700, 37], [37], [37]],
    f: (x, scale, offset) => nt.batchNorm(x, { scale, offset, training: true })
  },
  'layer norm': { shapes: [[150, 300], [300], [300]], f: (x, scale, offset) => nt.layerNorm(x, { scale, offset }) },
  'softmax of short and long lines': {
    shapes: [
      [40, 10],
      [9, 700]
    ],
    f: (a, b) => [nt.softmax(a), nt.logSoftmax(b)]
  },
  'softmax of lines side by side': { shapes: [[4, 70, 40]], f: (x) => nt.softmax(x, 1) },
  'cross-entropy of few and many classes': {
    shapes: [
      [50, 10],
      [50, 300]
    ],
    f: (a, b) =>
      [10, 300].map((n, i) => nt.losses.crossEntropy([a, b][i]!, integers([50], n, 5), { labelSmoothing: 0.1 }) as T)
  },
  'sums in chunks, by rows and columns': {
    shapes: [[90, 64, 40]],
    f: (x) => [x.sum(), x.mean([0, 1]), x.sum([1, 2]), x.max([0, 2]), x.sum([0]).min()]
  },
  'sums of odd sizes': { shapes: [[33, 301, 7]], f: (x) => [x.sum([0, 1]), x.mean(), x.max([1])] },
  'embedding whose rows come often, seldom and never': {
    shapes: [[300, 12]],
    f: (w) => nt.embedding(w, nt.concat([integers([200], 5, 7), integers([100], 290, 8)]))
  },
  'gather of columns of their own': {
    shapes: [[4, 50, 6]],
    f: (x) => nt.gatherAlong(x, integers([4, 90, 6], 50, 9), 1)
  },
  'sort of many lines and of a long one': {
    shapes: [[70, 30], [5000]],
    f: (a, b) => [nt.sort(a).values, nt.sort(b).values]
  },
  transposes: {
    shapes: [
      [3, 50, 70],
      [6, 5, 40, 9]
    ],
    f: (a, b) => [a.transpose(), b.permute([0, 2, 3, 1])]
  },
  'slices and what is put together': {
    shapes: [
      [9, 40],
      [9, 24],
      [9, 7]
    ],
    f: (a, b, c) => [nt.concat([a.slice(8, 32, { axis: 1 }), b], 1), nt.concat([a, c], 1), nt.flip(a, 1)]
  }
}

/** Results, and the gradients of their weighted sums, as numbers. */
function resultsOf({ shapes, f }: Case, dtype: FloatDType, device: string): { name: string; values: number[] }[] {
  const read = (name: string, t: T) => ({ name, values: [...(t.astype('float32') as T).dataSync()] })
  return nt.withDevice(device, () => {
    const inputs = shapes.map((shape, i) =>
      nt.requireGradient((nt.random.uniform(shape, { low: -1, high: 1, seed: 20 + i }).astype(dtype) as T).detach())
    )
    const outputs = [f(...inputs)].flat()
    const sum = outputs
      .map((y, i) =>
        y
          .astype('float32')
          .mul(nt.random.uniform([...y.shape], { low: -1, high: 1, seed: 40 + i }))
          .sum()
      )
      .reduce((a, b) => a.add(b))
    const gradients = nt.backward(sum as T, inputs) as (T | undefined)[]
    return [
      ...outputs.map((y, i) => read(`result ${i}`, y)),
      ...gradients.flatMap((g, i) => (g ? [read(`gradient ${i}`, g)] : []))
    ]
  })
}

const tolerances = { float32: 2e-5, bfloat16: 2 ** -6, float16: 2 ** -9 }

describe(`kernels of larger tensors on ${otherDevice}`, () => {
  needsOtherDevice()
  for (const [name, row] of Object.entries(cases))
    for (const dtype of ['float32', 'bfloat16', 'float16'] as const)
      it(`${name}, ${dtype}`, () => {
        // Algorithms that round more are compared in convolution.test.ts.
        const [want, got] = ['cpu', otherDevice].map((device) =>
          computing({ exact: true }, device, () => resultsOf(row, dtype, device))
        )
        assert.equal(got!.length, want!.length)
        want!.forEach(({ name, values }, i) => {
          const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-6)
          const allowed = largest * Math.max(tolerances[dtype], row.tolerance ?? 0)
          const wrong = values.findIndex((v, j) => !(Math.abs(v - got![i]!.values[j]!) <= allowed))
          if (wrong >= 0) assert.fail(`${name} ${wrong}: wanted ${values[wrong]}, got ${got![i]!.values[wrong]}`)
        })
      })
})
