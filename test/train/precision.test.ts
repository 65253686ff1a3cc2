// fit in other precisions: what it writes, that it goes on exactly, and what it says where the processor has none.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { fit, type Compute, type FitOptions } from '../../lib/index.js'
import { run } from '../support/child.js'
import { computeAsAsked } from '../support/precision.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from './support.js'

describe('fit in other precisions', () => {
  const file = temporaryFolder()
  const [train, test] = [squares(120, 1), squares(60, 100)]
  computeAsAsked()
  const read = (folder: string) => {
    const [checkpoint, best] = ['last', 'best'].map((name) =>
      readFileSync(join(folder, `checkpoints/${name}.safetensors`))
    )
    const csv = readFileSync(join(folder, 'metrics.csv'), 'utf8')
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as { training: { compute: Compute } }
    return { checkpoint: checkpoint!, best: best!, metrics: csv.replace(/,[^,\n]*,[^,\n]*$/gm, ''), config }
  }

  for (const compute of ['tf32', 'bfloat16', 'float16'] as const) {
    it(`${compute}: learns, writes it down, keeps all state in float32, and goes on to the same bytes`, async () => {
      const options: FitOptions = {
        ...base(file(compute)),
        validation: test,
        compute,
        accumulate: 2,
        averageWeights: 0.9,
        epochs: 8
      }
      const whole = await fit(network(), train, options)
      assert.ok((await whole.evaluate(test)).accuracy > 0.9)
      const all = read(whole.folder)
      assert.equal(all.config.training.compute, compute)
      const { tensors } = await nt.io.readSafetensors(join(whole.folder, 'checkpoints/last.safetensors'))
      const floats = [...tensors.values()].filter(({ dtype }) => dtype.includes('float'))
      assert.deepEqual([...new Set(floats.map(({ dtype }) => dtype))], ['float32'])
      assert.equal(tensors.has('optimizer.lossScale'), compute === 'float16')

      const controller = new AbortController()
      const callbacks = {
        onBatchEnd: ({ epoch, batch }: { epoch: number; batch: number }) => {
          if (epoch === 2 && batch === 5) controller.abort(new Error('enough'))
        }
      }
      await assert.rejects(fit(network(), train, { ...options, callbacks, signal: controller.signal }), /enough/)
      const resume = join(file(compute), 'squares-002')
      await assert.rejects(
        fit(network(), train, { ...options, resume, compute: 'float32' }),
        new RegExp(`fit: expected training.compute "${compute}" as in .*, got "float32"`)
      )
      const again = await fit(network(), train, { ...options, resume })
      const { checkpoint, best, metrics } = read(again.folder)
      assert.ok(checkpoint.equals(all.checkpoint) && best.equals(all.best))
      assert.equal(metrics, all.metrics)
    })
  }

  it('evaluates in other precisions', async () => {
    const trained = network()
    await fit(trained, train, { ...base(file('e')), epochs: 8 })
    const [exact, rough] = await Promise.all(
      (['float32', 'bfloat16'] as const).map((compute) =>
        nt.evaluate(trained, test, { normalize: train.statistics!, compute })
      )
    )
    assert.notEqual(rough!.loss, exact!.loss)
    assert.ok(Math.abs(rough!.loss - exact!.loss) < 0.01 && Math.abs(rough!.accuracy - exact!.accuracy) < 0.05)
  })

  it('refuses unknown precisions, and names the nearest', async () => {
    const compute = 'bfloat' as Compute
    const message = (op: string) =>
      new RegExp(`^Error: ${op}: expected compute of .*, got 'bfloat'\\. Did you mean 'bfloat16'\\?`)
    await assert.rejects(fit(network(), train, { ...base(file('f')), compute }), message('fit'))
    await assert.rejects(nt.evaluate(network(), test, { compute }), message('evaluate'))
    const exact = 'yes' as unknown as boolean
    for (const [op, f] of [
      ['fit', () => fit(network(), train, { ...base(file('f')), exact })],
      ['evaluate', () => nt.evaluate(network(), test, { exact })],
      ['compile', async () => nt.compile(() => 0, { exact })]
    ] as const)
      await assert.rejects(f(), new RegExp(`^Error: ${op}: expected exact to be true or false, got 'yes'`))
  })

  it('says once where the processor has no instructions for it, and computes in float32', async () => {
    const source = (compute: string) => `
      import { base, network, squares } from ${JSON.stringify(new URL('./support.js', import.meta.url).href)}
      const f = nt.compile((x: nt.Tensor) => nt.matmul(x, x), { compute: '${compute}' })
      const x = nt.random.normal([8, 8], { seed: 1 })
      for (let i = 0; i < 3; i++) f(x)
      console.log(f(x).dtype)
      const other = nt.devices().includes('emulated') ? f(x.to('emulated')).dtype : '${compute}'
      if (other !== '${compute}') throw new Error(other + ' on another device')
      const { folder } = await nt.fit(network(), squares(60, 1), { ...base(${JSON.stringify(file('g'))}), compute: '${compute}' })
      console.log(JSON.stringify((await nt.io.readSafetensors(folder + '/checkpoints/last.safetensors')).tensors.get('network.6.weight')!.arraySync()))`
    const env = { NEEDLETAIL_ISA: 'baseline', NEEDLETAIL_SLOW_COMPUTE: '' }
    const [exact, bfloat16, float16, asked] = await Promise.all([
      run(source('float32'), { env }),
      run(source('bfloat16'), { env }),
      run(source('float16'), { env }),
      run(source('bfloat16'), { env: { ...env, NEEDLETAIL_SLOW_COMPUTE: '1' } })
    ])
    assert.deepEqual([exact.code, exact.errors, exact.output.split('\n')[0]], [0, '', 'float32'])
    for (const [outcome, half] of [
      [bfloat16, 'bfloat16'],
      [float16, 'float16']
    ] as const) {
      // prettier-ignore
      const warnings = outcome.errors.split('\n').filter((line) => line.includes('needletail'))
      assert.equal(warnings.length, 1, outcome.errors)
      assert.match(
        warnings[0]!,
        new RegExp(`this processor has no instructions for ${half}, .* computing in float32\\.`)
      )
      assert.equal(outcome.output, exact.output)
    }
    assert.deepEqual([asked.errors, asked.output.split('\n')[0]], ['', 'bfloat16'])
  })
})
