// The contender's side of the protocol, for contenders written for Node.js.
import { createInterface } from 'node:readline'
import type { Ready, Task } from './protocol.js'

export interface Prepared extends Ready {
  /** Measures `n` times; milliseconds each. */
  run: (n: number) => number[] | Promise<number[]>
  /** Ends what still runs, once nothing more is asked for. */
  close?: () => Promise<void>
  /** The most memory that the device has had in use, where that is not the processor. */
  peak?: () => number
  /** The work is done by another process: this one's processor time and memory say nothing. */
  elsewhere?: boolean
}

/** Milliseconds on a clock that never jumps. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** Times `n` calls of a step, one by one; fewer when they take over ten seconds. */
export async function timeEach(n: number, step: () => unknown): Promise<number[]> {
  const times: number[] = []
  const begin = now()
  for (let i = 0; i < n && now() - begin < 10_000; i++) {
    const start = now()
    const result = step()
    if (result instanceof Promise) await result
    times.push(now() - start)
  }
  return times
}

/** Calls a step until caches are full and code is compiled: a few times, but for at most about five seconds. */
export async function warmUp(step: () => unknown, calls = 10): Promise<void> {
  const start = now()
  for (let i = 0; i < calls && now() - start < 5000; i++) await step()
}

/** Times `n` loops of `count` steps; milliseconds for one step. `finish` ends what a loop leaves behind, within the time. */
export function timeLoops(n: number, count: number, step: () => void, finish: () => void = () => {}): number[] {
  const times: number[] = []
  for (let loop = 0; loop < n; loop++) {
    const start = now()
    for (let i = 0; i < count; i++) step()
    finish()
    times.push((now() - start) / count)
  }
  return times
}

export async function serve(prepare: (task: Task) => Prepared | Promise<Prepared>): Promise<void> {
  const answer = (value: object): boolean => process.stdout.write(`bench ${JSON.stringify(value)}\n`)
  let prepared: Prepared | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const request = JSON.parse(line) as { prepare?: Task; run?: number }
      if (request.prepare) {
        prepared = await prepare(request.prepare)
        const { version, note } = prepared
        answer({ version, note })
      } else {
        const n = request.run!
        const before = process.cpuUsage()
        const times = await prepared!.run(n)
        const { user, system } = process.cpuUsage(before)
        const peak = prepared!.peak?.() ?? process.resourceUsage().maxRSS * 1024
        const own = { cpu: (user + system) / 1000, peak }
        answer(prepared!.elsewhere ? { times } : { times, ...own })
      }
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) })
    }
  }
  await prepared?.close?.()
}
