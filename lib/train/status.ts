// status.json: how far a training is, written about once a second, for who watches it.
import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseJson } from '../io/json.js'
import type { Status } from '../report/run-data.js'
import { FILES } from './files.js'

const INTERVAL = 1000

/** Says in the run folder how far a training is. */
export class StatusFile {
  readonly #path: string
  readonly #batches: number
  #written = -Infinity

  constructor(folder: string, batches: number) {
    this.#path = join(folder, FILES.status)
    this.#batches = batches
  }

  /** Whether what is there is old. */
  get due(): boolean {
    return performance.now() - this.#written >= INTERVAL
  }

  /** Not atomic: who reads half of it reads again a moment later. */
  async write(state: Status['state'], { epoch, batch }: { epoch: number; batch: number }): Promise<void> {
    this.#written = performance.now()
    const { pid } = process
    const content = { state, epoch, batch, batches: this.#batches, time: Date.now(), pid, host: hostname() }
    // No training ends because it can't be watched.
    await writeFile(this.#path, `${JSON.stringify(content)}\n`).catch(() => {})
  }
}

/** A text of status.json, read as one of unknown origin; null where there is none, or half of one. */
export function statusOf(text: string | null): Status | null {
  if (text === null) return null
  try {
    const members = parseJson(text)
    if (!(members instanceof Map)) return null
    const [epoch, batch, batches, time, pid] = ['epoch', 'batch', 'batches', 'time', 'pid'].map((name) => {
      const value = members.get(name)
      return typeof value === 'number' ? value : NaN
    }) as [number, number, number, number, number]
    const state = members.get('state')
    if (![epoch, batch, batches, time, pid].every(Number.isSafeInteger) || !isState(state)) return null
    const isKilled = state === 'training' && members.get('host') === hostname() && !isAlive(pid)
    return { state: isKilled ? 'killed' : state, epoch, batch, batches, time }
  } catch {
    return null
  }
}

const STATES: readonly unknown[] = ['training', 'finished', 'stopped', 'failed'] satisfies Status['state'][]
const isState = (value: unknown): value is Status['state'] => STATES.includes(value)

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
