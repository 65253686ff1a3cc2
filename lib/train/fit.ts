// The training loop.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ImageDataset } from '../data/dataset.js'
import { Pace } from '../data/pace.js'
import { exists } from '../data/cache.js'
import { plans } from '../device.js'
import { expected } from '../errors.js'
import type { Module } from '../nn/module.js'
import { Behind } from './behind.js'
import { Board } from './board.js'
import type { EpochFigures } from './callbacks.js'
import { readCheckpoint, type Position } from './checkpoint.js'
import { environment } from '../environment.js'
import { Evaluator } from './evaluate.js'
import { FILES } from './files.js'
import { Interruption } from './interruption.js'
import { isOfConfusion } from './metric-names.js'
import { checkFit, type FitOptions, type Plan } from './options.js'
import { Best } from './best.js'
import { duration, figureTexts, Progress } from './progress.js'
import { Reporter } from './reporter.js'
import { checkSameConfig, configOf, newFolder, Run, writeJson } from './run.js'
import { Session } from './session.js'
import { StatusFile } from './status.js'
import { MetricsTable, TIME_COLUMNS } from './table.js'

/**
 * Trains a network on labelled pictures and gives the run: a folder `runs/<name>-001` with the configuration, the metrics of
 * each epoch, the confusion matrix of the validation set, and the last and the best weights.
 *
 *     const run = await nt.fit(network, train, { validation: test, normalize: true, epochs: 20, name: 'birds' })
 *     const { accuracy, recall } = await run.evaluate(test)
 *
 * Ctrl-C and SIGTERM finish the batch, save, and say how to go on; a second one quits at once. The same seed gives the same
 * run to the bit on the same type of processor, number of threads and library versions, however often it was interrupted.
 * Afterwards the network holds the last weights, or with `averageWeights` their average.
 */
export async function fit(network: Module, train: ImageDataset, options: FitOptions = {}): Promise<Run> {
  if (options?.normalize === true && train instanceof ImageDataset && train.length > 0) await train.computeStatistics()
  const plan = checkFit(network, train, options)
  const config = configOf(plan)
  const folder = await folderOf(plan, config)
  await writeJson(join(folder, FILES.config), config)
  await writeJson(join(folder, FILES.environment), { ...environment(plan.device), started: new Date().toISOString() })

  const session = new Session(plan)
  const position = await restore(folder, session, network)
  const training = new Training(plan, folder, session, position)
  await training.open()
  await training.run()
  session.finish()
  return training.result
}

/** The run's folder: one that is gone on with, which must be of the same training, or a new one. */
async function folderOf({ resume, folder, runs, name }: Plan, config: ReturnType<typeof configOf>): Promise<string> {
  const before = resume ?? folder
  const isBegun = resume !== undefined || (folder !== undefined && (await exists(join(folder, FILES.config))))
  if (isBegun) await checkSameConfig(before!, config)
  const at = before ?? (await newFolder(runs, name))
  await mkdir(join(at, 'checkpoints'), { recursive: true })
  return at
}

/** Where the training stands: at its last checkpoint, or at the beginning. */
async function restore(folder: string, session: Session, network: Module): Promise<Position> {
  const path = join(folder, FILES.last)
  if (await exists(path)) {
    const checkpoint = await readCheckpoint(path)
    session.restore(checkpoint)
    return checkpoint.position
  }
  const position = { epoch: 0, batch: 0, bestEpoch: 0, bestValue: NaN }
  // What is yet to be made follows from the seed; what is there would be lost if the process were killed in the first epoch.
  if (network.built) await session.take(position)(path)
  return position
}

class Training {
  readonly result: Run
  readonly #plan: Plan
  readonly #folder: string
  readonly #session: Session
  readonly #position: Position
  readonly #progress: Progress
  readonly #best: Best
  readonly #reporter: Reporter
  readonly #status: StatusFile
  readonly #evaluator: Evaluator | undefined
  readonly #behind = new Behind()
  #plans = '{}'
  #table!: MetricsTable
  #board: Board | undefined

