// Batches of a set, in a seeded order, normalised and augmented on the device.
import { checkDevice } from '../device.js'
import { checkInteger, checkOptions, expected } from '../errors.js'
import type { AugmentationNumbers, BatchImagesOptions } from '../functional/batch.js'
import { tensor } from '../functional/creation.js'
import { permutation, uniform } from '../functional/random.js'
import { arange, slice } from '../functional/shape.js'
import { keep, type Tensor } from '../tensor.js'
import { augmentationNumbers, type Augmentation } from './augmentation.js'
import { ImageDataset, type Batch, type Statistics } from './dataset.js'
import { Feed } from './feed.js'
import { Pace } from './pace.js'

/** How batches are made. */
export interface DataLoaderOptions {
  /** Pictures in a batch; 32 by default. */
  batchSize?: number
  /** Whether each epoch has an order of its own; false (the set's order) by default. */
  shuffle?: boolean
  /** Seed of the order and of the augmentation, an integer in [0, 2^32); 0 by default. The same seed gives the same batches. */
  seed?: number
  /**
   * Takes the mean from each channel and divides it by the deviation: `true` for the set's own statistics, else those of
   * another set (a test set is normalised as the training set was). Without it pixels are in 0..1.
   */
  normalize?: boolean | Statistics
  /** What is changed by chance in each picture, anew in each epoch; nothing by default. */
  augment?: Augmentation
  /** Whether a last batch that isn't full is left out; false by default. */
  dropLast?: boolean
  /**
   * Draws the pictures by chance, as many as the set has, each one as often as it comes: the same picture may come twice in an
   * epoch (and is then changed in the same way). `true` draws every class as often as the others; numbers, one per class, say
   * how often each comes in proportion: [3, 1] draws the first three times as often as the second. In place of `shuffle`;
   * false by default.
   */
  balance?: boolean | readonly number[]
  /** Where the batches are made, e.g. 'cuda:0'; the set's pixels are brought there once. The default device unless given. */
  device?: string | undefined
}

const OPTIONS = ['batchSize', 'shuffle', 'seed', 'normalize', 'augment', 'dropLast', 'balance', 'device']

/**
 * Goes through a set in batches: each `for await` is one epoch. It holds back while two steps wait in the device's queue, so
 * that a loop that reads nothing stays bounded and lets timers and other work run.
 */
export class DataLoader implements AsyncIterable<Batch> {
  /** The set that it goes through. */
  readonly dataset: ImageDataset
  /** Pictures in a batch. */
  readonly batchSize: number
  /** The number of the next epoch, from 0; set it to go on where another run stopped. */
  epoch = 0
  /** The batch that the next epoch begins at, 0 after that; set it to go on in the middle of an epoch. */
  batch = 0
  /** Where the batches are made. */
  readonly device: string
  readonly #shuffle: boolean
  readonly #seed: number
  readonly #dropLast: boolean
  readonly #balance: readonly number[] | undefined
  readonly #options: AugmentationNumbers & Statistics

  constructor(dataset: ImageDataset, options: DataLoaderOptions = {}) {
    const op = 'DataLoader'
    checkOptions(op, options, OPTIONS)
    const { batchSize = 32, shuffle = false, seed = 0, normalize = false, augment = {} } = options
    const { dropLast = false, balance = false } = options
    if (!(dataset instanceof ImageDataset)) throw expected(op, 'an ImageDataset', dataset)
    checkInteger(op, 'batchSize as a whole number from 1', batchSize, 1)
    checkInteger(op, 'seed as a whole number in [0, 2^32)', seed, 0, 2 ** 32 - 1)
    const changes = augmentationNumbers(op, augment)
    this.dataset = dataset
    this.batchSize = batchSize
    this.device = checkDevice(op, options.device)
    this.#shuffle = shuffle
    this.#seed = seed
    this.#dropLast = dropLast
    this.#balance = balance === false ? undefined : shares(op, balance, dataset)
    const channels = dataset.shape[2]
    const { mean, std } = normalize === true ? dataset.statistics : normalize || identity(channels)
    if (!areNumbers(mean, channels) || !areNumbers(std, channels) || std.some((deviation) => deviation <= 0)) {
      const got = JSON.stringify({ mean, std })
      throw expected(op, `normalize { mean, std } of ${channels} numbers each, std above 0`, got)
    }
    this.#options = { mean, std, ...changes }
  }

