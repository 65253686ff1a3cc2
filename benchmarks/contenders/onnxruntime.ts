// onnxruntime-node (inference only): onnxruntime.ts THREADS
import { peer, peerVersion } from '../harness/peer.js'
import { serve, timeEach, warmUp, type Prepared } from '../harness/serve.js'
import type { Task } from '../harness/protocol.js'
import { channels, pictures, side } from '../network.js'
import { onnxNetwork } from './onnx-network.js'

// What is used of its types; the package need not be installed.
interface Runtime {
  InferenceSession: {
    create(
      model: Uint8Array,
      options: object
    ): Promise<{ run(feeds: object): Promise<Record<string, { data: unknown }>> }>
  }
  Tensor: new (type: 'float32', data: Float32Array, shape: number[]) => unknown
}

async function prepare(task: Task): Promise<Prepared> {
  if (task.kind !== 'infer') throw new Error('infers only')
  const { InferenceSession, Tensor } = peer<Runtime>('onnxruntime-node')
  const session = await InferenceSession.create(onnxNetwork(), { intraOpNumThreads: Number(process.argv[2]) })
  const { images } = pictures(task.batch)
  const x = new Tensor('float32', images, [task.batch, channels, side, side])
  const step = async (): Promise<unknown> => (await session.run({ x })).y!.data
  await warmUp(step)
  return { version: peerVersion('onnxruntime-node'), note: 'NCHW', run: (n) => timeEach(n, step) }
}

await serve(prepare)
