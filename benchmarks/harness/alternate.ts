// Contenders take turns in one run: a few measurements of each, round after round, forwards and backwards.
import type { Contestant } from './contestant.js'
import { busyTime, cores } from './machine.js'
import type { Turn } from './protocol.js'
import { compare, median, quantile, summarize, type Comparison, type Summary } from './statistics.js'

/** Milliseconds past which a measurement is made once. */
const slow = 10_000

/** The quantiles that are given where rare measurements count. */
export const shown = [0.5, 0.99, 0.999, 1] as const

export interface Row {
  contender: string
  version: string
  note?: string | undefined
  /** Milliseconds of one measurement. */
  time: Summary
  /** Where the rare ones count: the value that a share of the measurements, e.g. '0.999', does not pass. */
  quantiles?: Record<string, number>
  /** Milliseconds of processor time for the same: the median over the turns. */
  cpu?: number
  /** Bytes of memory at the most. */
  peak?: number
  /** Beside the reference, paired by round. */
  comparison?: Summary
  /** The medians of the turns, or the quantile that is compared. */
  turns: number[]
}

export interface Alternation {
  rows: Row[]
  /** Contenders that failed on the way, and why. */
  failed: { contender: string; reason: string }[]
  /** The share of the machine that other processes used meanwhile; absent where the system does not tell. */
  othersLoad?: number
}

export interface AlternateOptions {
  rounds: number
  /** Measurements in one turn. */
  perTurn: number
  /** Operations in one measurement, of which the times are the mean. */
  operations: number
  /** 'ratio': reference / contender; 'multiple': contender / reference; 'difference': contender - reference. */
  comparison: Comparison | 'multiple'
  /** Which quantile of a turn is compared: the median unless given. */
  quantile?: number
  /** Whom the comparison is made with. */
  reference: string
}

export async function alternate(contestants: readonly Contestant[], options: AlternateOptions): Promise<Alternation> {
  const { rounds, perTurn, operations, comparison, reference, quantile: p } = options
  const turns = new Map<Contestant, Turn[]>(contestants.map((contestant) => [contestant, []]))
  const failed: Alternation['failed'] = []
  let others = 0
  let wall = 0
  for (let round = 0; round < rounds; round++) {
    for (const contestant of round % 2 ? [...turns.keys()].reverse() : [...turns.keys()]) {
      if (turns.get(contestant)!.some((turn) => median(turn.times) > slow)) continue
      const [begin, busy] = [performance.now(), busyTime()]
      try {
        const turn = await contestant.turn(perTurn)
        turns.get(contestant)!.push(turn)
        if (turn.cpu !== undefined && busy !== undefined) {
          others += Math.max(0, busyTime()! - busy - turn.cpu)
          wall += performance.now() - begin
        }
      } catch (error) {
        turns.delete(contestant)
        failed.push({ contender: contestant.name, reason: (error as Error).message })
      }
    }
  }
  const timesOf = (name: string): number[][] | undefined => {
    for (const [contestant, list] of turns) if (contestant.name === name) return list.map((turn) => turn.times)
    return undefined
  }
  const base = timesOf(reference)
  const rows = [...turns].map(([contestant, list]): Row => {
    const times = list.map((turn) => turn.times)
    const cpus = list.flatMap((turn) => (turn.cpu === undefined ? [] : turn.cpu / (turn.times.length * operations)))
    const peaks = list.flatMap((turn) => turn.peak ?? [])
    return {
      contender: contestant.name,
      version: contestant.version,
      note: contestant.note,
      time: summarize(times.flat()),
      ...(p === undefined ? {} : { quantiles: Object.fromEntries(shown.map((q) => [q, quantile(times.flat(), q)])) }),
      ...(cpus.length && p === undefined ? { cpu: median(cpus) } : {}),
      ...(peaks.length ? { peak: Math.max(...peaks) } : {}),
      ...(base && contestant.name !== reference
        ? {
            comparison:
              comparison === 'ratio'
                ? compare('ratio', base, times, p)
                : compare(comparison === 'multiple' ? 'ratio' : 'difference', times, base, p)
          }
        : {}),
      turns: times.map((turn) => quantile(turn, p ?? 0.5))
    }
  })
  return { rows, failed, ...(wall > 0 ? { othersLoad: others / (wall * cores()) } : {}) }
}
