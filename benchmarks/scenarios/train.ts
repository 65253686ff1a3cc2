// A training step of the bird network: forward, backward, Adam, the loss read.
import { needletails, pytorch, references, tfjs, yardstick } from '../contenders/index.js'
import type { Command } from '../harness/contestant.js'
import type { Case, Scenario } from '../harness/scenario.js'

/** One step of tfjs-cpu takes minutes. */
const patient = (contender: Command): Command =>
  contender.name === 'tfjs-cpu' ? { ...contender, limit: 600 } : contender

export const step = ({ threads, tiny }: { threads: number; tiny: boolean }): Case => ({
  title: tiny ? 'Batch 2' : 'Batch 96, Adam',
  unit: 'ms',
  task: { kind: 'train', batch: tiny ? 2 : 96 },
  contenders: [
    ...needletails(threads),
    ...pytorch(threads, ['channels_last', 'NCHW', 'compiled', 'autocast']),
    ...tfjs(threads).map(patient),
    ...yardstick(threads)
  ],
  comparison: 'ratio',
  references,
  rounds: tiny ? 2 : 6,
  perTurn: tiny ? 1 : 10
})

export const train: Scenario = {
  name: 'train',
  title: 'Training step of the bird network',
  cases: (options) => [step(options)]
}
