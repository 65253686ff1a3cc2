// What an installation takes on disk: the package and all that it depends on.
import { needletail, onnxruntime, plainPytorch, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const size: Scenario = {
  name: 'size',
  title: 'Install size',
  cases: ({ threads }) => [
    {
      title: 'The package with its dependencies, unpacked',
      unit: 'MB',
      task: { kind: 'size' },
      contenders: [needletail(threads), ...tfjs(threads), onnxruntime(threads), plainPytorch(threads)],
      comparison: 'ratio',
      references: ['needletail'],
      rounds: 1,
      perTurn: 1
    }
  ]
}
