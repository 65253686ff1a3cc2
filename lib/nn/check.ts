// Checks of layers' settings, at the line that makes the layer.
import { checkInteger, expected, quoted } from '../errors.js'
import { Module } from './module.js'

/** `value` as a whole number from 1. */
export const countOf = (op: string, what: string, value: unknown): number =>
  checkInteger(op, `${what} from 1`, value, 1)

/** `value` as a number in [low, high]. */
export function within(op: string, what: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && value >= low && value <= high) return value
  throw expected(op, `${what} in [${low}, ${high}]`, quoted(value))
}

/** `value` as a finite number. */
export function finite(op: string, what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw expected(op, `${what} as a number`, quoted(value))
}

/** `value` as a module. */
export function checkModule(op: string, what: string, value: unknown): Module {
  if (value instanceof Module) return value as Module
  throw expected(op, `a module as ${what}`, quoted(value))
}
