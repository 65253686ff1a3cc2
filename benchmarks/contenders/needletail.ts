// needletail as a user gets it: the compiled package, imported by its name.
import { serve, timeLoops, type Prepared } from '../harness/serve.js'
import type { Task } from '../harness/protocol.js'
import { createRequire } from 'node:module'
import type * as Needletail from '../../lib/index.js'

const name: string = 'needletail' // not resolved by the type check, which needs no dist/
const nt = (await import(name)) as typeof Needletail
const version = (createRequire(import.meta.url)('needletail/package.json') as { version: string }).version

async function prepare(task: Task): Promise<Prepared> {
  nt.setThreads(Number(process.argv[2]))
  switch (task.kind) {
    case 'train':
    case 'infer':
      throw new Error('has no layers yet')
    case 'add': {
      const a = nt.tensor([1])
      const b = nt.tensor([2])
      const run = (n: number): number[] => timeLoops(n, task.count, () => void a.add(b), nt.synchronizeSync)
      run(2)
      return { version, run }
    }
    case 'addRead': {
      const a = nt.tensor([1])
      const b = nt.tensor([2])
      const run = (n: number): number[] => timeLoops(n, task.count, () => void a.add(b).dataSync())
      run(2)
      return { version, run }
    }
  }
}

await serve(prepare)
