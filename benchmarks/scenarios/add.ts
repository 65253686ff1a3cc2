// What a small operation costs: adding two one-element tensors.
import { needletail, plainPytorch, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const add: Scenario = {
  name: 'add',
  title: 'Adding two one-element tensors',
  cases: ({ threads, tiny }) => {
    const shared = {
      unit: 'us',
      contenders: [needletail(threads), plainPytorch(threads), ...tfjs(threads)],
      comparison: 'ratio',
      references: ['needletail'],
      rounds: tiny ? 2 : 6
    } as const
    return [
      {
        ...shared,
        title: 'In a synchronous loop, the result objects and their clean-up included',
        task: { kind: 'add', count: tiny ? 100 : 50_000 },
        perTurn: tiny ? 1 : 4
      },
      {
        ...shared,
        title: 'Each result read',
        task: { kind: 'addRead', count: tiny ? 100 : 10_000 },
        perTurn: tiny ? 1 : 4
      }
    ]
  }
}
