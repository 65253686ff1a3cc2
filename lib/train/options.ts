// What `fit` can be asked for, and the checks that come before anything else is done.
import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkWord,
  describe,
  didYouMean,
  expected,
  quoted
} from '../errors.js'
import { checkCompute, type Compute } from '../compute.js'
import { checkDevice } from '../device.js'
import type { Augmentation } from '../data/augmentation.js'
import { ImageDataset, type Statistics } from '../data/dataset.js'
import { Module } from '../nn/module.js'
import { Adam, Optimizer } from '../optim/index.js'
import type { Tensor } from '../tensor.js'
import { checkCallbacks, type Callbacks } from './callbacks.js'
import { checkMetrics, type MetricName } from './metric-names.js'
import type { RunRecipe } from './run-config.js'

/** How many optimizer steps a training has, for schedules of the learning rate. */
export interface Steps {
  /** In the whole training. */
  total: number
  /** In one pass. */
  perEpoch: number
}

/** An AbortSignal: said without its type, which not every program has declared. */
export interface Abortable {
  /** Whether the training is to end. */
  readonly aborted: boolean
  /** Throws the reason, if it is. */
  throwIfAborted(): void
}

/** When a training ends before its last epoch. */
export interface EarlyStopping {
  /** Epochs without a better value of `monitor` after which training ends. */
  patience: number
  /** By how much a value must be better to count (0 unless given). */
  minDelta?: number | undefined
}

/** What `fit` takes. */
export interface FitOptions {
  /** Watched after each epoch, never trained on. */
  validation?: ImageDataset | undefined
  /** Whether pictures are normalised: by the training set's mean and deviation, kept with the network (`true`), or by those given. */
  normalize?: boolean | Statistics | undefined
  /** What is changed by chance, each picture anew in each epoch. */
  augment?: Augmentation | undefined
  /** Adam unless given; or a function of the number of steps, for a schedule: `({ total }) => new optim.SGD({ learningRate: optim.oneCycle(0.1, { steps: total }) })`. */
  optimizer?: Optimizer | ((steps: Steps) => Optimizer) | undefined
  /** The loss of the network's outputs and the labels, a scalar; cross-entropy unless given. */
  loss?: ((outputs: Tensor, labels: Tensor<'int32'>) => Tensor) | undefined
  /** How much a picture of each class counts in the loss, or 'balanced': each class as much as the others together. */
  classWeights?: readonly number[] | 'balanced' | undefined
  /** The part of the target, in [0, 1], that is spread evenly over all classes (0 unless given). */
  labelSmoothing?: number | undefined
  /** What is watched beside the loss: 'accuracy' unless given. Those that need probabilities are watched on `validation` only. */
  metrics?: readonly MetricName[] | undefined
  /** The class that precision, recall, F1 and the curves are about; of two classes the second unless given. */
  positive?: string | undefined
  /** Pictures in a batch; 32 unless given. */
  batchSize?: number | undefined
  /** Passes over the training set; 10 unless given. */
  epochs?: number | undefined
  /** Whether a last batch that isn't full is left out; false unless given. */
  dropLast?: boolean | undefined
  /** Batches whose gradients make one step: a batch of `accumulate * batchSize` in the memory of one (1 unless given). */
  accumulate?: number | undefined
  /** The precision of the computation (see `withCompute`), 'float32' unless given; weights and what the optimizer keeps stay float32. */
  compute?: Compute | undefined
  /** Whether convolutions are computed by their sums alone, never by Winograd's algorithm, which is faster and rounds more; false unless given. */
  exact?: boolean | undefined
  /** Keeps a moving average of the weights, this part of it at each step (e.g. 0.999), and uses it in place of the last weights. */
  averageWeights?: number | undefined
  /** Decides on the order, the augmentation, and what the default generator draws (weights that are yet to be made, dropout); 0 unless given. */
  seed?: number | undefined
  /** The validation metric by which `best` is chosen and early stopping decides: 'accuracy' unless given. */
  monitor?: MetricName | 'loss' | undefined
  /** Ends the training when `monitor` has stopped becoming better; never unless given. */
  earlyStopping?: EarlyStopping | undefined
  /** Functions that are called as the training goes. */
  callbacks?: Callbacks | readonly Callbacks[] | undefined
  /** Ends the training after the batch that is being done, as Ctrl-C does; `fit` then rejects with the signal's reason. */
  signal?: Abortable | undefined
  /** Where to train, 'cpu' or 'cuda:0': the network is brought there, and stays. Where the network is unless given. */
  device?: string | undefined
  /** The name of the run's folder, which gets a number: runs/<name>-001; 'run' unless given. */
  name?: string | undefined
  /** The folder that run folders are made in; 'runs' unless given. */
  runs?: string | undefined
  /** A run folder whose training, interrupted or killed, goes on from its last checkpoint. The other options must be what they were; `epochs` may be more. */
  resume?: string | undefined
  /** The run's own folder, in place of a numbered one: made by the first call, gone on with by every later one, as by `resume`. */
  folder?: string | undefined
  /**
   * Ends the training after this epoch, saved as by Ctrl-C: a later call goes on, with a learning rate that follows `epochs`
   * all the way. Only after `epochs` unless given.
   */
  pauseAfter?: number | undefined
  /** Saves after so many batches within an epoch, too; only after each epoch unless given. */
  saveEvery?: number | undefined
  /** Whether progress is shown on stderr: a bar on a terminal, a line after each epoch elsewhere; true unless given. */
  progress?: boolean | undefined
  /** Whether the run folder gets a report: report.html, and the pictures and predictions that it shows; true unless given. */
  report?: boolean | undefined
  /** Whether the run folder gets an event file for TensorBoard; true unless given. */
  tensorboard?: boolean | undefined
  /** Where the training comes from: what `needletail train` needs to go on with it. */
  recipe?: RunRecipe | undefined
}

