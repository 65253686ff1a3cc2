// Puts MNIST and CIFAR-10 into the cache (NEEDLETAIL_CACHE), so that tests and examples find them there and need no network.
import { CIFAR10, loadSet, MNIST } from '../dist/data/sets.js'

for (const origin of [MNIST, CIFAR10]) await loadSet('data', origin)
