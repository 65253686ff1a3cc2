// A labelled set of pictures, and the sets made from it. The pixels stay uint8 and are held once: sets that are relabelled,
// selected or split share them, in the host's memory and on the device.
import { setImmediate } from 'node:timers/promises'
import { noGrad } from '../autograd.js'
import { device as defaultDevice } from '../device.js'
import { checkInteger, checkWord, describe, expected } from '../errors.js'
import { batchImages, type BatchImagesOptions } from '../functional/batch.js'
import { permutation } from '../functional/random.js'
import { gather } from '../functional/indexing.js'
import { Resident } from '../functional/resident.js'
import { Tensor, tidy } from '../tensor.js'
import { checkBytes } from './bytes.js'

/** Mean and standard deviation of each channel, of pixels in 0..1. */
export interface Statistics {
  /** The mean of each channel. */
  mean: readonly number[]
  /** The standard deviation of each channel. */
  std: readonly number[]
}

/** Pictures and their classes, ready for a network. */
export interface Batch {
  /** [batch, height, width, channels] */
  images: Tensor<'float32'>
  /** [batch] */
  labels: Tensor<'int32'>
  /** The finer classes [batch], where the set has such. */
  fine?: Tensor<'int32'>
}

/** @internal Pictures in an order of their own, on a device. */
export interface Listed {
  pixels: Tensor<'uint8'>
  /** Where they are among the pixels. */
  rows: Tensor<'int32'>
  labels: Tensor<'int32'>
  fine?: Tensor<'int32'>
}

/** [height, width, channels] of one picture. @inline */
type Shape = readonly [number, number, number]

/** What a set is made of. */
export interface ImageDatasetOptions {
  /** Pixels in row-major order: pictures * height * width * channels of them. They are not copied: don't change them. */
  pixels: Uint8Array
  /** [height, width, channels] of one picture. */
  shape: Shape
  /** The class of each picture, an index into `classes`. */
  labels: ArrayLike<number>
  /** The names of the classes. */
  classes: readonly string[]
  /** The name of where the pictures come from; 'memory' by default. */
  source?: string
  /** Pictures that could not be read and are not in the set; none by default. */
  skipped?: readonly SkippedPicture[]
  /** The name of each picture's file, for people to find it by; none by default. */
  files?: readonly string[] | undefined
}

/** A picture that could not be read. */
export interface SkippedPicture {
  /** Its path, as the set's folder, archive or table names it. */
  file: string
  /** Why it could not be read. */
  reason: string
}

/** Classes that a set's own are made of. */
export interface FineClasses {
  /** Their names. */
  classes: readonly string[]
  /** The set's class that each of them belongs to, an index into the set's `classes`. */
  groups: readonly number[]
}

/** How `relabel` goes. */
export interface RelabelOptions {
  /** Whether the set remembers the classes it had: as `fine`, and in each batch; false by default. */
  fine?: boolean
}

/** How `split` goes. */
export interface SplitOptions {
  /** Pictures in the part `test`: their number (1 or more), or their share of the whole (below 1). */
  test: number
  /** Seed of the choice, an integer of 0 or more; 0 by default. */
  seed?: number
  /** Whether both parts have the classes in the same proportions; true by default. */
  stratify?: boolean
}

/** What a set is made of. The arrays that say something of each picture are in the order of the set's pictures. */
interface Parts {
  classes: readonly string[]
  shape: Shape
  pixels: Resident<'uint8'>
  /** Where the set's pictures are among the pixels; undefined: all of them, in their order. */
  rows: Resident<'int32'> | undefined
  /** The files' names, in the order of the pixels; '' where there is none. */
  files: readonly string[] | undefined
  labels: Int32Array
  sources: readonly string[]
  /** Indices into `sources`; undefined: all 0. */
  origins: Int32Array | undefined
  fine: FineClasses | undefined
  fineLabels: Int32Array | undefined
  skipped: readonly SkippedPicture[]
}

/** Pictures of one size, each with a class. Nothing changes a set: every method gives a new one that shares the pixels. */
export class ImageDataset {
  /** The names of the classes; a label is an index into them. */
  readonly classes: readonly string[]
  /** [height, width, channels] of one picture. */
  readonly shape: Shape
  /** The names of where the pictures come from: one, or several after `concat`. */
  readonly sources: readonly string[]
  /** The classes that this set's are made of, where it was relabelled with `{ fine: true }`. */
  readonly fine: FineClasses | undefined
  /** Pictures that could not be read when the set was made, where it was asked to skip them; for subsets those of the whole. */
  readonly skipped: readonly SkippedPicture[]
  readonly #parts: Parts
  readonly #labels: Resident<'int32'>
  readonly #fineLabels: Resident<'int32'> | undefined
  #statistics: Statistics | undefined

