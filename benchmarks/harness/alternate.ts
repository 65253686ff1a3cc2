// Contenders take turns in one run: a few measurements of each, round after round, forwards and backwards.
import type { Contestant } from './contestant.js'
import { busyTime, cores } from './machine.js'
import type { Precision, Turn } from './protocol.js'
import { compare, median, quantile, summarize, type Comparison, type Summary } from './statistics.js'

/** Milliseconds past which a measurement is made once. */
const slow = 10_000

/** The quantiles that are given where rare measurements count. */
export const shown = [0.5, 0.99, 0.999, 1] as const

export interface Row {
  contender: string
  version: string
  note?: string | undefined
  /** Where it is not float32. */
  precision?: Precision
  /** Milliseconds of one measurement; bytes, where sizes are compared. */
  value: Summary
  /** Where the rare ones count: the value that a share of the measurements, e.g. '0.999', does not pass. */
  quantiles?: Record<string, number>
  /** Milliseconds of processor time for the same: the median over the turns. */
  cpu?: number
  /** Bytes of memory at the most. */
  peak?: number
  /** Beside each reference, paired by round. */
  comparisons: Record<string, Summary>
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
  /** Whom the comparisons are made with. */
  references: readonly string[]
}

export async function alternate(contestants: readonly Contestant[], options: AlternateOptions): Promise<Alternation> {
  const { rounds, perTurn, operations, comparison, references, quantile: p } = options
  const turns = new Map<Contestant, Turn[]>(contestants.map((contestant) => [contestant, []]))
  const failed: Alternation['failed'] = []
  let others = 0
  let wall = 0
  for (let round = 0; round < rounds; round++) {
    for (const contestant of round % 2 ? [...turns.keys()].reverse() : [...turns.keys()]) {
      if (turns.get(contestant)!.some((turn) => median(turn.values) > slow)) continue
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
  const valuesOf = (list: readonly Turn[]): number[][] => list.map((turn) => turn.values)
  const bases = [...turns].filter(([{ name }]) => references.includes(name))
  const beside = (values: number[][], base: number[][]): Summary =>
    comparison === 'ratio'
      ? compare('ratio', base, values, p)
      : compare(comparison === 'multiple' ? 'ratio' : 'difference', values, base, p)
  const rows = [...turns].map(([contestant, list]): Row => {
    const values = valuesOf(list)
    const cpus = list.flatMap((turn) => (turn.cpu === undefined ? [] : turn.cpu / (turn.values.length * operations)))
    const peaks = list.flatMap((turn) => turn.peak ?? [])
    return {
      contender: contestant.name,
      version: contestant.version,
      note: contestant.note,
      ...(contestant.precision ? { precision: contestant.precision } : {}),
      value: summarize(values.flat()),
      ...(p === undefined ? {} : { quantiles: Object.fromEntries(shown.map((q) => [q, quantile(values.flat(), q)])) }),
      ...(cpus.length && p === undefined ? { cpu: median(cpus) } : {}),
      ...(peaks.length ? { peak: Math.max(...peaks) } : {}),
      comparisons: Object.fromEntries(
        bases.filter(([base]) => base !== contestant).map(([{ name }, base]) => [name, beside(values, valuesOf(base))])
      ),
      turns: values.map((turn) => quantile(turn, p ?? 0.5))
    }
  })
  return { rows, failed, ...(wall > 0 ? { othersLoad: others / (wall * cores()) } : {}) }
}
