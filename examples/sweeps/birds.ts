// What a bird network may be like, and how it is trained: 100 of these variants are tried.
import { datasets, defineSweep, fit, nn, optim, space, type FitOptions } from 'needletail'
import { few, small } from '../support/small.js'

const variants = {
  blocks: space.integers(2, 3), // between them the picture becomes half as large
  convolutions: space.integers(1, 2), // of each block
  filters: space.choice([16, 24, 32]), // of the first block; each later one has twice as many
  norm: space.choice([true, false]),
  hidden: space.choice([0, 128, 512]), // neurons before the last layer
  dropout: space.uniform(0, 0.6),
  rate: space.logUniform(3e-4, 1e-2),
  schedule: space.choice(['constant', 'cosine', 'oneCycle']),
  augment: space.choice(['shift', 'rotate'])
}
type Variant = space.ValuesOf<typeof variants>

export function networkOf({ blocks, convolutions, filters, norm, hidden, dropout }: Variant): nn.Module {
  const layers: nn.Module[] = []
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < convolutions; i++) {
      layers.push(new nn.Conv2d(filters * 2 ** block, 3, { padding: 'same' }))
      if (norm) layers.push(new nn.BatchNorm())
      layers.push(new nn.ReLU())
    }
    layers.push(new nn.MaxPool2d(2))
  }
  layers.push(new nn.Flatten())
  if (hidden > 0) layers.push(new nn.Linear(hidden, { activation: 'relu' }))
  return new nn.Sequential(...layers, new nn.Dropout(dropout), new nn.Linear(2))
}

export const trainingOf = ({ rate, schedule, augment }: Variant): FitOptions => ({
  ...common,
  optimizer: ({ total: steps }) => {
    const learningRate =
      schedule === 'constant'
        ? rate
        : schedule === 'cosine'
          ? optim.cosine(rate, { steps })
          : optim.oneCycle(rate, { steps })
    return new optim.Adam({ learningRate })
  },
  augment: { flip: 'horizontal', ...(augment === 'shift' ? { shift: 3 } : { rotate: 25, blur: 3 }) }
})

/** What all trainings have in common. */
export const common: FitOptions = {
  normalize: true,
  metrics: ['accuracy', 'precision', 'recall', 'averagePrecision'],
  positive: 'bird',
  monitor: 'averagePrecision',
  batchSize: 96,
  compute: 'bfloat16'
}
export const epochs = small ? 3 : 9

export default defineSweep({
  name: 'birds-sweep',
  space: variants,
  strategy: { kind: 'asha', trials: small ? 6 : 100, rungs: small ? 2 : 3, reduction: 3 },
  epochs,
  metric: 'validation.averagePrecision', // how well birds are told from the rest, whatever the threshold
  async train({ values, options }) {
    // Choosing among networks is learning, too: the test set has no part in it.
    const { train, test } = few((await datasets.birds()).train, 1500).split({ test: 0.5 })
    await fit(networkOf(values), train, { ...trainingOf(values), validation: test, ...options })
  }
})
