// Accuracy and Mean: what is added up batch by batch.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { metrics } from '../../lib/index.js'
import { golden, ints, parts, same, type ClassCase } from './support.js'
import { onEachDevice } from '../support/devices.js'

onEachDevice('Accuracy', () => {
  for (const [name, wanted] of golden<ClassCase>('several')) {
    it(`is scikit-learn's: ${name}`, async () => {
      const classes = wanted.matrix.length
      for (const [k, share] of Object.entries(wanted.topK)) {
        const accuracy = new metrics.Accuracy({ topK: Number(k) })
        for (const [first, last] of parts(wanted.labels.length)) {
          const scores = nt.tensor(wanted.scores.slice(first, last), [last - first, classes])
          accuracy.update(scores, ints(...wanted.labels.slice(first, last)))
        }
        same(await accuracy.value(), share, `top ${k}`)
      }
    })
  }

  it('takes numbers of classes, of many dtypes', async () => {
    const accuracy = new metrics.Accuracy()
    accuracy.update(ints(1, 0, 2), ints(1, 1, 2))
    accuracy.update(nt.tensor(new Uint8Array([1, 3])), nt.tensor([1n, 2n ** 32n + 3n]))
    accuracy.update(nt.tensor([true]), nt.tensor([false]))
    assert.equal(await accuracy.value(), 3 / 6)
  })

  it('takes the first of equal scores, as argmax does', async () => {
    const [one, two] = [new metrics.Accuracy(), new metrics.Accuracy({ topK: 2 })]
    for (const accuracy of [one, two]) accuracy.update(nt.zeros([3, 3]), ints(0, 1, 2))
    assert.deepEqual([await one.value(), await two.value()], [1 / 3, 2 / 3])
  })

  it('is NaN before the first example, and after a reset', async () => {
    const accuracy = new metrics.Accuracy()
    accuracy.update(nt.zeros([0, 3]), ints())
    assert.equal(await accuracy.value(), NaN)
    accuracy.update(ints(1), ints(1))
    accuracy.reset()
    assert.equal(await accuracy.value(), NaN)
  })

  it('goes on from a state, in a compiled function too, beyond what float32 can count', async () => {
    const accuracy = new metrics.Accuracy()
    const update = nt.compile((scores: nt.Tensor, labels: nt.Tensor<'int32'>) => accuracy.update(scores, labels))
    const scores = nt.tensor([
      [0, 1],
      [1, 0]
    ])
    for (let i = 0; i < 3; i++) update(scores, ints(1, 1))
    assert.equal(await accuracy.value(), 0.5)
    const [right, examples] = [2 ** 24, 2 ** 33]
    accuracy.loadState({
      right: nt.full([], right, { dtype: 'int64' }),
      examples: nt.full([], examples, { dtype: 'int64' })
    })
    update(scores, ints(1, 1))
    const state = accuracy.state()
    assert.deepEqual([await state['right']!.item(), await state['examples']!.item()], [right + 1, examples + 2])
  })

  it('fails at reading where a label is no class', async () => {
    const accuracy = new metrics.Accuracy()
    accuracy.update(nt.zeros([2, 3]), ints(0, 3))
    await assert.rejects(accuracy.value(), /expected indices in \[0, 3\), got 3/)
    accuracy.reset()
    accuracy.update(nt.zeros([1, 3]), ints(0))
    assert.equal(await accuracy.value(), 1)
  })

  const refused: [string, () => unknown, RegExp][] = [
    ['topK below 1', () => new metrics.Accuracy({ topK: 0 }), /^Accuracy: expected topK to be a whole number from 1/],
    ['no options', () => new metrics.Accuracy(null as never), /an object of options, got null/],
    [
      'more than there are classes',
      () => new metrics.Accuracy({ topK: 3 }).update(nt.zeros([1, 2]), ints(1)),
      /^Accuracy.update: expected scores of at least 3 classes, got float32 \[1, 2\]/
    ],
    [
      'numbers of classes for topK',
      () => new metrics.Accuracy({ topK: 3 }).update(ints(1), ints(1)),
      /expected scores \[n, classes\], got int32 \[1\]/
    ],
    [
      'scores of one class',
      () => new metrics.Accuracy().update(nt.zeros([3]), ints(1, 1, 1)),
      /got float32 \[3\]. Use argmax/
    ],
    ['fewer labels', () => new metrics.Accuracy().update(nt.zeros([3, 2]), ints(1)), /labels \[3\].* got int32 \[1\]/],
    ['labels that are no integers', () => new metrics.Accuracy().update(ints(1), nt.zeros([1])), /labels of int32/]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () =>
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }
})

