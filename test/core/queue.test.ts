import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { native } from '../../lib/native.js'
import { run } from '../support/child.js'

describe('the queue', () => {
  afterEach(() => native.hold(false))

  it('lets calls return and timers fire while it is held', async () => {
    const x = nt.tensor([1, 2, 3])
    x.dataSync()
    native.hold(true)
    const y = x.add(1).mul(2)
    const read = y.data()
    let settled = false
    void read.then(() => (settled = true))
    let fired = 0
    for (let i = 0; i < 3; i++) {
      await new Promise((done) => setTimeout(done, 1))
      fired++
    }
    assert.equal(fired, 3)
    assert(native.pending() > 0)
    assert.equal(settled, false)
    native.hold(false)
    assert.deepEqual([...(await read)], [4, 6, 8])
  })

  it('runs in order', async () => {
    let x = nt.tensor([0])
    for (let i = 1; i <= 2000; i++) x = i % 2 ? x.add(i) : x.mul(0.5)
    let want = 0
    for (let i = 1; i <= 2000; i++) want = Math.fround(i % 2 ? want + i : want * 0.5)
    assert.equal((await x.data())[0], want)
  })

  it('works off more than it holds', () => {
    const one = nt.tensor([1])
    let sum = nt.tensor([0])
    for (let i = 0; i < 20_000; i++) sum = sum.add(one)
    assert.equal(sum.dataSync()[0], 20_000)
  })

  it('runs large work that is not waited for, also after some that was', async () => {
    const ones = nt.ones([300, 300])
    const product = () => ones.matmul(ones)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) assert.equal(product().dataSync()[0], 300)
      const [one, two] = [product(), product()]
      while (native.pending() > 0) await new Promise((done) => setImmediate(done))
      assert.deepEqual([one.dataSync()[1], two.dataSync()[2]], [300, 300])
      let last = product()
      for (let i = 0; i < 4; i++) {
        last = product()
        assert.equal(last.dataSync()[0], 300)
      }
      assert.equal((await last.data())[3], 300)
      for (let i = 0; i < 4; i++) assert.equal(product().dataSync()[0], 300)
      assert.equal((await product().data())[3], 300)
    }
  })

  it('copies what it is given: a change of the array afterwards is not seen', async () => {
    const values = new Float32Array(1000).fill(1)
    native.hold(true)
    const x = nt.tensor(values)
    const y = x.add(1)
    values.fill(7)
    native.hold(false)
    assert((await y.data()).every((value) => value === 2))
  })

  it('gives many pending reads their own values', async () => {
    native.hold(true)
    const reads = Array.from({ length: 50 }, (_, i) => nt.tensor([i]).add(0.5).data())
    native.hold(false)
    assert.deepEqual(
      (await Promise.all(reads)).map((values) => values[0]),
      Array.from({ length: 50 }, (_, i) => i + 0.5)
    )
  })

  it('gives large reads their values at the time of the call, whether they wait or not', async () => {
    const x = nt.ones([300_000])
    nt.synchronizeSync()
    const before = x.data()
    nt.assign(x, 2)
    native.hold(true)
    const after = x.data()
    nt.assign(x, 3)
    native.hold(false)
    for (const [read, value] of [
      [before, 1],
      [after, 2],
      [x.data(), 3]
    ] as const) {
      const values = await read
      assert.equal(values.length, 300_000)
      assert(values.every((one) => one === value))
    }
  })

  const labels = (...values: number[]) => nt.tensor(Int32Array.from(values))
  const failure = /^(Error: )?softmaxCrossEntropy: expected labels in \[0, 3\), got 7/

  it('a failure surfaces at the next wait with the op that failed, and leaves unrelated tensors alone', async () => {
    const logits = nt.zeros([2, 3])
    const bad = nt.crossEntropy(logits, labels(0, 7), { reduction: 'none' })
    const spoilt = bad.add(1).sum()
    const fine = logits.add(2)
    await assert.rejects(spoilt.data(), (error: Error) => failure.test(error.message))
    assert.throws(() => bad.dataSync(), failure)
    assert((await fine.data()).every((value) => value === 2))
    assert.equal(nt.crossEntropy(logits, labels(0, 2)).dataSync()[0], Math.fround(Math.log(3)))
  })

  it('an empty tensor in the memory of a failed result is sound', () => {
    const wrong = nt.zeros([2]).gather(nt.tensor(new Int32Array([2])))
    assert.throws(() => wrong.dataSync(), /gather/)
    wrong.dispose()
    const empty = Array.from({ length: 100 }, () => nt.zeros([0]))
    for (const one of empty) assert.equal(one.dataSync().length, 0)
  })

  it('a failure inside a compiled function names its op, and the next call works', async () => {
    const loss = nt.compile((x: nt.Tensor, y: nt.Tensor<'int32'>) => nt.crossEntropy(x.mul(2), y))
    const logits = nt.zeros([1, 3])
    for (let i = 0; i < 3; i++) assert.equal(loss(logits, labels(i)).dataSync()[0], Math.fround(Math.log(3)))
    await assert.rejects(async () => loss(logits, labels(7)).data(), failure)
    assert.equal(loss(logits, labels(1)).dataSync()[0], Math.fround(Math.log(3)))
  })

  it('argument errors come at the call, with the stack of the caller', () => {
    function here() {
      nt.matmul(nt.ones([2, 2]), nt.ones([3, 2]))
    }
    assert.throws(here, (error: Error) => {
      assert.match(error.message, /^matmul: expected .+, got .*\[2, 2\] and .*\[3, 2\]\. /)
      assert.match(error.stack!, /at here .*queue\.test\.ts/)
      return true
    })
  })

  it('a promise from a read keeps the process alive, a pending op does not', async () => {
    const waits = await run(
      `void nt.ones([300, 300]).matmul(nt.ones([300, 300])).sum().data().then((v) => console.log(v[0]))`
    )
    assert.deepEqual([waits.code, waits.output], [0, String(300 ** 3)])
    const leaves = await run(`nt.ones([300, 300]).matmul(nt.ones([300, 300])); console.log('end')`)
    assert.deepEqual([leaves.code, leaves.output], [0, 'end'])
  })
})
