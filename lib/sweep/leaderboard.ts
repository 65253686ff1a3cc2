// What has come of each trial, the best first: as data, as lines, and as a page.
import { basename, join } from 'node:path'
import { writeAtomically } from '../io/atomic.js'
import type { LeaderboardData } from '../report/leaderboard-data.js'
import { page } from '../report/page.js'
import { FILES } from '../train/files.js'
import type { SweepPlan } from './config.js'
import type { Result } from './journal.js'
import { bestFirst, type Step } from './scheduler.js'
import type { Choice, Dimension, Value } from './space.js'
import type { Values } from './values.js'

/** What a trial has come to. */
export interface TrialResult {
  /** From 1. */
  number: number
  /** What it was given. */
  values: Values
  /**
   * 'complete': trained to the end. 'paused': trained up to a rung, where others were better so far. 'begun': being trained, or to be gone
   * on with. 'failed': see `error`.
   */
  state: 'complete' | 'paused' | 'begun' | 'failed'
  /** The rungs that it has reached; a sweep without rungs has one. */
  rungs: number
  /** Its epochs so far. */
  epochs: number
  /** The metric of the last of them. */
  value: number | undefined
  /** For how long it was trained, in seconds. */
  seconds: number
  /** Its run folder. */
  folder: string
  /** Why it failed. */
  error?: string
}

/** What a sweep has come to. */
export interface SweepResult {
  /** The sweep's folder. */
  folder: string
  /** Those that have begun, the best first: who was trained for longer comes before who was stopped earlier, and who failed last. */
  trials: readonly TrialResult[]
  /** The first of those that are complete. */
  best: TrialResult | undefined
  /** How many trials there are to be. */
  total: number
}

export class Leaderboard {
  readonly #folder: string
  readonly #plan: SweepPlan
  readonly #trials = new Map<number, TrialResult>()

  constructor(folder: string, plan: SweepPlan) {
    this.#folder = folder
    this.#plan = plan
  }

  folderOf(trial: number): string {
    return join(this.#folder, `trial-${String(trial + 1).padStart(3, '0')}`)
  }

  begin({ trial }: Step): void {
    this.#of(trial).state = 'begun'
  }

  take(result: Result): void {
    const found = this.#of(result.trial)
    found.seconds += result.seconds
    if (result.event === 'fail') Object.assign(found, { state: 'failed', error: result.error })
    else {
      const state = result.rung === this.#plan.rungs.length - 1 ? 'complete' : 'paused'
      Object.assign(found, { state, rungs: result.rung + 1, epochs: result.epochs, value: result.value ?? NaN })
    }
  }

  #of(trial: number): TrialResult {
    let found = this.#trials.get(trial)
    if (found === undefined) {
      const values = this.#plan.trials[trial]!
      const folder = this.folderOf(trial)
      found = { number: trial + 1, values, state: 'begun', rungs: 0, epochs: 0, value: undefined, seconds: 0, folder }
      this.#trials.set(trial, found)
    }
    return found
  }

  get result(): SweepResult {
    const order = bestFirst(this.#plan.description.direction)
    const trials = [...this.#trials.values()]
      .map((trial) => ({ ...trial }))
      .sort((a, b) => {
        const failed = Number(a.state === 'failed') - Number(b.state === 'failed')
        return failed || b.rungs - a.rungs || order(a.value ?? NaN, b.value ?? NaN) || a.number - b.number
      })
    const best = trials.find(({ state }) => state === 'complete')
    return { folder: this.#folder, trials, best, total: this.#plan.trials.length }
  }

  /** What came of a trial, in a line. */
  lineOf(trial: number): string {
    const { number, state, epochs, value, error, values } = this.#of(trial)
    const { metric, epochs: all } = this.#plan.description
    const what =
      state === 'failed' ? `failed: ${error}` : `${metric} ${figure(value!)} after ${epochs} of ${all} epochs`
    return `trial ${number} of ${this.#plan.trials.length}: ${what}  ${valuesText(values)}`
  }

  /** Writes the page, a file of its own. */
  async write(): Promise<void> {
    const text = await page({
      title: `${basename(this.#folder)} · needletail`,
      view: 'leaderboard',
      data: this.#data()
    })
    await writeAtomically(join(this.#folder, PAGE), (file) => file.writeFile(text))
  }

  #data(): LeaderboardData {
    const { description, rungs } = this.#plan
    const { metric, direction, epochs, space } = description
    const { trials, total } = this.result
    const dimensions = Object.entries(space)
    const placeOf = (dimension: Dimension, value: Value) =>
      dimension.kind === 'choice' ? textsOf(dimension).indexOf(textOf(value)) : (value as number)
    return {
      name: basename(this.#folder),
      metric,
      direction,
      epochs,
      rungs,
      total,
      dimensions: dimensions.map(([name, dimension]) => {
        if (dimension.kind === 'choice') return { name, kind: 'choice', choices: textsOf(dimension) }
        const { kind, low, high } = dimension
        return { name, kind: 'range', low, high, logarithmic: kind === 'logUniform', whole: kind === 'integers' }
      }),
      trials: trials.map(({ number, state, values, epochs, value = NaN, seconds, folder, error = null }) => ({
        number,
        state,
        values: dimensions.map(([name, dimension]) => placeOf(dimension, values[name]!)),
        epochs,
        value: Number.isFinite(value) ? value : null,
        seconds,
        report: epochs > 0 ? `${basename(folder)}/${FILES.report}` : null,
        error
      }))
    }
  }
}

/** Within the sweep's folder. */
const PAGE = 'leaderboard.html'

/** A value as one reads it: words as they are. */
const textOf = (value: Value): string => (typeof value === 'string' ? value : JSON.stringify(value))

const textsOf = ({ values }: Choice): string[] => values.map(textOf)

const figure = (value: number): string => value.toFixed(4)

/** { rate: 0.00123, filters: [32, 64] } as 'rate 0.00123  filters [32,64]'. */
const valuesText = (values: Values): string =>
  Object.entries(values)
    .map(
      ([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : JSON.stringify(value)}`
    )
    .join('  ')
