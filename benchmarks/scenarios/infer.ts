// Asking the bird network: class probabilities of one picture, and of many.
import { needletails, onnxruntime, pytorch, references, tfjs, yardstick } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

const PER_TURN: Record<number, number> = { 1: 100, 32: 20, 256: 8 }

export const infer: Scenario = {
  name: 'infer',
  title: 'Inference with the bird network',
  cases: ({ threads, tiny }) =>
    (tiny ? [1, 3] : [1, 32, 256]).map((batch) => ({
      title: `Batch ${batch}`,
      unit: 'ms',
      task: { kind: 'infer', batch },
      contenders: [
        ...needletails(threads),
        onnxruntime(threads),
        ...pytorch(threads, ['channels_last', 'NCHW', 'compiled', 'autocast']),
        ...tfjs(threads),
        ...yardstick(threads)
      ],
      comparison: 'ratio',
      references,
      rounds: tiny ? 2 : 5,
      perTurn: tiny ? 1 : PER_TURN[batch]!
    }))
}
