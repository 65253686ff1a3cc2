// A sweep: many trials of a training, each a process and a run folder, and a journal of what has come of them.
import { readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkOptions, describe, expected } from '../errors.js'
import { FILES } from '../train/files.js'
import { Interruption } from '../train/interruption.js'
import { Progress } from '../train/progress.js'
import { newFolder } from '../train/run.js'
import { parseMetrics } from '../train/table.js'
import { checkSweep, type SweepConfig, type SweepPlan } from './config.js'
import { Journal, type Result } from './journal.js'
import { Leaderboard, type SweepResult } from './leaderboard.js'
import { defaultOf } from './module.js'
import { end, identityOf, isAlive } from './process.js'
import { Scheduler, type Step } from './scheduler.js'
import { Worker } from './worker.js'

/** How and where a sweep runs. */
export interface SweepOptions extends Pick<SweepConfig, 'name' | 'parallel' | 'memory' | 'device'> {
  /** The folder that the sweep's folder is made in; 'runs' unless given. */
  runs?: string | undefined
  /** A sweep's folder: it goes on where it was stopped or killed. There may be more trials than at first. */
  resume?: string | undefined
  /** Whether a line is printed on stderr for each result; true unless given. */
  progress?: boolean | undefined
  /** Called with what there is so far, after each result. */
  onUpdate?: ((result: SweepResult) => void) | undefined
}

const OP = 'sweep'
const NAMES = [
  'name',
  'parallel',
  'memory',
  'device',
  'runs',
  'resume',
  'progress',
  'onUpdate'
] as const satisfies readonly (keyof SweepOptions)[]

/** Within the sweep's folder. */
const JOURNAL = 'journal.jsonl'

/**
 * Trains the trials of a sweep, which is what a module exports as its default (see `defineSweep`; TypeScript needs no compiler; a path or a
 * URL), and gives the leaderboard. Each trial is a process of its own, and a run folder in the sweep's: runs/<name>-001/trial-001.
 *
 *     const { best } = await nt.sweep('sweep.ts')
 *     console.log(best?.values, best?.value, best?.folder)
 *
 * A trial that fails is told of, and the others go on. Ctrl-C and SIGTERM let every trial finish its batch and save; `resume` goes on, also
 * after kill -9 at any moment.
 */
export async function sweep(
  module: string | { readonly href: string },
  options: SweepOptions = {}
): Promise<SweepResult> {
  const path = pathOf(module)
  checkOptions(OP, options, NAMES)
  const { runs = 'runs', resume, progress = true, onUpdate } = options
  const given = (['name', 'parallel', 'memory', 'device'] as const).filter((name) => options[name] !== undefined)
  const overriding = Object.fromEntries(given.map((name) => [name, options[name]]))
  const plan = checkSweep(await defaultOf(path), overriding)
  const folder = resume ?? (await newFolder(runs, plan.name))
  const at = join(folder, JOURNAL)
  const journal = await (resume === undefined
    ? Journal.create(at, plan.description)
    : Journal.resume(at, plan.description))
  try {
    return await new Sweep(path, folder, plan, journal, new Progress(progress), onUpdate).run()
  } finally {
    await journal.close()
  }
}

function pathOf(module: unknown): string {
  const text: unknown = typeof module === 'object' && module !== null && 'href' in module ? module.href : module
  if (typeof text !== 'string' || text === '') {
    throw expected(OP, 'the path of a module that exports a sweep', describe(module))
  }
  return text.startsWith('file:') ? fileURLToPath(text) : resolve(text)
}

class Sweep {
  readonly #module: string
  readonly #folder: string
  readonly #plan: SweepPlan
  readonly #journal: Journal
  readonly #progress: Progress
  readonly #onUpdate: SweepOptions['onUpdate']
  readonly #scheduler: Scheduler
  readonly #leaderboard: Leaderboard
  /** What a process that is gone has begun. */
  readonly #unfinished: Step[] = []
  readonly #workers = new Set<Worker>()
  #isStopping = false

  constructor(
    module: string,
    folder: string,
    plan: SweepPlan,
    journal: Journal,
    progress: Progress,
    onUpdate: SweepOptions['onUpdate']
  ) {
    this.#module = module
    this.#folder = folder
    this.#plan = plan
    this.#journal = journal
    this.#progress = progress
    this.#onUpdate = onUpdate
    const { trials, rungs, reduction, description } = plan
    this.#scheduler = new Scheduler(trials.length, rungs.length, reduction, description.direction)
    this.#leaderboard = new Leaderboard(folder, plan)
  }

