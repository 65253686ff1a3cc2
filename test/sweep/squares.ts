// A sweep of small trainings, which a test can let fail, or kill whom it wants to: see the variables of the environment.
import { defineSweep, fit, nn, optim, space } from '../../lib/index.js'
import { squares } from '../train/support.js'

const { FAIL, KILL_PARENT_AT, KILL_BOTH_AT, METRIC = 'validation.loss', TRIALS = '4' } = process.env

export default defineSweep({
  name: 'squares',
  space: {
    filters: space.choice([2, 4, 8]),
    rate: space.logUniform(1e-4, 1e-2),
    dropout: space.uniform(0, 0.5),
    layers: space.choice([[], [8], [8, 4]])
  },
  strategy: { kind: 'asha', trials: Number(TRIALS), rungs: 3, reduction: 2 },
  epochs: 4,
  metric: METRIC,
  async train({ number, values: { filters, rate, dropout, layers }, options }) {
    if (number === Number(FAIL)) throw new Error('no such luck')
    const network = new nn.Sequential(
      new nn.Conv2d(filters, 3, { activation: 'relu' }),
      new nn.Flatten(),
      ...layers.map((units) => new nn.Linear(units, { activation: 'relu' })),
      new nn.Dropout(dropout),
      new nn.Linear(2)
    )
    let batches = 0
    const onBatchEnd = () => {
      batches++
      if ([KILL_PARENT_AT, KILL_BOTH_AT].includes(String(batches))) process.kill(process.ppid, 'SIGKILL')
      if (KILL_BOTH_AT === String(batches)) process.kill(process.pid, 'SIGKILL')
    }
    await fit(network, squares(120, 1), {
      validation: squares(60, 100),
      optimizer: ({ total }) => new optim.Adam({ learningRate: optim.cosine(rate, { steps: total }) }),
      batchSize: 16,
      saveEvery: 2,
      callbacks: { onBatchEnd },
      ...options
    })
  }
})
