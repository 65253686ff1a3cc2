// The end of a process and of a worker in mid-step: neither a crash nor a hang.
import assert from 'node:assert/strict'
import { run, run as runChild } from '../support/child.js'

// Half a second of work in the queue, of which this thread has waited for nothing.
const busy = `
  const a = nt.ones([700, 700])
  let b = a
  for (let i = 0; i < 20; i++) b = nt.matmul(a, b).mul(1e-3)
`

// A worker that never stops by itself; what it leaves in the queue takes a second or two.
const endless = `
  const a = nt.ones([128, 128])
  let b = nt.matmul(a, a)
  void b.data()
  parentPort.postMessage('busy')
  for (;;) b = nt.matmul(a, b).mul(1e-3)
`

for (const device of ['cpu', 'emulated'])
  describe(`the end of a process in mid-step, on ${device}`, () => {
    const run = (source: string) => runChild(source, { device })
    it('process.exit() ends with its code', async () => {
      const { code, signal, errors } = await run(`${busy}process.exit(7)`)
      assert.deepEqual([code, signal, errors], [7, null, ''])
    })
    it('process.exit() while a read is pending ends with its code', async () => {
      const { code, signal } = await run(`${busy}void b.data(); setTimeout(() => process.exit(8), 20)`)
      assert.deepEqual([code, signal], [8, null])
    })
    it('an uncaught error ends with code 1 and its text', async () => {
      const { code, signal, errors } = await run(`${busy}throw new Error('mine')`)
      assert.deepEqual([code, signal], [1, null])
      assert.match(errors, /Error: mine/)
    })
    it('an unhandled rejection of a read ends with code 1 and the text of the op', async () => {
      const { code, signal, errors } = await run(
        `void nt.crossEntropy(nt.ones([1, 3]), nt.tensor(Int32Array.from([5]))).data()`
      )
      assert.deepEqual([code, signal], [1, null])
      assert.match(errors, /softmaxCrossEntropy: expected labels/)
    })
    it('the end of the script leaves work behind', async () => {
      const { code, signal, errors } = await run(busy)
      assert.deepEqual([code, signal, errors], [0, null, ''])
    })
    it('the end of the script, in the middle of convolutions', async () => {
      // What oneDNN computes with must outlive what is computed: each of the many is another chance to see that it doesn't.
      const { code, signal, errors } = await run(`
      const [x, weights] = [nt.ones([1, 32, 32, 32]), nt.ones([32, 1, 1, 32])]
      for (let i = 0; i < 2000; i++) nt.conv2d(x, weights)`)
      assert.deepEqual([code, signal, errors], [0, null, ''])
    })
    it('an end in the middle of compiled steps', async () => {
      const { code, signal } = await run(`
      const step = nt.compile((x) => { let y = x; for (let i = 0; i < 20; i++) y = nt.matmul(x, y).mul(1e-3); return y })
      const x = nt.ones([500, 500])
      for (let i = 0; i < 10; i++) step(x)
      process.exit(9)`)
      assert.deepEqual([code, signal], [9, null])
    })
  })

describe('worker threads', () => {
  it('load the library in several, each with its own tensors', async () => {
    const { code, output, errors } = await run(
      `const results = await Promise.all([start(), start(), start()].map(message))
       console.log(JSON.stringify([...results, [...await nt.tensor([4]).add(1).data()]]))`,
      {
        worker: `
          const x = nt.tensor([1, 2, 3])
          let y = x
          for (let i = 0; i < 1000; i++) y = y.add(x)
          parentPort.postMessage([...await y.data()])`
      }
    )
    assert.equal(code, 0, errors)
    assert.deepEqual(JSON.parse(output), [[1001, 2002, 3003], [1001, 2002, 3003], [1001, 2002, 3003], [5]])
  })
  it("refuse each other's tensors", async () => {
    const { code, output, errors } = await run(
      `const thread = start()
       const sent = await message(thread)
       const forged = Object.assign(Object.create(nt.Tensor.prototype), sent)
       const mine = nt.tensor([7, 8, 9])
       const messages = []
       for (const stranger of [sent, forged])
         for (const use of [() => nt.add(stranger, mine), () => nt.add(mine, stranger), () => nt.relu(stranger), () => nt.concat([mine, stranger])])
           try { console.error('passed', [...use().dataSync()]) } catch (error) { messages.push(error.message) }
       try { forged.dataSync() } catch (error) { messages.push(error.message) }
       thread.postMessage('end')
       console.log(JSON.stringify(messages))`,
      {
        worker: `
          const x = nt.tensor([1, 2, 3])
          parentPort.postMessage({ ...x })
          parentPort.once('message', () => process.exit(0))`
      }
    )
    assert.equal(code, 0, errors)
    const messages = JSON.parse(output) as string[]
    assert.equal(messages.length, 9, errors)
    for (const message of messages.slice(0, 8)) assert.match(message, /: expected .*tensor.*, got .+\./)
  })
  it('can be terminated in mid-step', async () => {
    const { code, signal, output, errors } = await run(
      `for (let i = 0; i < 3; i++) {
         const thread = start()
         await message(thread)
         await thread.terminate()
       }
       console.log([...await nt.tensor([1]).add(1).data()][0])`,
      { worker: endless }
    )
    assert.deepEqual([code, signal, output], [0, null, '2'], errors)
  })
  it('can be terminated while much is being read', async () => {
    const { code, signal, output, errors } = await run(
      `for (let i = 0; i < 3; i++) {
         const thread = start()
         await message(thread)
         await thread.terminate()
       }
       console.log([...await nt.tensor([1]).add(1).data()][0])`,
      {
        worker: `
          const x = nt.ones([4_000_000])
          let reads = Array.from({ length: 4 }, () => x.data())
          await reads[0]
          parentPort.postMessage('reading')
          for (;;) reads = [...reads.slice(1), x.data()], await reads[0]`
      }
    )
    assert.deepEqual([code, signal, output], [0, null, '2'], errors)
  })
  for (const end of ["throw new Error('mine')", 'process.exit(3)'])
    it(`can end by ${end} in mid-step`, async () => {
      const { code, signal, output, errors } = await run(
        `const thread = start()
         thread.on('error', () => {})
         const exit = await new Promise((done) => thread.on('exit', done))
         console.log(exit, [...await nt.tensor([1]).add(1).data()][0])`,
        { worker: `${busy}\n${end}` }
      )
      assert.deepEqual([code, signal], [0, null], errors)
      assert.match(output, /^[13] 2$/)
    })
  it('the main thread can end while workers are in mid-step', async () => {
    const { code, signal, errors } = await run(
      `const threads = [start(), start()]
       await Promise.all(threads.map(message))
       process.exit(5)`,
      { worker: endless }
    )
    assert.deepEqual([code, signal], [5, null], errors)
  })
})
