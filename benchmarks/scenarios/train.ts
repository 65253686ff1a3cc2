// A training step of the bird network: forward, backward, Adam, the loss read.
import { needletail, pytorch, tfjs, yardstick } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const train: Scenario = {
  name: 'train',
  title: 'Training step of the bird network, float32',
  cases: ({ threads, tiny }) => [
    {
      title: tiny ? 'Batch 2' : 'Batch 96, Adam',
      unit: 'ms',
      task: { kind: 'train', batch: tiny ? 2 : 96 },
      contenders: [
        needletail(threads),
        ...pytorch(threads, ['channels_last', 'NCHW']),
        ...tfjs(threads),
        ...yardstick(threads)
      ],
      comparison: 'ratio',
      reference: 'needletail',
      rounds: tiny ? 2 : 8,
      perTurn: tiny ? 1 : 10
    }
  ]
}
