// What a sweep is asked for, and the checks that come before anything else is done.
import { checkDevice, memory, threads } from '../device.js'
import { checkInteger, checkNumber, checkOptions, checkWord, describe, expected, quoted } from '../errors.js'
import { version } from '../io/version.js'
import type { FitOptions } from '../train/options.js'
import type { Direction } from './scheduler.js'
import type { Space, ValuesOf } from './space.js'
import { drawn, gridOf, type Values } from './values.js'

/**
 * Which trials there are, and how long they train:
 *
 * - 'grid': every combination of the space's values; of a `uniform` or `logUniform` range `points` values, 3 unless given.
 * - 'random': `trials` combinations by chance.
 * - 'asha': `trials` combinations by chance, of which only the good ones train to the end (asynchronous successive halving, Li et
 *   al. 2018). There are `rungs` (3 unless given) numbers of epochs, each `reduction` times (3 unless given) the one before, the last
 *   of them `epochs`. At each rung a trial pauses; the best of every `reduction` go on to the next.
 */
export type Strategy =
  | { kind: 'grid'; points?: number | undefined }
  | { kind: 'random'; trials: number }
  | { kind: 'asha'; trials: number; rungs?: number | undefined; reduction?: number | undefined }

/** What a trial's call of `fit` must be given, so that the sweep finds its run, can pause it and go on with it. */
export type TrialOptions = Required<Pick<FitOptions, 'folder' | 'epochs' | 'pauseAfter' | 'device'>>

/** One combination of values, to be trained. */
export interface Trial<S extends Space = Space> {
  /** From 1. */
  number: number
  /** What it was given: a value of each dimension. */
  values: ValuesOf<S>
  /** For `fit(network, train, { …, ...trial.options })`. */
  options: TrialOptions
}

/** What a sweep tries. */
export interface SweepConfig<S extends Space = Space> {
  /** What is varied. */
  space: S
  /** Which trials there are, and how long each is trained. */
  strategy: Strategy
  /** Epochs of a trial that trains to the end. */
  epochs: number
  /** The column of metrics.csv by which trials are compared, in their last epoch; 'validation.accuracy' unless given. */
  metric?: string | undefined
  /** 'minimize' for a loss and 'maximize' for all else, unless given. */
  direction?: Direction | undefined
  /** Decides on what is drawn by chance; 0 unless given. */
  seed?: number | undefined
  /** The sweep's folder is runs/<name>-001, runs/<name>-002, …; 'sweep' unless given. */
  name?: string | undefined
  /** Trials at once, each in a process of its own; unless given, one for each core, as far as memory lasts. They share the cores. */
  parallel?: number | undefined
  /** Bytes of the device's memory for a trial: 2 GB on the CPU, a quarter of a GPU's memory unless given. */
  memory?: number | undefined
  /** Where trials are trained, 'cpu' or 'cuda:0'; the default device unless given. */
  device?: string | undefined
  /** Trains one trial: calls `fit` with `trial.options` among the options. It runs in a process of its own, which has loaded the module anew. */
  train(trial: Trial<S>): unknown
}

/** The sweep that a module exports as its default: `config`, with its types checked. */
export const defineSweep = <S extends Space>(config: SweepConfig<S>): SweepConfig<S> => config

/** A checked request. */
export interface SweepPlan {
  /** What the journal begins with: a sweep that is gone on with must be the same. */
  description: Description
  /** The values of each trial. */
  trials: readonly Values[]
  /** The epochs after which trials are compared, the last of them `epochs`; and of how many at each one goes on. */
  rungs: readonly number[]
  reduction: number
  name: string
  device: string
  parallel: number
  /** Threads of each process, and bytes of the device's memory. */
  threads: number
  memory: number
}

export interface Description {
  format: 1
  needletail: string
  space: Space
  strategy: Strategy
  epochs: number
  metric: string
  direction: Direction
  seed: number
}

const OP = 'sweep'
const NAMES = [
  'space',
  'strategy',
  'epochs',
  'metric',
  'direction',
  'seed',
  'name',
  'parallel',
  'memory',
  'device',
  'train'
] as const satisfies readonly (keyof SweepConfig)[]
const MOST_TRIALS = 10_000

