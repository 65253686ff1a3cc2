// What a sweep may vary. A dimension is plain data, so that a journal can hold it. Public as `space`.
import { checkInteger, checkNumber, expected, quoted } from '../errors.js'

/** What a trial can be given: anything that JSON can say. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value }

/** One of the values. */
export interface Choice<V extends Value = Value> {
  /** Which kind of dimension. */
  kind: 'choice'
  /** What is chosen from. */
  values: readonly V[]
}

/** A number of a range, whose ends are part of it. */
export interface Range {
  /** How its numbers are spread. */
  kind: 'uniform' | 'logUniform' | 'integers'
  /** The least. */
  low: number
  /** The largest. */
  high: number
}

/** One thing that a sweep varies. */
export type Dimension = Choice | Range

/** What is varied, by name. */
export type Space = Readonly<Record<string, Dimension>>

/** A value of each dimension of a space. */
export type ValuesOf<S extends Space> = {
  readonly [Name in keyof S]: S[Name] extends Choice<infer V> ? V : number
}

/** One of the values, each as often as the others: numbers, words, or lists and objects of them. */
export function choice<const V extends Value>(values: readonly V[]): Choice<V> {
  const op = 'space.choice'
  if (!Array.isArray(values) || values.length === 0) throw expected(op, 'an array of values', quoted(values))
  for (const value of values as unknown[]) {
    if (!isValue(value))
      throw expected(op, 'values that JSON can say', quoted(value), 'Name it, and look it up in train.')
  }
  return { kind: 'choice', values }
}

/** A number from `low` to `high`, all alike. */
export const uniform = (low: number, high: number): Range => range('uniform', low, high)

/** A number from `low` to `high`, each order of magnitude as often as the others: for learning rates. */
export function logUniform(low: number, high: number): Range {
  if (!(low > 0)) throw expected('space.logUniform', 'low above 0', quoted(low))
  return range('logUniform', low, high)
}

/** A whole number from `low` to `high`, all alike. */
export function integers(low: number, high: number): Range {
  for (const end of [low, high]) checkInteger('space.integers', 'whole numbers as low and high', end)
  return range('integers', low, high)
}

function range(kind: Range['kind'], low: number, high: number): Range {
  const op = `space.${kind}`
  for (const end of [low, high]) checkNumber(op, 'numbers as low and high', end)
  if (!(low <= high) || !Number.isFinite(high - low)) throw expected(op, 'low up to high', `${low} and ${high}`)
  return { kind, low, high }
}

function isValue(value: unknown): value is Value {
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true
  if (Array.isArray(value)) return value.every(isValue)
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isValue)
  )
}
