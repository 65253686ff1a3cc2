// Keeps a run's report up to date while it trains: predictions.safetensors, pictures.json and report.html.
import { join } from 'node:path'
import { noGrad } from '../autograd.js'
import { generatorState } from '../functional/random.js'
import { assign, copy } from '../functional/shape.js'
import { choosePictures } from '../report/choice.js'
import { PredictionLog, predictionsOf, writePredictions } from '../report/predictions.js'
import type { Example, Pictures } from '../report/run-data.js'
import { samplesOf } from '../report/samples.js'
import { thumbnail } from '../report/thumbnail.js'
import { FILES } from './files.js'
import type { Plan } from './options.js'
import { report } from './report.js'
import { writeJson } from './run.js'

/** The part of the training's time that reports may take before its end. */
const SHARE = 0.01
/** What the first one is taken to need, in milliseconds. */
const FIRST = 300

export class Reporter {
  /** Where the validation puts what the network makes of each picture. */
  readonly log: PredictionLog | undefined
  readonly #plan: Plan
  readonly #folder: string
  readonly #warn: (message: string) => void
  readonly #began = performance.now()
  /** Of the last report: most are in the next one, too. */
  #thumbnails = new Map<number, string>()
  #samples: Pick<Pictures, 'samples' | 'augmented'> | undefined
  #summary: string | null = null
  #spent = 0
  #last = FIRST
  /** The epoch whose predictions are in the log, and not yet in the run folder. */
  #epoch: number | undefined

  /** @param warn told why a report can't be made, which ends no training */
  constructor(plan: Plan, folder: string, warn: (message: string) => void) {
    this.#plan = plan
    this.#folder = folder
    this.#warn = warn
    this.log = plan.report && plan.validation ? new PredictionLog() : undefined
  }

  /** After an epoch: the report is made where that takes next to nothing of the training's time, of files that are `written`. */
  async update(epoch: number, written: () => Promise<void>): Promise<void> {
    this.#epoch = epoch
    if (this.#spent + this.#last > SHARE * (performance.now() - this.#began)) return
    await written()
    await this.finish()
  }

  /** At the end, and before it where the training is interrupted. The answer: the report's path, where there is one. */
  async finish(): Promise<string | undefined> {
    if (!this.#plan.report) return undefined
    const start = performance.now()
    try {
      return await this.#write()
    } catch (error) {
      this.#warn(`no report: ${(error as Error).message}`)
      return undefined
    } finally {
      this.#last = performance.now() - start
      this.#spent += this.#last
    }
  }

  async #write(): Promise<string> {
    const { validation } = this.#plan
    if (this.#epoch !== undefined) {
      this.#samples ??= await samplesOf(this.#plan.train, this.#plan)
      this.#summary ??= await this.#summarise()
      const examples = validation ? await this.#writePredictions(validation, this.#epoch) : []
      const pictures: Pictures = { format: 1, summary: this.#summary, ...this.#samples, validation: examples }
      await writeJson(join(this.#folder, FILES.pictures), pictures)
      this.#epoch = undefined
    }
    return report(this.#folder)
  }

  async #writePredictions(validation: NonNullable<Plan['validation']>, epoch: number): Promise<Example[]> {
    const { details } = this.log!
    await writePredictions(join(this.#folder, FILES.predictions), details, epoch)
    const { classes } = validation
    const positive = this.#plan.positive === undefined ? undefined : classes.indexOf(this.#plan.positive)
    const chosen = choosePictures(await predictionsOf(details, classes.length, positive))
    const examples = await Promise.all(
      chosen.map(async (index): Promise<Example> => {
        const known = this.#thumbnails.get(index)
        const image = known ?? (await thumbnail(validation.pixelsOf(index), validation.shape))
        const file = validation.file(index)
        return { image, index, ...(file !== undefined && { file }) }
      })
    )
    this.#thumbnails = new Map(examples.map(({ index, image }) => [index, image]))
    return examples
  }

  /** Runs the network once; what that draws from the generator is given back, so that the training goes on as without. */
  async #summarise(): Promise<string | null> {
    const { network, train, device } = this.#plan
    const state = generatorState(device)
    const before = copy(state)
    try {
      return await network.inUse(() => noGrad(() => network.summary([1, ...train.shape])))
    } catch {
      return null // of a network of the user's own, with other inputs
    } finally {
      assign(state, before)
      before.dispose()
    }
  }
}
