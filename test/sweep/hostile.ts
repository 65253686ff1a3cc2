// A sweep over texts that mean mischief, of which one fails.
import { defineSweep, fit, nn, optim, space } from '../../lib/index.js'
import { squares } from '../train/support.js'

export const HOSTILE = '</script><img src=x onerror="document.title=1">\u2028'

export default defineSweep({
  name: 'hostile',
  space: { text: space.choice(['plain', HOSTILE]), rate: space.logUniform(1e-3, 1e-1), layers: space.integers(1, 1) },
  strategy: { kind: 'grid', points: 2 },
  epochs: 1,
  async train({ number, values: { rate }, options }) {
    if (number === 4) throw new Error(HOSTILE)
    const network = new nn.Sequential(new nn.Flatten(), new nn.Linear(2))
    const optimizer = new optim.SGD({ learningRate: rate })
    await fit(network, squares(60, 1), { validation: squares(60, 100), optimizer, ...options })
  }
})