onEachDevice('Mean', () => {
  it('weighs values', async () => {
    const mean = new metrics.Mean()
    mean.update(nt.tensor(2), 3)
    mean.update(nt.tensor(5))
    assert.equal(await mean.value(), 11 / 4)
    mean.update(nt.tensor([1, 2, 3]))
    assert.equal(await mean.value(), 17 / 7)
    mean.update(nt.tensor([[10, 20]]), nt.tensor([[0.5, 0]]))
    assert.equal(await mean.value(), 22 / 7.5)
    mean.update(nt.zeros([0]), 7)
    mean.update(nt.tensor([1, 3]).astype('bfloat16'), 0.25)
    assert.equal(await mean.value(), 23 / 8)
  })

  it('keeps what float32 would lose', async () => {
    // Each 0.1 is far below the last place of 1e7, and 2^24 + 1 is no float32.
    const mean = new metrics.Mean()
    mean.update(nt.tensor(1e7))
    for (let i = 0; i < 1000; i++) mean.update(nt.tensor(0.1))
    const wanted = (1e7 + 1000 * Math.fround(0.1)) / 1001
    assert.ok(Math.abs((await mean.value()) - wanted) < 1e-9 * wanted)
    const weights = new metrics.Mean()
    weights.update(nt.tensor(0), 2 ** 24)
    for (let i = 0; i < 3; i++) weights.update(nt.tensor(1))
    assert.equal(await weights.value(), 3 / (2 ** 24 + 3))
  })

  it('is NaN before the first value and with weights of 0, and tells of what is not finite', async () => {
    const mean = new metrics.Mean()
    assert.equal(await mean.value(), NaN)
    mean.update(nt.tensor(1), 0)
    assert.equal(await mean.value(), NaN)
    mean.update(nt.tensor(Infinity))
    mean.update(nt.tensor(1))
    assert.equal(await mean.value(), Infinity)
    mean.update(nt.tensor(NaN))
    assert.equal(await mean.value(), NaN)
    mean.reset()
    mean.update(nt.tensor(1))
    assert.equal(await mean.value(), 1)
  })

  it('takes a loss with history, in a compiled step too, and goes on from a state', async () => {
    const [model, mean] = [new nt.nn.Linear(1, { seed: 1 }), new metrics.Mean()]
    const optimizer = new nt.optim.SGD({ learningRate: 0 })
    model.build([2, 3])
    const step = nt.compile((x: nt.Tensor) => {
      const loss = model.forward(x).square().mean()
      mean.update(loss, 2)
      optimizer.minimize(loss, model)
      return loss
    })
    const x = nt.ones([2, 3])
    let loss = 0
    for (let i = 0; i < 4; i++) loss = await step(x).item()
    assert.ok(Math.abs((await mean.value()) - loss) < 1e-6)
    const half = new metrics.Mean()
    half.update(nt.tensor(3), 6)
    mean.loadState(half.state())
    half.reset()
    step(x)
    assert.ok(Math.abs((await mean.value()) - (18 + 2 * loss) / 8) < 1e-6)
  })

  const refused: [string, () => unknown, RegExp][] = [
    ['a number', () => new metrics.Mean().update(1 as never), /^Mean.update: expected a tensor, got 1/],
    ['integers', () => new metrics.Mean().update(ints(1)), /a floating dtype, got int32 \[1\]. Use astype/],
    [
      'a negative weight',
      () => new metrics.Mean().update(nt.tensor(1), -1),
      /a finite number of at least 0, or a tensor, got -1/
    ],
    ['an infinite weight', () => new metrics.Mean().update(nt.tensor(1), Infinity), /got Infinity/],
    ['a weight that is none', () => new metrics.Mean().update(nt.tensor(1), 'x' as never), /got 'x'/],
    [
      'weights of another shape',
      () => new metrics.Mean().update(nt.ones([2]), nt.ones([3])),
      /weights of the shape of the values, \[2\], got float32 \[3\]/
    ],
    [
      'another state',
      () => new metrics.Mean().loadState({ sums: nt.zeros([3]), errors: nt.zeros([2]) }),
      /'sums' as float32 \[2\]/
    ]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () =>
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }

  it('keeps memory flat', () => {
    const [mean, accuracy] = [new metrics.Mean(), new metrics.Accuracy()]
    const [loss, scores, labels] = [nt.tensor(1), nt.zeros([2, 2]), nt.tensor(new Uint8Array([0, 1]))]
    const before = nt.memory().tensors
    for (let i = 0; i < 10; i++) {
      mean.update(loss, 3)
      accuracy.update(scores, labels)
    }
    assert.ok(nt.memory().tensors <= before) // fewer: the collector may come meanwhile
  })
})
