// Losses against their formulas in double precision.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { losses, type Tensor } from '../../lib/index.js'
import { near, numbers } from './support.js'

const shape = [5, 3]
const list = (seed: number, scale = 1): number[] => [...numbers(seed, shape).dataSync()].map((x) => x * scale)

const formulas: Record<
  string,
  { call: typeof losses.mse; of: (x: number, t: number) => number; slope: (x: number, t: number) => number }
> = {
  mse: { call: losses.mse, of: (x, t) => (x - t) ** 2, slope: (x, t) => 2 * (x - t) },
  l1: { call: losses.l1, of: (x, t) => Math.abs(x - t), slope: (x, t) => Math.sign(x - t) },
  binaryCrossEntropy: {
    call: losses.binaryCrossEntropy,
    of: (x, t) => -t * Math.log(1 / (1 + Math.exp(-x))) - (1 - t) * Math.log(1 / (1 + Math.exp(x))),
    slope: (x, t) => 1 / (1 + Math.exp(-x)) - t
  }
}

describe('losses', () => {
  for (const [name, { call, of, slope }] of Object.entries(formulas)) {
    it(`${name} and its gradient, in each reduction`, async () => {
      const [x, t] = [list(1, 4), list(2).map(Math.abs)]
      const each = x.map((v, i) => of(v, t[i]!))
      const slopes = x.map((v, i) => slope(v, t[i]!))
      const [p, targets] = [nt.requireGradient(nt.tensor(x, shape)), nt.tensor(t, shape)]
      const sum = each.reduce((a, b) => a + b)
      near(await call(p, targets, { reduction: 'none' }).data(), each, 1e-5, 'none')
      near([await call(p, targets, { reduction: 'sum' }).item()], [sum], 1e-5, 'sum')
      const mean = call(p, targets)
      near([await mean.item()], [sum / 15], 1e-5, 'mean')
      near(
        await (nt.backward(mean, [p])[0] as Tensor).data(),
        slopes.map((v) => v / 15),
        1e-5,
        'gradient'
      )
    })
  }

  it('binaryCrossEntropy neither overflows nor loses small losses', async () => {
    const x = nt.requireGradient(nt.tensor([-200, 200, -200, 200, 20]))
    const each = losses.binaryCrossEntropy(x, nt.tensor([0, 1, 1, 0, 1]), { reduction: 'none' })
    near(await each.data(), [0, 0, 200, 200, Math.log1p(Math.exp(-20))], 1e-6, 'losses', 1e-9)
    near(await (nt.backward(each.sum(), [x])[0] as Tensor).data(), [0, 0, -1, 1, -Math.exp(-20)], 1e-6, 'gradient')
  })

  it('binaryCrossEntropy weighs positive examples', async () => {
    const [x, t] = [list(1, 4), list(2).map((v) => Number(v > 0))]
    const { of } = formulas['binaryCrossEntropy']!
    const wanted = x.map((v, i) => of(v, t[i]!) * (t[i] ? 3 : 1))
    const got = losses.binaryCrossEntropy(nt.tensor(x, shape), nt.tensor(t, shape), {
      positiveWeight: 3,
      reduction: 'none'
    })
    near(await got.data(), wanted, 1e-5, 'weighted')
  })

  it('crossEntropy takes leading axes', async () => {
    const logits = numbers(3, [2, 3, 4])
    const labels = nt.tensor(new Int32Array([0, 3, 1, 2, 2, 0]), [2, 3])
    const flat = losses.crossEntropy(logits.reshape([6, 4]), labels.reshape([6]), { reduction: 'none' })
    const got = losses.crossEntropy(logits, labels, { reduction: 'none' })
    assert.deepEqual(got.shape, [2, 3])
    assert.deepEqual(await got.data(), await flat.data())
  })

  it('crossEntropy with weights divides by the weights of the labels', async () => {
    const logits = numbers(3, [6, 3])
    const labels = nt.tensor(new Int32Array([0, 2, 1, 2, 2, 0]))
    const weights = nt.tensor([0.5, 1, 3])
    const options = { weights, labelSmoothing: 0.1 }
    const sum = await losses.crossEntropy(logits, labels, { ...options, reduction: 'sum' }).item()
    near([await losses.crossEntropy(logits, labels, options).item()], [sum / (2 * 0.5 + 1 + 3 * 3)], 1e-6, 'mean')
  })

  it('crossEntropy of a label that is no class fails when it is read', async () => {
    for (const label of [3, -1]) {
      const loss = nt.crossEntropy(nt.zeros([2, 3]), nt.tensor(new Int32Array([0, label])))
      await assert.rejects(loss.item(), new RegExp(`softmaxCrossEntropy: expected labels in \\[0, 3\\), got ${label}`))
    }
  })

  const [x, labels] = [nt.zeros([2, 3]), nt.tensor(new Int32Array([0, 1]))]
  const refused: [string, () => unknown, RegExp][] = [
    [
      'two shapes',
      () => losses.mse(nt.zeros([3, 1]), nt.zeros([3])),
      /^mse: expected .* of one shape, got \[3, 1\] and \[3\]/
    ],
    ['two dtypes', () => losses.l1(x, nt.zeros([2, 3], { dtype: 'float16' }) as never), /got float32.* and float16/],
    ['a number', () => losses.mse(3 as never, x), /^mse: expected a tensor, got 3/],
    [
      'an unknown reduction',
      () => losses.l1(x, x, { reduction: 'max' as never }),
      /^l1: expected a reduction of .*got 'max'/
    ],
    ['options that are none', () => losses.mse(x, x, 1 as never), /an object of options, got 1/],
    ['a negative weight', () => losses.binaryCrossEntropy(x, x, { positiveWeight: -1 }), /at least 0, got -1/],
    [
      'labels as floats',
      () => nt.crossEntropy(x, nt.zeros([2]) as never),
      /expected labels int32 or int64 \[2\], got float32/
    ],
    ['labels of another shape', () => nt.crossEntropy(nt.zeros([2, 2, 3]), labels), /got \[2, 2, 3\] and \[2\]/],
    ['weights of another size', () => nt.crossEntropy(x, labels, { weights: nt.ones([2]) }), /weights float32 \[3\]/],
    ['a smoothing above 1', () => nt.crossEntropy(x, labels, { labelSmoothing: 2 }), /smoothing in \[0, 1\], got 2/],
    ['no labels', () => nt.crossEntropy(x, undefined as never), /^crossEntropy: expected a tensor, got undefined/]
  ]
  for (const [name, call, message] of refused) {
    it(`refuse ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
})
