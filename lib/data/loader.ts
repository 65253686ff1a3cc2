// Batches of a set, in a seeded order, normalised and augmented on the device.
import { setImmediate } from 'node:timers/promises'
import { checkInteger, expected } from '../errors.js'
import type { BatchImagesOptions } from '../functional/batch.js'
import { permutation } from '../functional/random.js'
import { arange, slice } from '../functional/shape.js'
import type { Tensor } from '../tensor.js'
import { augmentationNumbers, type Augmentation } from './augmentation.js'
import { ImageDataset, type Batch, type Statistics } from './dataset.js'

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
}

/**
 * Goes through a set in batches: each `for await` is one epoch. It holds back while two steps wait in the device's queue, so
 * that a loop that reads nothing stays bounded and lets timers and other work run.
 */
export class DataLoader implements AsyncIterable<Batch> {
  readonly dataset: ImageDataset
  readonly batchSize: number
  /** The number of the next epoch, from 0; set it to go on where another run stopped. */
  epoch = 0
  readonly #shuffle: boolean
  readonly #seed: number
  readonly #dropLast: boolean
  readonly #options: BatchImagesOptions

  constructor(dataset: ImageDataset, options: DataLoaderOptions = {}) {
    const { batchSize = 32, shuffle = false, seed = 0, normalize = false, augment = {}, dropLast = false } = options
    const op = 'DataLoader'
    if (!(dataset instanceof ImageDataset)) throw expected(op, 'an ImageDataset', dataset)
    checkInteger(op, 'batchSize as a whole number from 1', batchSize, 1)
    checkInteger(op, 'seed as a whole number in [0, 2^32)', seed, 0, 2 ** 32 - 1)
    const changes = augmentationNumbers(op, augment)
    this.dataset = dataset
    this.batchSize = batchSize
    this.#shuffle = shuffle
    this.#seed = seed
    this.#dropLast = dropLast
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

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const epoch = this.epoch++
    const { length } = this.dataset
    const order = this.#shuffle
      ? permutation(length, { seed: this.#seed + epoch * 2 ** 32 })
      : arange(0, length, 1, { dtype: 'int32' })
    const options = { ...this.#options, seed: this.#seed, epoch }
    let before: Tensor<'int32'> | undefined
    for (let batch = 0; batch < this.length; batch++) {
      const start = batch * this.batchSize
      const positions = slice(order, start, Math.min(start + this.batchSize, length))
      // The queue is in order: once the positions of the batch before are there, only its step still waits.
      await before?.data()
      before?.dispose()
      before = positions
      // Reading may be done at once, which would never let a timer run.
      await setImmediate()
      yield this.dataset.batch(positions, options)
    }
  }
}

const identity = (channels: number): Statistics => ({
  mean: Array<number>(channels).fill(0),
  std: Array<number>(channels).fill(1)
})

const areNumbers = (values: unknown, length: number): values is number[] =>
  Array.isArray(values) && values.length === length && values.every(Number.isFinite)
