// What a user waits for at each start: from the command to the first result, beside Node.js doing nothing.
import { starts } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

export const start: Scenario = {
  name: 'start',
  title: 'Start-up',
  cases: ({ tiny }) => [
    {
      title: 'A whole process: start, one addition, its result printed, end',
      unit: 'ms',
      contenders: starts(),
      comparison: 'difference',
      references: ['node -e 0'],
      rounds: tiny ? 2 : 10,
      perTurn: 1
    }
  ]
}
