// Starts the process of a trial, and tells how it ended.
import { fork, type ChildProcess } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { identityOf } from './process.js'
import type { Answer, Task } from './trial.js'

/** Beside this file in the sources, beside the library in dist/. */
const program = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../cli/trial.ts' : './trial.js', import.meta.url)
)

/** A trial's output, in its run folder. */
export const LOG = 'log.txt'

export class Worker {
  /** See `identityOf`. */
  readonly identity: string
  /** Why it failed, or undefined where it did not. Of one that was told to stop this says nothing. */
  readonly outcome: Promise<string | undefined>
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, identity: string, outcome: Promise<string | undefined>) {
    this.#child = child
    this.identity = identity
    this.outcome = outcome
  }

  /** A process that waits to be told what to do. Ctrl-C on the terminal doesn't reach it: `stop` does. */
  static async start(folder: string): Promise<Worker> {
    await mkdir(folder, { recursive: true })
    const log = await open(join(folder, LOG), 'a')
    try {
      const child = fork(program, [], { stdio: ['ignore', log.fd, log.fd, 'ipc'], detached: true })
      const outcome = outcomeOf(child, folder)
      return new Worker(child, (await identityOf(child.pid!)) ?? 'gone', outcome)
    } finally {
      await log.close()
    }
  }

  tell(task: Task): void {
    if (this.#child.connected) this.#child.send(task)
  }

  /** Lets the batch be finished and saved. */
  stop(): void {
    this.#child.kill('SIGTERM')
  }
}

function outcomeOf(child: ChildProcess, folder: string): Promise<string | undefined> {
  let answer: Answer | undefined
  child.once('message', (message: Answer) => (answer = message))
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => {
      if (answer) resolve(answer.error)
      else resolve(`the process ended by ${signal ?? `exit code ${code}`}; ${join(folder, LOG)} may tell why`)
    })
  })
}
