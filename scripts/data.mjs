// Puts MNIST and CIFAR-10 into the cache (NEEDLETAIL_CACHE), so that tests find them there and need no network.
// Usage: node --import tsx scripts/data.mjs
import { CIFAR10 } from '../lib/data/cifar.js'
import { MNIST } from '../lib/data/mnist.js'
import { loadSet } from '../lib/data/sets.js'

for (const origin of [MNIST, CIFAR10]) await loadSet('data', origin)
