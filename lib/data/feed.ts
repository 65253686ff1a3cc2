// Batches that a compiled step makes for itself: what they follow from lies on the device and stays where it is, so that one
// program serves all steps, and nothing is brought to it.
import { noGrad } from '../autograd.js'
import { batchImagesAt, type BatchImagesOptions, type Place } from '../functional/batch.js'
import { tensor } from '../functional/creation.js'
import { gather } from '../functional/indexing.js'
import { arange, assign, copy } from '../functional/shape.js'
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
}

export class Feed {
  readonly #options: FeedOptions
  readonly #place: Place
  /** 0, 1, 2, … for each size of a batch. */
  readonly #ranges = new Map<number, Tensor<'int32'>>()
  /** The pictures in the order of the epoch. */
  #listed: Listed | undefined

  constructor(options: FeedOptions) {
    const { device } = options
    this.#options = options
    const zero = () => keep(tensor(new Int32Array(1), [], { device }))
    this.#place = { epoch: zero(), first: zero() }
  }

  /** Begins an epoch at one of its batches. */
  async open(epoch: number, batch: number): Promise<void> {
    const { dataset, batchSize, order } = this.#options
    const positions = await order(epoch)
    tidy(() =>
      noGrad(() => {
        const { pixels, rows, labels, fine } = dataset.list(positions)
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
    const { pixels, rows, labels, fine } = this.#listed!
    const { first } = this.#place
    const at = first.add(this.#range(size))
    const batch: Batch = {
      images: batchImagesAt(pixels, rows, this.#place, size, this.#options.images),
      labels: gather(labels, at)
    }
    if (fine) batch.fine = gather(fine, at)
    assign(first, first.add(size))
    return batch
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
