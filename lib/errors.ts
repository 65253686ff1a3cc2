// The one form of an error: `<op>: expected <what>, got <actual>. <hint>`.
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import type * as levenshtein from 'fastest-levenshtein'

const require = createRequire(import.meta.url)

/** An error of the form `<op>: expected <what>, got <actual>. <hint>`. */
export function expected(op: string, what: string, actual: unknown, hint = ''): Error {
  const error = new Error(`${op}: expected ${what}, got ${describe(actual)}.${hint ? ` ${hint}` : ''}`)
  ;(error as Error & { code: string }).code = 'ERR_ARGUMENT'
  return error
}

/** A value as an error message names it: strings that are phrases already stay, anything else is shown briefly. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'function') return `a function${value.name ? ` (${value.name})` : ''}`
  if (typeof value === 'symbol') return 'a symbol'
  if (Array.isArray(value) && value.every((v) => typeof v === 'number')) return `[${value.join(', ')}]`
  let text: string
  try {
    // A tensor says what it is, not its values, which would have to be waited for.
    const brief = typeof value === 'object' && value !== null && 'handle' in value
    text = brief
      ? String(value)
      : inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 4, maxStringLength: 40 })
  } catch {
    return 'an object that cannot be shown'
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** Checks that a value is a finite or infinite number (not NaN), and gives it back. */
export function checkNumber(op: string, what: string, value: unknown): number {
  if (typeof value !== 'number' || Number.isNaN(value)) throw expected(op, what, quoted(value))
  return value
}

/** Checks that a value is a whole number within [low, high], and gives it back. */
export function checkInteger(op: string, what: string, value: unknown, low = -(2 ** 53), high = 2 ** 53): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high)
    throw expected(op, what, quoted(value))
  return value
}

/** Checks that a value is an array of whole numbers from `low`, and gives it back. */
export function checkIntegers(op: string, what: string, value: unknown, low = -(2 ** 53)): readonly number[] {
  if (!Array.isArray(value) || !value.every((v) => Number.isInteger(v) && v >= low))
    throw expected(op, what, quoted(value))
  return value as number[]
}

/** Checks that a value is one of the words allowed; an unknown one is answered with the list. */
export function checkWord<W extends string>(op: string, what: string, value: unknown, words: readonly W[]): W {
  if (!words.includes(value as W))
    throw expected(
      op,
      `${what} of ${words.map((w) => `'${w}'`).join(', ')}`,
      quoted(value),
      typeof value === 'string' ? didYouMean(value, words) : ''
    )
  return value as W
}

/** Checks that `options` is an object of no other names than those known: a mistyped one would be ignored silently. */
export function checkOptions<O extends object>(op: string, options: O | undefined, names: readonly string[]): O {
  if (typeof options !== 'object' || options === null) throw expected(op, 'an object of options', describe(options))
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw expected(op, `options of ${names.join(', ')}`, `'${unknown}'`, didYouMean(unknown, names))
  return options
}

/** A hint that names the word nearest to a mistyped one; '' where none is near. */
export function didYouMean(word: string, words: readonly string[]): string {
  if (words.length === 0) return ''
  // Loaded by the first mistake: nobody's start-up waits for it.
  const { closest, distance } = require('fastest-levenshtein') as typeof levenshtein
  const near = closest(word, words)
  return distance(word.toLowerCase(), near.toLowerCase()) <= Math.max(2, 0.45 * word.length)
    ? `Did you mean '${near}'?`
    : ''
}

/** Refuses what an async function gives where a function must return its result. */
export function rejectPromise(op: string, value: unknown): void {
  if (value instanceof Promise) {
    value.catch(() => {})
    throw expected(op, 'a function that returns its result', 'an async one', 'Await outside of it.')
  }
}

/** Strings in quotes, anything else as it is described. */
export function quoted(value: unknown): string {
  return typeof value === 'string' ? `'${value.length > 60 ? `${value.slice(0, 57)}...` : value}'` : describe(value)
}
