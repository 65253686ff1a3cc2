// How good a network is on a labelled set: counted on the device in one pass, read once.
import { noGrad } from '../autograd.js'
import { compile } from '../compile.js'
import { checkComputation, type Computation } from '../compute.js'
import { onDevice } from '../device.js'
import type { Feed } from '../data/feed.js'
import { DataLoader } from '../data/loader.js'
import { Pace } from '../data/pace.js'
import { ImageDataset, type Statistics } from '../data/dataset.js'
import { checkInteger, checkOptions, checkWord, describe, expected } from '../errors.js'
import { crossEntropy } from '../losses.js'
import { Confusion, Mean, Scores } from '../metrics/index.js'
import { Module } from '../nn/module.js'
import { detailsOf, type Details, type PredictionLog } from '../report/predictions.js'
import type { Tensor } from '../tensor.js'
import { readMetric, type MetricName } from './metric-names.js'

export interface EvaluateOptions extends Computation {
  /** The statistics that the network's training was normalised with; `true`: the set's own; false unless given. */
  normalize?: boolean | Statistics | undefined
  /** The class that precision, recall, F1 and the curves are about; of two classes the second unless given. */
  positive?: string | undefined
  /** Pictures in a batch; unless given 250, and on a GPU up to 1000 where they are small. The figures don't depend on it. */
  batchSize?: number | undefined
  /** The loss of the network's outputs and the labels, a scalar; cross-entropy unless given. */
  loss?: ((outputs: Tensor, labels: Tensor<'int32'>) => Tensor) | undefined
}

/** What an evaluation found. */
export interface Evaluation {
  /** The number of pictures. */
  pictures: number
  /** The mean over the pictures. */
  loss: number
  /** The share of the pictures whose class was found. */
  accuracy: number
  /** Of the positive class; without one the mean over the classes. */
  precision: number
  /** As precision. */
  recall: number
  /** As precision. */
  f1: number
  /** How often each class was taken for each. */
  confusion: Confusion
  /** The probabilities of the positive class, for curves: `scores.recallAt({ precision: 0.97 })`; undefined without one. */
  scores: Scores | undefined
}

/**
 * Passes a set through the network, where that is and in the mode for use (its modules are then put back in their own modes), and counts:
 *
 *     const { accuracy, recall, confusion } = await nt.evaluate(network, test, { normalize: train.statistics })
 */
export async function evaluate(
  network: Module,
  dataset: ImageDataset,
  options: EvaluateOptions = {}
): Promise<Evaluation> {
  const op = 'evaluate'
  if (!(network instanceof Module)) throw expected(op, 'a network: a Module', describe(network))
  if (!(dataset instanceof ImageDataset)) throw expected(op, 'an ImageDataset', describe(dataset))
  if (dataset.length === 0) throw expected(op, 'a set with pictures', 'an empty one')
  checkOptions(op, options, ['normalize', 'positive', 'batchSize', 'loss', 'compute', 'exact'])
  if (options.positive !== undefined) checkWord(op, 'positive as a class', options.positive, dataset.classes)
  if (options.batchSize !== undefined) checkInteger(op, 'batchSize as a whole number from 1', options.batchSize, 1)
  if (options.loss !== undefined && typeof options.loss !== 'function') {
    throw expected(op, 'loss to be a function of outputs and labels', describe(options.loss))
  }
  checkComputation(op, options)
  return new Evaluator(network, dataset, options).run()
}

/** An evaluation that is done again and again, compiled once. */
export class Evaluator {
  readonly #network: Module
  readonly #dataset: ImageDataset
  readonly #batches: number
  readonly #device: string
  readonly #feed: Feed
  readonly #positive: number | undefined
  readonly #log: PredictionLog | undefined
  readonly #mean = new Mean()
  readonly #confusion: Confusion
  readonly #pass: (pictures: number) => Passed