  async run(): Promise<SweepResult> {
    await this.#takeOver()
    const { trials, parallel, threads, description } = this.#plan
    const where = `${parallel} at once with ${threads} thread${threads > 1 ? 's' : ''} each`
    this.#progress.line(`${this.#folder}: ${trials.length} trials of up to ${description.epochs} epochs, ${where}`)
    using interruption = new Interruption(undefined, (signal) => {
      this.#progress.line(`${signal}: the trials finish their batches. Once more quits without saving.`)
      this.#stop()
    })
    try {
      await this.#trainAll()
    } catch (error) {
      this.#stop()
      throw error
    }
    if (this.#isStopping) {
      const how = `needletail sweep ${relative('', this.#module)} --resume ${this.#folder}`
      this.#progress.line(`saved. To go on: ${how}`)
      interruption.conclude()
      throw expected(OP, 'to train all trials', 'an interruption', `To go on: ${how}`) // where others handle the signal
    }
    return this.#leaderboard.result
  }

  async #trainAll(): Promise<void> {
    const running = new Set<Promise<void>>()
    await this.#show()
    for (;;) {
      while (!this.#isStopping && running.size < this.#plan.parallel) {
        const step = this.#unfinished.shift() ?? this.#scheduler.next()
        if (step === undefined) break
        this.#scheduler.begin(step)
        const task: Promise<void> = this.#train(step).finally(() => running.delete(task))
        running.add(task)
      }
      if (running.size === 0) return
      await Promise.race(running)
      await this.#show()
    }
  }

  /** Begins no more trials, and lets those that train save. */
  #stop(): void {
    this.#isStopping = true
    for (const worker of this.#workers) worker.stop()
  }

  /** Brings back what happened before, and ends what a process that was killed has left behind. */
  async #takeOver(): Promise<void> {
    const begun = new Map<number, Step & { process: string }>()
    for (const event of this.#journal.events) {
      if (event.event === 'open') {
        if (await isAlive(event.process)) {
          throw expected(OP, `nobody to be at work on ${this.#folder}`, `process ${event.process.split('@')[0]}`)
        }
        continue
      }
      if (event.event === 'begin') {
        this.#scheduler.begin(event)
        this.#leaderboard.begin(event)
        begun.set(event.trial, event)
      } else {
        begun.delete(event.trial)
        this.#take(event)
      }
    }
    for (const { trial, rung, process } of begun.values()) {
      await end(process)
      this.#unfinished.push({ trial, rung })
    }
    await this.#journal.write({ event: 'open', process: (await identityOf(process.pid))! })
  }

  /** Trains a trial up to a rung. */
  async #train(step: Step): Promise<void> {
    const { trial, rung } = step
    const { trials, rungs, device, threads, memory, description } = this.#plan
    const folder = this.#leaderboard.folderOf(trial)
    const start = performance.now()
    const worker = await Worker.start(folder)
    this.#workers.add(worker)
    this.#leaderboard.begin(step)
    await this.#journal.write({ event: 'begin', trial, rung, process: worker.identity })
    const options = { folder, epochs: description.epochs, pauseAfter: rungs[rung]!, device }
    const values = trials[trial] as never
    worker.tell({ module: this.#module, trial: { number: trial + 1, values, options }, threads, memory })
    if (this.#isStopping) worker.stop()
    const failure = await worker.outcome
    this.#workers.delete(worker)
    if (failure !== undefined && this.#isStopping) return
    const found = failure === undefined ? await this.#measured(folder, rungs[rung]!) : { error: failure }
    const seconds = (performance.now() - start) / 1000
    const event: Result = { event: 'error' in found ? 'fail' : 'end', trial, rung, ...found, seconds } as Result
    await this.#journal.write(event)
    this.#take(event)
    this.#progress.line(this.#leaderboard.lineOf(trial))
  }

  #take(event: Result): void {
    this.#scheduler.end(event, event.event === 'end' ? (event.value ?? NaN) : NaN)
    this.#leaderboard.take(event)
  }

  /** The metric of the last epoch that a run has done by a rung, and the number of that epoch; or why there is none. */
  async #measured(folder: string, rung: number): Promise<{ epochs: number; value: number | null } | { error: string }> {
    const { metric } = this.#plan.description
    const path = join(folder, FILES.metrics)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined)
      return { error: `train made no run in ${folder}: fit(network, train, { …, ...trial.options })` }
    const { columns, rows } = parseMetrics(text)
    const [epoch, column] = [columns.indexOf('epoch'), columns.indexOf(metric)]
    // So it would be in all trials.
    if (column < 0) throw expected(OP, `metric of ${columns.join(', ')} in ${path}`, `'${metric}'`)
    const row = rows.filter((row) => row[epoch]! <= rung).at(-1)
    if (row === undefined) return { error: 'train ended within the first epoch' }
    return { epochs: row[epoch]!, value: row[column] ?? null }
  }

  async #show(): Promise<void> {
    await this.#leaderboard.write()
    this.#onUpdate?.(this.#leaderboard.result)
  }
}
