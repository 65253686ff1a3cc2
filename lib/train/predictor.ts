// A trained network that is asked about photos.
import { noGrad } from '../autograd.js'
import { ImageDataset, type Statistics } from '../data/dataset.js'
import { readPhoto, resizePixels } from '../data/photo.js'
import { checkOptions, expected, quoted } from '../errors.js'
import { batchImages } from '../functional/batch.js'
import { tensor } from '../functional/creation.js'
import { concat } from '../functional/shape.js'
import { softmax } from '../functional/softmax.js'
import type { Module } from '../nn/module.js'
import { Tensor, tidy, type DType } from '../tensor.js'
import { evaluate, type Evaluation, type EvaluateOptions } from './evaluate.js'
import type { RunConfig } from './run-config.js'

/**
 * A photo: the path of a file, a file's bytes (of any format that sharp reads), or pixels [height, width, channels] of any
 * size: uint8 from 0 to 255, or floats from 0 to 1.
 */
export type Photo = string | Uint8Array | Tensor<'uint8'> | Tensor<'float32'> | Tensor<'float16'> | Tensor<'bfloat16'>

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
    if (photo instanceof Tensor) return this.#tensorPixels(photo as Tensor<DType>)
    if (typeof photo !== 'string' && !(photo instanceof Uint8Array)) {
      throw expected('predict', 'a path, the bytes of a file, or a tensor [height, width, channels]', quoted(photo))
    }
    return readPhoto('predict', photo, { height, width, channels: channels as 3 })
  }

  async #tensorPixels(photo: Tensor<DType>): Promise<Uint8Array | Tensor<'float32'>> {
    const [height, width, channels] = this.inputShape
    const { shape, dtype } = photo
    if (shape.length !== 3 || shape[2] !== channels || photo.size === 0) {
      throw expected('predict', `a photo [height, width, ${channels}]`, `a tensor ${dtype} [${shape.join(', ')}]`)
    }
    const fits = shape[0] === height && shape[1] === width
    const size = { height, width }
    if (dtype === 'uint8') {
      const bytes = (await photo.data()) as Uint8Array
      return fits ? bytes : resizePixels('predict', bytes, shape, size)
    }
    if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') {
      throw expected('predict', 'a photo of uint8 or floats', `a tensor ${dtype}`)
    }
    const values = (await photo.data()) as Float32Array
    checkRange(values)
    if (fits) return tensor(values, shape)
    return resizePixels(
      'predict',
      Uint8Array.from(values, (v) => Math.round(255 * Math.min(1, Math.max(0, v)))),
      shape,
      size
    )
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
    const channels = this.inputShape[2]
    const { mean, std } = this.normalize ?? {
      mean: Array(channels).fill(0) as number[],
      std: Array(channels).fill(1) as number[]
    }
    const shape = [1, ...this.inputShape]
    const { device } = this.network
    if (pixels instanceof Uint8Array) {
      return batchImages(tensor(pixels, shape, { device }), tensor(Int32Array.of(0), { device }), { mean, std })
    }
    return pixels
      .to(device)
      .reshape(shape)
      .sub(tensor(mean as number[], { device }))
      .div(tensor(std as number[], { device }))
  }
}

/** Rounding may take a resized picture a little past 0 and 1; bytes as floats go far past it. */
function checkRange(values: Float32Array): void {
  const wrong = values.find((value) => !(value >= -0.1 && value <= 1.1))
  if (wrong !== undefined)
    throw expected('predict', 'floats from 0 to 1', wrong, 'Pixels from 0 to 255 go in as uint8.')
}
