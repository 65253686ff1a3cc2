// The confusion matrix and what is read from it.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { metrics } from '../../lib/index.js'
import { golden, ints, parts, same, type ClassCase } from './support.js'
import { onEachDevice } from '../support/devices.js'

const averages = ['macro', 'micro', 'weighted'] as const
const figures = ['precision', 'recall', 'f1'] as const

onEachDevice('Confusion', () => {
  for (const [name, wanted] of golden<ClassCase>('several')) {
    it(`is scikit-learn's: ${name}`, async () => {
      const confusion = new metrics.Confusion(wanted.matrix.length)
      for (const [first, last] of parts(wanted.labels.length)) {
        const scores = nt.tensor(wanted.scores.slice(first, last), [last - first, wanted.matrix.length])
        confusion.update(first === last ? ints() : scores.argmax(1), ints(...wanted.labels.slice(first, last)))
      }
      assert.deepEqual(await confusion.matrix(), wanted.matrix)
      same(await confusion.accuracy(), wanted.accuracy, 'accuracy')
      const report = await confusion.report()
      same(report.accuracy, wanted.accuracy, 'accuracy')
      for (const [i, figure] of figures.entries()) {
        for (const [c, row] of wanted.classes.entries()) {
          same(await confusion[figure](c), row[i]!, `${figure} of class ${c}`)
          same(report.classes[c]![figure], row[i]!, `${figure} of class ${c} in the report`)
        }
        for (const average of averages) {
          same(await confusion[figure]({ average }), wanted.averages[average][i]!, `${average} ${figure}`)
          same(report[average][figure], wanted.averages[average][i]!, `${average} ${figure} in the report`)
        }
      }
      assert.deepEqual(
        report.classes.map(({ support }) => support),
        wanted.classes.map((row) => row[3])
      )
    })
  }

  it('averages over two classes where asked, also beside a positive one', async () => {
    const confusion = new metrics.Confusion(['other', 'bird'])
    confusion.update(ints(1, 1, 1, 0, 0), ints(1, 0, 1, 1, 0))
    assert.equal(await confusion.recall(), 2 / 3)
    assert.equal(await confusion.recall({ average: 'macro' }), (2 / 3 + 1 / 2) / 2)
    assert.equal(await confusion.recall({ average: 'micro' }), 3 / 5)
    same(await confusion.recall({ average: 'weighted' }), 3 / 5, 'weighted recall')
  })

  it('prints a report', async () => {
    const confusion = new metrics.Confusion(['other', 'bird'])
    confusion.update(ints(1, 1, 1, 0, 0), ints(1, 0, 1, 1, 0))
    assert.equal(
      String(await confusion.report()),
      [
        '                  precision  recall      f1  examples',
        'other                0.5000  0.5000  0.5000         2',
        'bird                 0.6667  0.6667  0.6667         3',
        'macro average        0.5833  0.5833  0.5833         5',
        'weighted average     0.6000  0.6000  0.6000         5',
        'accuracy                             0.6000         5'
      ].join('\n')
    )
  })

  it('goes on from a state, also where a compiled function counts', async () => {
    const [from, to] = [new metrics.Confusion(2), new metrics.Confusion(2)]
    const update = nt.compile((predictions: nt.Tensor<'int32'>, labels: nt.Tensor<'int32'>) =>
      to.update(predictions, labels)
    )
    for (let i = 0; i < 3; i++) update(ints(1), ints(0))
    from.update(ints(1, 0), ints(1, 0))
    to.loadState(from.state())
    from.reset()
    update(ints(1), ints(0))
    assert.deepEqual(await to.matrix(), [
      [1, 1],
      [0, 1]
    ])
  })

  it('counts beyond what float32 can', async () => {
    const confusion = new metrics.Confusion(2)
    confusion.loadState({ counts: nt.full([2, 2], 2 ** 24, { dtype: 'int32' }) })
    confusion.update(ints(1, 1, 1), ints(1, 1, 1))
    assert.equal((await confusion.matrix())[1]![1], 2 ** 24 + 3)
  })

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
    confusion.update(nt.tensor([1, 0]).greater(0.5), nt.tensor([true, false]))
    assert.deepEqual(await confusion.matrix(), [
      [2, 0],
      [1, 3]
    ])
    // A number that would wrap to a class.
    confusion.update(ints(0), nt.tensor([2n ** 32n]))
    assert.throws(() => nt.synchronizeSync(), /count: expected labels in \[0, 2\)/)
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
      /predictions of int32, .* got float32 \[3, 2\]. Use argmax/
    ],
    [
      'fewer labels',
      () => new metrics.Confusion(2).update(ints(1, 1), ints(1)),
      /as many labels as predictions, got \[1\] and \[2\]/
    ],
    [
      'the state of another matrix',
      () => new metrics.Confusion(2).loadState(new metrics.Confusion(3).state()),
      /^Confusion.loadState: expected 'counts' as int32 \[2, 2\], got int32 \[3, 3\]/
    ],
    ['no state', () => new metrics.Confusion(2).loadState(undefined as never), /an object of tensors, got undefined/],
    ['an empty state', () => new metrics.Confusion(2).loadState({}), /a tensor 'counts', got undefined/],
    [
      'more than its state',
      () => new metrics.Confusion(2).loadState({ ...new metrics.Confusion(2).state(), more: ints(1) }),
      /no more than 'counts', got 'more' as well/
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
    await assert.rejects(
      new metrics.Confusion(2).f1({ average: 'mean' as never }),
      /expected an average of 'macro', 'micro', 'weighted', got 'mean'/
    )
    await assert.rejects(new metrics.Confusion(2).f1(null as never), /expected an average/)
  })
})
