// Memory of a device: it follows the garbage collector, stays within its limit, and past that an exception says what to do.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const MB = 2 ** 20

onEachDevice('memory', (device) => {
  let before = nt.memory().limitBytes
  beforeEach(async () => {
    await nt.synchronize()
    globalThis.gc?.()
    before = nt.memory().limitBytes
  })
  afterEach(() => nt.setMemoryLimit(before))

  it('is flat in a synchronous loop of 2000 tensors of 1 MB that nobody holds', async () => {
    const big = nt.ones([512, 512])
    nt.resetPeakMemory()
    const start = nt.memory().bytes
    let last = big
    for (let i = 0; i < 2000; i++) last = nt.add(big, i)
    assert.equal(await last.max().item(), 2000)
    const { peakBytes } = nt.memory()
    assert(peakBytes - start < 800 * MB, `${(peakBytes - start) / MB} MB more`)
  })

  it('past its limit is an exception that names the op, the size and what is in use, and work goes on', async () => {
    nt.setMemoryLimit(nt.memory().reservedBytes + 64 * MB)
    const kept: nt.Tensor[] = []
    assert.throws(
      () => {
        for (;;) kept.push(nt.zeros([1024, 1024]))
      },
      (error: NodeJS.ErrnoException) =>
        error.code === 'ERR_MEMORY' &&
        new RegExp(
          `^(zeros|fill): expected 4194304 bytes of memory on ${device}, .*\\d+ in use\\..*setMemoryLimit`
        ).test(error.message)
    )
    assert(kept.length >= 10, String(kept.length))
    for (const tensor of kept) tensor.dispose()
    for (let i = 0; i < 50; i++) {
      const [x, sum] = nt.tidy(() => [1, nt.ones([1024, 1024]).sum()] as const)
      assert.equal(x * (await sum.item()), 2 ** 20)
      sum.dispose()
    }
  })

  it('of a compiled step is planned: no more is taken from one to the next', async () => {
    const network = new nt.nn.Sequential(new nt.nn.Linear(256, { activation: 'relu' }), new nt.nn.Linear(8))
    const optimizer = new nt.optim.Adam()
    const step = nt.compile((x: nt.Tensor, y: nt.Tensor<'int32'>) => {
      const loss = nt.crossEntropy(network.forward(x), y)
      optimizer.minimize(loss, network)
      return loss
    })
    const [x, y] = [nt.ones([64, 512]), nt.zeros([64], { dtype: 'int32' })]
    for (let i = 0; i < 5; i++) await nt.tidy(() => step(x, y)).item()
    globalThis.gc?.()
    nt.resetPeakMemory()
    const { bytes } = nt.memory()
    for (let i = 0; i < 50; i++) {
      const loss = step(x, y)
      await loss.item()
      loss.dispose()
    }
    assert(nt.memory().peakBytes - bytes < MB, `${nt.memory().peakBytes - bytes} bytes more`)
  })
})
