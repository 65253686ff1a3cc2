// Event files that TensorBoard reads.
import { appendFile, mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { checkInteger, checkOptions, expected, quoted } from '../../errors.js'
import { Scores } from '../../metrics/index.js'
import { Tensor, type FloatDType } from '../../tensor.js'
import type { EventSchema } from '../protobuf/event_pb.js'
import { frame, recordsIn } from './records.js'
import { histogramSummary, imageSummary, prCurveSummary, type SummaryValue } from './summaries.js'

/** How an event file begins. */
export interface SummaryWriterOptions {
  /** Goes on with the file that the folder has: what comes after this step is cut off. A new file unless given. */
  resume?: number | undefined
}

/**
 * Writes what TensorBoard shows: numbers, images, histograms and precision-recall curves, each under a name and at a step. Names with
 * a common part before a slash stand together.
 *
 *     const board = new nt.io.SummaryWriter('runs/mine')
 *     await board.scalar('loss/training', loss, step)
 *
 * `tensorboard --logdir runs` shows them. `fit` writes such a file by itself. Every call can be awaited, and need not be before the
 * next: what is written stays in the order of the calls. What is awaited is in the file.
 */
export class SummaryWriter {
  /** Where the file is. */
  readonly folder: string
  readonly #opened: Promise<Opened>
  #last: Promise<unknown> = Promise.resolve()

  constructor(folder: string, options: SummaryWriterOptions = {}) {
    const op = 'SummaryWriter'
    if (typeof folder !== 'string' || folder === '') throw expected(op, 'the path of a folder', quoted(folder))
    const { resume } = checkOptions(op, options, ['resume'])
    if (resume !== undefined) checkInteger(op, 'resume as a step from 0', resume, 0)
    this.folder = folder
    this.#opened = openFile(folder, resume)
    this.#opened.catch(() => {}) // told by every call that is awaited
  }

  /** A number, or a tensor of one number. */
  scalar(name: string, value: number | Tensor<any>, step: number): Promise<void> {
    return this.scalars({ [name]: value }, step)
  }

  /** Numbers, or tensors of one number, by name. */
  scalars(values: Readonly<Record<string, number | Tensor<any>>>, step: number): Promise<void> {
    const given = Object.entries(values)
    for (const [name, value] of given) {
      if (typeof value === 'number' || (value instanceof Tensor && value.size === 1)) continue
      throw expected('SummaryWriter.scalars', `a number as ${name}`, quoted(value))
    }
    // Tensors are read now: what is done with them after this call makes no difference.
    const numbers = given.map(([name, value]) => [name, typeof value === 'number' ? value : value.item()] as const)
    return this.#write('scalars', step, async () => {
      const read = numbers.map(async ([name, value]) => [name, Number(await value)] as const)
      return (await Promise.all(read)).map(([name, value]) => [name, { value: { case: 'simpleValue', value } }])
    })
  }

  /** Pixels [height, width, channels] of 1, 3 or 4 channels: uint8 from 0 to 255, or floats from 0 to 1. */
  image(name: string, image: Tensor<any>, step: number): Promise<void> {
    return this.#one('image', name, step, image, Tensor, 'a tensor', () => imageSummary('SummaryWriter.image', image))
  }

  /** How the values of a tensor are distributed, e.g. a layer's weights: counted on its device. */
  histogram(name: string, values: Tensor<FloatDType>, step: number): Promise<void> {
    return this.#one('histogram', name, step, values, Tensor, 'a tensor', () => histogramSummary(values))
  }

  /** Precision and recall at 201 thresholds from 0 to 1. */
  precisionRecall(name: string, scores: Scores, step: number): Promise<void> {
    const op = 'precisionRecall'
    return this.#one(op, name, step, scores, Scores, 'metrics.Scores', () => prCurveSummary(scores))
  }

  /** Whether the file began with this writer; false where one was gone on with. */
  async isNew(): Promise<boolean> {
    return (await this.#opened).isNew
  }

  #one<T>(
    call: string,
    name: string,
    step: number,
    value: T,
    type: new (...args: never[]) => T,
    what: string,
    make: () => Promise<SummaryValue>
  ): Promise<void> {
    if (!(value instanceof type)) throw expected(`SummaryWriter.${call}`, what, quoted(value))
    return this.#write(call, step, async () => [[name, await make()]])
  }

  /** Makes the values at once, and writes them when those before are written. */
  #write(
    call: string,
    step: number,
    make: () => Promise<(readonly [name: string, value: SummaryValue])[]>
  ): Promise<void> {
    checkInteger(`SummaryWriter.${call}`, 'a step that is a whole number', step)
    const wallTime = Date.now() / 1000
    const made = make()
    const written = this.#last.then(async () => {
      const { path } = await this.#opened
      const value = (await made).map(([tag, summary]) => ({ tag, ...summary }))
      await appendFile(path, await recordOf({ wallTime, step: BigInt(step), summary: { value } }))
    })
    this.#last = written.catch(() => {}) // one that fails is told to who awaits it, and doesn't keep back the next
    made.catch(() => {})
    return written
  }
}

const PREFIX = 'events.out.tfevents.'

interface Opened {
  path: string
  isNew: boolean
}

async function openFile(folder: string, resume: number | undefined): Promise<Opened> {
  await mkdir(folder, { recursive: true })
  const there = resume === undefined ? [] : (await readdir(folder)).filter((name) => name.startsWith(PREFIX))
  if (there.length > 0) {
    const path = join(folder, there.sort().at(-1)!)
    if (await cutAfter(path, resume!)) return { path, isNew: false }
  }
  const wallTime = Date.now() / 1000
  const head = await recordOf({ wallTime, fileVersion: 'brain.Event:2' })
  // Of writers that begin in the same second each has its own file.
  for (let next = 0; ; next++) {
    const path = join(folder, `${PREFIX}${Math.floor(wallTime)}.needletail.${process.pid}.${next}`)
    try {
      await writeFile(path, head, { flag: 'wx' })
      return { path, isNew: true }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function recordOf(event: MessageInitShape<typeof EventSchema>): Promise<Uint8Array> {
  const { create, toBinary, tensorboard } = await import('../protobuf/messages.js')
  return frame(toBinary(tensorboard.EventSchema, create(tensorboard.EventSchema, event)))
}

/** Cuts off the events after a step, and one that was not written to its end. The answer: whether there are any others. */
async function cutAfter(path: string, step: number): Promise<boolean> {
  const { fromBinary, tensorboard } = await import('../protobuf/messages.js')
  const file = await open(path, 'r+')
  try {
    let kept = 0
    for (const { payload, end } of recordsIn(await file.readFile())) {
      if (fromBinary(tensorboard.EventSchema, payload).step > BigInt(step)) break
      kept = end
    }
    await file.truncate(kept)
    return kept > 0
  } finally {
    await file.close()
  }
}
