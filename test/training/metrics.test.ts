// The confusion matrix and what is read from it.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { metrics } from '../../lib/index.js'

const ints = (...values: number[]): nt.Tensor<'int32'> => nt.tensor(new Int32Array(values))

describe('Confusion', () => {
  it('counts labels by row and predictions by column', async () => {
    const confusion = new metrics.Confusion(3)
    confusion.update(ints(0, 1, 2, 2), ints(0, 1, 1, 2))
    confusion.update(ints(2), ints(0))
    confusion.update(ints(), ints())
    assert.deepEqual(await confusion.matrix(), [
      [1, 0, 1],
      [0, 1, 1],
      [0, 0, 1]
    ])
    assert.equal(await confusion.accuracy(), 3 / 5)
    assert.equal(await confusion.precision(2), 1 / 3)
    assert.equal(await confusion.recall(2), 1)
    assert.equal(await confusion.f1(2), 0.5)
    // Of more than two classes, the mean over all.
    assert.equal(await confusion.precision(), (1 + 1 + 1 / 3) / 3)
    assert.equal(await confusion.recall(), (0.5 + 0.5 + 1) / 3)
    confusion.reset()
    assert.deepEqual((await confusion.matrix()).flat(), [0, 0, 0, 0, 0, 0, 0, 0, 0])
  })

  it('is about the second of two classes, or the positive one', async () => {
    const [plain, other] = [
      new metrics.Confusion(['other', 'bird']),
      new metrics.Confusion(['bird', 'other'], { positive: 'bird' })
    ]
    plain.update(ints(1, 1, 1, 0, 0), ints(1, 0, 1, 1, 0))
    other.update(ints(0, 0, 0, 1, 1), ints(0, 1, 0, 0, 1))
    for (const confusion of [plain, other]) {
      assert.equal(await confusion.precision(), 2 / 3)
      assert.equal(await confusion.recall(), 2 / 3)
      assert.equal(await confusion.f1(), 2 / 3)
      assert.equal(await confusion.recall('other'), 1 / 2)
    }
  })

  it('takes labels of any integer dtype', async () => {
    const confusion = new metrics.Confusion(2)
    confusion.update(ints(1, 0), nt.tensor(new Uint8Array([1, 1])))
    confusion.update(ints(1, 0), nt.tensor(new BigInt64Array([1n, 0n])))
    assert.deepEqual(await confusion.matrix(), [
      [1, 0],
      [1, 2]
    ])
  })

  it('counts nothing of a batch with a number that is no class', async () => {
    const confusion = new metrics.Confusion(2)
    confusion.update(ints(1), ints(0))
    confusion.update(ints(1, 1), ints(1, 2))
    assert.throws(() => nt.synchronizeSync(), /count: expected labels in \[0, 2\), got 2/)
    assert.deepEqual(await confusion.matrix(), [
      [0, 1],
      [0, 0]
    ])
  })

  it('has metrics before it has counts', async () => {
    const confusion = new metrics.Confusion(2)
    assert.ok(Number.isNaN(await confusion.accuracy()))
    assert.deepEqual([await confusion.precision(), await confusion.recall(), await confusion.f1()], [0, 0, 0])
  })

  it('can be updated in a compiled function', async () => {
    const confusion = new metrics.Confusion(2)
    const update = nt.compile((logits: nt.Tensor, labels: nt.Tensor<'int32'>) =>
      confusion.update(logits.argmax(1), labels)
    )
    for (let i = 0; i < 5; i++)
      update(
        nt.tensor([
          [0, 1],
          [1, 0]
        ]),
        ints(1, 1)
      )
    assert.deepEqual(await confusion.matrix(), [
      [0, 0],
      [5, 5]
    ])
  })

  it('prints a table', () => {
    const confusion = new metrics.Confusion(['other', 'bird'])
    confusion.update(
      ints(...Array<number>(90).fill(0), ...Array<number>(10).fill(1)),
      ints(...Array<number>(84).fill(0), ...Array<number>(16).fill(1))
    )
    assert.equal(
      String(confusion),
      [
        'rows: labels, columns: predictions, last corner: accuracy',
        '            other     bird   recall',
        'other          84        0  100.0 %',
        'bird            6       10   62.5 %',
        'precision  93.3 %  100.0 %   94.0 %'
      ].join('\n')
    )
  })

  it('keeps memory flat', () => {
    const confusion = new metrics.Confusion(2)
    const [predictions, labels] = [ints(1, 0), nt.tensor(new Uint8Array([1, 1]))]
    const before = nt.memory().tensors
    for (let i = 0; i < 10; i++) confusion.update(predictions, labels)
    confusion.reset()
    assert.equal(nt.memory().tensors, before)
  })

  const refused: [string, () => unknown, RegExp][] = [
    ['no classes', () => new metrics.Confusion([]), /^Confusion: expected the names of the classes/],
    ['half a class', () => new metrics.Confusion(1.5), /got 1.5/],
    [
      'a positive class that is none',
      () => new metrics.Confusion(['a', 'b'], { positive: 'c' }),
      /a class of a, b, got 'c'/
    ],
    [
      'scores as predictions',
      () => new metrics.Confusion(2).update(nt.zeros([3, 2]), ints(1, 1, 1)),
      /predictions int32 \[n\].*Use argmax/
    ],
    [
      'fewer labels',
      () => new metrics.Confusion(2).update(ints(1, 1), ints(1)),
      /as many labels as predictions, got \[1\] and \[2\]/
    ],
    [
      'a number',
      () => new metrics.Confusion(2).update(1 as never, ints(1)),
      /^Confusion.update: expected a tensor, got 1/
    ]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
  it('refuses a class that is none', async () => {
    await assert.rejects(new metrics.Confusion(['a', 'b']).recall('z'), /expected a class of a, b, got 'z'/)
    await assert.rejects(new metrics.Confusion(['a', 'b']).precision(2), /expected a class of a, b, got 2/)
  })
})
