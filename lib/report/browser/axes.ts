// The values that a sweep varied, as an axis each: numbers on a scale, choices at places of their own.
import { scaleLinear, scaleLog, scalePoint } from 'd3-scale'
import type { DimensionData, LeaderboardData, TrialData } from '../leaderboard-data.js'
import { titleOf } from './curves.js'
import { figure } from './format.js'

export interface Axis {
  name: string
  /** Where a value is between `from` and `to`. */
  at(value: number, from: number, to: number): number
  /** What is written along it. */
  ticks: readonly number[]
  text(value: number): string
  /** Whether many trials share a place: they are spread around it, so that one sees how many. */
  shared: boolean
}

/** A range of no more whole numbers has a place for each. */
const PLACES = 12

export function axisFor(dimension: DimensionData): Axis {
  const { name } = dimension
  if (dimension.kind === 'choice') {
    return places(
      name,
      dimension.choices.map((_, i) => i),
      (value) => dimension.choices[value] ?? ''
    )
  }
  const { low, high, logarithmic, whole } = dimension
  if (whole && high - low < PLACES) {
    return places(
      name,
      Array.from({ length: high - low + 1 }, (_, i) => low + i),
      String
    )
  }
  const scale = logarithmic ? scaleLog([low, high], [0, 1]) : scaleLinear([low, high], [0, 1])
  const digits = high / low >= 100 ? [1] : [1, 2, 5]
  const isRound = (tick: number) => digits.includes(Number(tick.toExponential(3).split('e')[0]))
  return {
    name,
    ticks: scale.ticks(4).filter((tick) => (logarithmic ? isRound(tick) : !whole || Number.isInteger(tick))),
    text: figure,
    at: (value, from, to) => from + (low === high ? 0.5 : scale(value)) * (to - from),
    shared: false
  }
}

const places = (name: string, ticks: readonly number[], text: Axis['text']): Axis => ({
  name,
  ticks,
  text,
  at: (value, from, to) => scalePoint(ticks, [from, to]).padding(0.2)(value)!,
  shared: true
})

/** How far a trial is from the middle of a shared place: evenly spread numbers in [-0.5, 0.5), by the golden ratio. */
export const spread = ({ number }: TrialData): number => ((number * 0.618034) % 1) - 0.5

/** The metric as an axis, over the values that there are. */
export function metricAxis({ metric, trials }: LeaderboardData): Axis {
  const values = trials.flatMap(({ value }) => (value === null ? [] : [value]))
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return axisFor({ name: titleOf(metric), kind: 'range', low, high, logarithmic: false, whole: false })
}