  private constructor(parts: Parts) {
    this.classes = [...parts.classes]
    this.shape = [...parts.shape]
    this.sources = [...parts.sources]
    this.fine = parts.fine
    this.skipped = parts.skipped
    this.#parts = parts
    this.#labels = new Resident<'int32'>(parts.labels, [parts.labels.length])
    this.#fineLabels = parts.fineLabels && new Resident<'int32'>(parts.fineLabels, [parts.fineLabels.length])
  }

  /** A set of pictures that are in memory. */
  static from(options: ImageDatasetOptions): ImageDataset {
    const { pixels, shape, labels, classes, source = 'memory', skipped = [], files } = options
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
    if (files !== undefined && !(Array.isArray(files) && files.length === count)) {
      throw expected(op, `files as ${count} names`, describe(files))
    }
    return new ImageDataset({
      classes,
      shape,
      pixels: new Resident<'uint8'>(pixels, [count, ...shape]),
      rows: undefined,
      files: files && [...files],
      labels: Int32Array.from(labels),
      sources: [source],
      origins: undefined,
      fine: undefined,
      fineLabels: undefined,
      skipped
    })
  }

  /**
   * The pictures of several sets of one shape and the same classes (and finer classes, where there are such), in that order. The
   * pixels are copied. Sources of the same name become one.
   */
  static concat(sets: readonly ImageDataset[]): ImageDataset {
    const op = 'ImageDataset.concat'
    if (!Array.isArray(sets) || sets.length === 0) throw expected(op, 'an array of sets', sets)
    for (const set of sets) if (!(set instanceof ImageDataset)) throw expected(op, 'sets of the type ImageDataset', set)
    const all: readonly ImageDataset[] = sets
    const { shape, classes, fine } = all[0]!
    for (const [i, set] of all.entries()) {
      for (const [what, first, other] of [
        ['shape', shape, set.shape],
        ['classes', classes, set.classes],
        ['finer classes', fine ?? 'none', set.fine ?? 'none']
      ]) {
        const [a, b] = [JSON.stringify(first), JSON.stringify(other)]
        if (a !== b) throw expected(op, `the first set's ${what as string} ${a} in all sets`, `${b} in set ${i}`)
      }
    }
    const sources = [...new Set(all.flatMap((set) => set.sources))]
    const length = all.reduce((sum, set) => sum + set.length, 0)
    const pixels = new Uint8Array(checkBytes(op, length, shape))
    const parts = all.map((set) => set.#parts)
    let at = 0
    for (const part of parts) at = copyPixels(part, pixels, at)
    return new ImageDataset({
      classes,
      shape,
      pixels: new Resident<'uint8'>(pixels, [length, ...shape]),
      rows: undefined,
      files: parts.some(({ files }) => files) ? all.flatMap((set) => set.#files()) : undefined,
      labels: join(parts.map(({ labels }) => labels)),
      sources,
      origins: join(
        parts.map(({ labels, sources: names, origins }) =>
          labels.map((_, i) => sources.indexOf(names[origins ? origins[i]! : 0]!))
        )
      ),
      fine,
      fineLabels: fine && join(parts.map(({ fineLabels }) => fineLabels!)),
      skipped: parts.flatMap(({ skipped }) => skipped)
    })
  }

  /** The number of pictures. */
  get length(): number {
    return this.#labels.data.length
  }

  /** The name of the file that the picture at `index` was read from, within its folder or archive; undefined where it has none. */
  file(index: number): string | undefined {
    return this.#parts.files?.[this.#rowOf('file', index)] || undefined
  }

  /** @internal The pixels of the picture at `index`, row by row: a view, not to be changed. */
  pixelsOf(index: number): Uint8Array {
    const row = this.#rowOf('pixelsOf', index)
    const bytes = this.shape[0] * this.shape[1] * this.shape[2]
    return this.#parts.pixels.data.subarray(row * bytes, (row + 1) * bytes)
  }

  /** @internal The class of each picture: a view, not to be changed. */
  get labelNumbers(): Int32Array {
    return this.#labels.data
  }

  #rowOf(op: string, index: number): number {
    checkInteger(op, `an index in [0, ${this.length})`, index, 0, this.length - 1)
    return this.#parts.rows?.data[index] ?? index
  }

  #files(): string[] {
    return Array.from({ length: this.length }, (_, index) => this.file(index) ?? '')
  }

