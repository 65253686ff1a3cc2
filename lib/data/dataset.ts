// A labelled set of pictures, and the sets made from it. The pixels stay uint8 and are held once: sets that are relabelled,
// selected or split share them, in the host's memory and on the device.
import { expected } from '../errors.js'
import { batchImages, type BatchImagesOptions } from '../functional/batch.js'
import { permutation } from '../functional/random.js'
import { gather } from '../functional/indexing.js'
import type { Tensor } from '../tensor.js'
import { Resident } from './resident.js'

/** Mean and standard deviation of each channel, of pixels in 0..1. */
export interface Statistics {
  mean: readonly number[]
  std: readonly number[]
}

/** Pictures and their classes, ready for a network. */
export interface Batch {
  /** [batch, height, width, channels] */
  images: Tensor<'float32'>
  /** [batch] */
  labels: Tensor<'int32'>
}

/** [height, width, channels] of one picture. */
type Shape = readonly [number, number, number]

export interface ImageDatasetOptions {
  /** Pixels in row-major order: pictures * height * width * channels of them. They are not copied: don't change them. */
  pixels: Uint8Array
  /** [height, width, channels] of one picture. */
  shape: Shape
  /** The class of each picture, an index into `classes`. */
  labels: ArrayLike<number>
  /** The names of the classes. */
  classes: readonly string[]
}

export interface SplitOptions {
  /** Pictures in the part `test`: their number (1 or more), or their share of the whole (below 1). */
  test: number
  /** Seed of the choice, an integer of 0 or more; 0 by default. */
  seed?: number
  /** Whether both parts have the classes in the same proportions; true by default. */
  stratify?: boolean
}

/** Pictures of one size, each with a class. Nothing changes a set: every method gives a new one that shares the pixels. */
export class ImageDataset {
  /** The names of the classes; a label is an index into them. */
  readonly classes: readonly string[]
  /** [height, width, channels] of one picture. */
  readonly shape: Shape
  readonly #pixels: Resident<'uint8'>
  /** Where the set's pictures are among the pixels; undefined: all of them, in their order. */
  readonly #rows: Resident<'int32'> | undefined
  readonly #labels: Resident<'int32'>
  #statistics: Statistics | undefined

  private constructor(
    classes: readonly string[],
    shape: Shape,
    pixels: Resident<'uint8'>,
    rows: Resident<'int32'> | undefined,
    labels: Int32Array
  ) {
    this.classes = [...classes]
    this.shape = [...shape]
    this.#pixels = pixels
    this.#rows = rows
    this.#labels = new Resident<'int32'>(labels, [labels.length])
  }

  /** A set of pictures that are in memory. */
  static from({ pixels, shape, labels, classes }: ImageDatasetOptions): ImageDataset {
    const op = 'ImageDataset.from'
    if (!(pixels instanceof Uint8Array)) throw expected(op, 'pixels in a Uint8Array', typeof pixels)
    if (!Array.isArray(shape) || shape.length !== 3 || !shape.every((n) => Number.isInteger(n) && n > 0)) {
      throw expected(op, 'shape [height, width, channels]', String(JSON.stringify(shape)))
    }
    const count = labels.length
    const bytes = shape[0] * shape[1] * shape[2]
    if (pixels.length !== count * bytes) {
      throw expected(op, `${count} * ${bytes} pixels for ${count} labels`, `${pixels.length}`)
    }
    checkLabels(op, labels, classes.length)
    const block = new Resident<'uint8'>(pixels, [count, ...shape])
    return new ImageDataset(classes, shape, block, undefined, Int32Array.from(labels))
  }

  /** The number of pictures. */
  get length(): number {
    return this.#labels.data.length
  }

  /** The pixels on the device, uint8 [length, height, width, channels]; brought there once. */
  get images(): Tensor<'uint8'> {
    const all = this.#pixels.tensor
    return this.#rows ? gather(all, this.#rows.tensor) : all
  }

  /** The classes on the device, int32 [length]; brought there once. */
  get labels(): Tensor<'int32'> {
    return this.#labels.tensor
  }

