// A training step of ResNet-50 at the size of ImageNet: forward, backward, SGD with momentum, the loss read.
import { needletails, pytorch, references } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const resnet50: Scenario = {
  name: 'resnet50',
  title: 'Training step of ResNet-50',
  cases: ({ threads, tiny }) => [
    {
      title: tiny ? '32x32, batch 2' : '224x224, batch 16, SGD with momentum',
      unit: 's',
      task: { kind: 'train', network: 'resnet50', ...(tiny ? { batch: 2, side: 32 } : { batch: 16 }) },
      contenders: [...needletails(threads), ...pytorch(threads, ['channels_last', 'autocast'])],
      comparison: 'ratio',
      references,
      rounds: tiny ? 2 : 4,
      perTurn: 1
    }
  ]
}
