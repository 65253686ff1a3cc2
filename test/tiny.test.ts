// The whole library in a few seconds: one thread through every layer.
import assert from 'node:assert/strict'
import * as nt from '../lib/index.js'

describe('tiny', () => {
  it('computes, broadcasts and reads', async () => {
    const a = nt.tensor([
      [1, 2],
      [3, 4]
    ])
    const row = nt.tensor([10, 20])
    assert.deepEqual(
      await a
        .matmul(nt.ones([2, 2]))
        .add(row)
        .array(),
      [
        [13, 23],
        [17, 27]
      ]
    )
    assert.deepEqual([...(await a.greater(2).data())], [0, 0, 1, 1])
    assert.equal(nt.tensor(3).square().itemSync(), 9)
  })

  it('differentiates, also gradients', () => {
    const cube = (x: nt.Tensor): nt.Tensor => x.mul(x).mul(x)
    assert.equal(nt.grad(cube)(nt.tensor(2)).itemSync(), 12)
    assert.equal(
      nt
        .grad((x: nt.Tensor) => nt.grad(cube)(x))(nt.tensor(2))
        .itemSync(),
      12
    )
  })

  it('reports a mistake where it is made', () => {
    assert.throws(
      () => nt.ones([2, 2]).matmul(nt.ones([3, 2])),
      /^Error: matmul: expected .+, got \[2, 2\] and \[3, 2\]\./
    )
  })

  it('replays a compiled function', () => {
    let runs = 0
    const f = nt.compile((x: nt.Tensor) => {
      runs++
      return x.mul(2).add(1).tanh()
    })
    const values = [1, 2, 3, 4].map((v) => f(nt.tensor([v])).dataSync()[0])
    assert.deepEqual(
      values,
      [3, 5, 7, 9].map((v) => Math.fround(Math.tanh(v)))
    )
    assert.equal(runs, 2)
  })

  it('frees what a scope made', () => {
    const before = nt.memory().tensors
    const kept = nt.tidy(() => nt.ones([4]).add(1).mul(2))
    assert.equal(nt.memory().tensors, before + 1)
    kept.dispose()
    assert.throws(() => kept.add(1), /add: expected a live tensor, got a disposed one/)
  })
})
