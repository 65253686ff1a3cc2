// Modules as plain data, and back: what a run folder keeps beside the weights.
import { checkInteger, didYouMean, expected, quoted } from '../errors.js'
import * as activations from './activation.js'
import { argumentsOf, isPlain } from './arguments.js'
import { withBudget } from './budget.js'
import { Conv1d, Conv2d, ConvTranspose2d } from './convolution.js'
import { ChannelDropout, Dropout } from './dropout.js'
import { Embedding } from './embedding.js'
import { FlipAverage, ClassGroups } from './ensemble.js'
import { Flatten } from './flatten.js'
import { initializerName } from './init.js'
import { Linear } from './linear.js'
import { Module } from './module.js'
import * as norms from './normalization.js'
import * as pools from './pooling.js'
import { Residual } from './residual.js'
import { Sequential } from './sequential.js'

/** What a config is made of. */
export type ConfigValue =
  null | boolean | number | string | readonly ConfigValue[] | { readonly [name: string]: ConfigValue }

/**
 * A module as JSON: its class, and the arguments of its constructor, in which modules are such objects again.
 *
 *     { type: 'Conv2d', arguments: [32, 3, { padding: 'same', activation: 'relu' }] }
 */
export type ModuleConfig = {
  /** The name of its class. */
  readonly type: string
  /** What the class's constructor takes. */
  readonly arguments: readonly ConfigValue[]
}

/** What `fromConfig` takes. */
export interface FromConfigOptions {
  /** Layers that are told their `inputs` make their weights at once: at most so many elements; 2^28 unless given. */
  maxParameters?: number | undefined
}

type Make = new (...args: never[]) => Module<unknown>

const EXPORTS: Record<string, unknown> = {
  ...{ Conv1d, Conv2d, ConvTranspose2d, Linear, Embedding, Sequential, Residual, Flatten, Dropout, ChannelDropout },
  ...{ FlipAverage, ClassGroups, ...activations, ...norms, ...pools }
}
const isModule = (entry: [string, unknown]): entry is [string, Make] =>
  typeof entry[1] === 'function' && entry[1].prototype instanceof Module

/** The modules that a config can name; nothing else is ever made. */
const TYPES = new Map(Object.entries(EXPORTS).filter(isModule))
const NAMES = new Map([...TYPES].map(([name, type]) => [type as unknown, name]))

const MAX_DEPTH = 64
const MAX_VALUES = 100_000

/**
 * `module` as plain data, from which `fromConfig` makes a new one of the same structure (its weights are drawn anew, or
 * loaded). Undefined where it can't be told: where a module in it is of a class that isn't the library's own or stands in two
 * places, or where an initialiser is a function that isn't one of `nn.init`'s.
 */
export function toConfig(module: Module<unknown>): ModuleConfig | undefined {
  if (!(module instanceof Module)) throw expected('toConfig', 'a module', quoted(module))
  return encode(module, new Set()) as ModuleConfig | undefined
}

/** The value as plain data; undefined where there is no way to. */
function encode(value: unknown, seen: Set<unknown>): ConfigValue | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value === 'function') return initializerName(value)
  if (Array.isArray(value)) return encodeAll(value, seen)
  if (value instanceof Module) {
    const type = NAMES.get(value.constructor)
    if (type === undefined || seen.has(value)) return undefined
    seen.add(value)
    const args = argumentsOf(value).map((arg) => (arg === undefined ? null : arg))
    while (args.length > 0 && (args.at(-1) === null || isEmpty(args.at(-1)))) args.pop()
    const encoded = encodeAll(args, seen)
    return encoded && { type, arguments: encoded }
  }
  if (!isPlain(value)) return undefined
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  const encoded = encodeAll(
    entries.map(([, item]) => item),
    seen
  )
  return encoded && Object.fromEntries(entries.map(([name], i) => [name, encoded[i]!]))
}

function encodeAll(values: readonly unknown[], seen: Set<unknown>): ConfigValue[] | undefined {
  const encoded = values.map((value) => encode(value, seen))
  return encoded.includes(undefined) ? undefined : (encoded as ConfigValue[])
}

const isEmpty = (value: unknown): boolean => isPlain(value) && Object.keys(value).length === 0

/**
 * The module that a config tells of. The data may come from anywhere: only the library's own layers are made, each checks its
 * settings, and nesting, number of values and number of parameters are bounded.
 * @param config what `toConfig` gave, also after JSON.stringify and JSON.parse
 * @throws `fromConfig: expected ..., got ...` with the place in the config
 */
export function fromConfig(config: unknown, options: FromConfigOptions = {}): Module {
  const { maxParameters = 2 ** 28 } = options ?? {}
  checkInteger('fromConfig', 'maxParameters from 0', maxParameters, 0)
  return withBudget(maxParameters, () => new Reader().module(config, 'config', 0)) as Module
}

class Reader {
  #values = 0

  module(config: unknown, at: string, depth: number): Module<unknown> {
    const fields = fieldsOf(config)
    const type = fields?.get('type')
    const args = fields?.get('arguments') ?? []
    if (fields === undefined || typeof type !== 'string') {
      throw expected('fromConfig', `a module ({ type, arguments }) at ${at}`, quoted(config))
    }
    const surplus = [...fields.keys()].find((name) => name !== 'type' && name !== 'arguments')
    if (surplus !== undefined) throw expected('fromConfig', `type and arguments alone at ${at}`, quoted(surplus))
    if (!Array.isArray(args)) throw expected('fromConfig', `an array at ${at}.arguments`, quoted(args))
    const make = TYPES.get(type)
    if (make === undefined) {
      const names = [...TYPES.keys()]
      throw expected('fromConfig', `a type of ${names.join(', ')} at ${at}`, quoted(type), didYouMean(type, names))
    }
    const given = args.map((arg: unknown, i) => this.#value(arg, `${at}.arguments[${i}]`, depth + 1) ?? undefined)
    try {
      return new make(...(given as never[]))
    } catch (error) {
      throw new Error(`fromConfig: ${(error as Error).message} This is at ${at}.`, { cause: error })
    }
  }

  #value(value: unknown, at: string, depth: number): unknown {
    if (depth > MAX_DEPTH) throw expected('fromConfig', `at most ${MAX_DEPTH} levels`, `more at ${at}`)
    if (++this.#values > MAX_VALUES) throw expected('fromConfig', `at most ${MAX_VALUES} values`, 'more')
    if (value === null || ['boolean', 'number', 'string'].includes(typeof value)) return value
    if (Array.isArray(value)) return value.map((item, i) => this.#value(item, `${at}[${i}]`, depth + 1))
    const fields = fieldsOf(value)
    if (fields === undefined) throw expected('fromConfig', `a value of JSON at ${at}`, quoted(value))
    if (typeof fields.get('type') === 'string') return this.module(value, at, depth)
    const read = [...fields].map(([name, item]) => [name, this.#value(item, `${at}.${name}`, depth + 1)])
    return Object.fromEntries(read) as unknown
  }
}

/** The members of an object of data; undefined for anything else. Names of prototypes are refused. */
function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  const fields = value instanceof Map ? value : isPlain(value) ? new Map(Object.entries(value)) : undefined
  for (const name of fields?.keys() ?? []) {
    if (typeof name !== 'string' || ['__proto__', 'constructor', 'prototype'].includes(name)) {
      throw expected('fromConfig', 'names of options', quoted(name))
    }
  }
  return fields as Map<string, unknown> | undefined
}
