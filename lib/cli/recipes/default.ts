// The article's recipe: its network, flips, turns and blur, a constant rate, 50 passes.
import { optim } from '../../index.js'
import { articleNetwork } from './network.js'
import type { Recipe } from './recipe.js'

export const article: Recipe = {
  defaults: { epochs: 50, batchSize: 96, seed: 0 },
  network: articleNetwork,
  options: {
    normalize: true,
    augment: { flip: 'horizontal', rotate: 25, blur: 3 },
    optimizer: () => new optim.Adam({ learningRate: 0.001 })
  }
}
