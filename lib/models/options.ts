// What the models' options have in common.
import { checkInteger, checkOptions, expected, quoted } from '../errors.js'

/** What every model takes. */
export interface ModelOptions {
  /** The number of classes: scores [n, classes] come out. */
  classes?: number | undefined
}

/** The options of a model, checked: no other names, a number of classes from 1. */
export function checkModel<O extends ModelOptions>(op: string, options: O, names: readonly string[] = []): O {
  checkOptions(op, options, ['classes', ...names])
  if (options.classes !== undefined) countOf(op, 'classes', options.classes)
  return options
}

/** `value` as a whole number from 1. */
export const countOf = (op: string, what: string, value: unknown): number =>
  checkInteger(op, `${what} from 1`, value, 1)

/** `value` as a rate of dropout. */
export function rateOf(op: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw expected(op, 'dropout in [0, 1)', quoted(value))
}