  /** The number of batches in an epoch. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches)
  }

  /** The batches of the next epoch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    checkInteger('DataLoader', `batch as a whole number in [0, ${this.length}]`, this.batch, 0, this.length)
    const first = this.batch
    this.batch = 0
    const epoch = this.epoch++
    const { device } = this
    const { length } = this.dataset
    const order = await this.#order(epoch)
    const options = { ...this.#images(), epoch }
    const pace = new Pace(device)
    for (let batch = first; batch < this.length; batch++) {
      const start = batch * this.batchSize
      const positions = slice(order, start, Math.min(start + this.batchSize, length))
      await pace.turn()
      yield this.dataset.batch(positions, options)
      pace.follow()
      positions.dispose()
    }
  }

  /** @internal The same batches, for a compiled function to make. */
  feed(isAhead = false): Feed {
    const { dataset, batchSize, device } = this
    const order = (epoch: number) => this.#order(epoch)
    return new Feed({ dataset, batchSize, device, order, images: this.#images(), isAhead })
  }

  /** How pictures are made ready, with what lies on the device. */
  #images(): BatchImagesOptions {
    const { device } = this
    const { mean, std, ...changes } = this.#options
    const [means, stds] = [tensor([...mean], { device }), tensor([...std], { device })]
    return { ...changes, mean: keep(means), std: keep(stds), seed: this.#seed }
  }

  /** The positions of an epoch's pictures. */
  async #order(epoch: number): Promise<Tensor<'int32'>> {
    const { device } = this
    const { length, labels } = this.dataset
    const seed = this.#seed + epoch * 2 ** 32
    if (this.#balance) return tensor(await draw(await labels.data(), this.#balance, seed), { device })
    return this.#shuffle ? permutation(length, { seed, device }) : arange(0, length, 1, { dtype: 'int32', device })
  }
}

/** The part of the draws that each class gets; they add up to 1. */
function shares(op: string, balance: true | readonly number[], { counts }: ImageDataset): number[] {
  const weights = balance === true ? counts.map((count) => (count > 0 ? 1 : 0)) : balance
  const total = areNumbers(weights, counts.length) ? weights.reduce((sum, weight) => sum + weight, 0) : NaN
  if (!(
    total > 0 &&
    total < Infinity &&
    weights.every((weight, i) => weight >= 0 && (weight === 0 || counts[i]! > 0))
  )) {
    const what = `balance as true or ${counts.length} numbers from 0, above 0 only for classes with pictures`
    throw expected(op, what, balance === true ? 'an empty set' : balance)
  }
  return weights.map((weight) => weight / total)
}

/** As many positions as there are labels: each time a class by its share, then one of its pictures. */
async function draw(labels: Int32Array, shares: readonly number[], seed: number): Promise<Int32Array> {
  const members = shares.map(() => [] as number[])
  labels.forEach((label, at) => members[label]!.push(at))
  const ends = shares.map((_, i) => shares.slice(0, i + 1).reduce((sum, share) => sum + share, 0))
  const last = shares.reduce((at, share, i) => (share > 0 ? i : at), 0)
  const chance = await uniform([labels.length, 2], { seed, device: 'cpu' }).data()
  return labels.map((_, i) => {
    const label = ends.findIndex((end) => chance[2 * i]! < end)
    const choice = members[label < 0 ? last : label]! // rounding may leave the last end just below 1
    return choice[Math.floor(chance[2 * i + 1]! * choice.length)]!
  })
}

const identity = (channels: number): Statistics => ({
  mean: Array<number>(channels).fill(0),
  std: Array<number>(channels).fill(1)
})

const areNumbers = (values: unknown, length: number): values is number[] =>
  Array.isArray(values) && values.length === length && values.every(Number.isFinite)
