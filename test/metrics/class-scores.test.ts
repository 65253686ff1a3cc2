// ClassScores: each class against the rest, averages, and confidence.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { metrics } from '../../lib/index.js'
import { golden, ints, parts, same, type ClassCase } from './support.js'
import { onEachDevice } from '../support/devices.js'

function filled(scores: number[][], labels: number[], classes = scores[0]!.length): metrics.ClassScores {
  const made = new metrics.ClassScores(classes)
  for (const [first, last] of parts(labels.length))
    made.update(nt.tensor(scores.slice(first, last), [last - first, classes]), ints(...labels.slice(first, last)))
  return made
}

onEachDevice('ClassScores', () => {
  for (const [name, wanted] of golden<ClassCase>('several')) {
    it(`is scikit-learn's: ${name}`, async () => {
      const scores = filled(wanted.scores, wanted.labels)
      assert.equal(scores.size, wanted.labels.length)
      for (const average of ['macro', 'micro', 'weighted'] as const) {
        same(await scores.averagePrecision({ average }), wanted.averagePrecision[average], `${average} precision`)
        same(await scores.rocAuc({ average }), wanted.rocAuc[average], `${average} AUC`)
      }
      same(await scores.averagePrecision(), wanted.averagePrecision.macro, 'average precision')
      // How many of the answers are right.
      const { truePositives } = await (await scores.confidence()).at(0)
      same(truePositives / scores.size, wanted.accuracy, 'accuracy')
    })
  }

  it('gives the scores of one class, as they are now', async () => {
    const scores = filled(
      [
        [0.5, 0.25, 0.25],
        [0.125, 0.75, 0.125],
        [0, 0.5, 0.5]
      ],
      [0, 1, 2]
    )
    const second = await scores.of(1)
    scores.update(nt.tensor([[0, 1, 0]]), ints(1))
    assert.deepEqual([second.size, (await scores.of('1')).size], [3, 4])
    assert.deepEqual(await second.recallAt({ precision: 1 }), { precision: 1, recall: 1, threshold: 0.75 })
    const { bins } = await (await scores.confidence()).calibration({ bins: 2 })
    assert.deepEqual(
      bins.map(({ count, positiveShare }) => [count, positiveShare]),
      [
        [2, 0.5],
        [2, 1]
      ]
    )
  })

  it('has values before it has examples, and after a reset', async () => {
    const scores = filled([[0.5, 0.5]], [1])
    scores.reset()
    scores.update(nt.zeros([0, 2]), ints())
    assert.deepEqual([await scores.averagePrecision(), await scores.rocAuc(), scores.size], [NaN, NaN, 0])
    assert.deepEqual([(await scores.of(0)).size, (await scores.confidence()).size], [0, 0])
  })

  it('goes on from a state', async () => {
    const from = filled([[0.5, 0.5]], [1])
    const to = filled([[1, 0]], [1])
    to.loadState(from.state())
    to.loadState(to.state())
    from.reset()
    assert.equal(to.size, 1)
    assert.deepEqual((await (await to.of(1)).roc()).thresholds, new Float64Array([Infinity, 0.5]))
    to.loadState(from.state())
    assert.equal(to.size, 0)
  })

  it('keeps memory flat when read', async () => {
    const scores = filled([[0.5, 0.5]], [1])
    await scores.rocAuc({ average: 'weighted' })
    const before = nt.memory().tensors
    for (let i = 0; i < 5; i++) {
      await scores.rocAuc()
      await scores.averagePrecision({ average: 'micro' })
    }
    assert.ok(nt.memory().tensors <= before) // fewer: the collector may come meanwhile
  })

  const two = (): metrics.ClassScores => new metrics.ClassScores(['a', 'b'])
  const refused: [string, () => unknown, RegExp][] = [
    ['no classes', () => new metrics.ClassScores(0), /^ClassScores: expected the names of the classes/],
    [
      'other classes',
      () => two().update(nt.zeros([1, 3]), ints(1)),
      /^ClassScores.update: expected scores \[n, 2\] of a floating dtype, got float32 \[1, 3\]/
    ],
    [
      'more labels',
      () => two().update(nt.zeros([1, 2]), ints(1, 1)),
      /labels \[1\], one for each row, got int32 \[2\]/
    ],
    ['labels that are no integers', () => two().update(nt.zeros([1, 2]), nt.zeros([1])), /labels of int32, int64/],
    [
      'the state of others',
      () => two().loadState(filled([[0.5, 0.5, 0]], [1]).state()),
      /'scores' as float32 \[n, 2\], got float32 \[1, 3\]/
    ]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () =>
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }
  const failing: [string, () => Promise<unknown>, RegExp][] = [
    ['a class that is none', () => two().of('c'), /a class of a, b, got 'c'/],
    ['labels that are no classes', () => filled([[0, 1]], [2]).rocAuc(), /labels in \[0, 2\), got others for 1 of 1/],
    ['NaN', () => filled([[NaN, 1]], [1]).rocAuc(), /scores that are numbers, got NaN for 1 of 1/],
    ['another average', () => two().rocAuc({ average: 'mean' as never }), /an average of 'macro'/]
  ]
  for (const [name, call, message] of failing) {
    it(`refuses ${name}`, () =>
      assert.rejects(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }
})