const NAMES = [
  'validation',
  'normalize',
  'augment',
  'optimizer',
  'loss',
  'classWeights',
  'labelSmoothing',
  'metrics',
  'positive',
  'batchSize',
  'epochs',
  'dropLast',
  'accumulate',
  'compute',
  'exact',
  'averageWeights',
  'seed',
  'monitor',
  'earlyStopping',
  'callbacks',
  'signal',
  'device',
  'name',
  'runs',
  'resume',
  'folder',
  'pauseAfter',
  'saveEvery',
  'progress',
  'report',
  'tensorboard',
  'recipe'
] as const satisfies readonly (keyof FitOptions)[]

/** A checked request: nothing is undefined that has a default. */
export interface Plan {
  network: Module
  train: ImageDataset
  validation: ImageDataset | undefined
  normalize: Statistics | undefined
  augment: Augmentation
  optimizer: Optimizer
  steps: Steps
  loss: FitOptions['loss']
  classWeights: readonly number[] | undefined
  labelSmoothing: number
  metrics: readonly MetricName[]
  positive: string | undefined
  batchSize: number
  epochs: number
  dropLast: boolean
  accumulate: number
  compute: Compute
  exact: boolean
  averageWeights: number | undefined
  seed: number
  monitor: MetricName | 'loss'
  earlyStopping: Required<EarlyStopping> | undefined
  callbacks: readonly Callbacks[]
  signal: Abortable | undefined
  device: string
  name: string
  runs: string
  resume: string | undefined
  folder: string | undefined
  pauseAfter: number
  saveEvery: number | undefined
  progress: boolean
  report: boolean
  tensorboard: boolean
  recipe: RunRecipe | undefined
}

const OP = 'fit'

