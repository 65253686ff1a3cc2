// What a training does to the event loop: how late timers are while fit runs, beside threads that spin.
import { needletail, spin, spinName, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const stalls: Scenario = {
  name: 'stalls',
  title: 'Event-loop stalls while the bird network is trained by fit',
  cases: ({ threads, tiny }) => [
    {
      title: `By how much timers of 1 ms are late, batch ${tiny ? 2 : 96}`,
      unit: 'ms',
      task: { kind: 'stalls', batch: tiny ? 2 : 96 },
      contenders: [spin(threads), needletail(threads), ...tfjs(threads, ['node'])],
      comparison: 'multiple',
      references: [spinName],
      quantile: 0.999,
      rounds: tiny ? 2 : 5,
      perTurn: tiny ? 1 : 4
    }
  ]
}
