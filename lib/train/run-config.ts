// What a run folder's config.json says, read as data of unknown origin: every field that is used is checked.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Statistics } from '../data/dataset.js'
import { expected, quoted } from '../errors.js'
import { parseJson, type Json } from '../io/json.js'
import { FILES } from './files.js'

/** The version of the run folder's form. */
export const RUN_FORMAT = 1

/** A config.json of more bytes is refused; the names of a hundred thousand classes fit. */
const MAX_BYTES = 2 ** 24

/** A layer in a module is two levels deeper than the module. */
const MAX_DEPTH = 150

/** What a run was made with. */
export interface RunConfig {
  /** The library's version that made the run. */
  needletail: string
  /** The name of the run, without its number. */
  name: string
  /** The network as nn.fromConfig takes it; null where it has a class of the user's own. */
  network: unknown
  /** The name of the network's class. */
  networkClass: string
  /** [height, width, channels] of one picture. */
  inputShape: [number, number, number]
  /** The names of the classes. */
  classes: string[]
  /** The class that precision and recall are about. */
  positive: string | null
  /** Mean and deviation that pixels are normalised by. */
  normalize: Statistics | null
  /** What fit was called with. */
  training: Record<string, unknown>
  /** What `needletail train` was called with. */
  recipe: RunRecipe | null
}

/** A training that the command line has a name for. */
export interface RunRecipe {
  /** What was trained, e.g. birds. */
  task: string
  /** The recipe. */
  name: string
  /** The recipe's options. */
  options: Record<string, unknown>
}

/**
 * Reads `<folder>/config.json`. Throws where there is none, where it isn't strict JSON (a name twice, too deep, too long), and
 * where a field is missing or not what it should be. Fields of other names are left alone.
 * @param op the function that errors name
 */
export async function readRunConfig(folder: string, op = 'readRunConfig'): Promise<RunConfig> {
  if (typeof folder !== 'string') throw expected(op, 'the path of a run folder', quoted(folder))
  const path = join(folder, FILES.config)
  const text = await readText(op, folder, path)
  const members = parseObject(op, text, path)
  const field = <T>(name: string, what: string, check: (value: Json) => T | undefined): T => {
    const value = members.get(name)
    const checked = value === undefined ? undefined : check(value)
    if (checked !== undefined) return checked
    throw expected(op, `${what} as ${name} in ${path}`, value === undefined ? 'none' : brief(value))
  }
  field('format', `the number ${RUN_FORMAT}`, (value) => (value === RUN_FORMAT ? value : undefined))
  const inputShape = field('inputShape', '[height, width, channels]', shapeOf)
  const classes = field('classes', 'the names of the classes, each once,', namesOf)
  return {
    needletail: field('needletail', 'text', textOf),
    name: field('name', 'text', textOf),
    network: field('network', 'an object or null', orNull(objectOf)),
    networkClass: field('networkClass', 'text', textOf),
    inputShape,
    classes,
    positive: field('positive', 'one of the classes or null', (value) => {
      return value === null || (typeof value === 'string' && classes.includes(value)) ? value : undefined
    }),
    normalize: field(
      'normalize',
      `mean and std of ${inputShape[2]} channels, or null,`,
      orNull((value) => statisticsOf(value, inputShape[2]))
    ),
    training: field('training', 'an object', objectOf),
    recipe: field('recipe', 'task, name and options, or null,', orNull(recipeOf))
  }
}

async function readText(op: string, folder: string, path: string): Promise<string> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    const hint = 'A run is a folder that fit or `needletail train` made, e.g. runs/birds-001.'
    throw expected(op, `a run folder with config.json at ${quoted(folder)}`, error.code ?? error.message, hint)
  })
  try {
    const { size } = await file.stat()
    if (size > MAX_BYTES) throw expected(op, `at most ${MAX_BYTES} bytes in ${path}`, `${size}`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function parseObject(op: string, text: string, path: string): Map<string, Json> {
  let value: Json
  try {
    value = parseJson(text, MAX_DEPTH)
  } catch (error) {
    throw expected(op, `JSON in ${path}`, (error as Error).message, 'The file is damaged.')
  }
  if (!(value instanceof Map)) throw expected(op, `an object in ${path}`, brief(value))
  return value
}

const orNull =
  <T>(check: (value: Json) => T | undefined) =>
  (value: Json): T | null | undefined =>
    value === null ? null : check(value)

const textOf = (value: Json): string | undefined => (typeof value === 'string' ? value : undefined)

const objectOf = (value: Json): Record<string, unknown> | undefined =>
  value instanceof Map ? (plain(value) as Record<string, unknown>) : undefined

function shapeOf(value: Json): [number, number, number] | undefined {
  const whole = (size: Json): boolean => Number.isInteger(size) && (size as number) >= 1 && (size as number) <= 2 ** 20
  return Array.isArray(value) && value.length === 3 && value.every(whole)
    ? (value as [number, number, number])
    : undefined
}

function namesOf(value: Json): string[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || !value.every((name) => typeof name === 'string')) return undefined
  return new Set(value).size === value.length ? (value as string[]) : undefined
}

function statisticsOf(value: Json, channels: number): Statistics | undefined {
  if (!(value instanceof Map)) return undefined
  const [mean, std] = ['mean', 'std'].map((name) => value.get(name))
  const numbers = (list: Json | undefined): list is number[] =>
    Array.isArray(list) && list.length === channels && list.every(Number.isFinite)
  return numbers(mean) && numbers(std) && std.every((deviation) => deviation > 0) ? { mean, std } : undefined
}

function recipeOf(value: Json): RunRecipe | undefined {
  if (!(value instanceof Map)) return undefined
  const [task, name] = [value.get('task'), value.get('name')]
  const options = value.get('options')
  if (typeof task !== 'string' || typeof name !== 'string' || !(options instanceof Map)) return undefined
  return { task, name, options: plain(options) as Record<string, unknown> }
}

/** Maps as objects, whose members are their own whatever their names: `__proto__` is a member as any other. */
function plain(value: Json): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]))
  return Array.isArray(value) ? value.map(plain) : value
}

const brief = (value: Json): string => {
  const text = JSON.stringify(plain(value))
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
