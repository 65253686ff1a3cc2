// Asking the bird network: class probabilities of one picture, and of many.
import { needletail, onnxruntime, pytorch, tfjs, yardstick } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const infer: Scenario = {
  name: 'infer',
  title: 'Inference with the bird network, float32',
  cases: ({ threads, tiny }) =>
    (tiny ? [1, 3] : [1, 256]).map((batch) => ({
      title: `Batch ${batch}`,
      unit: 'ms',
      task: { kind: 'infer', batch },
      contenders: [
        needletail(threads),
        ...pytorch(threads, ['channels_last', 'NCHW']),
        onnxruntime(threads),
        ...tfjs(threads),
        ...yardstick(threads)
      ],
      comparison: 'ratio',
      reference: 'needletail',
      rounds: tiny ? 2 : 8,
      perTurn: tiny ? 1 : batch === 1 ? 100 : 8
    }))
}
