// A device with streams of its own, as a GPU is: what is enqueued runs later, on another thread. Here it is the stand-in for
// the CUDA runtime (native/cuda/emulation), which can be told to fail.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { native } from '../../lib/native.js'
import { call, wrap } from '../../lib/tensor.js'
import { run, type Outcome } from '../support/child.js'

/** A script on the device whose runtime fails as told: <function>:<number of the call>:<error>. */
const failing = (fail: string, source: string): Promise<Outcome> =>
  run(source, { device: 'emulated', env: { NEEDLETAIL_EMULATED_FAIL: fail } })
/** Reports what a piece of code throws. */
const caught = (code: string) => `await (async () => { ${code} })().catch((error) => console.log(error.message))\n`
const [OUT_OF_MEMORY, LAUNCH, ILLEGAL_ADDRESS] = [2, 9, 700]

describe('a stream', () => {
  before(() => void nt.device('emulated'))
  after(() => void nt.device('cpu'))

  it('runs in order, however far the host is ahead', async () => {
    let x = nt.tensor([0])
    for (let i = 1; i <= 3000; i++) x = i % 2 ? x.add(i) : x.mul(0.5)
    let want = 0
    for (let i = 1; i <= 3000; i++) want = Math.fround(i % 2 ? want + i : want * 0.5)
    assert.equal((await x.data())[0], want)
    assert.equal(x.itemSync(), want)
  })

  it('copies what it is given and gives what was there at the time of the call', async () => {
    const values = new Float32Array(5_000_000).fill(1) // 20 MB: more than one block of host memory
    const x = nt.tensor(values)
    values.fill(7)
    const before = x.data()
    nt.assign(x, 2)
    const after = x.data()
    nt.assign(x, 3)
    assert((await before).every((value) => value === 1))
    assert((await after).every((value) => value === 2))
    assert((await x.data()).every((value) => value === 3))
  })

  it('gives many pending reads their own values', async () => {
    const reads = Array.from({ length: 200 }, (_, i) => nt.tensor([i]).add(0.5).data())
    assert.deepEqual(
      (await Promise.all(reads)).map((values) => values[0]),
      Array.from({ length: 200 }, (_, i) => i + 0.5)
    )
  })

  it('lets timers fire while it works', async () => {
    const a = nt.ones([300, 300])
    let b = a
    for (let i = 0; i < 10; i++) b = nt.matmul(a, b).mul(1e-3)
    let settled = false
    const read = b.data().then(() => (settled = true))
    await new Promise((done) => setTimeout(done, 1))
    assert.equal(settled, false)
    await read
  })

  it('tells what a kernel found wrong with its values, once, at the next wait', async () => {
    const wrong = nt.zeros([2]).gather(nt.tensor(new Int32Array([2])))
    await assert.rejects(wrong.data(), /^Error: gather: expected indices in \[0, 2\), got 2/)
    const again = nt.zeros([2]).gather(nt.tensor(new Int32Array([-1])))
    assert.throws(() => again.dataSync(), /gather: expected indices in \[0, 2\), got -1/)
    nt.zeros([2]).gather(nt.tensor(new Int32Array([5])))
    assert.throws(() => nt.synchronizeSync(), /gather: .*got 5/)
    nt.synchronizeSync()
  })

  it('replays a step as one launch, with memory of its own', () => {
    const step = nt.compile((x: nt.Tensor) => nt.sort(x.mul(2)).values.cumsum()) // sorting has scratch memory
    for (let i = 0; i < 5; i++) {
      nt.sort(nt.ones([1000 * (i + 1)])) // which grows outside of it
      assert.deepEqual([...step(nt.tensor([3, 1, i])).dataSync()], cumulated([2, 6, 2 * i]))
    }
  })
})

function cumulated(values: number[]): number[] {
  let sum = 0
  return values.sort((a, b) => a - b).map((value) => (sum += value))
}

