// A pass over real pictures by what a user of the library trains with: order, batches, steps, loss and accuracy.
import { join } from 'node:path'
import { cacheFolder, exists } from '../../lib/data/cache.js'
import { needletails, pytorch, references, tfjs } from '../contenders/index.js'
import type { Scenario } from '../harness/scenario.js'

const PICTURES = 4800
const folder = join(cacheFolder(), 'cifar10-1')

export const fit: Scenario = {
  name: 'fit',
  title: 'A pass over pictures of CIFAR-10 with the bird network',
  cases: async ({ threads, tiny }) => {
    const isThere = tiny || (await exists(folder))
    const files = { images: join(folder, 'train-images.idx'), labels: join(folder, 'train-labels.idx') }
    const contenders = [
      ...needletails(threads),
      ...pytorch(threads, ['channels_last', 'autocast']),
      ...tfjs(threads, ['node', 'wasm'])
    ]
    const noData = 'no CIFAR-10 in the data cache: needletail datasets fetch cifar10'
    return [
      {
        title: tiny ? '20 random pictures, batch 4' : `${PICTURES.toLocaleString('en')} pictures, batch 96, Adam`,
        unit: 's',
        task: tiny ? { kind: 'fit', batch: 4, pictures: 20 } : { kind: 'fit', batch: 96, pictures: PICTURES, ...files },
        contenders: isThere ? contenders : [],
        comparison: 'ratio',
        references,
        rounds: tiny ? 2 : 4,
        perTurn: 1,
        leftOut: isThere
          ? [{ contender: 'tfjs-cpu', reason: 'takes minutes a step' }]
          : contenders.map(({ name }) => ({ contender: name, reason: noData }))
      }
    ]
  }
}