  /** The pixels on the default device, uint8 [length, height, width, channels]; brought there once. */
  get images(): Tensor<'uint8'> {
    const { pixels, rows } = this.#parts
    const device = defaultDevice()
    return rows ? gather(pixels.on(device), rows.on(device)) : pixels.on(device)
  }

  /** The classes on the default device, int32 [length]; brought there once. */
  get labels(): Tensor<'int32'> {
    return this.#labels.on(defaultDevice())
  }

  /** The number of pictures of each class. */
  get counts(): number[] {
    const counts = this.classes.map(() => 0)
    for (const label of this.#labels.data) counts[label]!++
    return counts
  }

  /** Mean and standard deviation (of the population) of each channel, in 0..1; computed by the first call. */
  get statistics(): Statistics {
    const measurement = this.#measuring()
    for (let step = measurement.next(); ; step = measurement.next()) if (step.done) return step.value
  }

  /** The same; timers and other work run while it is computed. */
  async computeStatistics(): Promise<Statistics> {
    const measurement = this.#measuring()
    for (let step = measurement.next(); ; step = measurement.next()) {
      if (step.done) return step.value
      await setImmediate()
    }
  }

  *#measuring(): Generator<undefined, Statistics, undefined> {
    const { pixels, rows } = this.#parts
    this.#statistics ??= yield* measuring(pixels.data, this.shape, rows?.data)
    return this.#statistics
  }

  /**
   * The same pictures with other classes: `map` gives the new class from the old one and its name.
   *
   *     const birds = cifar.relabel(['other', 'bird'], (_, name) => (name === 'bird' ? 1 : 0))
   *
   * With `{ fine: true }` the old classes stay as `fine`, and a batch has the finer labels, too.
   */
  relabel(
    classes: readonly string[],
    map: (label: number, name: string) => number,
    { fine = false }: RelabelOptions = {}
  ): ImageDataset {
    const table = this.classes.map((name, label) => map(label, name))
    checkLabels('relabel', table, classes.length)
    const before = this.#parts.labels
    const set = new ImageDataset({
      ...this.#parts,
      classes,
      labels: before.map((label) => table[label]!),
      fine: fine ? { classes: this.classes, groups: table } : undefined,
      fineLabels: fine ? before : undefined
    })
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
    const take = (values: Int32Array) => positions.map((at) => values[at]!)
    const { rows, labels, origins, fineLabels } = this.#parts
    return new ImageDataset({
      ...this.#parts,
      rows: new Resident<'int32'>(rows ? take(rows.data) : positions, [positions.length]),
      labels: take(labels),
      origins: origins && take(origins),
      fineLabels: fineLabels && take(fineLabels)
    })
  }

