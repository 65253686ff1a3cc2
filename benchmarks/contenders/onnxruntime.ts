// onnxruntime-node (inference only): onnxruntime.ts THREADS
import { peer, peerFolder, peerVersion } from '../harness/peer.js'
import { serve, timing, type Prepared } from '../harness/serve.js'
import { installedSize } from '../harness/size.js'
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
  const version = peerVersion('onnxruntime-node')
  if (task.kind === 'size')
    return { version, elsewhere: true, run: () => [installedSize(['onnxruntime-node'], peerFolder)] }
  if (task.kind !== 'infer') throw new Error('infers only')
  const { InferenceSession, Tensor } = peer<Runtime>('onnxruntime-node')
  const session = await InferenceSession.create(onnxNetwork(), { intraOpNumThreads: Number(process.argv[2]) })
  const { images } = pictures(task.batch)
  const x = new Tensor('float32', images, [task.batch, channels, side, side])
  const step = async (): Promise<unknown> => (await session.run({ x })).y!.data
  return { version, note: 'NCHW', run: await timing(step) }
}

await serve(prepare)
