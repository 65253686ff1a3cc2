// Batches that a compiled step makes for itself: what they follow from lies on the device and stays where it is, so that one
// program serves all steps, and nothing is brought to it.
import { noGrad } from '../autograd.js'
import { batchImagesAt, type BatchImagesOptions, type Place } from '../functional/batch.js'
import { tensor } from '../functional/creation.js'
import { gather } from '../functional/indexing.js'
import { arange, assign, copy, pad } from '../functional/shape.js'
import { keep, tidy, type Tensor } from '../tensor.js'
import type { Batch, ImageDataset, Listed } from './dataset.js'

/** What a feed is made of. */
export interface FeedOptions {
  dataset: ImageDataset
  batchSize: number
  device: string
  /** The positions of an epoch's pictures. */
  order: (epoch: number) => Promise<Tensor<'int32'>>
  /** How pictures are made ready. */
  images: BatchImagesOptions
  /** Whether a step makes the pictures of the next one, beside its own work: for a device that does things side by side. */
  isAhead?: boolean
}

export class Feed {
  readonly #options: FeedOptions
  readonly #place: Place
  /** 0, 1, 2, … for each size of a batch. */
  readonly #ranges = new Map<number, Tensor<'int32'>>()
  /** The pictures in the order of the epoch. */
  #listed: Listed | undefined
  /** Where a step makes the next one's pictures: those that it reads, and where the others are made while they are read. */
  #images: { now: Tensor<'float32'>; next: Tensor<'float32'> } | undefined

  constructor(options: FeedOptions) {
    const { device } = options
    this.#options = options
    const zero = () => keep(tensor(new Int32Array(1), [], { device }))
    this.#place = { epoch: zero(), first: zero() }
  }

  /** Begins an epoch at one of its batches. */
  async open(epoch: number, batch: number): Promise<void> {
    const { dataset, batchSize, order, isAhead } = this.#options
    const positions = await order(epoch)
    tidy(() =>
      noGrad(() => {
        const { pixels, rows: listed, labels, fine } = dataset.list(positions)
        // The last of all steps looks ahead, too, and sees pictures that are there.
        const rows = isAhead ? pad(listed, [[0, batchSize]]) : listed
        const own = (this.#listed ??= keep({
          pixels,
          rows: copy(rows),
          labels: copy(labels),
          ...(fine && { fine: copy(fine) })
        }))
        assign(own.rows, rows)
        assign(own.labels, labels)
        if (fine) assign(own.fine!, fine)
        assign(this.#place.epoch, epoch)
        assign(this.#place.first, batch * batchSize)
        if (!isAhead) return
        const images = this.#make(batchSize)
        if (this.#images) assign(this.#images.now, images)
        else this.#images = { now: keep(images), next: keep(copy(images)) }
      })
    )
    positions.dispose()
  }

  /** The number of pictures in a batch of an epoch. */
  size(batch: number): number {
    const { dataset, batchSize } = this.#options
    return Math.min(batchSize, dataset.length - batch * batchSize)
  }

  /** The next pictures of the epoch, `size` of them; for a compiled function, which does the same again and gets those that follow. */
  next(size: number): Batch {
    const { labels, fine } = this.#listed!
    const { first } = this.#place
    const at = first.add(this.#range(size))
    const batch: Batch = { images: this.#made(size) ?? this.#make(size), labels: gather(labels, at) }
    if (fine) batch.fine = gather(fine, at)
    assign(first, first.add(size))
    return batch
  }

  /** After all that reads the batch of `size`: makes the pictures of the next one, where this is done ahead. */
  ahead(size: number): void {
    const { batchSize } = this.#options
    if (!this.#images || size !== batchSize) return
    const { now, next } = this.#images
    // In memory of their own they can be made from the beginning of the step on, and wait for nothing but to be copied.
    tidy(() => void assign(next, this.#make(batchSize)))
    assign(now, next)
  }

  #made(size: number): Tensor<'float32'> | undefined {
    const now = this.#images?.now
    return size === this.#options.batchSize ? now?.detach() : now?.slice(0, size)
  }

  #make(size: number): Tensor<'float32'> {
    const { pixels, rows } = this.#listed!
    return batchImagesAt(pixels, rows, this.#place, size, this.#options.images)
  }

  #range(size: number): Tensor<'int32'> {
    let range = this.#ranges.get(size)
    if (range === undefined) {
      range = keep(arange(0, size, 1, { dtype: 'int32', device: this.#options.device }))
      this.#ranges.set(size, range)
    }
    return range
  }
}