  /** @param options.log gets what the network makes of each picture */
  constructor(network: Module, dataset: ImageDataset, options: EvaluateOptions & { log?: PredictionLog | undefined }) {
    const { normalize = false, loss = crossEntropy, compute = 'float32', exact = false } = options
    const { classes } = dataset
    const { device } = network
    const batchSize = options.batchSize ?? usualBatch(dataset, device)
    this.#network = network
    this.#dataset = dataset
    const loader = new DataLoader(dataset, { batchSize, normalize, device })
    this.#batches = loader.length
    this.#device = device
    this.#feed = loader.feed()
    const positive = options.positive ?? (classes.length === 2 ? classes[1] : undefined)
    this.#positive = positive === undefined ? undefined : classes.indexOf(positive)
    const column = this.#positive
    this.#confusion = new Confusion(classes, column === undefined ? {} : { positive: column })
    const log = (this.#log = options.log)
    const pass = (pictures: number): Passed => {
      const { images, labels } = this.#feed.next(pictures)
      const outputs = network.forward(images)
      checkOutputs('evaluate', outputs, pictures, classes)
      const predictions = outputs.argmax(1)
      const probabilities = outputs.softmax(1)
      const probability = column === undefined ? undefined : probabilities.get(null, column)
      const details = log && detailsOf(probabilities, predictions, column)
      images.dispose()
      this.#mean.update(loss(outputs, labels), pictures)
      this.#confusion.update(predictions, labels)
      return { labels, probability, details, ...(column !== undefined && { isPositive: labels.equal(column) }) }
    }
    const compiled = compile(pass, { compute, exact })
    this.#pass = (pictures) => onDevice('evaluate', device, () => noGrad(() => compiled(pictures)))
  }

  /** What it gives holds until the next. */
  async run(): Promise<Evaluation> {
    const confusion = this.#confusion
    const scores = this.#positive === undefined ? undefined : new Scores()
    this.#mean.reset()
    confusion.reset()
    this.#log?.clear()
    await this.#network.inUse(async () => {
      await this.#feed.open(0, 0)
      const pace = new Pace(this.#device, 3)
      for (let batch = 0; batch < this.#batches; batch++) {
        await pace.turn()
        const { labels, probability, isPositive, details } = this.#pass(this.#feed.size(batch))
        pace.follow()
        if (probability) scores!.update(probability, isPositive!)
        if (details) this.#log!.add({ ...details, labels })
        for (const tensor of [labels, probability, isPositive, ...Object.values(details ?? {})]) tensor?.dispose()
      }
    })
    const read = [this.#mean.value(), confusion.accuracy(), confusion.precision(), confusion.recall(), confusion.f1()]
    const [loss, accuracy, precision, recall, f1] = (await Promise.all(read)) as [
      number,
      number,
      number,
      number,
      number
    ]
    return { pictures: this.#dataset.length, loss, accuracy, precision, recall, f1, confusion, scores }
  }

  /** The figures of an evaluation by name: the loss and the metrics asked for. */
  static async figures(evaluation: Evaluation, metrics: readonly MetricName[]): Promise<Record<string, number>> {
    const { loss, confusion, scores } = evaluation
    const values = await Promise.all(metrics.map((name) => readMetric(name, confusion, scores)))
    return { loss, ...Object.fromEntries(metrics.map((name, i) => [name, values[i]!])) }
  }
}

type Passed = {
  labels: Tensor<'int32'>
  probability: Tensor | undefined
  isPositive?: Tensor<'bool'>
  details: Details | undefined
}

/**
 * Pictures in a batch. A GPU wants many: of small ones up to four times as many, as far as they are no more values than 250 pictures
 * of 100 x 100 are; and of one size, so that one program serves all.
 */
function usualBatch({ length, shape }: ImageDataset, device: string): number {
  if (device === 'cpu') return 250
  const values = shape[0] * shape[1] * shape[2]
  const most = Math.min(1000, Math.max(250, Math.floor((250 * 100 * 100 * 3) / values)))
  return Math.ceil(length / Math.ceil(length / most))
}

/** A network that doesn't fit its labels is told at the first batch, in the words of who wrote it. */
export function checkOutputs(op: string, outputs: Tensor, batch: number, classes: readonly string[]): void {
  if (outputs.rank === 2 && outputs.shape[0] === batch && outputs.shape[1] === classes.length) return
  const names = classes.length > 5 ? `${classes.slice(0, 5).join(', ')}, …` : classes.join(', ')
  throw expected(
    op,
    `outputs [${batch}, ${classes.length}], one for each class (${names})`,
    `[${outputs.shape.join(', ')}]`,
    `End the network with nn.Linear(${classes.length}).`
  )
}