export function checkFit(network: Module, train: ImageDataset, options: FitOptions): Plan {
  if (!(network instanceof Module)) throw expected(OP, 'a network: a Module', describe(network))
  if (!(train instanceof ImageDataset)) throw expected(OP, 'an ImageDataset to train on', describe(train))
  if (train.length === 0) throw expected(OP, 'a training set with pictures', 'an empty one')
  checkOptions(OP, options, NAMES)
  const { validation, classWeights, labelSmoothing = 0, batchSize = 32, epochs = 10, accumulate = 1 } = options
  const {
    exact = false,
    dropLast = false,
    averageWeights,
    seed = 0,
    signal,
    name = 'run',
    runs = 'runs',
    resume,
    folder,
    pauseAfter = epochs,
    saveEvery
  } = options
  if (validation !== undefined) checkValidation(train, validation)
  const positive = checkPositive(train.classes, options.positive)
  const metrics = checkMetrics(OP, options.metrics ?? ['accuracy'], positive)
  whole('batchSize', batchSize, 1)
  whole('epochs', epochs, 1)
  whole('accumulate', accumulate, 1)
  whole('seed', seed, 0, 2 ** 32 - 1)
  whole('pauseAfter', pauseAfter, 1)
  if (resume !== undefined && folder !== undefined) throw expected(OP, 'resume or folder', 'both')
  if (saveEvery !== undefined) whole('saveEvery', saveEvery, 1)
  flag('exact', exact)
  flag('dropLast', dropLast)
  flag('progress', options.progress ?? true)
  flag('report', options.report ?? true)
  flag('tensorboard', options.tensorboard ?? true)
  if (dropLast && batchSize > train.length) {
    throw expected(OP, `a batchSize of at most ${train.length} with dropLast`, `${batchSize}`)
  }
  if (averageWeights !== undefined) between('averageWeights', averageWeights, 0, 1)
  between('labelSmoothing', labelSmoothing, 0, 1)
  if (options.loss !== undefined && typeof options.loss !== 'function') {
    throw expected(OP, 'loss to be a function of outputs and labels', describe(options.loss))
  }
  if (options.loss && (classWeights !== undefined || labelSmoothing > 0)) {
    throw expected(OP, 'classWeights and labelSmoothing without a loss of your own', 'both', 'Weigh inside the loss.')
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw expected(OP, 'an AbortSignal', describe(signal))
  const steps = stepsOf(train.length, batchSize, dropLast, accumulate, epochs)
  return {
    network,
    train,
    validation,
    normalize: statisticsOf(train, options.normalize ?? false),
    augment: options.augment ?? {},
    optimizer: optimizerOf(options.optimizer, steps),
    steps,
    loss: options.loss,
    classWeights: weightsOf(train, classWeights),
    labelSmoothing,
    metrics,
    positive,
    batchSize,
    epochs,
    dropLast,
    accumulate,
    compute: checkCompute(OP, options.compute ?? 'float32'),
    exact,
    averageWeights,
    seed,
    monitor: checkMonitor(options.monitor ?? 'accuracy', metrics),
    earlyStopping: checkStopping(options.earlyStopping, validation),
    callbacks: checkCallbacks(OP, options.callbacks),
    signal,
    device: checkDevice(OP, options.device ?? network.device),
    name: folderName('name', name),
    runs: text('runs', runs),
    resume: resume === undefined ? undefined : text('resume', resume),
    folder: folder === undefined ? undefined : text('folder', folder),
    pauseAfter: Math.min(pauseAfter, epochs),
    saveEvery,
    progress: options.progress ?? true,
    report: options.report ?? true,
    tensorboard: options.tensorboard ?? true,
    recipe: options.recipe
  }
}

function whole(name: string, value: unknown, low: number, high = 2 ** 31 - 1): void {
  checkInteger(OP, `${name} as a whole number from ${low}`, value, low, high)
}

function between(name: string, value: unknown, low: number, high: number): void {
  const number = checkNumber(OP, `${name} as a number in [${low}, ${high}]`, value)
  if (number < low || number > high) throw expected(OP, `${name} in [${low}, ${high}]`, `${number}`)
}

function flag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw expected(OP, `${name} to be true or false`, quoted(value))
}

