// What a network made of each picture of a set: gathered on the device batch by batch, kept in the run folder.
import { noGrad } from '../autograd.js'
import { expected } from '../errors.js'
import { readSafetensors, writeSafetensors } from '../io/safetensors.js'
import { Store } from '../metrics/store.js'
import type { DType, Tensor } from '../tensor.js'

/** Of so many classes all probabilities are kept; of more the largest five, and those of the positive class. */
const ALL = 20
const TOP = 5

/** Tensors [batch] or [batch, k] by name: what is kept of a batch, and is in predictions.safetensors for the whole set. */
export type Details = Record<string, Tensor<any>>

/** @param probabilities [batch, classes] @param positive the number of the positive class */
export function detailsOf(probabilities: Tensor, predictions: Tensor<'int32'>, positive: number | undefined): Details {
  if (probabilities.shape[1]! <= ALL) return { predictions, probabilities }
  const { values, indices } = probabilities.topK(TOP)
  const score = positive === undefined ? {} : { positiveProbabilities: probabilities.get(null, positive) }
  return { predictions, topClasses: indices, topProbabilities: values, ...score }
}

/** The details of all batches of a set. */
export class PredictionLog {
  readonly #stores = new Map<string, Store>()

  add(details: Details): void {
    noGrad(() => {
      for (const [name, part] of Object.entries(details)) {
        const store = this.#stores.get(name) ?? new Store()
        this.#stores.set(name, store.push(part))
      }
    })
  }

  /** Of the whole set; they stay the log's own. */
  get details(): Details {
    return Object.fromEntries([...this.#stores].map(([name, store]) => [name, store.whole()!]))
  }

  clear(): void {
    for (const store of this.#stores.values()) store.clear()
    this.#stores.clear()
  }
}

/** Arrays in the order of the set's pictures. */
export interface Predictions {
  labels: Int32Array
  /** The most probable class. */
  predictions: Int32Array
  /** The probability of that class. */
  confidence: Float32Array
  /** The probabilities of a class, by its number: of all classes where they are few, else of the positive one alone. */
  scores: Map<number, Float32Array>
}

/** @param classes how many there are @throws where a tensor is missing or not what it should be. */
export async function predictionsOf(
  details: Readonly<Details>,
  classes: number,
  positive: number | undefined
): Promise<Predictions> {
  const labels = await read(details, 'labels', 'int32', classes)
  const predictions = await read(details, 'predictions', 'int32', classes, labels.length)
  const n = labels.length
  const column = (values: Float32Array, width: number, at: (row: number) => number): Float32Array =>
    Float32Array.from({ length: n }, (_, row) => values[row * width + at(row)]!)
  if (details['probabilities']) {
    const all = await read(details, 'probabilities', 'float32', classes, n * classes)
    const scores = Array.from({ length: classes }, (_, c) => [c, column(all, classes, () => c)] as const)
    const confidence = column(all, classes, (row) => predictions[row]!)
    return { labels, predictions, confidence, scores: new Map(scores) }
  }
  const top = await read(details, 'topProbabilities', 'float32', classes, n * TOP)
  const confidence = column(top, TOP, () => 0)
  if (positive === undefined) return { labels, predictions, confidence, scores: new Map() }
  const score = await read(details, 'positiveProbabilities', 'float32', classes, n)
  return { labels, predictions, confidence, scores: new Map([[positive, score]]) }
}

interface Arrays {
  int32: Int32Array
  float32: Float32Array
}

/** The values of a tensor; whole numbers are those of classes. */
async function read<D extends keyof Arrays>(
  details: Readonly<Details>,
  name: string,
  dtype: D,
  classes: number,
  size?: number
): Promise<Arrays[D]> {
  const tensor: Tensor<DType> | undefined = details[name]
  const wanted = `${dtype}${size === undefined ? '' : ` of ${size} values`} as ${name} of the predictions`
  if (tensor?.dtype !== dtype || (size ?? tensor.size) !== tensor.size) {
    throw expected('report', wanted, tensor ? `${tensor.dtype} [${tensor.shape.join(', ')}]` : 'none')
  }
  const values = (await tensor.data()) as Arrays[D]
  const bad = dtype === 'int32' ? values.find((value) => value < 0 || value >= classes) : undefined
  if (bad !== undefined) throw expected('report', `classes in [0, ${classes}) as ${name} of the predictions`, bad)
  return values
}

/** @param epoch after which they were made */
export const writePredictions = (path: string, details: Details, epoch: number): Promise<void> =>
  writeSafetensors(path, details, { epoch: String(epoch) })

/** The predictions in a file, and the epoch after which they were made. */
export async function readPredictions(
  path: string,
  classes: number,
  positive: number | undefined
): Promise<Predictions & { epoch: number }> {
  const { tensors, metadata } = await readSafetensors(path, { device: 'cpu' })
  try {
    const predictions = await predictionsOf(Object.fromEntries(tensors), classes, positive)
    return { ...predictions, epoch: Number(metadata.get('epoch')) || 0 }
  } finally {
    for (const tensor of tensors.values()) tensor.dispose()
  }
}
