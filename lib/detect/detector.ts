// Looks for things in large photos with a network that tells what a small picture shows: it looks at windows of several sizes, all over
// the photo.
import { noGrad } from '../autograd.js'
import type { Statistics } from '../data/dataset.js'
import { normalized } from '../data/normalize.js'
import { openPhoto, resizePixels, type Photo } from '../data/photo.js'
import { checkInteger, checkNumber, checkOptions, checkWord, expected, quoted } from '../errors.js'
import { softmax } from '../functional/softmax.js'
import { toConvolutional, type FullyConvolutional } from '../nn/fully-convolutional.js'
import { Module } from '../nn/module.js'
import { tidy, type Tensor } from '../tensor.js'
import { suppress, type Box } from './boxes.js'
import { countAlong, cut, extend, shrunk, windowHeights, type Picture, type WindowSizes } from './windows.js'

/** A network that tells what a small picture shows: what `load` gives, or an object with these parts. */
export interface Classifier {
  /** Gives scores [n, classes]. */
  readonly network: Module
  /** [height, width, channels] of what the network takes. */
  readonly inputShape: readonly [height: number, width: number, channels: number]
  /** What the scores are about. */
  readonly classes: readonly string[]
  /** What its pictures were normalised with; without it they are floats from 0 to 1. */
  readonly normalize?: Statistics | undefined
  /** The class to look for unless told otherwise. */
  readonly positive?: string | undefined
}

/** What to look for, and how. */
export interface FindOptions {
  /** The class to look for; the classifier's positive one, or of two classes the second, unless given. */
  label?: string | undefined
  /** The least probability of what is found; 0.9 unless given: of ten thousand windows one in a hundred is many. */
  threshold?: number | undefined
  /** Heights of windows in pixels of the photo, one by one or as a sequence; from small ones to all of the photo unless given. */
  sizes?: readonly number[] | WindowSizes | undefined
  /** Of two that share more than this part of what they cover together only the more probable is found; 0.3 unless given. */
  overlap?: number | undefined
  /**
   * 'convolution' (unless given): one pass over the whole photo for each size, by `nn.toConvolutional`. 'crops': each window is cut
   * out and judged alone, which any network can do.
   */
  method?: 'convolution' | 'crops' | undefined
  /** For 'crops': pixels of what the network takes from one window to the next; as with 'convolution' unless given. */
  stride?: number | undefined
}

/** One thing that was found. */
export interface Found extends Box {
  /** Its class. */
  label: string
  /** That of the class, in this window. */
  probability: number
}

/** What a search in a photo came to. */
export interface Search {
  /** The most probable first. */
  found: Found[]
  /** How many windows were looked at. */
  windows: number
}

/** Windows that are judged at once where each is cut out. */
const BATCH = 256
/** Of more windows above the threshold the most probable are taken. */
const MAX_CANDIDATES = 2000

/** How windows lie on a picture of the network's scale. */
interface Grid {
  rows: number
  columns: number
  stride: readonly [down: number, right: number]
}

/**
 * Finds things of one class in photos of any size.
 *
 *     const detector = new nt.Detector(await nt.load('runs/birds-001'))
 *     const { found } = await detector.find('holiday.jpg', { threshold: 0.9 })
 */
export class Detector {
  /** What it looks with. */
  readonly classifier: Classifier
  readonly #window: { height: number; width: number }
  readonly #channels: number
  #sliding: FullyConvolutional | undefined

  constructor(classifier: Classifier) {
    const { network, inputShape, classes } = classifier
    if (!(network instanceof Module)) throw expected('Detector', 'a module as network', quoted(network))
    if (!Array.isArray(inputShape) || inputShape.length !== 3) {
      throw expected('Detector', 'inputShape as [height, width, channels]', inputShape)
    }
    const [height, width, channels] = inputShape.map((size) =>
      checkInteger('Detector', 'inputShape as whole numbers from 1', size, 1)
    ) as [number, number, number]
    if (!Array.isArray(classes)) throw expected('Detector', 'classes as an array of names', quoted(classes))
    this.classifier = classifier
    this.#window = { height, width }
    this.#channels = channels
  }