  constructor(plan: Plan, folder: string, session: Session, position: Position) {
    this.#plan = plan
    this.#folder = folder
    this.#session = session
    this.#position = position
    this.#progress = new Progress(plan.progress)
    this.#best = new Best(plan.monitor, position, plan.earlyStopping)
    this.result = new Run(folder, plan.network)
    const { network, validation, normalize = false, positive, loss, compute, exact } = plan
    this.#status = new StatusFile(folder, session.batches)
    this.#reporter = new Reporter(plan, folder, (message) => this.#progress.line(message))
    const { log } = this.#reporter
    this.#evaluator =
      validation && new Evaluator(network, validation, { normalize, positive, loss, compute, exact, log })
  }

  async open(): Promise<void> {
    const { train, validation, metrics, epochs } = this.#plan
    const { epoch, batch } = this.#position
    const columns = [
      'epoch',
      'loss',
      ...metrics.filter(isOfConfusion),
      'learningRate',
      ...(validation ? ['loss', ...metrics].map((name) => `validation.${name}`) : []),
      ...TIME_COLUMNS
    ]
    this.#table = await MetricsTable.open(join(this.#folder, FILES.metrics), columns, epoch)
    if (this.#plan.tensorboard) this.#board = await Board.open(this.#plan, this.#folder, epoch)
    const pictures = `${count(train.length)} pictures${validation ? `, watched on ${count(validation.length)} others` : ''}`
    const from = epoch + batch > 0 ? `, from epoch ${epoch + 1}${batch > 0 ? `, batch ${batch + 1}` : ''} on` : ''
    this.#progress.line(`${this.#folder}: training on ${pictures}, ${epochs} epochs${from}`)
  }

  async run(): Promise<void> {
    using interruption = new Interruption(this.#plan.signal, (signal) => {
      this.#progress.line(`${signal}: finishing the batch. Once more quits without saving.`)
    })
    await this.#status.write('training', this.#position)
    try {
      await this.#call((callbacks) => callbacks.onStart?.(this.result))
      let goesOn = !this.#best.isWaitedFor
      while (goesOn && this.#position.epoch < this.#plan.pauseAfter) goesOn = await this.#epoch(interruption)
      await this.#behind.done()
    } catch (error) {
      await this.#behind.done().catch(() => {})
      await this.#status.write(interruption.wanted ? 'stopped' : 'failed', this.#position)
      throw error
    }
    const isPaused = this.#plan.pauseAfter < this.#plan.epochs && this.#position.epoch === this.#plan.pauseAfter
    await this.#status.write(isPaused ? 'stopped' : 'finished', this.#position)
    const report = await this.#reporter.finish()
    if (report !== undefined) this.#progress.line(`report: ${report}`)
    await this.#call((callbacks) => callbacks.onEnd?.(this.result))
  }

  /** One pass. The answer: whether training goes on. */
  async #epoch(interruption: Interruption): Promise<boolean> {
    const { batches } = this.#session
    const start = performance.now()
    const first = this.#position.batch
    if (first === 0) this.#session.resetFigures()
    await this.#session.open(this.#position)
    const pace = new Pace(this.#plan.device, 3)
    while (this.#position.batch < batches) {
      await pace.turn()
      const number = ++this.#position.batch
      const isStep = number % this.#plan.accumulate === 0 || number === batches
      const loss = this.#session.step(number - 1, isStep)
      pace.follow()
      if (loss) await this.#call((c) => c.onBatchEnd?.({ epoch: this.#position.epoch + 1, batch: number, loss }))
      if (this.#progress.due) await this.#draw(start, first)
      if (this.#status.due) await this.#status.write('training', this.#position)
      if (interruption.wanted) await this.#interrupt(interruption)
      else if (this.#plan.saveEvery && number % this.#plan.saveEvery === 0) {
        this.#save()
        await this.#behind.done()
      }
    }
    return this.#endEpoch(start, first)
  }

  async #endEpoch(start: number, first: number): Promise<boolean> {
    const { optimizer, batchSize } = this.#plan
    const done = (this.#session.batches - first) * batchSize
    const own = await this.#session.figures()
    const seconds = (performance.now() - start) / 1000
    await this.#behind.done() // what the epoch before has left, so that no more than one is in memory
    const epoch = this.#position.epoch + 1
    if (!Number.isFinite(own['loss'])) {
      const hint = `Lower the learning rate, or clip gradients. ${this.#folder} has the epoch before.`
      throw expected('fit', 'a finite loss', `${own['loss']} in epoch ${epoch}`, hint)
    }
    const learningRate = await optimizer.currentLearningRate()
    const watched = await this.#validate(epoch)
    const figures: EpochFigures = { ...own, ...watched }
    Object.assign(this.#position, { epoch, batch: 0 })
    const total = (performance.now() - start) / 1000
    const row = { epoch, ...figures, learningRate, seconds: total, imagesPerSecond: done / seconds }
    this.#behind.add(() => this.#table.add(row))
    if (this.#board) this.#behind.follow(this.#board.epoch(row))
    if (watched && this.#best.take(epoch, watched)) {
      const write = this.#session.takeWeights(this.#position)
      this.#behind.add(() => write(join(this.#folder, FILES.best)))
    }
    this.#save()
    if (this.#status.due) await this.#status.write('training', this.#position)
    await this.#reporter.update(epoch, () => this.#behind.done())
    const title = `epoch ${epoch}/${this.#plan.epochs}`
    const speed = `${count(Math.round(done / seconds))} images/s  ${duration(total)}`
    this.#progress.line([title, ...figureTexts(figures), speed].join('  '))
    if (this.#plan.callbacks.some(({ onEpochEnd }) => onEpochEnd)) await this.#behind.done()
    const answers = await this.#call((callbacks) => callbacks.onEpochEnd?.(epoch, figures))
    if (this.#best.isWaitedFor) {
      this.#progress.line(`stopped early: the best ${this.#plan.monitor} was that of epoch ${this.#position.bestEpoch}`)
      return false
    }
    return !answers.includes(false)
  }

  /** The figures of the validation set; its confusion matrix goes into the run folder. */
  async #validate(epoch: number): Promise<Record<string, number> | undefined> {
    if (!this.#evaluator) return undefined
    const evaluation = await this.#session.withFinalWeights(() => this.#evaluator!.run())
    const { metrics, monitor, positive } = this.#plan
    const watched = monitor === 'loss' ? metrics : [...new Set([...metrics, monitor])]
    const figures = await Evaluator.figures(evaluation, watched)
    const { pictures, confusion, scores } = evaluation
    if (scores && this.#board) this.#behind.follow(this.#board.scores(epoch, positive!, scores))
    const matrix = await confusion.matrix()
    const content = { epoch, pictures, classes: confusion.classes, positive: positive ?? null, matrix, ...figures }
    this.#behind.add(() => writeJson(join(this.#folder, FILES.confusion), content))
    return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`validation.${name}`, value]))
  }

  async #interrupt(interruption: Interruption): Promise<void> {
    this.#save()
    await this.#behind.done()
    await this.#status.write('stopped', this.#position)
    await this.#reporter.finish()
    const { recipe } = this.#plan
    const { epoch, batch } = this.#position
    const how = recipe ? `needletail train --resume ${this.#folder}` : `fit(…, { resume: '${this.#folder}' })`
    this.#progress.line(`saved after batch ${batch} of epoch ${epoch + 1}. To go on: ${how}`)
    interruption.conclude()
    throw expected('fit', 'to train to the end', 'an interruption', `To go on: ${how}`) // where others handle the signal
  }

  /** Everything as it is now; it is written while the training goes on. */
  #save(): void {
    const write = this.#session.take(this.#position)
    this.#behind.add(() => write(join(this.#folder, FILES.last)))
    if (this.#plan.device === 'cpu') return
    const chosen = plans()
    const text = JSON.stringify(chosen)
    if (text === this.#plans) return
    this.#plans = text
    this.#behind.add(() => writeJson(join(this.#folder, FILES.plans), chosen))
  }

  async #draw(start: number, first: number): Promise<void> {
    const { batches } = this.#session
    const { epoch, batch } = this.#position
    const { epochs, batchSize } = this.#plan
    const perSecond = (batch - first) / ((performance.now() - start) / 1000)
    const left = batches - batch + batches * (epochs - epoch - 1)
    this.#progress.draw({
      title: `epoch ${epoch + 1}/${epochs}`,
      done: batch,
      total: batches,
      figures: await this.#session.figures(),
      rate: perSecond * batchSize,
      unit: 'images',
      secondsLeft: left / perSecond
    })
  }

  async #call<T>(hook: (callbacks: Plan['callbacks'][number]) => T | Promise<T>): Promise<Awaited<T>[]> {
    const answers: Awaited<T>[] = []
    for (const callbacks of this.#plan.callbacks) answers.push(await hook(callbacks))
    return answers
  }
}

const count = (value: number): string => value.toLocaleString('en')
