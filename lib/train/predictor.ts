// A trained network that is asked about photos.
import { noGrad } from '../autograd.js'
import { ImageDataset, type Statistics } from '../data/dataset.js'
import { normalized } from '../data/normalize.js'
import { bytesOf, checkFile, pixelsOf, readPhoto, resizePixels, type Photo } from '../data/photo.js'
import { Detector, type FindOptions, type Search } from '../detect/index.js'
import { checkOptions, expected, quoted } from '../errors.js'
import { tensor } from '../functional/creation.js'
import { concat } from '../functional/shape.js'
import { softmax } from '../functional/softmax.js'
import type { Module } from '../nn/module.js'
import { Tensor, tidy, type DType } from '../tensor.js'
import { evaluate, type Evaluation, type EvaluateOptions } from './evaluate.js'
import type { RunConfig } from './run-config.js'

export type { Photo } from '../data/photo.js'

/** What a network takes a photo for. */
export interface Prediction {
  /** The most probable class. */
  label: string
  /** Its probability. */
  probability: number
  /** The probability of every class by name; their sum is 1. */
  probabilities: Record<string, number>
}

/** Photos that are decoded and judged at once. */
const CHUNK = 32

/** A trained network with its classes and normalisation: what `load` gives. */
export class Predictor {
  /** The run folder it comes from. */
  readonly folder: string
  /** In the mode for use. */
  readonly network: Module
  /** The names of the classes, in the order of the network's outputs. */
  readonly classes: readonly string[]
  /** The class that precision and recall are about, where the run had one. */
  readonly positive: string | undefined
  /** [height, width, channels] of what the network takes; photos of other sizes are brought to it. */
  readonly inputShape: readonly [number, number, number]
  /** Mean and deviation that pixels are normalised by. */
  readonly normalize: Statistics | undefined
  #detector: Detector | undefined

  /** @internal */
  constructor(folder: string, config: RunConfig, network: Module) {
    this.folder = folder
    this.network = network
    this.classes = config.classes
    this.positive = config.positive ?? undefined
    this.inputShape = config.inputShape
    this.normalize = config.normalize ?? undefined
  }

  /**
   * What the photo shows; of several photos an array, in their order. A photo is turned as its EXIF data say, and brought to
   * the network's size with Lanczos3, without regard to its proportions, as the pictures of the training set were. Pixels in a
   * tensor are brought to that size in the same way (floats as bytes: in steps of 1/255).
   * @throws where a photo can't be read: the error names it, and nothing is told of the others.
   */
  predict(photo: Photo): Promise<Prediction>
  predict(photos: readonly Photo[]): Promise<Prediction[]>
  async predict(photos: Photo | readonly Photo[]): Promise<Prediction | Prediction[]> {
    if (!Array.isArray(photos)) return (await this.#judge([photos as Photo]))[0]!
    const predictions: Prediction[] = []
    for (let start = 0; start < photos.length; start += CHUNK) {
      predictions.push(...(await this.#judge((photos as Photo[]).slice(start, start + CHUNK))))
    }
    return predictions
  }

  /**
   * Looks for things of one class in a photo of any size: see `Detector`.
   *
   *     const { found } = await birds.find('holiday.jpg', { threshold: 0.9 })
   */
  find(photo: Photo, options: FindOptions = {}): Promise<Search> {
    return (this.#detector ??= new Detector(this)).find(photo, options)
  }

  /** How good the network is on a set of pictures of its size and classes. */
  evaluate(dataset: ImageDataset, options: Pick<EvaluateOptions, 'positive' | 'batchSize'> = {}): Promise<Evaluation> {
    if (dataset instanceof ImageDataset) this.#checkFits(dataset)
    const { positive = this.positive, batchSize } = checkOptions('evaluate', options, ['positive', 'batchSize'])
    return evaluate(this.network, dataset, { normalize: this.normalize ?? false, positive, batchSize })
  }

  #checkFits({ classes, shape }: ImageDataset): void {
    const text = (names: readonly string[], size: readonly number[]) => `${names.join(', ')} as [${size.join(', ')}]`
    const [wanted, got] = [text(this.classes, this.inputShape), text(classes, shape)]
    if (wanted !== got) throw expected('evaluate', `pictures of ${wanted}`, got)
  }

  async #judge(photos: Photo[]): Promise<Prediction[]> {
    const pixels = await Promise.all(photos.map((photo) => this.#pixels(photo)))
    const result = tidy(() => noGrad(() => softmax(this.#logits(pixels))))
    const values = await result.data()
    result.dispose()
    const count = this.classes.length
    return photos.map((_, i) => this.#prediction(values.subarray(i * count, (i + 1) * count)))
  }

  #prediction(values: Float32Array): Prediction {
    const best = values.indexOf(Math.max(...values))
    const probabilities = Object.fromEntries(this.classes.map((name, c) => [name, values[c]!]))
    return { label: this.classes[best]!, probability: values[best]!, probabilities }
  }

  /** The pixels at the network's size: bytes, or float32 [height, width, channels] from 0 to 1. */
  async #pixels(photo: Photo): Promise<Uint8Array | Tensor<'float32'>> {
    const [height, width, channels] = this.inputShape
    const size = { height, width }
    if (!(photo instanceof Tensor)) {
      checkFile('predict', photo)
      return readPhoto('predict', photo, { ...size, channels: channels as 3 })
    }
    const { shape } = photo
    const pixels = await pixelsOf('predict', photo as Tensor<DType>, channels)
    if (shape[0] !== height || shape[1] !== width) return resizePixels('predict', bytesOf(pixels), shape, size)
    return pixels instanceof Uint8Array ? pixels : tensor(pixels, shape)
  }

  /** [photos, classes] */
  #logits(photos: (Uint8Array | Tensor<'float32'>)[]): Tensor {
    const logits = this.network.forward(
      concat(
        photos.map((pixels) => this.#ready(pixels)),
        0
      )
    ) as Tensor
    const wanted = [photos.length, this.classes.length]
    if (!(logits instanceof Tensor) || String(logits.shape) !== String(wanted)) {
      const got = logits instanceof Tensor ? `[${logits.shape.join(', ')}]` : quoted(logits)
      throw expected('predict', `[${wanted.join(', ')}] from the network, a value for each class`, got)
    }
    return logits
  }

  /** One photo normalised, float32 [1, height, width, channels]. */
  #ready(pixels: Uint8Array | Tensor<'float32'>): Tensor<'float32'> {
    const shape = [1, ...this.inputShape]
    const { normalize } = this
    const { device } = this.network
    if (pixels instanceof Uint8Array) return normalized(pixels, shape, normalize, device)
    const floats = pixels.to(device).reshape(shape)
    if (!normalize) return floats
    const [mean, std] = [normalize.mean, normalize.std].map((numbers) => tensor([...numbers], { device }))
    return floats.sub(mean!).div(std!)
  }
}
