import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { run } from '../support/child.js'

const MB = 2 ** 20

describe('memory', () => {
  it('is flat in a synchronous loop of 10^7 small ops', async function () {
    this.timeout(300_000)
    const { code, output, errors } = await run(
      `
      const one = nt.tensor([1])
      const rss = () => process.memoryUsage().rss
      for (let i = 0; i < 1e5; i++) nt.add(one, one)
      const before = rss()
      let last = one
      let peak = 0
      for (let i = 0; i < 1e7; i++) {
        last = nt.add(one, one)
        if (i % 500000 === 0) peak = Math.max(peak, rss())
      }
      console.log(JSON.stringify({ grown: Math.max(peak, rss()) - before, bytes: nt.memory().bytes, last: last.dataSync()[0] }))`,
      { limit: 290_000 }
    )
    assert.equal(code, 0, errors)
    const { grown, bytes, last } = JSON.parse(output) as { grown: number; bytes: number; last: number }
    assert.equal(last, 2)
    assert(grown < 100 * MB, `${grown / MB} MB more`)
    assert(bytes < 50 * MB, `${bytes / MB} MB in tensors`)
  })

  it('is flat in a synchronous loop of 10^4 tensors of 1 MB', async () => {
    const { code, output, errors } = await run(`
      const big = nt.ones([512, 512])
      let last = big
      let peak = 0
      for (let i = 0; i < 1e4; i++) {
        last = nt.add(big, 1)
        if (i % 100 === 0) peak = Math.max(peak, process.memoryUsage().rss)
      }
      console.log(JSON.stringify({ peak, last: last.dataSync()[512 * 512 - 1] }))`)
    assert.equal(code, 0, errors)
    const { peak, last } = JSON.parse(output) as { peak: number; last: number }
    assert.equal(last, 2)
    assert(peak < 800 * MB, `${peak / MB} MB`)
  })

  it('past its limit is an exception, and work goes on', async () => {
    const { code, output, errors } = await run(`
      nt.setMemoryLimit(64 * 2 ** 20)
      const kept = []
      let message = ''
      try {
        for (;;) kept.push(nt.zeros([1024, 1024]))
      } catch (error) {
        message = error.message
      }
      const count = kept.length
      for (const tensor of kept) tensor.dispose()
      let sum = 0
      for (let i = 0; i < 100; i++) sum += nt.ones([1024, 1024]).sum().itemSync?.() ?? nt.ones([1024, 1024]).sum().dataSync()[0]
      console.log(JSON.stringify({ message, count, sum }))`)
    assert.equal(code, 0, errors)
    const { message, count, sum } = JSON.parse(output) as { message: string; count: number; sum: number }
    assert.match(
      message,
      /^(zeros|fill): expected 4194304 bytes of memory on cpu, got a limit of 67108864 with \d+ in use\. .*setMemoryLimit/
    )
    assert(count >= 14 && count <= 16, String(count))
    assert.equal(sum, 100 * 2 ** 20)
  })

  it('comes back from tensors nobody holds before an allocation fails', async () => {
    const { code, errors } = await run(
      `
      nt.setMemoryLimit(64 * 2 ** 20)
      for (let i = 0; i < 200; i++) {
        nt.zeros([1024, 1024])
        if (i % 8 === 7) globalThis.gc()
      }`,
      { flags: ['--expose-gc'] }
    )
    assert.equal(code, 0, errors)
  })

  it('counts tensors and bytes', () => {
    nt.tidy(() => {
      const before = nt.memory()
      const x = nt.zeros([256, 256])
      const during = nt.memory()
      assert.equal(during.tensors, before.tensors + 1)
      assert(during.bytes >= before.bytes + 256 * 256 * 4)
      assert(during.peakBytes >= during.bytes)
      assert.equal(during.device, 'cpu')
      x.dispose()
      assert.equal(nt.memory().tensors, before.tensors)
      return undefined
    })
  })
})

/** The number of tensors, when the garbage collector has found what earlier tests left. */
function settled(): number {
  globalThis.gc!()
  return nt.memory().tensors
}

describe('tidy', () => {
  it('frees what is made in it, except what it returns', () => {
    const before = settled()
    const kept = nt.tidy(() => {
      const x = nt.tensor([1, 2, 3])
      return { sum: x.mul(2).add(1).sum(), list: [x] }
    })
    assert.equal(nt.memory().tensors, before + 2)
    assert.equal(kept.sum.dataSync()[0], 15)
    assert.deepEqual([...kept.list[0]!.dataSync()], [1, 2, 3])
    kept.sum.dispose()
    kept.list[0]!.dispose()
  })
  it('frees what is made in it when it throws', () => {
    const before = settled()
    assert.throws(
      () =>
        nt.tidy(() => {
          nt.zeros([2]).add(1)
          throw new Error('mine')
        }),
      /^Error: mine$/
    )
    assert.equal(nt.memory().tensors, before)
  })
  it('refuses an async function', () => {
    assert.throws(
      () => nt.tidy((async () => nt.zeros([1])) as never),
      /^Error: tidy: expected a function that returns its result, got an async one/
    )
  })
  it('nests', () => {
    const before = settled()
    const result = nt.tidy(() => {
      const inner = nt.tidy(() => nt.tensor([2]).square())
      return inner.add(1)
    })
    assert.equal(nt.memory().tensors, before + 1)
    assert.equal(result.dataSync()[0], 5)
    result.dispose()
  })
})

describe('dispose', () => {
  it('frees at the end of a using block', () => {
    const before = settled()
    {
      using big = nt.zeros([64, 64])
      assert.equal(big.sum().dataSync()[0], 0)
      assert(nt.memory().tensors > before)
    }
    const after = nt.tidy(() => nt.memory().tensors)
    assert(after <= before + 1)
  })
  it('makes every later use an error that says so', async () => {
    const x = nt.tensor([1, 2])
    x.dispose()
    for (const use of [
      () => x.add(1),
      () => nt.relu(x),
      () => x.dataSync(),
      () => x.shape,
      () => nt.add(nt.ones([2]), x)
    ])
      assert.throws(use, /: expected a live tensor, got a disposed one\. /)
    await assert.rejects(async () => x.data(), /: expected a live tensor, got a disposed one\. /)
    assert.doesNotThrow(() => x.dispose())
  })
  it('leaves results that were made from it', () => {
    const x = nt.tensor([1, 2])
    const y = x.add(1)
    const view = x.reshape([2, 1])
    x.dispose()
    assert.deepEqual([...y.dataSync()], [2, 3])
    assert.deepEqual([...view.dataSync()], [1, 2])
  })
  it('leaves gradients right', async () => {
    const slope = nt.grad((x: nt.Tensor) => {
      const y = x.square()
      const z = y.mul(3)
      y.dispose()
      return z.sum()
    })
    assert.deepEqual([...(await slope(nt.tensor([1, 2])).data())], [6, 12])
  })
})
