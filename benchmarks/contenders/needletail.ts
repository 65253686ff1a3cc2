// needletail as a user gets it: the compiled package, imported by its name.
import * as network from '../network.js'
import { loopsOf, now, serve, timeLoops, timing, type Prepared } from '../harness/serve.js'
import { installedSize, sizeOf } from '../harness/size.js'
import { stallsDuring } from '../harness/stalls.js'
import { root } from '../harness/contestant.js'
import type { NetworkTask, OpTask, Task } from '../harness/protocol.js'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type * as Needletail from '../../lib/index.js'
import type { Tensor } from '../../lib/index.js'

const name: string = 'needletail' // not resolved by the type check, which needs no dist/
const nt = (await import(name)) as typeof Needletail
const [device, threads] = [process.argv[2]!, Number(process.argv[3])]
const version = (createRequire(import.meta.url)('needletail/package.json') as { version: string }).version

const { channels, classes, side } = network

function bird() {
  const { Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential } = nt.nn
  return new Sequential(
    new Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new MaxPool2d(2),
    new Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(512, { activation: 'relu' }),
    new Dropout(0.5),
    new Linear(classes)
  )
}

/** The network of a task and its optimizer, what it takes, and how many parameters it has. */
function networkOf({ network: name = 'bird', side: large = 224 }: NetworkTask) {
  if (name === 'bird') {
    const optimizer = new nt.optim.Adam({ learningRate: 0.001 })
    return { net: bird(), optimizer, size: [side, side, channels], classes, parameters: network.parameterCount }
  }
  const net = nt.models.resnet50({ classes: 1000 })
  const optimizer = new nt.optim.SGD({ learningRate: 0.1, momentum: 0.9 })
  return { net, optimizer, size: [large, large, 3], classes: 1000, parameters: network.resnet50Parameters }
}

function dataset(task: Parameters<typeof network.birds>[0]) {
  return nt.ImageDataset.from({
    ...network.birds(task),
    shape: [side, side, channels],
    classes: ['other', 'bird']
  })
}

/** A training that is under way, and stands still but when it is asked to go on. Its runs are gone at its end. */
async function training(
  options: Needletail.FitOptions,
  set: Needletail.ImageDataset,
  gateAt: 'onBatchEnd' | 'onEpochEnd'
) {
  const runs = await mkdtemp(join(tmpdir(), 'needletail-bench-'))
  const stop = new AbortController()
  let gate: Promise<void> | undefined
  let open = (): void => {}
  let epochEnded = (): void => {}
  const hold = (): void => void (gate = new Promise((resolve) => (open = resolve)))
  const ended = nt
    .fit(bird(), set, {
      ...options,
      normalize: true,
      epochs: 1_000_000,
      progress: false,
      runs,
      signal: stop.signal,
      callbacks: [{ onEpochEnd: () => epochEnded() }, { [gateAt]: () => gate }]
    })
    .then(
      () => {},
      (error: unknown) => {
        if (!stop.signal.aborted) throw error
      }
    )
  const goOn = (): void => {
    gate = undefined
    open()
  }
  /** Rejects where the training has failed. */
  const epoch = (): Promise<void> => Promise.race([new Promise<void>((resolve) => (epochEnded = resolve)), ended])
  await epoch() // after the first everything has been compiled
  hold()
  return {
    goOn,
    hold,
    epoch,
    ended,
    async close() {
      stop.abort()
      goOn()
      await ended
      await rm(runs, { recursive: true })
    }
  }
}

/** What a device has of its own to tell. */
const onDevice = () => (device === 'cpu' ? {} : { peak: () => nt.memory().peakBytes })

/** Milliseconds of one of `count` steps that are read together; the first two calls of a compiled function are not what is measured. */
async function repeated(step: (read: boolean) => unknown, count: number): Promise<Prepared> {
  for (let i = 0; i < 2; i++) step(true)
  const run = await timing(() => {
    for (let i = 1; i < count; i++) step(false)
    step(true)
  })
  return { version, note: 'compiled', ...onDevice(), run: async (n) => (await run(n)).map((time) => time / count) }
}

function operation({ op, shapes }: OpTask): () => unknown {
  const [a, b] = shapes.map((shape, i) => nt.random.uniform([...shape], { seed: i + 1 })) as [Tensor, Tensor]
  // Weights as needletail has them: [out, height, width, in].
  const weights = () => nt.permute(b, [3, 0, 1, 2])
  switch (op) {
    case 'matmul':
      return () => a.matmul(b)
    case 'conv2d': {
      const w = weights()
      return () => nt.conv2d(a, w, { padding: 'same' })
    }
    case 'conv2dGradient': {
      const gradients = nt.grads((x: Tensor, w: Tensor) => nt.conv2d(x, w, { padding: 'same' }).sum())
      const w = weights()
      return () => gradients(a, w)[1]!
    }
    case 'maxPool2d':
      return () => nt.maxPool2d(a, 2)
    case 'add':
      return () => a.add(b)
    case 'relu':
      return () => a.relu()
    case 'tanh':
      return () => a.tanh()
    case 'sum':
      return () => a.sum()
    case 'sumRows':
      return () => a.sum(1)
    case 'softmax':
      return () => nt.softmax(a)
    case 'transpose':
      return () => nt.permute(a, [1, 0])
    case 'concat':
      return () => nt.concat([a, b], 1)
    case 'gather': {
      const at = nt.random.integers([...shapes[1]!], 0, shapes[0]![0]!, { seed: 1 })
      return () => nt.gather(a, at)
    }
    case 'argmax':
      return () => a.argmax(1)
    case 'cumsum':
      return () => nt.cumsum(a, 1)
    case 'topK':
      return () => nt.topK(a, 5).values
    case 'normal':
      return () => nt.random.normal([...shapes[0]!])
  }
}

