// TensorFlow.js: tfjs.ts node|wasm|cpu THREADS. From the folder that NEEDLETAIL_PEERS names, or benchmarks/node_modules.
import { peer } from '../harness/peer.js'
import { now, serve, timeEach, timeLoops, warmUp, type Prepared } from '../harness/serve.js'
import { stallsDuring } from '../harness/stalls.js'
import type { Task } from '../harness/protocol.js'
import { channels, classes, parameterCount, pictures, side } from '../network.js'

// What is used of its types; the package need not be installed.
interface TfTensor {
  dataSync(): Float32Array
  dispose(): void
}
interface Model {
  add(layer: unknown): void
  compile(options: object): void
  countParams(): number
  fit(x: TfTensor, y: TfTensor, options: object): Promise<unknown>
  trainOnBatch(x: TfTensor, y: TfTensor): Promise<number>
  predictOnBatch(x: TfTensor): TfTensor
}
interface TensorFlow {
  version: { tfjs: string }
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  sequential(): Model
  layers: Record<string, (options?: object) => unknown>
  train: { adam(learningRate: number): unknown }
  tensor(values: Float32Array, shape: number[]): TfTensor
  tensor1d(values: number[]): TfTensor
  add(a: TfTensor, b: TfTensor): TfTensor
}

const [backend, threads] = process.argv.slice(2) as ['node' | 'wasm' | 'cpu', string]
console.warn = () => {} // "use tfjs-node", which is measured, too

function network(tf: TensorFlow): Model {
  const { conv2d, maxPooling2d, flatten, dense, dropout } = tf.layers as Required<typeof tf.layers>
  const kernel = { kernelSize: 3, padding: 'same', activation: 'relu' }
  const model = tf.sequential()
  const layers = [
    conv2d!({ ...kernel, filters: 32, inputShape: [side, side, channels] }),
    maxPooling2d!({ poolSize: 2 }),
    conv2d!({ ...kernel, filters: 64 }),
    conv2d!({ ...kernel, filters: 64 }),
    maxPooling2d!({ poolSize: 2 }),
    flatten!(),
    dense!({ units: 512, activation: 'relu' }),
    dropout!({ rate: 0.5 }),
    dense!({ units: classes, activation: 'softmax' })
  ]
  for (const layer of layers) model.add(layer)
  if (model.countParams() !== parameterCount) throw new Error(`${model.countParams()} parameters`)
  return model
}

function examples(tf: TensorFlow, count: number): { x: TfTensor; y: TfTensor } {
  const { images, labels } = pictures(count)
  const oneHot = Float32Array.from({ length: count * classes }, (_, i) =>
    labels[Math.floor(i / classes)] === i % classes ? 1 : 0
  )
  return { x: tf.tensor(images, [count, side, side, channels]), y: tf.tensor(oneHot, [count, classes]) }
}

function compiled(tf: TensorFlow): Model {
  const model = network(tf)
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' })
  return model
}

async function prepare(task: Task): Promise<Prepared> {
  const tf = peer<TensorFlow>(backend === 'node' ? '@tensorflow/tfjs-node' : '@tensorflow/tfjs')
  if (backend === 'wasm') {
    peer<{ setThreadsCount(n: number): void }>('@tensorflow/tfjs-backend-wasm').setThreadsCount(Number(threads))
  }
  if (backend !== 'node') await tf.setBackend(backend)
  await tf.ready()
  const version = tf.version.tfjs
  switch (task.kind) {
    case 'train': {
      const { x, y } = examples(tf, task.batch)
      const model = compiled(tf)
      const step = (): Promise<number> => model.trainOnBatch(x, y)
      await warmUp(step)
      return { version, note: 'trainOnBatch', run: (n) => timeEach(n, step) }
    }
    case 'stalls': {
      const { x, y } = examples(tf, 30 * task.batch)
      const model = compiled(tf)
      const train = async (seconds: number): Promise<void> => {
        const end = now() + seconds * 1000
        while (now() < end) await model.fit(x, y, { batchSize: task.batch, epochs: 1, verbose: 0 })
      }
      await train(1)
      return { version, note: 'model.fit', run: (seconds) => stallsDuring(() => train(seconds)) }
    }
    case 'infer': {
      const x = tf.tensor(pictures(task.batch).images, [task.batch, side, side, channels])
      const model = network(tf)
      const step = (): void => {
        const result = model.predictOnBatch(x)
        result.dataSync()
        result.dispose()
      }
      await warmUp(step)
      return { version, note: 'predictOnBatch', run: (n) => timeEach(n, step) }
    }
    case 'add':
    case 'addRead': {
      const a = tf.tensor1d([1])
      const b = tf.tensor1d([2])
      const step = (): void => {
        const c = tf.add(a, b)
        if (task.kind === 'addRead') c.dataSync()
        c.dispose()
      }
      const run = (n: number): number[] => timeLoops(n, task.count, step)
      run(2)
      return { version, note: 'with dispose()', run }
    }
  }
}

await serve(prepare)
