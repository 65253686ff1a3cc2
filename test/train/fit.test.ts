// fit: what it trains, what it writes, what it refuses.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { fit, nn, optim, type FitOptions } from '../../lib/index.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, CLASSES, network, squares } from './support.js'
import { onEachDevice } from '../support/devices.js'

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
const rows = (folder: string) => {
  const [header, ...lines] = readFileSync(join(folder, 'metrics.csv'), 'utf8').trim().split('\n')
  return lines.map((line) =>
    Object.fromEntries(header!.split(',').map((name, i) => [name, Number(line.split(',')[i])]))
  )
}

/** The name of an event file without what no other has. */
const nameless = (name: string) => name.replace(/(?<=\.tfevents)\..*/, '')

onEachDevice('fit', (device) => {
  const file = temporaryFolder()
  const train = squares(200, 1)
  const test = squares(90, 100)

  it('learns, and writes what it saw into a run folder', async () => {
    const run = await fit(network(), train, { ...base(file('a')), validation: test })
    assert.equal(run.folder, join(file('a'), 'squares-001'))
    assert.deepEqual(readdirSync(run.folder).sort().map(nameless), [
      'checkpoints',
      'config.json',
      'confusion.json',
      'environment.json',
      'events.out.tfevents',
      'metrics.csv',
      'pictures.json',
      ...(device.startsWith('cuda') ? ['plans.json'] : []),
      'predictions.safetensors',
      'report.html',
      'status.json'
    ])
    assert.deepEqual(readdirSync(join(run.folder, 'checkpoints')).sort(), ['best.safetensors', 'last.safetensors'])

    const { loss, accuracy, precision, recall, confusion, pictures, scores } = await run.evaluate(test)
    assert.ok(accuracy > 0.95, `accuracy ${accuracy}`)
    const table = rows(run.folder)
    assert.deepEqual(
      table.map(({ epoch }) => epoch),
      [1, 2, 3]
    )
    assert.ok(table[2]!['loss']! < table[0]!['loss']!)
    const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} and ${b}`)
    close(table[2]!['validation.loss']!, loss)
    close(table[2]!['validation.accuracy']!, accuracy)
    close(table[2]!['validation.precision']!, precision)
    close(table[2]!['validation.recall']!, recall)

    const seen = json(run.folder, 'confusion.json')
    assert.deepEqual(seen.matrix, await confusion.matrix())
    assert.deepEqual([seen.epoch, seen.pictures, seen.positive, seen.classes], [3, pictures, 'right', CLASSES])
    assert.equal((await scores!.at(0.5)).recall, recall)

    const config = json(run.folder, 'config.json')
    assert.deepEqual(config.inputShape, [8, 8, 3])
    assert.deepEqual(config.normalize, train.statistics)
    assert.equal(config.training.optimizer.learningRate.kind, 'cosine')
    assert.equal(config.network.type, 'Sequential')
  })

  it('gives each run a folder of its own', async () => {
    const options = { ...base(file('b')), epochs: 1 }
    const folders = []
    for (let i = 0; i < 2; i++) folders.push((await fit(network(), train, options)).folder)
    assert.deepEqual(folders, [join(file('b'), 'squares-001'), join(file('b'), 'squares-002')])
  })

  it('gives the same run for the same seed, another for another', async () => {
    const weights = async (seed: number) => {
      const run = await fit(network(), train, { ...base(file('c')), seed, epochs: 1 })
      return readFileSync(join(run.folder, 'checkpoints/last.safetensors'))
    }
    const [a, b, c] = [await weights(1), await weights(1), await weights(2)]
    assert.ok(a.equals(b))
    assert.ok(!a.equals(c))
  })

  it('keeps best by the metric asked for; evaluate takes it when told', async () => {
    const options = { ...base(file('d')), validation: test, monitor: 'loss' as const, epochs: 6 }
    const optimizer = new optim.SGD({ learningRate: 0.3, momentum: 0.9 }) // jumps about
    const run = await fit(network(), train, { ...options, optimizer })
    const losses = rows(run.folder).map((row) => row['validation.loss']!)
    const best = await run.evaluate(test, { weights: 'best' })
    assert.ok(Math.abs(best.loss - Math.min(...losses)) < 1e-5, `${best.loss} of ${losses.join(', ')}`)
    const last = await run.evaluate(test)
    assert.ok(Math.abs(last.loss - losses.at(-1)!) < 1e-5)
  })

  it('stops early when nothing gets better, and when a callback says so', async () => {
    const optimizer = new optim.SGD({ learningRate: 1e-9 }) // nothing changes
    const patience = { ...base(file('e')), epochs: 50, validation: test, earlyStopping: { patience: 2, minDelta: 0.3 } }
    assert.equal(rows((await fit(network(), train, { ...patience, optimizer })).folder).length, 3)
    const calls: string[] = []
    const callbacks = {
      onStart: () => void calls.push('start'),
      onBatchEnd: ({ batch, loss }: { batch: number; loss: nt.Tensor }) => {
        if (batch === 1) calls.push(`batch ${loss.shape.length}`)
      },
      onEpochEnd: (epoch: number, figures: Record<string, number>) => {
        calls.push(`epoch ${epoch} ${Object.keys(figures).join(' ')}`)
        return epoch < 2
      },
      onEnd: () => void calls.push('end')
    }
    await fit(network(), train, { ...base(file('e')), epochs: 9, callbacks })
    const epoch = (n: number) => ['batch 0', `epoch ${n} loss accuracy precision recall`]
    assert.deepEqual(calls, ['start', ...epoch(1), ...epoch(2), 'end'])
  })

  it('watches curves of the validation set', async () => {
    const metrics = ['averagePrecision', 'rocAuc', 'recall@0.9'] as const
    const run = await fit(network(), train, { ...base(file('f')), validation: test, metrics, monitor: 'rocAuc' })
    const last = rows(run.folder)[2]!
    assert.deepEqual(Object.keys(last), [
      'epoch',
      'loss',
      'learningRate',
      'validation.loss',
      ...metrics.map((name) => `validation.${name}`),
      'seconds',
      'imagesPerSecond'
    ])
    const { scores } = await run.evaluate(test)
    assert.ok(Math.abs(last['validation.recall@0.9']! - (await scores!.recallAt({ precision: 0.9 })).recall) < 1e-6)
  })

  it('gathers gradients of several batches into the step of a larger one', async () => {
    const plain = () => new nn.Sequential(new nn.Flatten(), new nn.Linear(2, { initializer: nn.init.zeros }))
    const options = {
      ...base(file('g')),
      optimizer: new optim.SGD({ learningRate: 0.1 }),
      epochs: 1,
      callbacks: { onStart: () => {} }
    }
    const [whole, parts] = [plain(), plain()]
    await fit(whole, train, { ...options, batchSize: 40, optimizer: new optim.SGD({ learningRate: 0.1 }) })
    await fit(parts, train, {
      ...options,
      batchSize: 20,
      accumulate: 2,
      optimizer: new optim.SGD({ learningRate: 0.1 })
    })
    const [a, b] = await Promise.all([whole, parts].map((net) => net.parameters()[0]!.data()))
    a!.forEach((value, i) => assert.ok(Math.abs(value - b![i]!) < 1e-5))
  })

  it('gives the moving average of the weights', async () => {
    const net = network()
    const run = await fit(net, train, { ...base(file('h')), validation: test, averageWeights: 0.9, epochs: 2 })
    const file1 = await nt.io.readSafetensors(join(run.folder, 'checkpoints/last.safetensors'))
    const [average, raw] = ['average.weights', 'network'].map((group) => file1.tensors.get(`${group}.0.weight`)!)
    assert.ok(
      (await average!
        .sub(raw as never)
        .abs()
        .max()
        .item()) > 0
    )
    assert.equal(
      await net
        .parameters()[0]!
        .detach()
        .sub(average as never)
        .abs()
        .max()
        .item(),
      0
    )
    const { loss } = await run.evaluate(test)
    assert.ok(Math.abs(loss - rows(run.folder)[1]!['validation.loss']!) < 1e-6)
  })

  it('trains on finer classes and is about the coarser ones', async () => {
    const names = ['left a', 'right a', 'left b', 'right b']
    const coarse = (set: nt.ImageDataset) => set.relabel(CLASSES, (label) => label % 2, { fine: true })
    const net = new nn.Sequential(network(4), new nn.ClassGroups([0, 1, 0, 1]))
    const run = await fit(net, coarse(squares(300, 1, names)), {
      ...base(file('i')),
      validation: coarse(test.relabel(names, (label) => label)),
      epochs: 4
    })
    const { accuracy, confusion } = await run.evaluate(test)
    assert.ok(accuracy > 0.95, `${accuracy}`)
    assert.deepEqual(confusion.classes, CLASSES)
    assert.ok(rows(run.folder)[3]!['accuracy']! > 0.9)
  })

  it('trains a network of a class of the user', async () => {
    class Mine extends nn.Module {
      body = network()
      forward(x: nt.Tensor): nt.Tensor {
        return this.body.forward(x)
      }
    }
    const net = new Mine()
    const run = await fit(net, train, { ...base(file('j')), validation: test })
    assert.equal(json(run.folder, 'config.json').network, null)
    const before = await net.parameters()[0]!.data()
    const best = await run.evaluate(test, { weights: 'best' })
    assert.ok(best.accuracy > 0.9)
    assert.deepEqual(await net.parameters()[0]!.data(), before)
  })

  it('uses a loss of the user, class weights, label smoothing and a step left over', async () => {
    const loss = (outputs: nt.Tensor, labels: nt.Tensor<'int32'>) => nt.losses.crossEntropy(outputs, labels).mul(2)
    const one = { ...base(file('k')), epochs: 1, batchSize: 64 }
    const loss1 = rows((await fit(network(), train, one)).folder)[0]!['loss']!
    const loss2 = rows((await fit(network(), train, { ...one, loss })).folder)[0]!['loss']!
    assert.ok(loss2 > 1.2 * loss1)
    const weighted = await fit(network(), train, { ...one, classWeights: [1, 50], labelSmoothing: 0.1 })
    assert.ok(rows(weighted.folder)[0]!['recall']! > 0.5)
    assert.equal(json(weighted.folder, 'config.json').training.classWeights[1], 50)
  })

  it('handles signals only while it runs', async () => {
    const count = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')
    const before = count()
    let during = 0
    await fit(network(), train, {
      ...base(file('l')),
      epochs: 1,
      callbacks: { onBatchEnd: () => void (during = count()) }
    })
    assert.equal(during, before + 2)
    assert.equal(count(), before)
    const failing = { onEpochEnd: () => Promise.reject(new Error('mine')) }
    await assert.rejects(fit(network(), train, { ...base(file('l')), callbacks: failing }), /^Error: mine$/)
    assert.equal(count(), before)
  })

  it('leaves each module in the mode that it was in', async () => {
    const net = network()
    net.layers[1]!.eval() // batch norm's statistics stay as they are
    await fit(net, train, { ...base(file('m')), validation: test, epochs: 1 })
    assert.deepEqual(
      net.layers.map((layer) => layer.training),
      net.layers.map((_, i) => i !== 1)
    )
  })

  const wrong: [string, Partial<FitOptions> & Record<string, unknown>, RegExp][] = [
    [
      'a mistyped option',
      { batchsize: 3 },
      /^Error: fit: expected options of .*, got 'batchsize'\. Did you mean 'batchSize'\?/
    ],
    ['a mistyped metric', { metrics: ['acuracy'] as never }, /got 'acuracy'\. Did you mean 'accuracy'\?/],
    [
      'an unknown class',
      { positive: 'rigth' },
      /positive as a class of 'left', 'right', got 'rigth'\. Did you mean 'right'\?/
    ],
    ['no epochs', { epochs: 0 }, /^Error: fit: expected epochs as a whole number from 1, got 0/],
    ['half a batch', { batchSize: 0.5 }, /batchSize as a whole number from 1, got 0\.5/],
    ['a name with a slash', { name: '../out' }, /name of letters.*got '\.\.\/out'/],
    [
      'early stopping without validation',
      { earlyStopping: { patience: 2 } },
      /validation with earlyStopping, got none/
    ],
    [
      'an optimizer that is none',
      { optimizer: 'adam' as never },
      /an optimizer, or a function that gives one, got adam/
    ],
    [
      'class weights of another number',
      { classWeights: [1, 2, 3] },
      /classWeights as 2 numbers from 0.*got \[1, 2, 3\]/
    ],
    [
      'validation of other classes',
      { validation: squares(10, 1, ['a', 'b']) },
      /training set's classes left,right, got a,b/
    ],
    ['a monitor that is not watched', { monitor: 'f1' }, /monitor of loss, accuracy, precision, recall, got 'f1'/],
    ['an average above 1', { averageWeights: 1.5 }, /averageWeights in \[0, 1\], got 1\.5/],
    [
      'callbacks of another name',
      { callbacks: { onEpoch() {} } as never },
      /onEpochEnd, onEnd, got 'onEpoch'\. Did you mean 'onEpochEnd'/
    ],
    ['a signal that is none', { signal: {} as never }, /an AbortSignal, got \{\}/],
    ['a folder that is none', { resume: '/nowhere/at-all' }, /a run folder to resume at .nowhere.at-all, got ENOENT/]
  ]
  for (const [what, options, error] of wrong) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(fit(network(), train, { ...base(file('wrong')), ...options }), error)
      assert.ok(!existsSync(file('wrong')), 'no run folder was made')
    })
  }

  it('refuses a network with another number of outputs, in the words of who wrote it', async () => {
    const error =
      /^Error: fit: expected outputs \[16, 2\], one for each class \(left, right\), got \[16, 10\]\. End the network with nn\.Linear\(2\)\.$/
    await assert.rejects(fit(network(10), train, base(file('n'))), error)
  })

  it('says when the loss is no number any more', async () => {
    const options = { ...base(file('o')), optimizer: new optim.SGD({ learningRate: 1e30 }) }
    await assert.rejects(
      fit(network(), train, options),
      /^Error: fit: expected a finite loss, got .* in epoch \d\. Lower/
    )
  })
})
