// What a module was made of: the arguments of its constructor, for `toConfig`.
import type { Module } from './module.js'

const remembered = new WeakMap<Module<unknown>, readonly unknown[]>()

/** Keeps the arguments that made `module`; a module without any needs no call. Options are copied. */
export function remember(module: Module<unknown>, ...args: readonly unknown[]): void {
  remembered.set(
    module,
    args.map((arg) => (isPlain(arg) ? { ...arg } : arg))
  )
}

/** The arguments that made `module`. */
export const argumentsOf = (module: Module<unknown>): readonly unknown[] => remembered.get(module) ?? []

/** Whether `value` is an object literal, or what JSON.parse makes of one. */
export const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)
