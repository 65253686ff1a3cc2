// What the sets that are fetched by name are, and whether they are on this machine.
import { join } from 'node:path'
import { checkWord } from '../errors.js'
import { cacheFolder, exists } from './cache.js'
import { CIFAR10, CIFAR100 } from './cifar.js'
import { FASHION_MNIST, MNIST } from './mnist.js'
import { loadSet, type SetOrigin } from './sets.js'

/** A set that is fetched by name. */
export interface DatasetInfo {
  /** The function in `datasets` that gives it. */
  name: string
  /** [height, width, channels] of one picture. */
  shape: readonly [number, number, number]
  /** The names of its classes. */
  classes: readonly string[]
  /** Pictures in the part to train on. */
  train: number
  /** Pictures in the part that is held out. */
  test: number
  /** Whether it is on this machine. */
  cached: boolean
  /** Where it is kept. */
  folder: string
  /** Where it is fetched from: the first place that answers. */
  sources: readonly string[]
}

const ORIGINS: ReadonlyMap<string, SetOrigin> = new Map(
  Object.entries({ mnist: MNIST, fashionMnist: FASHION_MNIST, cifar10: CIFAR10, cifar100: CIFAR100, birds: CIFAR10 })
)
const BIRDS = ['other', 'bird']

/** The sets that can be fetched by name, and which of them are in the cache folder. */
export function list(): Promise<DatasetInfo[]> {
  return Promise.all(
    [...ORIGINS].map(async ([name, origin]) => {
      const { shape, train, test } = origin
      const folder = join(cacheFolder(), origin.name)
      const classes = name === 'birds' ? BIRDS : origin.classes
      const sources = origin.sources.map((source) => source.name)
      return { name, shape, classes, train, test, cached: await exists(folder), folder, sources }
    })
  )
}

/** Fetches a set into the cache folder, unless it is there: what needs it later needs no network. */
export async function fetch(name: string): Promise<void> {
  checkWord('datasets.fetch', 'a name', name, [...ORIGINS.keys()])
  await loadSet('datasets.fetch', ORIGINS.get(name)!)
}
