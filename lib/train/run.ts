// A run folder: config.json, environment.json, metrics.csv, confusion.json and checkpoints/ of one training.
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageDataset } from '../data/dataset.js'
import { checkOptions, expected } from '../errors.js'
import { assign, copy } from '../functional/shape.js'
import { writeAtomically } from '../io/atomic.js'
import { version } from '../io/version.js'
import type { Module } from '../nn/module.js'
import { toConfig } from '../nn/config.js'
import type { Evaluation } from './evaluate.js'
import { FILES } from './files.js'
import { load, type WeightsOf } from './load.js'
import type { Plan } from './options.js'
import type { Predictor } from './predictor.js'
import { report } from './report.js'
import { RUN_FORMAT } from './run-config.js'

/** A training that `fit` has done: its folder, and what it is good for. */
export class Run {
  /** The run's folder. */
  readonly folder: string
  readonly #network: Module

  /** @internal `network` is the one that was trained. */
  constructor(folder: string, network: Module) {
    this.folder = folder
    this.#network = network
  }

  /** How good the trained network is on a set: with its last weights, or the best by the validation's `monitor`. */
  async evaluate(
    dataset: ImageDataset,
    options: { weights?: WeightsOf | undefined; batchSize?: number | undefined } = {}
  ): Promise<Evaluation> {
    const { weights = 'last', batchSize } = checkOptions('evaluate', options, ['weights', 'batchSize'])
    const evaluate = (predictor: Predictor) => predictor.evaluate(dataset, { batchSize })
    if (this.#isTold) return evaluate(await load(this.folder, { weights, device: this.#network.device }))
    // A network of the user's class can't be made anew: it is lent, and given back as it was.
    const network = this.#network
    const state = [...network.variables('parameter'), ...network.variables('buffer')].map(([, tensor]) => tensor)
    const before = state.map((tensor) => copy(tensor.detach()))
    try {
      return await network.inUse(async () => evaluate(await load(this.folder, { weights, network })))
    } finally {
      state.forEach((tensor, i) => assign(tensor, before[i]!))
    }
  }

  /** The trained network to ask about photos. One that has a class of your own takes on the weights asked for. */
  predictor(options: { weights?: WeightsOf | undefined } = {}): Promise<Predictor> {
    const { weights = 'last' } = checkOptions('predictor', options, ['weights'])
    const network = this.#network
    return load(this.folder, this.#isTold ? { weights, device: network.device } : { weights, network })
  }

  /** Makes the run's report.html anew and gives its path: see `report`. */
  report(): Promise<string> {
    return report(this.folder)
  }

  /** Whether config.json tells how the network is built. */
  get #isTold(): boolean {
    return toConfig(this.#network) !== undefined
  }
}

/** Makes the next free of runs/<name>-001, runs/<name>-002, … */
export async function newFolder(runs: string, name: string): Promise<string> {
  await mkdir(runs, { recursive: true })
  const numbers = (await readdir(runs)).map((entry) => {
    const [, start, number] = /^(.+)-(\d{3,})$/.exec(entry) ?? []
    return start === name ? Number(number) : 0
  })
  for (let next = Math.max(0, ...numbers) + 1; ; next++) {
    const folder = join(runs, `${name}-${String(next).padStart(3, '0')}`)
    try {
      await mkdir(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue // of a run that began at the same time
      throw error
    }
    return folder
  }
}

/** What config.json says: how the network is built and used, and how it is trained. */
export function configOf(plan: Plan) {
  const { network, train, validation, normalize, positive, recipe } = plan
  return {
    format: RUN_FORMAT,
    needletail: version,
    name: plan.name,
    network: toConfig(network) ?? null,
    networkClass: network.constructor.name,
    inputShape: train.shape,
    classes: train.classes,
    positive: positive ?? null,
    normalize: normalize ?? null,
    training: {
      pictures: train.length,
      validationPictures: validation?.length ?? 0,
      sources: train.sources,
      epochs: plan.epochs,
      batchSize: plan.batchSize,
      dropLast: plan.dropLast,
      accumulate: plan.accumulate,
      compute: plan.compute,
      exact: plan.exact,
      seed: plan.seed,
      augment: plan.augment,
      optimizer: plan.optimizer.describe(),
      loss: plan.loss ? 'custom' : 'crossEntropy',
      fineClasses: train.fine?.classes ?? null,
      classWeights: plan.classWeights ?? null,
      labelSmoothing: plan.labelSmoothing,
      averageWeights: plan.averageWeights ?? null,
      metrics: plan.metrics,
      monitor: plan.monitor,
      earlyStopping: plan.earlyStopping ?? null
    },
    recipe: recipe ?? null
  }
}

export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeAtomically(path, (file) => file.writeFile(`${JSON.stringify(value, undefined, 2)}\n`))

/** Refuses to go on with a run with other options than it began with. More epochs, or a newer library, are no others. */
export async function checkSameConfig(folder: string, config: ReturnType<typeof configOf>): Promise<void> {
  const path = join(folder, FILES.config)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw expected('fit', `a run folder to resume at ${folder}`, error.code ?? error.message)
  })
  const isFree = (name: string) =>
    ['needletail', 'name', 'training.epochs'].includes(name) || name.startsWith('recipe.options.')
  checkSame('fit', path, JSON.parse(text), config, isFree, 'A training goes on with the options that it began with.')
}

/** Refuses a description that differs from the one in a file by more than what is free. */
export function checkSame(
  op: string,
  path: string,
  before: unknown,
  now: unknown,
  isFree: (name: string) => boolean,
  hint: string
): void {
  const [old, new_] = [flat(before), flat(JSON.parse(JSON.stringify(now)))]
  for (const name of new Set([...old.keys(), ...new_.keys()])) {
    if (isFree(name) || old.get(name) === new_.get(name)) continue
    throw expected(op, `${name} ${old.get(name) ?? 'unset'} as in ${path}`, new_.get(name) ?? 'unset', hint)
  }
}

/** Every leaf of a JSON value by its path. */
function flat(value: unknown, path = '', leaves = new Map<string, string>()): Map<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  for (const [name, member] of entries) flat(member, path ? `${path}.${name}` : name, leaves)
  if (entries.length === 0) leaves.set(path, JSON.stringify(value))
  return leaves
}
