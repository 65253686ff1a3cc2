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

const SLOW = 10_000
const WARM = 5000
const TURN = 3000
const WARM_CALLS = 10

/**
 * Warms a step up (caches full, code compiled: ten calls, but for about five seconds at most) and gives what times it, one by one. What takes over
 * ten seconds is timed once: the first call is all there is.
 */
export async function timing(step: () => unknown): Promise<Prepared['run']> {
  const time = async (): Promise<number> => {
    const start = now()
    await step()
    return now() - start
  }
  const begin = now()
  const first = await time()
  if (first > SLOW) return () => [first]
  for (let i = 1; i < WARM_CALLS && now() - begin < WARM; i++) await step()
  return async (n) => {
    const times: number[] = []
    const begin = now()
    for (let i = 0; i < n && now() - begin < TURN; i++) times.push(await time())
    return times
  }
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

/** The same for a step whose cost isn't known: loops of about 20 ms. What takes over a second is timed once. */
export function loopsOf(step: () => void, finish?: () => void): Prepared['run'] {
  const loop = (count: number): number => timeLoops(1, count, step, finish)[0]!
  const first = loop(1)
  if (first > 1000) return () => [first]
  const once = loop(1)
  const count = Math.max(1, Math.min(2000, Math.round(20 / (once < 2 ? loop(10) : once))))
  return (n) => timeLoops(n, count, step, finish)
}

export async function serve(prepare: (task: Task) => Prepared | Promise<Prepared>): Promise<void> {
  const answer = (value: object): boolean => process.stdout.write(`bench ${JSON.stringify(value)}\n`)
  let prepared: Prepared | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const request = JSON.parse(line) as { prepare?: Task; run?: number }
      if (request.prepare) {
        await prepared?.close?.()
        prepared = undefined
        prepared = await prepare(request.prepare)
        const { version, note } = prepared
        answer({ version, note })
      } else {
        const n = request.run!
        const [begin, before] = [now(), process.cpuUsage()]
        const values = await prepared!.run(n)
        const { user, system } = process.cpuUsage(before)
        const peak = prepared!.peak?.() ?? process.resourceUsage().maxRSS * 1024
        // What was timed once was timed while it got ready.
        const earlier = values.reduce((sum, value) => sum + value, 0) > now() - begin
        if (prepared!.elsewhere) answer({ values })
        else answer(earlier ? { values, peak } : { values, peak, cpu: (user + system) / 1000 })
      }
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) })
    }
  }
  await prepared?.close?.()
}
