// A training that is killed or stopped, and goes on, ends with the files of one that was not: the same bytes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { fit } from '../../lib/index.js'
import { run } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from './support.js'

const options = (runs: string) => ({
  ...base(runs),
  validation: squares(60, 100),
  augment: { flip: 'vertical', shift: 1, noise: 0.02 } as const,
  averageWeights: 0.9,
  accumulate: 2,
  epochs: 4
})
const train = squares(120, 1) // 8 batches an epoch

/** What must be equal: metrics without their last two columns, which are times. */
function files(folder: string): Record<string, string> {
  const bytes = ['checkpoints/last.safetensors', 'checkpoints/best.safetensors', 'config.json', 'confusion.json'].map(
    (name) => [name, readFileSync(join(folder, name)).toString('base64')]
  )
  const metrics = readFileSync(join(folder, 'metrics.csv'), 'utf8').replace(/,[^,\n]*,[^,\n]*$/gm, '')
  return { ...Object.fromEntries(bytes), metrics }
}

/** A process that trains (or goes on), and does `what` at the end of the batch whose number, counted from its start, is `at`. */
const child = (runs: string, at: number, what: string, resume = '', more = '') => `
  import { train, options } from ${JSON.stringify(import.meta.url)}
  import { network } from ${JSON.stringify(new URL('./support.js', import.meta.url).href)}
  let done = 0
  const callbacks = { onBatchEnd: () => { if (++done === ${at}) ${what} } }
  const resume = ${resume ? JSON.stringify(resume) : 'undefined'}
  await nt.fit(network(), train, { ...options(${JSON.stringify(runs)}), callbacks, resume, ${more} })
  console.log('complete')
`
export { options, train }

// Imported by the child processes, too, which have no mocha.
if (typeof describe === 'function') {
  describe('resuming', function () {
    this.timeout(120_000)
    const file = temporaryFolder()
    let whole: Record<string, string>
    before(async () => {
      whole = files((await fit(network(), train, options(file('whole')))).folder)
    })

    it('after kill -9 at 20 random steps: the same bytes', async () => {
      const folder = join(file('killed'), 'squares-001')
      const steps = await nt.random.integers([20], 1, 8, { seed: 5 }).data()
      // Saved after every second batch, so that each process gets further and the kills are spread over all epochs.
      const more = 'saveEvery: 2'
      for (const [i, at] of steps.entries()) {
        const outcome = await run(
          child(file('killed'), at, `process.kill(process.pid, 'SIGKILL')`, i ? folder : '', more)
        )
        if (outcome.output === 'complete') break
        assert.equal(outcome.signal, 'SIGKILL', outcome.errors)
      }
      const last = await run(child(file('killed'), -1, 'void 0', folder, more))
      assert.equal(last.output, 'complete', last.errors)
      assert.deepEqual(files(folder), whole)
    })

    it('after kill -9 in the first epoch, before anything was saved', async () => {
      const folder = join(file('early'), 'squares-001')
      assert.equal((await run(child(file('early'), 3, `process.kill(process.pid, 'SIGKILL')`))).signal, 'SIGKILL')
      assert.equal((await run(child(file('early'), -1, 'void 0', folder))).output, 'complete')
      assert.deepEqual(files(folder), whole)
    })

    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      it(`after ${signal}: the batch is finished, saved, and how to go on is said`, async () => {
        const folder = join(file(signal), 'squares-001')
        const stop = `process.kill(process.pid, '${signal}')`
        const outcome = await run(child(file(signal), 13, stop, '', 'progress: true'))
        assert.equal(outcome.signal, signal, outcome.errors)
        assert.match(outcome.errors, new RegExp(`${signal}: finishing the batch`))
        assert.match(
          outcome.errors,
          /saved after batch \d of epoch 2\. To go on: fit\(…, \{ resume: '.*squares-001' \}\)/
        )
        assert.equal((await run(child(file(signal), -1, 'void 0', folder))).output, 'complete')
        assert.deepEqual(files(folder), whole)
      })
    }

    it('after an AbortSignal, whose reason fit rejects with', async () => {
      const controller = new AbortController()
      let batches = 0
      const callbacks = { onBatchEnd: () => void (++batches === 11 && controller.abort(new Error('enough'))) }
      const first = fit(network(), train, { ...options(file('abort')), callbacks, signal: controller.signal })
      await assert.rejects(first, /^Error: enough$/)
      assert.equal(batches, 11)
      const folder = join(file('abort'), 'squares-001')
      await fit(network(), train, { ...options(file('abort')), resume: folder })
      assert.deepEqual(files(folder), whole)
    })

    it('with more epochs than at first goes on; what is complete stays as it is', async () => {
      const plain = { ...base(file('more')), epochs: 2, optimizer: undefined }
      const { folder } = await fit(network(), train, plain)
      await fit(network(), train, { ...plain, epochs: 4, resume: folder })
      const straight = await fit(network(), train, { ...plain, epochs: 4 })
      const metrics = (at: string) => metricsOf(at)
      assert.equal(metrics(folder), metrics(straight.folder))
      const before = readFileSync(join(folder, 'metrics.csv'))
      await fit(network(), train, { ...plain, epochs: 4, resume: folder })
      assert.deepEqual(readFileSync(join(folder, 'metrics.csv')), before)
    })

    it('in a folder of its own, pausing after epochs: the same bytes as without a pause', async () => {
      const own = { ...options(file('own')), folder: file('own/mine') }
      for (const pauseAfter of [1, 1, 3]) {
        assert.equal((await fit(network(), train, { ...own, pauseAfter })).folder, file('own/mine'))
        assert.equal(metricsOf(file('own/mine')).trim().split('\n').length, 1 + pauseAfter)
      }
      await fit(network(), train, own)
      assert.deepEqual(files(file('own/mine')), whole)
      const error = /^Error: fit: expected resume or folder, got both/
      await assert.rejects(fit(network(), train, { ...own, resume: file('own/mine') }), error)
      await assert.rejects(
        fit(network(), train, { ...own, batchSize: 8 }),
        /expected training\.batchSize 16 as in .*, got 8/
      )
    })

    it('with other options is refused, and what is there is kept', async () => {
      const { folder } = await fit(network(), train, { ...base(file('other')), epochs: 1 })
      const before = readFileSync(join(folder, 'config.json'))
      const error = /^Error: fit: expected training\.batchSize 16 as in .*config\.json, got 8\. A training goes on with/
      await assert.rejects(fit(network(), train, { ...base(file('other')), batchSize: 8, resume: folder }), error)
      assert.deepEqual(readFileSync(join(folder, 'config.json')), before)
    })
  })
}

const metricsOf = (folder: string): string =>
  readFileSync(join(folder, 'metrics.csv'), 'utf8').replace(/,[^,\n]*,[^,\n]*$/gm, '')
