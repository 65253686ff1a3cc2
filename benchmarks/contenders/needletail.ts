// needletail as a user gets it: the compiled package, imported by its name.
import { channels, classes, parameterCount, pictures, side } from '../network.js'
import { serve, timeEach, timeLoops, warmUp, type Prepared } from '../harness/serve.js'
import { stallsDuring } from '../harness/stalls.js'
import type { Task } from '../harness/protocol.js'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type * as Needletail from '../../lib/index.js'
import type { Tensor } from '../../lib/index.js'

const name: string = 'needletail' // not resolved by the type check, which needs no dist/
const nt = (await import(name)) as typeof Needletail
const version = (createRequire(import.meta.url)('needletail/package.json') as { version: string }).version

function network() {
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

/** Pictures of random pixels, of two classes. */
function birds(count: number) {
  const pixels = new Uint8Array(count * side * side * channels)
  let state = 1
  for (let i = 0; i < pixels.length; i++) pixels[i] = (state = Math.imul(state, 1664525) + 1013904223) >>> 24
  const labels = Int32Array.from({ length: count }, (_, i) => pixels[i * side]! & 1)
  return nt.ImageDataset.from({ pixels, shape: [side, side, channels], labels, classes: ['other', 'bird'] })
}

async function prepare(task: Task): Promise<Prepared> {
  nt.setThreads(Number(process.argv[2]))
  switch (task.kind) {
    case 'train': {
      const { images, labels } = pictures(task.batch)
      const x = nt.tensor(images, [task.batch, side, side, channels])
      const y = nt.tensor(labels)
      const net = network()
      const optimizer = new nt.optim.Adam({ learningRate: 0.001 })
      const compiled = nt.compile((x: Tensor, y: Tensor<'int32'>) => {
        const loss = nt.crossEntropy(net.forward(x), y)
        optimizer.minimize(loss, net)
        return loss
      })
      const step = (): number => compiled(x, y).itemSync()
      await warmUp(step)
      if (net.parameterCount !== parameterCount) throw new Error(`${net.parameterCount} parameters`)
      return { version, note: 'compiled', run: (n) => timeEach(n, step) }
    }
    case 'infer': {
      const x = nt.tensor(pictures(task.batch).images, [task.batch, side, side, channels])
      const net = network().eval()
      const compiled = nt.compile((x: Tensor) => nt.noGrad(() => nt.softmax(net.forward(x))))
      const step = (): Float32Array => compiled(x).dataSync()
      await warmUp(step)
      return { version, note: 'compiled', run: (n) => timeEach(n, step) }
    }
    case 'stalls': {
      // One training that is under way: it stands still between the turns. An epoch takes about four seconds; at its end the
      // network looks at the validation set, and one or two checkpoints are written.
      const runs = await mkdtemp(join(tmpdir(), 'needletail-stalls-'))
      const stop = new AbortController()
      let [goOn, epoch] = [(): void => {}, 0]
      let gate: Promise<void> | undefined
      const training = nt.fit(network(), birds(100 * task.batch), {
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
