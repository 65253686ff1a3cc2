// The same step while another process keeps a core busy: how well a library's threads wait for each other.
import { busy as another, needletails, pytorch, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'
import { step } from './train.js'

export const busy: Scenario = {
  name: 'busy',
  title: 'Training step of the bird network while another process keeps a core busy',
  cases: (options) => [
    {
      ...step(options),
      contenders: [
        ...needletails(options.threads),
        ...pytorch(options.threads, ['channels_last']),
        ...pytorch(1, ['channels_last', 'autocast']).map((one) => ({ ...one, name: `${one.name}, one thread` })),
        ...tfjs(options.threads, ['node'])
      ],
      perTurn: options.tiny ? 1 : 8,
      beside: another
    }
  ]
}