function text(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw expected(OP, `${name} as a folder's path`, quoted(value))
  return value
}

function folderName(name: string, value: unknown): string {
  if (typeof value === 'string' && /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u.test(value)) return value
  throw expected(OP, `${name} of letters, digits, '.', '_' and '-'`, quoted(value), 'It names the run folder.')
}

function checkValidation(train: ImageDataset, validation: unknown): void {
  if (!(validation instanceof ImageDataset)) throw expected(OP, 'validation as an ImageDataset', describe(validation))
  if (validation.length === 0) throw expected(OP, 'a validation set with pictures', 'an empty one')
  for (const what of ['classes', 'shape'] as const) {
    if (String(train[what]) !== String(validation[what])) {
      throw expected(OP, `validation with the training set's ${what} ${String(train[what])}`, String(validation[what]))
    }
  }
}

function checkPositive(classes: readonly string[], positive: unknown): string | undefined {
  if (positive === undefined) return classes.length === 2 ? classes[1] : undefined
  return checkWord(OP, 'positive as a class', positive, classes)
}

function checkMonitor(monitor: unknown, metrics: readonly MetricName[]): MetricName | 'loss' {
  const words = ['loss', 'accuracy', ...metrics]
  if (typeof monitor === 'string' && words.includes(monitor)) return monitor as MetricName
  const hint = typeof monitor === 'string' ? didYouMean(monitor, words) : ''
  throw expected(OP, `monitor of ${[...new Set(words)].join(', ')}`, quoted(monitor), hint)
}

function checkStopping(stopping: EarlyStopping | undefined, validation: unknown): Required<EarlyStopping> | undefined {
  if (stopping === undefined) return undefined
  const { patience, minDelta = 0 } = checkOptions(OP, stopping, ['patience', 'minDelta'])
  whole('earlyStopping.patience', patience, 1)
  between('earlyStopping.minDelta', minDelta, 0, Infinity)
  if (validation === undefined)
    throw expected(OP, 'validation with earlyStopping', 'none', 'It decides by its metrics.')
  return { patience, minDelta }
}

function statisticsOf(train: ImageDataset, normalize: boolean | Statistics): Statistics | undefined {
  if (normalize === true) return train.statistics
  if (normalize === false) return undefined
  return normalize // the loader checks it
}

function optimizerOf(given: FitOptions['optimizer'], steps: Steps): Optimizer {
  const optimizer = typeof given === 'function' ? given(steps) : (given ?? new Adam())
  if (!(optimizer instanceof Optimizer))
    throw expected(OP, 'an optimizer, or a function that gives one', describe(given))
  return optimizer
}

function stepsOf(pictures: number, batchSize: number, dropLast: boolean, accumulate: number, epochs: number): Steps {
  const batches = dropLast ? Math.floor(pictures / batchSize) : Math.ceil(pictures / batchSize)
  const perEpoch = Math.ceil(batches / accumulate)
  return { total: perEpoch * epochs, perEpoch }
}

/** Weights of the classes that the loss is over: the finer ones where the set has them. */
function weightsOf(train: ImageDataset, given: FitOptions['classWeights']): readonly number[] | undefined {
  if (given === undefined) return undefined
  const classes = train.fine?.classes.length ?? train.classes.length
  if (given === 'balanced') {
    if (train.fine) throw expected(OP, 'classWeights as numbers for a set with finer classes', "'balanced'")
    return train.counts.map((count) => train.length / (classes * Math.max(1, count)))
  }
  if (Array.isArray(given) && given.length === classes && given.every((w) => Number.isFinite(w) && w >= 0)) {
    return given as number[]
  }
  throw expected(OP, `classWeights as ${classes} numbers from 0, or 'balanced'`, describe(given))
}
