// Scores: curves, areas, operating points and calibration beside scikit-learn's.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { metrics } from '../../lib/index.js'
import { golden, ints, parts, same, type BinaryCase } from './support.js'
import { onEachDevice } from '../support/devices.js'

function scoresOf(scores: readonly number[], labels: readonly number[]): metrics.Scores {
  const made = new metrics.Scores()
  for (const [first, last] of parts(scores.length))
    made.update(nt.tensor(scores.slice(first, last)), ints(...labels.slice(first, last)))
  return made
}

onEachDevice('Scores', () => {
  for (const [name, wanted] of golden<BinaryCase>('binary')) {
    it(`is scikit-learn's: ${name}`, async () => {
      const scores = scoresOf(wanted.scores, wanted.labels)
      assert.equal(scores.size, wanted.scores.length)
      const curve = await scores.precisionRecall()
      for (const key of ['precision', 'recall', 'thresholds'] as const)
        same(curve[key], wanted.precisionRecall[key], key)
      const roc = await scores.roc()
      assert.equal(roc.thresholds[0], Infinity)
      same(roc.thresholds.subarray(1), wanted.roc.thresholds, 'thresholds')
      for (const key of ['falsePositiveRate', 'truePositiveRate'] as const) same(roc[key], wanted.roc[key], key)
      same(await scores.averagePrecision(), wanted.averagePrecision, 'average precision')
      same(curve.area, wanted.averagePrecision, 'area of precision and recall')
      same(await scores.rocAuc(), wanted.rocAuc, 'ROC AUC')
      same(roc.area, wanted.rocAuc, 'area of ROC')
      for (const [precision, recall] of Object.entries(wanted.recallAt)) {
        const point = await scores.recallAt({ precision: Number(precision) })
        same(point.recall, recall, `recall at precision ${precision}`)
        // The threshold gives what the point says.
        const there = await scores.at(point.threshold)
        same(there.recall, point.recall, 'recall there')
        if (point.threshold < Infinity) same(there.precision, point.precision, 'precision there')
      }
      for (const [recall, precision] of Object.entries(wanted.precisionAt)) {
        const point = await scores.precisionAt({ recall: Number(recall) })
        same(point.precision, precision, `precision at recall ${recall}`)
        same((await scores.at(point.threshold)).precision, precision, 'precision there')
      }
      for (const counts of wanted.at) assert.deepEqual(await scores.at(counts.threshold), counts)
      for (const { bins, counts, share, mean, ...errors } of wanted.calibration) {
        const calibration = await scores.calibration({ bins })
        assert.deepEqual(
          calibration.bins.map(({ count }) => count),
          counts
        )
        const filled = calibration.bins.filter(({ count }) => count > 0)
        same(
          filled.map(({ positiveShare }) => positiveShare),
          share,
          'share of positives'
        )
        same(
          filled.map(({ meanProbability }) => meanProbability),
          mean,
          'mean probability'
        )
        same(calibration.expectedError, errors.expectedError, 'expected error')
        same(calibration.maximumError, errors.maximumError, 'maximum error')
        same(calibration.brier, wanted.brier, 'Brier score')
      }
    })
  }

  it('has values before it has examples', async () => {
    const scores = scoresOf([], [])
    scores.update(nt.zeros([0]), ints())
    assert.equal(scores.size, 0)
    assert.ok(Number.isNaN(await scores.averagePrecision()))
    assert.ok(Number.isNaN(await scores.rocAuc()))
    assert.deepEqual((await scores.precisionRecall()).precision, new Float64Array([1]))
    assert.deepEqual((await scores.roc()).thresholds, new Float64Array([Infinity]))
    assert.deepEqual(await scores.recallAt({ precision: 0.5 }), { precision: 1, recall: 0, threshold: Infinity })
    assert.deepEqual(await scores.precisionAt({ recall: 0.5 }), { precision: 0, recall: 0, threshold: -Infinity })
    assert.ok(Number.isNaN((await scores.at(0.5)).accuracy))
    const { brier, expectedError, maximumError, bins } = await scores.calibration()
    assert.deepEqual([brier, expectedError, maximumError, bins.length], [NaN, NaN, NaN, 10])
  })

  it('takes scores and labels of many dtypes', async () => {
    const wanted = await scoresOf([0.5, 0.25, 1, 0], [1, 0, 1, 0]).precisionRecall()
    for (const scoreType of ['float32', 'bfloat16', 'float16'] as const) {
      for (const labelType of ['bool', 'uint8', 'int32', 'int64'] as const) {
        const scores = new metrics.Scores()
        scores.update(nt.tensor([0.5, 0.25, 1, 0]).astype(scoreType), nt.tensor([1, 0, 1, 0]).astype(labelType))
        assert.deepEqual(await scores.precisionRecall(), wanted)
      }
    }
  })

  it('holds 0 and -0, and nothing else, for one threshold', async () => {
    const scores = scoresOf([-0, 0, -1e-45, 1e-45, -Infinity, Infinity], [0, 1, 0, 1, 0, 1])
    const { thresholds } = await scores.roc()
    same(thresholds.subarray(2), [Math.fround(1e-45), 0, -Math.fround(1e-45), -Infinity], 'thresholds')
    assert.deepEqual([thresholds[0], thresholds[1]], [Infinity, Infinity])
  })

  it('rounds a threshold as the scores are', async () => {
    // 0.9 as float32 is less than 0.9.
    assert.equal((await scoresOf([0.9], [1]).at(0.9)).truePositives, 1)
  })

  it('keeps what it was given, whatever becomes of it', async () => {
    const [p, labels] = [nt.tensor([0.5, 1]), nt.tensor(new Uint8Array([0, 1]))]
    const scores = new metrics.Scores()
    nt.tidy(() => scores.update(p.mul(1), labels.mul(1)))
    scores.update(p, labels)
    nt.assign(p, -5)
    nt.assign(labels, 1)
    p.dispose()
    const { thresholds } = await scores.precisionRecall()
    assert.deepEqual(thresholds, new Float64Array([0.5, 1]))
    assert.equal((await scores.at(0)).truePositives, 2)
  })

  it('reads anew what came later, and forgets', async () => {
    const scores = scoresOf([0.5], [1])
    assert.equal((await scores.at(0)).truePositives, 1)
    scores.update(nt.tensor([0.5, 0.75]), ints(1, 0))
    assert.deepEqual((await scores.roc()).thresholds, new Float64Array([Infinity, 0.75, 0.5]))
    scores.reset()
    assert.equal(scores.size, 0)
    scores.update(nt.tensor([0.25]), ints(0))
    assert.deepEqual((await scores.precisionRecall()).thresholds, new Float64Array([0.25]))
  })

  it('goes on from a state', async () => {
    const [whole, part, rest] = [
      scoresOf([0.5, 0.25, 0.75, 0.5], [1, 0, 1, 0]),
      scoresOf([0.5, 0.25, 0.75], [1, 0, 1]),
      scoresOf([9, 9], [0, 0])
    ]
    rest.loadState(part.state())
    rest.loadState(rest.state())
    part.reset()
    rest.update(nt.tensor([0.5]), ints(0))
    assert.deepEqual(await rest.roc(), await whole.roc())
    rest.loadState(part.state())
    assert.equal(rest.size, 0)
  })

  it('counts exactly beyond what float32 can', async () => {
    // 2^24 + 3 examples: as float32 the last three would be lost.
    const n = 2 ** 24
    const scores = new metrics.Scores()
    scores.update(nt.full([n], 0.5), nt.ones([n], { dtype: 'bool' }))
    scores.update(nt.tensor([0.5, 0.5, 0.25]), ints(1, 0, 1))
    const { truePositives, falsePositives } = await scores.at(0.5)
    assert.deepEqual([truePositives, falsePositives], [n + 1, 1])
    assert.equal((await scores.at(0)).truePositives, n + 2)
    scores.reset()
  }).timeout(60_000)

  it('keeps memory flat when read', async () => {
    const scores = scoresOf([0.5, 0.25, 0.75, 0.5], [1, 0, 1, 0])
    await scores.roc()
    const before = nt.memory().tensors
    for (let i = 0; i < 5; i++) {
      scores.loadState(scores.state())
      await scores.roc()
    }
    assert.ok(nt.memory().tensors <= before) // fewer: the collector may come meanwhile
    scores.reset()
    assert.ok(nt.memory().tensors <= before - 2)
  })

  const refused: [string, () => unknown, RegExp][] = [
    [
      'scores of several classes',
      () => new metrics.Scores().update(nt.zeros([3, 2]), ints(1, 1, 1)),
      /^Scores.update: expected scores \[n\] of a floating dtype, got float32 \[3, 2\]/
    ],
    ['numbers of classes', () => new metrics.Scores().update(ints(1), ints(1)), /got int32 \[1\]/],
    [
      'fewer labels',
      () => new metrics.Scores().update(nt.zeros([3]), ints(1)),
      /expected labels \[3\] of bool, .* got int32 \[1\]/
    ],
    [
      'labels that are no integers',
      () => new metrics.Scores().update(nt.zeros([1]), nt.zeros([1])),
      /got float32 \[1\]/
    ],
    ['a number', () => new metrics.Scores().update(1 as never, ints(1)), /expected a tensor, got 1/],
    [
      'to grow in a recording',
      () => nt.compile((p: nt.Tensor) => new metrics.Scores().update(p, p.greater(0)))(nt.zeros([1])),
      /expected a call outside of a compiled function/
    ],
    [
      'half of a state',
      () => new metrics.Scores().loadState({ scores: nt.zeros([1]) }),
      /a tensor 'labels', got undefined/
    ],
    [
      'a state of two sizes',
      () => new metrics.Scores().loadState({ scores: nt.zeros([2]), labels: nt.zeros([1], { dtype: 'uint8' }) }),
      /'labels' as uint8 \[2\], got uint8 \[1\]/
    ]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () =>
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }

  const one = scoresOf([2], [1])
  const failing: [string, () => Promise<unknown>, RegExp][] = [
    [
      'NaN',
      () => scoresOf([0.5, NaN, NaN], [1, 0, 1]).rocAuc(),
      /^Scores: expected scores that are numbers, got NaN for 2 of 3/
    ],
    ['labels beyond 1', () => scoresOf([0.5, 1], [1, 2]).rocAuc(), /expected labels of 0 or 1, got others for 1 of 2/],
    ['labels below 0', () => scoresOf([0.5], [-1]).rocAuc(), /labels of 0 or 1/],
    ['labels that wrap', () => scoresOf([0.5], [256]).rocAuc(), /labels of 0 or 1/],
    ['calibration of what is no probability', () => one.calibration(), /probabilities in \[0, 1\], got one of 2/],
    ['no bins', () => one.calibration({ bins: 0 }), /a number of bins from 1/],
    [
      'no precision',
      () => one.recallAt({} as never),
      /^Scores.recallAt: expected \{ precision \} in \[0, 1\], got undefined/
    ],
    ['a recall beyond 1', () => one.precisionAt({ recall: 90 }), /\{ recall \} in \[0, 1\], got 90/],
    ['a threshold that is no number', () => one.at(NaN), /^Scores.at: expected a threshold/]
  ]
  for (const [name, call, message] of failing) {
    it(`refuses ${name}`, () =>
      assert.rejects(call, (error: Error) => message.test(error.message) || assert.fail(error.message)))
  }
})
