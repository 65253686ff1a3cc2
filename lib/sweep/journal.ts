// What has happened in a sweep, a line an event, each on disk before what follows from it is done. Whatever is killed at whatever
// moment, the journal says how to go on: a line that was cut off hasn't happened.
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { expected } from '../errors.js'
import { writeAtomically } from '../io/atomic.js'
import { checkSame } from '../train/run.js'
import type { Description } from './config.js'
import type { Step } from './scheduler.js'

/** What came of a step: the last epoch and the metric of that (null in the file where it isn't a number), or why it failed. */
export type Result = Step & { seconds: number } & (
    { event: 'end'; epochs: number; value: number | null } | { event: 'fail'; error: string }
  )

export type Event =
  /** A process has taken the sweep over. */
  | { event: 'open'; process: string }
  /** A process has been started that trains a trial up to a rung; it waits for this line to be written. */
  | (Step & { event: 'begin'; process: string })
  | Result

const OP = 'sweep'
const HINT = 'A sweep goes on as it began.'

export class Journal {
  /** What happened before this process opened it. */
  readonly events: readonly Event[]
  readonly #file: FileHandle
  #written: Promise<void> = Promise.resolve()

  private constructor(file: FileHandle, events: readonly Event[]) {
    this.#file = file
    this.events = events
  }

  /** Begins a journal. */
  static async create(path: string, description: Description): Promise<Journal> {
    await writeAtomically(path, (file) => file.writeFile(`${JSON.stringify(description)}\n`))
    return new Journal(await open(path, 'a'), [])
  }

  /** Goes on with a journal, which must be of the same sweep; only `trials` may be more. */
  static async resume(path: string, description: Description): Promise<Journal> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw expected(OP, `a sweep's journal at ${path}`, error.code ?? error.message, 'Name the folder of a sweep.')
    })
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    const [first, ...events] = whole
      .split('\n')
      .slice(0, -1)
      .map((line, i) => parsed(line, i + 1, path))
    const isFree = (name: string) => name === 'needletail' || name === 'strategy.trials'
    checkSame(OP, path, first, description, isFree, HINT)
    const file = await open(path, 'a')
    await file.truncate(Buffer.byteLength(whole))
    return new Journal(file, events as Event[])
  }

  /** Resolves when the event is on disk, behind those before it. */
  write(event: Event): Promise<void> {
    this.#written = this.#written.then(async () => {
      await this.#file.appendFile(`${JSON.stringify(event)}\n`)
      await this.#file.datasync()
    })
    return this.#written
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function parsed(line: string, number: number, path: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw expected(OP, `JSON in line ${number} of ${path}`, line.slice(0, 40), 'The file is damaged.')
  }
}