  /** The number of pictures of each class. */
  get counts(): number[] {
    const counts = this.classes.map(() => 0)
    for (const label of this.#labels.data) counts[label]!++
    return counts
  }

  /** Mean and standard deviation (of the population) of each channel, in 0..1; computed by the first call. */
  get statistics(): Statistics {
    this.#statistics ??= statisticsOf(this.#pixels.data, this.shape, this.#rows?.data)
    return this.#statistics
  }

  /**
   * The same pictures with other classes: `map` gives the new class from the old one and its name.
   *
   *     const birds = cifar.relabel(['other', 'bird'], (_, name) => (name === 'bird' ? 1 : 0))
   */
  relabel(classes: readonly string[], map: (label: number, name: string) => number): ImageDataset {
    const table = this.classes.map((name, label) => map(label, name))
    checkLabels('relabel', table, classes.length)
    const labels = this.#labels.data.map((label) => table[label]!)
    const set = new ImageDataset(classes, this.shape, this.#pixels, this.#rows, labels)
    set.#statistics = this.#statistics
    return set
  }

  /** The pictures at `indices`, in that order. An index may be there more than once. */
  subset(indices: ArrayLike<number>): ImageDataset {
    const positions = Int32Array.from(indices)
    for (let i = 0; i < positions.length; i++) {
      if (positions[i] !== indices[i] || positions[i]! < 0 || positions[i]! >= this.length) {
        throw expected('subset', `indices in [0, ${this.length})`, `${indices[i]} at ${i}`)
      }
    }
    const labels = positions.map((at) => this.#labels.data[at]!)
    const rows = this.#rows?.data
    const selected = rows ? positions.map((at) => rows[at]!) : positions
    const resident = new Resident<'int32'>(selected, [selected.length])
    return new ImageDataset(this.classes, this.shape, this.#pixels, resident, labels)
  }

  /** Two sets without a picture in common, chosen by chance; each keeps the order of this one. */
  split({ test, seed = 0, stratify = true }: SplitOptions): { train: ImageDataset; test: ImageDataset } {
    const count = test < 1 ? Math.round(test * this.length) : test
    if (!Number.isInteger(count) || count < 0 || count > this.length) {
      throw expected('split', `a share below 1 or a number of at most ${this.length}`, `test: ${test}`)
    }
    const labels = this.#labels.data
    const left = stratify ? quotas(this.counts, count) : [count]
    const held = new Uint8Array(this.length)
    for (const at of permutation(this.length, { seed }).dataSync()) {
      const group = stratify ? labels[at]! : 0
      if (left[group]! > 0) {
        left[group]!--
        held[at] = 1
      }
    }
    const all = [...held.keys()]
    return { train: this.subset(all.filter((at) => !held[at])), test: this.subset(all.filter((at) => held[at])) }
  }

  /**
   * The pictures at `positions` (int32 [batch]) made ready in one native call: gathered, normalised, flipped and shifted as
   * `options` say. What chance decides for a picture depends on the seed, the epoch and the picture, not on the batch.
   */
  batch(positions: Tensor<'int32'>, options: BatchImagesOptions): Batch {
    const rows = this.#rows ? gather(this.#rows.tensor, positions) : positions
    return {
      images: batchImages(this.#pixels.tensor, rows, options),
      labels: gather(this.labels, positions)
    }
  }
}

function checkLabels(op: string, labels: ArrayLike<number>, classes: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw expected(op, `labels in [0, ${classes})`, `${label} at ${i}`, 'A label is an index into `classes`.')
    }
  }
}

/** How many of each class make up `total` in the proportions of `counts`: rounded down, the largest remainders get one more. */
function quotas(counts: number[], total: number): number[] {
  const length = counts.reduce((sum, count) => sum + count, 0)
  const exact = counts.map((count) => (count * total) / Math.max(1, length))
  const whole = exact.map(Math.floor)
  const byRemainder = [...counts.keys()].sort((a, b) => exact[b]! - whole[b]! - (exact[a]! - whole[a]!) || a - b)
  const missing = total - whole.reduce((sum, count) => sum + count, 0)
  for (const label of byRemainder.slice(0, missing)) whole[label]!++
  return whole
}

/** Sums of bytes and of their squares, which are exact: they stay below 2^53. */
function statisticsOf(pixels: Uint8Array, shape: Shape, rows: Int32Array | undefined): Statistics {
  const channels = shape[2]
  const bytes = shape[0] * shape[1] * channels
  const n = rows ? rows.length : pixels.length / bytes
  const count = n * shape[0] * shape[1]
  if (count === 0) throw expected('statistics', 'at least one picture', 'none')
  const mean: number[] = []
  const std: number[] = []
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0
    let squares = 0
    for (let i = 0; i < n; i++) {
      const start = (rows ? rows[i]! : i) * bytes
      for (let at = start + channel; at < start + bytes; at += channels) {
        const value = pixels[at]!
        sum += value
        squares += value * value
      }
    }
    mean.push(sum / count / 255)
    std.push(Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)) / 255)
  }
  return { mean, std }
}
