// Losses against PyTorch's, each reduction and the gradient, and what they refuse.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { losses, type Tensor } from '../../lib/index.js'
import { floats, golden, near, numbers } from './support.js'
import { onEachDevice } from '../support/devices.js'

const logits = numbers(1, [6, 4]).mul(3)
const soft = numbers(2, [6, 4]).mul(2).softmax(1)
const targets = nt.tensor(new Int32Array([0, 3, 1, 2, 2, 0]))
const weights = nt.tensor([0.5, 1, 3, 0.25])
const [x, t] = [numbers(3, [5, 3]).mul(4), numbers(4, [5, 3]).abs()]
const log = logits.logSoftmax(1)

type Options = { reduction?: losses.Reduction }
// As in scripts/golden-training.py.
const cases: Record<string, [Tensor, (x: Tensor, options: Options) => Tensor]> = {
  crossEntropy: [logits, (x, options) => losses.crossEntropy(x, targets, options)],
  'crossEntropy weights smoothing': [
    logits,
    (x, options) => losses.crossEntropy(x, targets, { weights, labelSmoothing: 0.2, ...options })
  ],
  'crossEntropy soft': [logits, (x, options) => losses.crossEntropy(x, soft, options)],
  'crossEntropy soft weights smoothing': [
    logits,
    (x, options) => losses.crossEntropy(x, soft, { weights, labelSmoothing: 0.2, ...options })
  ],
  negativeLogLikelihood: [log, (x, options) => losses.negativeLogLikelihood(x, targets, options)],
  'negativeLogLikelihood weights': [
    log,
    (x, options) => losses.negativeLogLikelihood(x, targets, { weights, ...options })
  ],
  klDivergence: [log, (x, options) => losses.klDivergence(x, soft, options)],
  mse: [x, (x, options) => losses.mse(x, t, options)],
  l1: [x, (x, options) => losses.l1(x, t, options)],
  huber: [x, (x, options) => losses.huber(x, t, options)],
  'huber delta': [x, (x, options) => losses.huber(x, t, { delta: 2.5, ...options })],
  binaryCrossEntropy: [x, (x, options) => losses.binaryCrossEntropy(x, t, options)],
  'binaryCrossEntropy positiveWeight': [
    x,
    (x, options) => losses.binaryCrossEntropy(x, t, { positiveWeight: 3, ...options })
  ]
}

onEachDevice('losses', () => {
  const wanted = golden<Record<string, Record<losses.Reduction | 'gradient', string>>>('losses')

  for (const [name, [inputs, loss]] of Object.entries(cases)) {
    it(`${name} and its gradient are PyTorch's, in each reduction`, async () => {
      for (const reduction of ['none', 'sum', 'mean'] as const) {
        near(await loss(inputs, { reduction }).data(), floats(wanted[name]![reduction]), 1e-5, reduction)
      }
      const leaf = nt.requireGradient(inputs.mul(1))
      const [gradient] = nt.backward(loss(leaf, {}), [leaf])
      near(await (gradient as Tensor).data(), floats(wanted[name]!.gradient), 1e-5, 'gradient')
    })
  }

  it('of the table are all that PyTorch was asked for', () => {
    assert.deepEqual(Object.keys(wanted), Object.keys(cases))
  })

  it('klDivergence of classes without probability is finite', async () => {
    const value = losses.klDivergence(nt.tensor([[0.5, 0.5]]).log(), nt.tensor([[1, 0]]))
    near([await value.item()], [Math.LN2], 1e-6, 'value')
  })

  it('negativeLogLikelihood takes leading axes', async () => {
    const got = losses.negativeLogLikelihood(log.reshape([2, 3, 4]), targets.reshape([2, 3]), { reduction: 'none' })
    assert.deepEqual(got.shape, [2, 3])
    near(await got.data(), floats(wanted['negativeLogLikelihood']!.none), 1e-5, 'losses')
  })

  it('binaryCrossEntropy neither overflows nor loses small losses', async () => {
    const x = nt.requireGradient(nt.tensor([-200, 200, -200, 200, 20]))
    const each = losses.binaryCrossEntropy(x, nt.tensor([0, 1, 1, 0, 1]), { reduction: 'none' })
    near(await each.data(), [0, 0, 200, 200, Math.log1p(Math.exp(-20))], 1e-6, 'losses', 1e-9)
    near(await (nt.backward(each.sum(), [x])[0] as Tensor).data(), [0, 0, -1, 1, -Math.exp(-20)], 1e-6, 'gradient')
  })

  it('crossEntropy takes leading axes', async () => {
    const logits = numbers(3, [2, 3, 4])
    const labels = nt.tensor(new Int32Array([0, 3, 1, 2, 2, 0]), [2, 3])
    const flat = losses.crossEntropy(logits.reshape([6, 4]), labels.reshape([6]), { reduction: 'none' })
    const got = losses.crossEntropy(logits, labels, { reduction: 'none' })
    assert.deepEqual(got.shape, [2, 3])
    assert.deepEqual(await got.data(), await flat.data())
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
    [
      'an unknown option',
      () => losses.l1(x, x, { reducton: 'sum' } as never),
      /^l1: expected options of reduction.*got 'reducton'/
    ],
    [
      'an unknown option of crossEntropy',
      () => nt.crossEntropy(x, labels, { weight: 1 } as never),
      /options of weights/
    ],
    ['a delta of 0', () => losses.huber(x, x, { delta: 0 }), /^huber: expected a delta above 0, got 0/],
    ['probabilities of another shape', () => losses.klDivergence(x, nt.zeros([2])), /^klDivergence: .*of one shape/],
    ['labels of two axes', () => losses.negativeLogLikelihood(x, x), /labels \[...\], got \[2, 3\] and \[2, 3\]/],
    [
      'class weights of another size',
      () => losses.negativeLogLikelihood(x, labels, { weights: nt.ones([2]) }),
      /weights float32 \[3\], got float32 \[2\]/
    ],
    [
      'class weights of another size for probabilities',
      () => nt.crossEntropy(x, x, { weights: nt.ones([2]) }),
      /^crossEntropy: expected weights float32 \[3\]/
    ],
    ['a smoothing above 1 of probabilities', () => nt.crossEntropy(x, x, { labelSmoothing: 2 }), /in \[0, 1\], got 2/],
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
