// The values of each trial, which follow from the space, the strategy and the seed alone.
import { uniform } from '../functional/random.js'
import type { Choice, Dimension, Range, Space, Value } from './space.js'

/** How a dimension's values are made: by chance from a number in [0, 1), and as the points of a grid. */
interface Rule<D extends Dimension> {
  at(dimension: D, chance: number): Value
  points(dimension: D, count: number): readonly Value[]
}

const whole: Rule<Range> = {
  at: ({ low, high }, chance) => low + Math.floor(chance * (high - low + 1)),
  points: ({ low, high }) => Array.from({ length: high - low + 1 }, (_, i) => low + i)
}

/** Numbers that are spread evenly once `scale` has been applied. */
const spread = (scale: (value: number) => number, back: (value: number) => number): Rule<Range> => {
  const at = ({ low, high }: Range, part: number) => back(scale(low) + part * (scale(high) - scale(low)))
  return {
    at,
    points: (range, count) =>
      range.low === range.high ? [range.low] : Array.from({ length: count }, (_, i) => at(range, i / (count - 1)))
  }
}

const rules: { [Kind in Dimension['kind']]: Rule<any> } = {
  choice: {
    at: ({ values }, chance) => values[Math.floor(chance * values.length)]!,
    points: ({ values }) => values
  } satisfies Rule<Choice>,
  integers: whole,
  uniform: spread(
    (value) => value,
    (value) => value
  ),
  logUniform: spread(Math.log, Math.exp)
}

/** @inline */
export type Values = Readonly<Record<string, Value>>

/** Every combination of the dimensions' values; of a range of all numbers `points` values are taken. */
export function gridOf(space: Space, points: number): { count: number; at(trial: number): Values } {
  const lists = Object.entries(space).map(([name, dimension]) => {
    return [name, rules[dimension.kind].points(dimension, points)] as const
  })
  return {
    count: lists.reduce((product, [, list]) => product * list.length, 1),
    at(trial) {
      let rest = trial
      const values = lists.map(([name, list]) => {
        const value = list[rest % list.length]!
        rest = Math.floor(rest / list.length)
        return [name, value] as const
      })
      return Object.fromEntries(values)
    }
  }
}

/** The values of trials by chance: the first of them stay the same when there are to be more. */
export function drawn(space: Space, trials: number, seed: number): Values[] {
  const entries = Object.entries(space)
  const chances = uniform([trials, entries.length], { seed, device: 'cpu' }).dataSync()
  return Array.from({ length: trials }, (_, trial) => {
    const values = entries.map(([name, dimension], i) => {
      return [name, rules[dimension.kind].at(dimension, chances[trial * entries.length + i]!)] as const
    })
    return Object.fromEntries(values)
  })
}
