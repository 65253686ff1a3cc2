// The same step while another process keeps a core busy: how well a library's threads wait for each other.
import { busy as another, needletails, pytorch, references, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const busy: Scenario = {
  name: 'busy',
  title: 'Training step of the bird network while another process keeps a core busy',
  cases: ({ threads, tiny }) => [
    {
      title: tiny ? 'Batch 2' : 'Batch 96, Adam',
      unit: 'ms',
      task: { kind: 'train', batch: tiny ? 2 : 96 },
      contenders: [
        ...needletails(threads),
        ...pytorch(threads, ['channels_last']),
        ...pytorch(1, ['channels_last', 'autocast']).map((one) => ({ ...one, name: `${one.name}, one thread` })),
        ...tfjs(threads, ['node'])
      ],
      comparison: 'ratio',
      references,
      rounds: tiny ? 2 : 6,
      perTurn: tiny ? 1 : 8,
      beside: another
    }
  ]
}