  /** The pictures that come from one of `sources`. */
  fromSource(name: string): ImageDataset {
    checkWord('fromSource', 'a source', name, this.sources)
    const { labels, origins } = this.#parts
    const source = this.sources.indexOf(name)
    const all = [...labels.keys()]
    const set = this.subset(origins ? all.filter((at) => origins[at] === source) : all)
    return new ImageDataset({ ...set.#parts, sources: [name], origins: undefined })
  }

  /** Two sets without a picture in common, chosen by chance; each keeps the order of this one. */
  split({ test, seed = 0, stratify = true }: SplitOptions): { train: ImageDataset; test: ImageDataset } {
    const count = test < 1 ? Math.round(test * this.length) : test
    if (!Number.isInteger(count) || count < 0 || count > this.length) {
      throw expected('split', `a share below 1 or a number of at most ${this.length}`, `test: ${test}`)
    }
    const { labels } = this.#parts
    const left = stratify ? quotas(this.counts, count) : [count]
    const held = new Uint8Array(this.length)
    for (const at of permutation(this.length, { seed, device: 'cpu' }).dataSync()) {
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
   * The same labels with other pictures: those that `change` makes of uint8 [n, height, width, channels], some hundreds at a time,
   * on the default device. It gives as many, of any one size, as bytes.
   *
   *     const small = await digits.map((images) => nt.resize(images.astype('float32'), 18).round().astype('uint8'))
   */
  async map(change: (images: Tensor<'uint8'>) => Tensor<'uint8'>): Promise<ImageDataset> {
    if (typeof change !== 'function') throw expected('map', 'a function of pictures', describe(change))
    const { pixels, rows, labels } = this.#parts
    const device = defaultDevice()
    let shape = this.shape
    let changed = new Uint8Array(0)
    for (let start = 0; start < labels.length; start += MAPPED) {
      const end = Math.min(start + MAPPED, labels.length)
      const part = tidy(() =>
        noGrad(() => {
          const all = pixels.on(device)
          return change(rows ? gather(all, rows.on(device).slice(start, end)) : all.slice(start, end))
        })
      )
      checkChanged(part, end - start, start > 0 ? shape : undefined)
      if (start === 0) {
        shape = part.shape.slice(1) as unknown as Shape
        changed = new Uint8Array(checkBytes('map', labels.length, shape))
      }
      changed.set(await part.data(), start * shape[0] * shape[1] * shape[2])
      await setImmediate() // reading may be done at once: timers get their turn
    }
    const own = new Resident<'uint8'>(changed, [labels.length, ...shape])
    const files = this.#parts.files && this.#files()
    return new ImageDataset({ ...this.#parts, shape, pixels: own, rows: undefined, files })
  }

  /**
   * The pictures at `positions` (int32 [batch]) made ready in one native call on the device where these are: gathered, normalised and
   * augmented as `options` say; the whole set is brought there once. What chance decides for a picture depends on the seed, the epoch and the picture, not on the batch.
   */
  batch(positions: Tensor<'int32'>, options: BatchImagesOptions): Batch {
    const { pixels, rows, ...classes } = this.list(positions)
    return { images: batchImages(pixels, rows, options), ...classes }
  }

  /** @internal What there is of the pictures at `positions`, on their device. */
  list(positions: Tensor<'int32'>): Listed {
    const { pixels, rows } = this.#parts
    const { device } = positions
    const listed: Listed = {
      pixels: pixels.on(device),
      rows: rows ? gather(rows.on(device), positions) : positions,
      labels: gather(this.#labels.on(device), positions)
    }
    if (this.#fineLabels) listed.fine = gather(this.#fineLabels.on(device), positions)
    return listed
  }
}

/** Copies the pictures of a set to `to` from byte `at` on; gives where they end. */
function copyPixels({ pixels, rows, shape }: Parts, to: Uint8Array, at: number): number {
  if (!rows) {
    to.set(pixels.data, at)
    return at + pixels.data.length
  }
  const bytes = shape[0] * shape[1] * shape[2]
  for (const row of rows.data) {
    to.set(pixels.data.subarray(row * bytes, (row + 1) * bytes), at)
    at += bytes
  }
  return at
}

/** Pictures that `map` changes at once. */
const MAPPED = 1024

function checkChanged(part: unknown, count: number, shape: Shape | undefined): void {
  const isOne = part instanceof Tensor
  const sizes = shape ? shape.join(', ') : 'height, width, channels'
  const rest = isOne ? part.shape.slice(1) : []
  const fits = isOne && part.dtype === 'uint8' && part.rank === 4 && part.shape[0] === count && part.size > 0
  if (!fits || (shape && String(rest) !== String(shape))) {
    const got = isOne ? `${part.dtype} [${part.shape.join(', ')}]` : describe(part)
    throw expected('map', `uint8 [${count}, ${sizes}] from the function`, got)
  }
}

function join(arrays: Int32Array[]): Int32Array {
  const joined = new Int32Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const array of arrays) {
    joined.set(array, at)
    at += array.length
  }
  return joined
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

/** Pixels that are summed before others may have the thread: some milliseconds of work. */
const SLICE = 2 ** 21

/** Sums of bytes and of their squares, which are exact: they stay below 2^53. Pauses now and then. */
function* measuring(
  pixels: Uint8Array,
  shape: Shape,
  rows: Int32Array | undefined
): Generator<undefined, Statistics, undefined> {
  const channels = shape[2]
  const bytes = shape[0] * shape[1] * channels
  const n = rows ? rows.length : pixels.length / bytes
  const count = n * shape[0] * shape[1]
  if (count === 0) throw expected('statistics', 'at least one picture', 'none')
  const sums = Array<number>(channels).fill(0)
  const squares = Array<number>(channels).fill(0)
  for (let i = 0, done = 0; i < n; i++) {
    const start = (rows ? rows[i]! : i) * bytes
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0
      let square = 0
      for (let at = start + channel; at < start + bytes; at += channels) {
        const value = pixels[at]!
        sum += value
        square += value * value
      }
      sums[channel]! += sum
      squares[channel]! += square
    }
    done += bytes
    if (done >= SLICE) {
      done = 0
      yield
    }
  }
  return {
    mean: sums.map((sum) => sum / count / 255),
    std: squares.map((square, c) => Math.sqrt(Math.max(0, square / count - (sums[c]! / count) ** 2)) / 255)
  }
}
