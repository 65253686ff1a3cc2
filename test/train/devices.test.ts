// Training, resuming, evaluating and asking on a device that is not the default one.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { needletail } from '../support/command.js'
import { needsOtherDevice, otherDevice as other, packed } from '../support/devices.js'
import { writeSmallCifar } from '../support/small-cifar.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from './support.js'

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8')) as Record<string, any>
const epochs = (folder: string): number[][] =>
  readFileSync(join(folder, 'metrics.csv'), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(0, -2).map(Number))

function near(got: number[][], want: number[][]): void {
  assert.equal(got.length, want.length)
  for (const [i, row] of want.entries()) {
    for (const [k, value] of row.entries()) {
      assert.ok(Math.abs(got[i]![k]! - value) <= 0.02 * Math.max(1, value), `epoch ${i + 1}: ${got[i]} for ${row}`)
    }
  }
}

describe('training on a device', function () {
  this.timeout(120_000)
  needsOtherDevice()
  const path = temporaryFolder()
  const [train, test] = [squares(200, 1), squares(60, 100)]
  const options = (runs: string): nt.FitOptions => ({
    ...base(path(runs)),
    validation: test,
    augment: { flip: 'vertical', shift: 1 },
    classWeights: [1, 2],
    averageWeights: 0.9,
    accumulate: 2
  })
  let [here, there]: nt.Run[] = []

  before(async () => {
    here = await nt.fit(network(), train, options('cpu'))
    there = await nt.fit(network(), train, { ...options('other'), device: other })
  })

  it('trains as on the CPU, and leaves the default device as it was', () => {
    assert.equal(nt.device(), 'cpu')
    near(epochs(there!.folder), epochs(here!.folder))
  })

  it('writes down where: in environment.json, not among what the run was asked for', () => {
    assert.equal(json(here!.folder, 'environment.json')['device'], 'cpu')
    assert.equal(json(here!.folder, 'environment.json')['gpu'], undefined)
    const { device, gpu } = json(there!.folder, 'environment.json')
    assert.equal(device, other)
    assert.deepEqual([typeof gpu.name, typeof gpu.memory], ['string', 'number'])
    assert.deepEqual(json(there!.folder, 'config.json'), json(here!.folder, 'config.json'))
  })

  it('leaves the network on the device, where it is evaluated and asked', async () => {
    const [predictor, figures] = [await there!.predictor(), await there!.evaluate(test)]
    assert.equal(predictor.network.device, other)
    assert.equal((await predictor.evaluate(test)).loss, figures.loss)
    const photo = test.images.get(0)
    for (const weights of ['last', 'best'] as const) {
      const asked: nt.Prediction[] = []
      for (const device of [other, 'cpu', undefined]) {
        const loaded = await nt.load(there!.folder, { device, weights })
        assert.equal(loaded.network.device, device ?? 'cpu')
        asked.push(await loaded.predict(photo), await loaded.predict(photo.astype('float32').div(255).to(other)))
      }
      for (const { label, probability } of asked) {
        assert.equal(label, asked[0]!.label)
        assert.ok(Math.abs(probability - asked[0]!.probability) < 1e-4)
      }
    }
  })

  it('loads into a network that is given, where that is', async () => {
    const given = network().to(other)
    assert.equal((await nt.load(here!.folder, { network: given })).network.device, other)
    assert.equal((await nt.load(here!.folder, { network: given, device: 'cpu' })).network.device, 'cpu')
  })

  it('evaluates a network where it is', async () => {
    const { network: net } = await nt.load(here!.folder, { device: other })
    const { loss, confusion } = await nt.evaluate(net, test, { normalize: train.statistics })
    assert.equal(confusion.state()['counts']!.device, other)
    assert.ok(Math.abs(loss - (await here!.evaluate(test)).loss) < 1e-3)
  })

  it('goes on on another device from a checkpoint', async () => {
    const stopped = new AbortController()
    const end = { onEpochEnd: (epoch: number) => void (epoch === 1 && stopped.abort()) }
    const runs = path('moved')
    await assert.rejects(
      nt.fit(network(), train, { ...options('moved'), device: other, callbacks: end, signal: stopped.signal })
    )
    const resume = join(runs, 'squares-001')
    await nt.fit(network(), train, { ...options('moved'), resume, device: 'cpu' })
    near(epochs(resume), epochs(here!.folder))
    assert.equal(json(resume, 'environment.json')['device'], 'cpu')
  })

  it('goes on there as if it had never stopped: the same bytes, whatever kernels a compiled step is fused to', async () => {
    const { Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential } = nt.nn
    const make = () => {
      const first = new Conv2d(8, 3, { padding: 'same', activation: 'relu' })
      return new Sequential(first, new MaxPool2d(2), new Flatten(), new Dropout(0.2), new Linear(2))
    }
    const whole = { ...base(path('whole')), device: other, compute: 'bfloat16' as const }
    const { folder } = await nt.fit(make(), train, whole)
    for (const [at, what] of ['onEpochEnd', 'onBatchEnd'].entries()) {
      const stopped = new AbortController()
      const runs = path(`parts-${what}`)
      let calls = 0
      const callbacks = { [what]: () => void (++calls === 1 + 17 * at && stopped.abort()) }
      await assert.rejects(nt.fit(make(), train, { ...whole, runs, callbacks, signal: stopped.signal }))
      const resume = join(runs, 'squares-001')
      await nt.fit(make(), train, { ...whole, runs, resume })
      const [a, b] = [folder, resume].map((run) => readFileSync(join(run, 'checkpoints/last.safetensors')))
      assert(a!.equals(b!), what)
    }
  })

  it('learns finer classes', async () => {
    const fine = squares(100, 3, ['a', 'b', 'c', 'd']).relabel(['left', 'right'], (label) => label % 2, { fine: true })
    const net = new nt.nn.Sequential(network(4), new nt.nn.ClassGroups(fine.fine!.groups))
    const run = await nt.fit(net, fine, { ...base(path('fine')), device: other, epochs: 1, validation: fine })
    assert.equal(epochs(run.folder).length, 1)
  })

  it('makes batches there', async () => {
    for (const shuffle of [false, true]) {
      const orders: number[][] = []
      for (const device of ['cpu', other]) {
        const loader = new nt.DataLoader(train, { batchSize: 64, shuffle, device, balance: shuffle })
        const labels: number[] = []
        for await (const batch of loader) {
          assert.deepEqual([batch.images.device, batch.labels.device], [device, device])
          labels.push(...(await batch.labels.data()))
        }
        orders.push(labels)
      }
      assert.deepEqual(orders[1], orders[0])
    }
  })

  it('refuses what is no device', async () => {
    await assert.rejects(nt.fit(network(), train, { ...options('no'), device: 'gpu' }), /'gpu'/)
    await assert.rejects(nt.load(here!.folder, { device: 'gpu' }), /'gpu'/)
    assert.throws(() => new nt.DataLoader(train, { device: 1 as never }), /^Error: DataLoader: expected the name/)
  })

  it('on the command line', async function () {
    if (packed) this.skip()
    writeSmallCifar(path('cache'), { train: 100, test: 20 })
    const call = (...args: string[]) =>
      needletail([...args, '--device', other], { cwd: path(''), env: { NEEDLETAIL_CACHE: path('cache') } })
    const trained = await call('train', 'birds', '--recipe', 'quick', '--epochs', '1')
    assert.equal(trained.code, 0, trained.stderr)
    assert.equal(json(path('runs/birds-001/environment.json'))['device'], other)
    const again = await call('train', '--resume', 'runs/birds-001', '--epochs', '1')
    assert.equal(again.code, 0, again.stderr)
    const evaluated = await call('evaluate', 'runs/birds-001')
    assert.deepEqual([evaluated.code, evaluated.stdout], [0, trained.stdout], evaluated.stderr)
    const { code, stderr } = await needletail(['predict', '--device', 'gpu', 'runs/birds-001', 'x'], { cwd: path('') })
    assert.equal(code, 1)
    assert.match(stderr, /^needletail: .*expected .*, got 'gpu'/)
  })
})
