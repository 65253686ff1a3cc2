// TensorFlow.js: tfjs.ts node|wasm|cpu THREADS. From the folder that NEEDLETAIL_PEERS names, or benchmarks/node_modules.
import { peer, peerFolder } from '../harness/peer.js'
import { loopsOf, now, serve, timeLoops, timing, type Prepared } from '../harness/serve.js'
import { installedSize } from '../harness/size.js'
import { stallsDuring } from '../harness/stalls.js'
import type { OpTask, Task } from '../harness/protocol.js'
import { birds, channels, classes, parameterCount, pictures, side } from '../network.js'

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
  matMul(a: TfTensor, b: TfTensor): TfTensor
  conv2d(x: TfTensor, w: TfTensor, strides: number, pad: 'same'): TfTensor
  grads(f: (...tensors: TfTensor[]) => TfTensor): (tensors: TfTensor[]) => TfTensor[]
  maxPool(x: TfTensor, size: number, strides: number, pad: 'valid'): TfTensor
  relu(x: TfTensor): TfTensor
  tanh(x: TfTensor): TfTensor
  sum(x: TfTensor, axis?: number): TfTensor
  softmax(x: TfTensor): TfTensor
  transpose(x: TfTensor): TfTensor
  concat(tensors: TfTensor[], axis: number): TfTensor
  gather(x: TfTensor, at: TfTensor): TfTensor
  argMax(x: TfTensor, axis: number): TfTensor
  cumsum(x: TfTensor, axis: number): TfTensor
  topk(x: TfTensor, k: number): { values: TfTensor }
  randomNormal(shape: readonly number[]): TfTensor
  randomUniform(shape: readonly number[], low: number, high: number, dtype?: 'int32'): TfTensor
  tidy(f: () => void): void
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

function examples(tf: TensorFlow, images: Float32Array, labels: Int32Array): { x: TfTensor; y: TfTensor } {
  const count = labels.length
  const oneHot = Float32Array.from({ length: count * classes }, (_, i) =>
    labels[Math.floor(i / classes)] === i % classes ? 1 : 0
  )
  return { x: tf.tensor(images, [count, side, side, channels]), y: tf.tensor(oneHot, [count, classes]) }
}

function compiled(tf: TensorFlow, metrics: readonly string[] = []): Model {
  const model = network(tf)
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy', metrics })
  return model
}

function operation(tf: TensorFlow, { op, shapes }: OpTask): () => unknown {
  const [a, b] = shapes.map((shape) => tf.randomUniform(shape, 0, 1)) as [TfTensor, TfTensor]
  switch (op) {
    case 'matmul':
      return () => tf.matMul(a, b)
    case 'conv2d':
      return () => tf.conv2d(a, b, 1, 'same')
    case 'conv2dGradient': {
      const gradients = tf.grads((x, w) => tf.sum(tf.conv2d(x!, w!, 1, 'same')))
      return () => gradients([a, b])
    }
    case 'maxPool2d':
      return () => tf.maxPool(a, 2, 2, 'valid')
    case 'add':
      return () => tf.add(a, b)
    case 'relu':
      return () => tf.relu(a)
    case 'tanh':
      return () => tf.tanh(a)
    case 'sum':
      return () => tf.sum(a)
    case 'sumRows':
      return () => tf.sum(a, 1)
    case 'softmax':
      return () => tf.softmax(a)
    case 'transpose':
      return () => tf.transpose(a)
    case 'concat':
      return () => tf.concat([a, b], 1)
    case 'gather': {
      const at = tf.randomUniform(shapes[1]!, 0, shapes[0]![0]!, 'int32')
      return () => tf.gather(a, at)
    }
    case 'argmax':
      return () => tf.argMax(a, 1)
    case 'cumsum':
      return () => tf.cumsum(a, 1)
    case 'topK':
      return () => tf.topk(a, 5)
    case 'normal':
      return () => tf.randomNormal(shapes[0]!)
  }
}

/** Its own package, and its backend's. */
const PACKAGES = {
  node: ['@tensorflow/tfjs-node'],
  wasm: ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'],
  cpu: ['@tensorflow/tfjs']
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
      const { images, labels } = pictures(task.batch)
      const { x, y } = examples(tf, images, labels)
      const model = compiled(tf)
      return { version, note: 'trainOnBatch', run: await timing(() => model.trainOnBatch(x, y)) }
    }
    case 'fit': {
      const { pixels, labels } = birds(task)
      const images = Float32Array.from(pixels, (pixel) => pixel / 255)
      const { x, y } = examples(tf, images, labels)
      const model = compiled(tf, ['accuracy'])
      const pass = (): Promise<unknown> => model.fit(x, y, { batchSize: task.batch, epochs: 1, verbose: 0 })
      return { version, note: 'model.fit', run: await timing(pass) }
    }
    case 'stalls': {
      const { images, labels } = pictures(30 * task.batch)
      const { x, y } = examples(tf, images, labels)
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
      return { version, note: 'predictOnBatch', run: await timing(step) }
    }
    case 'op': {
      const step = operation(tf, task)
      return { version, run: loopsOf(() => tf.tidy(() => void step())) }
    }
    case 'size':
      return { version, elsewhere: true, run: () => [installedSize(PACKAGES[backend], peerFolder)] }
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