describe('copies between devices', () => {
  const to = (x: nt.Tensor, device: string): nt.Tensor => wrap(native.toDevice(x.handle, device))
  const devices = ['cpu', 'emulated', 'emulated:1']

  for (const from of devices) {
    for (const other of devices) {
      it(`from ${from} to ${other}, with their gradient`, () => {
        const x = to(nt.tensor([1, 2, 3]), from)
        const gradient = nt.grad((x: nt.Tensor) => {
          const y = to(x.mul(2), other)
          assert.equal(native.deviceOf(y.handle), other)
          return y.mul(y).sum()
        })(x)
        assert.equal(native.deviceOf(gradient.handle), from)
        assert.deepEqual([...gradient.dataSync()], [8, 16, 24])
      })
    }
  }
  it('are refused inside a compiled function', () => {
    const f = nt.compile((x: nt.Tensor) => to(x, 'emulated'))
    f(nt.ones([1]))
    assert.throws(() => f(nt.ones([1])), /to: expected no copy between devices inside a compiled function/)
  })
  it('must be asked for', () => {
    const there = to(nt.ones([1]), 'emulated')
    assert.throws(() => nt.ones([1]).add(there), /^Error: add: expected tensors on one device, got cpu and emulated/)
    const f = nt.compile((_: nt.Tensor) => call('copy', [there]).add(1).sum())
    f(nt.ones([1]))
    assert.throws(
      () => f(nt.ones([1])),
      /compile: expected arguments and operations on one device, got cpu and emulated/
    )
  })
  it('go to devices that are there', () => {
    for (const name of ['cuda:x', 'gpu', '', 'emulated:1:2', 'cpu:1']) {
      assert.throws(() => to(nt.ones([1]), name), /device: expected cpu or cuda:<number>, got '/, name)
    }
    assert.throws(() => to(nt.ones([1]), 'emulated:7'), /device: expected a GPU for emulated:7, got 2 of them/)
  })
})

describe('threads on one stream', () => {
  it('train side by side, each as if alone', async () => {
    const { code, output, errors } = await run(
      `const results = await Promise.all([start(), start(), start()].map(message))
       console.log(JSON.stringify(results))`,
      {
        worker: `
          nt.device('emulated')
          const w = nt.requireGradient(nt.random.uniform([16, 4], { seed: 1 }))
          const x = nt.random.uniform([8, 16], { seed: 2 })
          const optimizer = new nt.optim.SGD({ learningRate: 0.1 })
          const step = nt.compile((x) => {
            const loss = nt.sort(nt.matmul(x, w)).values.square().mean()
            optimizer.minimize(loss, [w])
            return loss
          })
          const losses = []
          for (let i = 0; i < 60; i++) losses.push(i % 7 ? await step(x).item() : step(x).itemSync())
          parentPort.postMessage(losses)`
      }
    )
    assert.equal(code, 0, errors)
    const [first, ...others] = JSON.parse(output) as number[][]
    assert(first!.length === 60 && first!.at(-1)! < first![0]! / 10)
    for (const other of others) assert.deepEqual(other, first)
  })
})

describe('a device that fails', () => {
  it('frees what is cached and tries again when memory is short', async () => {
    const { code, output, errors } = await failing(
      `cudaMalloc:3:${OUT_OF_MEMORY}`,
      `nt.ones([1 << 20]).dispose()
       console.log(nt.ones([1 << 21]).sum().itemSync(), nt.ones([1 << 22]).sum().itemSync())`
    )
    assert.deepEqual([code, output], [0, `${2 ** 21} ${2 ** 22}`], errors)
  })

  it('names op, size, use and what to try when there is none', async () => {
    const { output } = await failing(
      `cudaMalloc:3+:${OUT_OF_MEMORY}`,
      `const [x] = [nt.ones([1 << 20]), nt.ones([1])]
       ${caught(`nt.matmul(x.reshape([1024, 1024]), nt.ones([1024, 1 << 16]))`)}
       ${caught(`x.add(nt.ones([1 << 22]))`)}
       console.log(x.sum().itemSync())`
    )
    const lines = output.split('\n')
    assert.match(
      lines[0]!,
      /^(fill|ones|matmul): expected 268435456 bytes of memory on emulated, got \d+ in use, \d+ of 4294967296 free on the device\. Dispose of tensors, use a smaller batch/
    )
    assert.match(lines[1]!, /expected 16777216 bytes/)
    assert.equal(lines[2], String(2 ** 20))
  })

  it('says which op could not be launched, and goes on', async () => {
    const { output } = await failing(
      `launch:2:${LAUNCH}`,
      `const x = nt.ones([4])
       const y = x.exp()
       ${caught(`await y.add(1).data()`)}
       console.log(x.sum().itemSync())`
    )
    const [first, second] = output.split('\n')
    assert.match(first!, /^exp: expected a launch to succeed on the GPU, got .*\.$/)
    assert.equal(second, '4')
  })

  it('that is lost says so, names where, and says the same ever after', async () => {
    const { code, output, errors } = await failing(
      `kernel:3:${ILLEGAL_ADDRESS}`,
      `const x = nt.ones([4])
       const y = x.exp().log()
       ${caught(`await y.data()`)}
       ${caught(`y.dataSync()`)}
       ${caught(`await x.add(1).data()`)}
       ${caught(`nt.ones([1 << 20])`)}
       ${caught(`await nt.synchronize()`)}
       nt.device('cpu')
       console.log(nt.ones([3]).sum().itemSync())`
    )
    const lines = output.split('\n')
    const lost = /cudaErrorIllegalAddress .*The GPU is lost to this process: start it anew\./
    assert.equal(code, 0, errors)
    assert.match(lines[0]!, /^log, or an op before it: expected .+ to succeed on the GPU, got /)
    for (const line of lines.slice(0, -1)) assert.match(line, lost)
    assert.equal(lines.length, 6)
    assert.equal(lines.at(-1), '3')
  })

  for (const call of [
    'cudaGraphCreate',
    'cudaStreamBeginCaptureToGraph',
    'cudaStreamEndCapture',
    'cudaGraphInstantiate',
    'cudaGraphLaunch'
  ]) {
    it(`in ${call} spoils the step, and the next one works`, async () => {
      const { output } = await failing(
        `${call}:1:${LAUNCH}`,
        `const step = nt.compile((x) => x.mul(2).add(1))
         const x = nt.ones([2])
         step(x), step(x), step(x) // run, recorded, replayed call by call; then captured
         ${caught(`await step(x).data()`)}
         console.log([...step(x).dataSync()])`
      )
      const [first, second] = output.split('\n')
      assert.match(first!, /^(compile|mul|add): expected a (capture|launch) to succeed on the GPU/)
      assert.equal(second, '[ 3, 3 ]')
    })
  }

  for (const [call, at] of [
    ['cudaHostAlloc', 2],
    ['cudaMemcpyAsync', 1],
    ['cudaEventRecord', 3],
    ['cudaEventCreateWithFlags', 3]
  ] as const) {
    it(`in ${call} rejects what needed it`, async () => {
      const { code, output, errors } = await failing(
        `${call}:${at}:${OUT_OF_MEMORY}`,
        `let failed = 0
         const add = async (i) => nt.tensor([1, 2, i]).add(1).data()
         for (let i = 0; i < 4; i++) await add(i).catch(() => failed++)
         console.log(failed)`
      )
      assert.equal(code, 0, errors)
      assert.match(output, /^[01]$/)
    })
  }

  it('without a device says that there is none', async () => {
    const { output } = await run(`${caught(`nt.device('emulated')`)}console.log(native.devices().join())`, {
      env: { NEEDLETAIL_EMULATED_FAIL: 'cudaGetDeviceCount:1+:100' }
    })
    assert.match(output, /^device: expected a GPU for emulated, got no GPU with a driver\. See `needletail doctor`\.\n/)
    assert.doesNotMatch(output.split('\n')[1]!, /emulated/)
  })
})
