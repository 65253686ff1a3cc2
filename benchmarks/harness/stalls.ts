// How late a timer of 1 ms is, again and again, while something else runs: what a server in the same process would feel.
import { now } from './serve.js'

/** Runs the work and gives by how many milliseconds each timer was late. */
export async function stallsDuring(work: () => Promise<void>): Promise<number[]> {
  const late: number[] = []
  let set = now()
  let timer = setTimeout(tick, 1)
  function tick(): void {
    const time = now()
    late.push(time - set - 1)
    set = now()
    timer = setTimeout(tick, 1)
  }
  await work()
  // A stall at the end counts, too.
  clearTimeout(timer)
  late.push(Math.max(0, now() - set - 1))
  return late
}