/** @param given what the caller of the sweep asks for in place of the module's. */
export function checkSweep(config: unknown, given: Partial<SweepConfig>): SweepPlan {
  const merged = { ...checkOptions(OP, config as SweepConfig, NAMES), ...given }
  const { space, epochs, metric = 'validation.accuracy', seed = 0, name = 'sweep', train } = merged
  if (typeof train !== 'function') throw expected(OP, 'train to be a function of a trial', describe(train))
  checkSpace(space)
  checkInteger(OP, 'epochs as a whole number from 1', epochs, 1, 2 ** 31 - 1)
  checkInteger(OP, 'seed as a whole number from 0', seed, 0, 2 ** 32 - 1)
  if (typeof metric !== 'string') throw expected(OP, 'metric as a column of metrics.csv', quoted(metric))
  const { direction = metric.endsWith('loss') ? 'minimize' : 'maximize' } = merged
  checkWord(OP, 'direction', direction, ['maximize', 'minimize'] as const)
  const device = checkDevice(OP, merged.device)
  const { strategy, trials, rungs, reduction } = strategyOf(merged.strategy, space, epochs, seed)
  return {
    description: { format: 1, needletail: version, space, strategy, epochs, metric, direction, seed },
    trials,
    rungs,
    reduction,
    name,
    device,
    ...shares(device, trials.length, merged)
  }
}

function checkSpace(space: unknown): asserts space is Space {
  const dimensions = typeof space === 'object' && space !== null ? Object.entries(space) : []
  if (dimensions.length === 0) throw expected(OP, 'a space with dimensions', describe(space))
  for (const [name, dimension] of dimensions) {
    const kind: unknown = (dimension as { kind?: unknown } | null)?.kind
    if (typeof kind !== 'string' || !['choice', 'uniform', 'logUniform', 'integers'].includes(kind)) {
      const hint = 'Make it by space.choice, uniform, logUniform or integers.'
      throw expected(OP, `a dimension as space.${name}`, quoted(dimension), hint)
    }
  }
}

function strategyOf(given: Strategy, space: Space, epochs: number, seed: number) {
  const kind = checkWord(OP, 'strategy.kind', (given as Strategy | undefined)?.kind, [
    'grid',
    'random',
    'asha'
  ] as const)
  if (given.kind === 'grid') {
    const { points = 3 } = checkOptions(OP, given, ['kind', 'points'])
    checkInteger(OP, 'strategy.points as a whole number from 2', points, 2, MOST_TRIALS)
    const grid = gridOf(space, points)
    checkInteger(OP, `a grid of at most ${MOST_TRIALS} trials`, grid.count, 1, MOST_TRIALS)
    const trials = Array.from({ length: grid.count }, (_, trial) => grid.at(trial))
    return { strategy: { kind: 'grid', points } as const, trials, rungs: [epochs], reduction: 1 }
  }
  const count = checkInteger(OP, 'strategy.trials as a whole number from 1', given.trials, 1, MOST_TRIALS)
  const trials = drawn(space, count, seed)
  if (given.kind === 'random') {
    checkOptions(OP, given, ['kind', 'trials'])
    return { strategy: { kind, trials: count } as const, trials, rungs: [epochs], reduction: 1 }
  }
  const { rungs = 3, reduction = 3 } = checkOptions(OP, given, ['kind', 'trials', 'rungs', 'reduction'])
  checkInteger(OP, 'strategy.rungs as a whole number from 1 to 20', rungs, 1, 20)
  checkInteger(OP, 'strategy.reduction as a whole number from 2', reduction, 2, MOST_TRIALS)
  const share = reduction ** (rungs - 1)
  if (count < share) {
    throw expected(OP, `at least ${share} trials, for one to reach the last of ${rungs} rungs`, count)
  }
  if (epochs < share) throw expected(OP, `at least ${share} epochs for ${rungs} rungs`, epochs, 'Or fewer rungs.')
  return {
    strategy: { kind: 'asha', trials: count, rungs, reduction } as const,
    trials,
    rungs: Array.from({ length: rungs }, (_, rung) => Math.round(epochs / reduction ** (rungs - 1 - rung))),
    reduction
  }
}

/** How many trials run at once, and what each may take. */
function shares(device: string, trials: number, { parallel, memory: wanted }: Partial<SweepConfig>) {
  const there = memory(device).limitBytes
  const cores = threads()
  const bytes = wanted ?? (device === 'cpu' ? 2e9 : there / 4)
  if (!(checkNumber(OP, 'memory as a number of bytes', bytes) > 0)) throw expected(OP, 'memory above 0', bytes)
  const most = Math.max(1, Math.min(cores, Math.floor(there / bytes)))
  const atOnce = checkInteger(OP, 'parallel as a whole number from 1', parallel ?? most, 1, 1024)
  const used = Math.min(atOnce, trials)
  return { parallel: used, threads: Math.max(1, Math.floor(cores / used)), memory: bytes }
}
