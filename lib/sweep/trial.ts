// The process that trains one trial: lib/cli/trial.ts runs it.
import { setMemoryLimit, setThreads } from '../device.js'
import { expected } from '../errors.js'
import type { SweepConfig, Trial } from './config.js'
import { defaultOf } from './module.js'

/** What the process is told. */
export interface Task {
  /** The module whose default export is the sweep. */
  module: string
  trial: Trial
  threads: number
  /** Bytes of the device's memory. */
  memory: number
}

/** What it answers: nothing when all went well. */
export interface Answer {
  error?: string
}

/**
 * @internal Waits for the task, trains, answers, and ends the process. Where the sweep's process is gone, nobody waits for the answer: the
 * training ends as by SIGTERM, saved.
 */
export async function runTrial(): Promise<void> {
  if (!process.send) throw expected('runTrial', 'a process that a sweep has started', 'another')
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  const { module, trial, threads, memory } = await new Promise<Task>((resolve) => process.once('message', resolve))
  setThreads(threads)
  const { device } = trial.options
  if (device !== 'cpu') setMemoryLimit(memory, device)
  const answer: Answer = {}
  try {
    const config = (await defaultOf(module)) as SweepConfig
    await config.train(trial)
  } catch (error) {
    console.error(error)
    answer.error = error instanceof Error ? error.message : String(error)
  }
  process.send!(answer, () => process.exit())
}
