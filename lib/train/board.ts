// What a training tells TensorBoard, in the run folder.
import { DataLoader } from '../data/loader.js'
import { tensor } from '../functional/creation.js'
import { SummaryWriter } from '../io/tensorboard/writer.js'
import type { Scores } from '../metrics/index.js'
import { tidy } from '../tensor.js'
import type { Plan } from './options.js'
import { TIME_COLUMNS } from './table.js'

/** Pictures that are shown, as the network gets them first. */
const PICTURES = 16

/** The share of the training's time that histograms may take. */
const SHARE = 0.01

export class Board {
  readonly #plan: Plan
  readonly #writer: SummaryWriter
  /** Milliseconds: when training began, what histograms have taken, and what the last ones did. */
  readonly #start = performance.now()
  #spent = 0
  #last = 0

  private constructor(plan: Plan, folder: string, epoch: number) {
    this.#plan = plan
    this.#writer = new SummaryWriter(folder, { resume: epoch })
  }

  /** The board of a run at which `epoch` epochs have been done: what was told of later ones is dropped. */
  static async open(plan: Plan, folder: string, epoch: number): Promise<Board> {
    const board = new Board(plan, folder, epoch)
    if (await board.#writer.isNew()) await board.#pictures()
    return board
  }

  /** The figures of an epoch, a row of metrics.csv; and the weights, where that doesn't hold the training up. */
  async epoch({ epoch, ...figures }: Readonly<Record<string, number>> & { epoch: number }): Promise<void> {
    const named = Object.entries(figures).map(([name, value]) => [tagOf(name), value] as const)
    const begun = performance.now()
    const isShort = this.#spent + this.#last <= SHARE * (begun - this.#start)
    const weights = isShort ? [...this.#plan.network.namedParameters()] : []
    // All of it is taken now: the weights are about to be others.
    await Promise.all([
      this.#writer.scalars(Object.fromEntries(named), epoch),
      ...weights.map(([name, weight]) => this.#writer.histogram(`weights/${name}`, weight, epoch))
    ])
    if (!isShort) return
    this.#last = performance.now() - begun
    this.#spent += this.#last
  }

  async scores(epoch: number, positive: string, scores: Scores): Promise<void> {
    await this.#writer.precisionRecall(`precision and recall/${positive}`, scores, epoch)
  }

  /** The first pictures of the first epoch, changed by chance as the network gets them; none of channels that are no colours. */
  async #pictures(): Promise<void> {
    if (![1, 3, 4].includes(this.#plan.train.shape[2])) return
    const { train, normalize = false, augment, seed, device } = this.#plan
    const loader = new DataLoader(train, { batchSize: PICTURES, shuffle: true, seed, normalize, augment, device })
    for await (const { images, labels, fine } of loader) {
      const shown = tidy(() => {
        if (!normalize) return images.copy()
        const [std, mean] = [normalize.std, normalize.mean].map((values) => tensor([...values], { device }))
        return images.mul(std!).add(mean!)
      })
      const classes = await labels.data()
      const written = [...classes].map(async (label, i) => {
        const picture = shown.get(i)
        await this.#writer.image(`pictures/${String(i + 1).padStart(2, '0')} ${train.classes[label]!}`, picture, 0)
        picture.dispose()
      })
      await Promise.all(written)
      for (const one of [images, labels, fine, shown]) one?.dispose()
      break
    }
  }
}

/** Of training and validation one below the other: 'loss' as 'loss/training', 'validation.loss' as 'loss/validation'. */
function tagOf(name: string): string {
  if (name.startsWith('validation.')) return `${name.slice('validation.'.length)}/validation`
  const ofTheRun: readonly string[] = ['learningRate', ...TIME_COLUMNS]
  return ofTheRun.includes(name) ? `run/${name}` : `${name}/training`
}
