// needletail as a user gets it: the compiled package, imported by its name.
import { channels, classes, parameterCount, resnet50Parameters, side } from '../network.js'
import { serve, timeEach, timeLoops, warmUp, type Prepared } from '../harness/serve.js'
import { stallsDuring } from '../harness/stalls.js'
import type { NetworkTask, Task } from '../harness/protocol.js'
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
function network({ network = 'bird' }: NetworkTask) {
  if (network === 'bird') {
    const optimizer = new nt.optim.Adam({ learningRate: 0.001 })
    return { net: bird(), optimizer, size: [side, side, channels], classes, parameters: parameterCount }
  }
  const net = nt.models.resnet50({ classes: 1000 })
  const optimizer = new nt.optim.SGD({ learningRate: 0.1, momentum: 0.9 })
  return { net, optimizer, size: [224, 224, 3], classes: 1000, parameters: resnet50Parameters }
}

/** Pictures of random pixels, of two classes. */
function birds(count: number) {
  const pixels = new Uint8Array(count * side * side * channels)
  let state = 1
  for (let i = 0; i < pixels.length; i++) pixels[i] = (state = Math.imul(state, 1664525) + 1013904223) >>> 24
  const labels = Int32Array.from({ length: count }, (_, i) => pixels[i * side]! & 1)
  return nt.ImageDataset.from({ pixels, shape: [side, side, channels], labels, classes: ['other', 'bird'] })
}

/** What a device has of its own to tell. */
const onDevice = () => (device === 'cpu' ? {} : { peak: () => nt.memory().peakBytes })

async function prepare(task: Task): Promise<Prepared> {
  nt.device(device)
  nt.setThreads(threads)
  switch (task.kind) {
    case 'train': {
      const { net, optimizer, size, classes, parameters } = network(task)
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
      const steps = (): number => {
        for (let i = 1; i < count; i++) compiled(x, y).dispose()
        return compiled(x, y).itemSync()
      }
      await warmUp(steps)
      if (net.parameterCount !== parameters) throw new Error(`${net.parameterCount} parameters`)
      return {
        version,
        note: 'compiled',
        ...onDevice(),
        run: async (n) => (await timeEach(n, steps)).map((time) => time / count)
      }
    }
    case 'infer': {
      const { net, size } = network(task)
      const { batch, precision: compute = 'float32', count = 1 } = task
      const x = nt.random.uniform([batch, ...size], { seed: 1 })
      net.eval()
      const compiled = nt.compile((x: Tensor) => nt.noGrad(() => nt.softmax(net.forward(x)).astype('float32')), {
        compute
      })
      const steps = (): Float32Array => {
        for (let i = 1; i < count; i++) compiled(x).dispose()
        return compiled(x).dataSync()
      }
      await warmUp(steps)
      return {
        version,
        note: 'compiled',
        ...onDevice(),
        run: async (n) => (await timeEach(n, steps)).map((time) => time / count)
      }
    }
    case 'stalls': {
      // One training that is under way: it stands still between the turns. An epoch takes about four seconds; at its end the
      // network looks at the validation set, and one or two checkpoints are written.
      const runs = await mkdtemp(join(tmpdir(), 'needletail-stalls-'))
      const stop = new AbortController()
      let [goOn, epoch] = [(): void => {}, 0]
      let gate: Promise<void> | undefined
      const training = nt.fit(bird(), birds(100 * task.batch), {
        validation: birds(20 * task.batch),
        normalize: true,
        augment: { flip: 'horizontal', rotate: 25, blur: 3 },
        batchSize: task.batch,
        epochs: 1_000_000,
        progress: false,
        runs,
        signal: stop.signal,
        callbacks: { onBatchEnd: () => gate, onEpochEnd: () => void epoch++ }
      })
      const ended = training.then(
        () => {},
        (error: unknown) => {
          if (!stop.signal.aborted) throw error
        }
      )
      const hold = (): void => void (gate = new Promise((resolve) => (goOn = resolve)))
      const open = (): void => {
        gate = undefined
        goOn()
      }
      // After the first epoch everything has been compiled.
      while (epoch === 0) await Promise.race([setTimeout(10), ended])
      hold()
      return {
        version,
        note: 'fit',
        async run(seconds) {
          open()
          const late = await stallsDuring(() => Promise.race([setTimeout(1000 * seconds), ended]))
          hold()
          return late
        },
        async close() {
          stop.abort()
          open()
          await ended
          await rm(runs, { recursive: true })
        }
      }
    }
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