  /**
   * Looks for things in a photo, at whatever place and of whatever size. A box is in pixels of the photo, as it is turned by its EXIF data.
   * @throws where the photo can't be read, and with 'convolution' where the network has a layer that doesn't slide.
   */
  async find(photo: Photo, options: FindOptions = {}): Promise<Search> {
    const { label, threshold, sizes, overlap, method, stride } = this.#check(options)
    const source = await openPhoto('find', photo, this.#channels)
    const candidates: Found[] = []
    let windows = 0
    let sharpest: Picture | undefined
    for (const height of windowHeights('find', sizes, source, this.#window)) {
      const size = shrunk(source, this.#window, height)
      // A photo is decoded once: what is smaller is made of the largest.
      const pixels = sharpest
        ? await resizePixels('find', sharpest.pixels, [sharpest.height, sharpest.width, this.#channels], size)
        : await source.at(size)
      const picture = { pixels, ...size }
      sharpest ??= picture
      const grid = this.#grid(size, stride ?? this.#slide.stride)
      const whole = extend(picture, this.#extent(grid), this.#channels)
      const judged = method === 'crops' ? this.#judgeCrops(whole, grid, label) : this.#judgeAll(whole, label)
      const probabilities = await judged
      windows += probabilities.length
      const scale = [source.height / size.height, source.width / size.width] as const
      for (const [i, probability] of probabilities.entries()) {
        if (probability < threshold) continue
        const top = Math.floor(i / grid.columns) * grid.stride[0] - whole.top
        const left = (i % grid.columns) * grid.stride[1] - whole.left
        candidates.push({ label, probability, ...this.#box(top, left, scale, source) })
      }
      candidates.sort((a, b) => b.probability - a.probability).splice(MAX_CANDIDATES)
    }
    return { found: suppress(candidates, overlap), windows }
  }

  #check(options: FindOptions) {
    checkOptions('find', options, ['label', 'threshold', 'sizes', 'overlap', 'method', 'stride'])
    const { threshold = 0.9, sizes = {}, overlap = 0.3, method = 'convolution', stride } = options
    const { classes, positive = classes.length === 2 ? classes[1] : undefined } = this.classifier
    const label = checkWord('find', 'label as a class', options.label ?? positive, classes)
    for (const [name, share] of Object.entries({ threshold, overlap })) {
      if (!(checkNumber('find', `${name} from 0 to 1`, share) >= 0 && share <= 1)) {
        throw expected('find', `${name} from 0 to 1`, share)
      }
    }
    checkWord('find', 'method', method, ['convolution', 'crops'])
    if (stride === undefined) return { label, threshold, sizes, overlap, method }
    if (method !== 'crops') throw expected('find', "a stride only with the method 'crops'", stride)
    const step = checkInteger('find', 'stride as a whole number from 1', stride, 1)
    return { label, threshold, sizes, overlap, method, stride: [step, step] as const }
  }

  get #slide(): FullyConvolutional {
    const { network, inputShape } = this.classifier
    return (this.#sliding ??= toConvolutional(network, inputShape))
  }

  /** Windows that cover a picture. */
  #grid({ height, width }: { height: number; width: number }, stride: Grid['stride']): Grid {
    const rows = countAlong(height, this.#window.height, stride[0])
    return { rows, columns: countAlong(width, this.#window.width, stride[1]), stride }
  }

  /** The size of the picture that the windows of a grid fill. */
  #extent({ rows, columns, stride }: Grid): { height: number; width: number } {
    const { height, width } = this.#window
    return { height: height + (rows - 1) * stride[0], width: width + (columns - 1) * stride[1] }
  }

  /** The window at `top` and `left` as it lies in the photo; what is beyond the photo's edges is cut off. */
  #box(
    top: number,
    left: number,
    [down, right]: readonly [number, number],
    photo: { height: number; width: number }
  ): Box {
    const within = (value: number, most: number): number => Math.round(Math.min(most, Math.max(0, value)))
    const [x, y] = [within(left * right, photo.width), within(top * down, photo.height)]
    const bottom = within((top + this.#window.height) * down, photo.height)
    return { left: x, top: y, width: within((left + this.#window.width) * right, photo.width) - x, height: bottom - y }
  }

  /** The probabilities of the class in all windows of a picture, row by row. */
  #judgeAll({ pixels, height, width }: Picture, label: string): Promise<Float32Array> {
    return this.#judge(this.#slide, pixels, [1, height, width, this.#channels], label)
  }

  /** The same, each window by itself. */
  async #judgeCrops(picture: Picture, { rows, columns, stride }: Grid, label: string): Promise<Float32Array> {
    const { height, width } = this.#window
    const probabilities = new Float32Array(rows * columns)
    for (let from = 0; from < probabilities.length; from += BATCH) {
      const to = Math.min(from + BATCH, probabilities.length)
      const windows = cut(picture, this.#window, this.#channels, stride, columns, from, to)
      const shape = [to - from, height, width, this.#channels]
      probabilities.set(await this.#judge(this.classifier.network, windows, shape, label), from)
    }
    return probabilities
  }

  async #judge(network: Module, pixels: Uint8Array, shape: number[], label: string): Promise<Float32Array> {
    const {
      classes,
      normalize,
      network: { device }
    } = this.classifier
    const judge = (): Tensor => {
      const scores = network.forward(normalized(pixels, shape, normalize, device))
      if (scores.shape.at(-1) !== classes.length) {
        throw expected('find', `scores of ${classes.length} classes`, `[${scores.shape.join(', ')}]`)
      }
      return softmax(scores).get('...', classes.indexOf(label))
    }
    const result = network.inUseSync(() => tidy(() => noGrad(judge)))
    const probabilities = await result.data()
    result.dispose()
    return probabilities
  }
}