/** The files that are published, the addon for this machine, and what they depend on. */
function installed(): number {
  const { files, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    files: string[]
    dependencies: object
  }
  const builds = join(root, 'build/Release')
  const addon = existsSync(join(root, 'prebuilds')) ? [] : readdirSync(builds).filter((name) => !name.includes('_cuda'))
  const own = [...files.map((name) => join(root, name)), ...addon.map((name) => join(builds, name))]
  return own.reduce((sum, path) => sum + sizeOf(path), 0) + installedSize(Object.keys(dependencies), root)
}

async function prepare(task: Task): Promise<Prepared> {
  nt.device(device)
  if (device !== 'cpu') nt.measurePlans() // as PyTorch's cudnn.benchmark
  nt.setThreads(threads)
  if (device === 'cpu' && 'precision' in task && task.precision === 'bfloat16') {
    const { dtype } = nt.withCompute('bfloat16', () => nt.matmul(nt.ones([1, 1]), nt.ones([1, 1])))
    if ((dtype as string) !== 'bfloat16') throw new Error('this processor has no instructions for bfloat16')
  }
  switch (task.kind) {
    case 'train': {
      const { net, optimizer, size, classes, parameters } = networkOf(task)
      const { batch, precision: compute = 'float32', count = 1 } = task
      const x = nt.random.uniform([batch, ...size], { seed: 1 })
      const y = nt.random.integers([batch], 0, classes, { seed: 2 })
      const compiled = nt.compile(
        (x: Tensor, y: Tensor<'int32'>) => {
          const loss = nt.crossEntropy(net.forward(x), y)
          optimizer.minimize(loss, net)
          return loss
        },
        { compute }
      )
      const prepared = await repeated((read) => {
        const loss = compiled(x, y)
        if (read) loss.itemSync()
        else loss.dispose()
      }, count)
      if (net.parameterCount !== parameters) throw new Error(`${net.parameterCount} parameters`)
      return prepared
    }
    case 'infer': {
      const { net, size } = networkOf(task)
      const { batch, precision: compute = 'float32', count = 1 } = task
      const x = nt.random.uniform([batch, ...size], { seed: 1 })
      net.eval()
      const compiled = nt.compile((x: Tensor) => nt.noGrad(() => nt.softmax(net.forward(x)).astype('float32')), {
        compute
      })
      return repeated((read) => {
        const probabilities = compiled(x)
        if (read) probabilities.dataSync()
        else probabilities.dispose()
      }, count)
    }
    case 'fit': {
      const { batch: batchSize, precision: compute = 'float32' } = task
      const { goOn, hold, epoch, close } = await training({ batchSize, compute }, dataset(task), 'onEpochEnd')
      return {
        version,
        note: 'fit',
        async run(n) {
          const times: number[] = []
          for (let i = 0; i < n; i++) {
            const start = now()
            const ended = epoch()
            goOn()
            await ended
            hold()
            times.push(now() - start)
          }
          return times
        },
        close
      }
    }
    case 'stalls': {
      // An epoch takes some seconds; at its end the network looks at the validation set, and one or two checkpoints are written.
      const set = (batches: number) => dataset({ kind: 'fit', batch: 0, pictures: batches * task.batch })
      const augment = { flip: 'horizontal', rotate: 25, blur: 3 } as const
      const options = { batchSize: task.batch, validation: set(20), augment }
      const { goOn, hold, ended, close } = await training(options, set(100), 'onBatchEnd')
      return {
        version,
        note: 'fit',
        async run(seconds) {
          goOn()
          const late = await stallsDuring(() => Promise.race([setTimeout(1000 * seconds), ended]))
          hold()
          return late
        },
        close
      }
    }
    case 'op': {
      const step = operation(task)
      return { version, note: 'in tidy()', run: loopsOf(() => nt.tidy(() => void step()), nt.synchronizeSync) }
    }
    case 'size':
      return { version, note: 'with the addon for this machine', elsewhere: true, run: () => [installed()] }
    case 'add': {
      const a = nt.tensor([1])
      const b = nt.tensor([2])
      const run = (n: number): number[] => timeLoops(n, task.count, () => void a.add(b), nt.synchronizeSync)
      run(2)
      return { version, run }
    }
    case 'addRead': {
      const a = nt.tensor([1])
      const b = nt.tensor([2])
      const run = (n: number): number[] => timeLoops(n, task.count, () => void a.add(b).dataSync())
      run(2)
      return { version, run }
    }
  }
}

await serve(prepare)
