// Modules as text: the tree that console.log shows, and the table of `summary`.
import { Tensor, type DType } from '../tensor.js'
import type { Layer } from './layer.js'
import type { Module } from './module.js'
import { shapeText } from './names.js'
import { kindOf } from './parameter.js'

/** One line a module: name, type and settings, its own tensors with their shapes, the number of its own parameters. */
export function toTree(root: Module<unknown>): string {
  const named = [...root.namedModules()]
  const rows = named.map(([name, module]) => {
    const depth = name ? name.split('.').length : 0
    const label = name ? `${'  '.repeat(depth)}${name.slice(name.lastIndexOf('.') + 1)}: ` : ''
    return [`${label}${title(module)}`, ownTensors(module), count(module)]
  })
  rows.push(['total', '', total(named.map(([, module]) => module))])
  return align(rows)
}

/** See Module.summary. */
export function summaryTable(root: Module<unknown>, inputShape: readonly number[], dtype: DType): string {
  const shapes = new Map<Module<unknown>, string>()
  const restore = root.modules().map((module) => watch(module, (result) => shapes.set(module, result)))
  try {
    root.build(inputShape, { dtype })
  } finally {
    for (const undo of restore) undo()
  }
  const rows = [
    ['name', 'module', 'result', 'parameters'],
    ['', 'input', shapeText(inputShape), '']
  ]
  for (const [name, module] of root.namedModules()) {
    if (name) rows.push([name, title(module), shapes.get(module) ?? '', count(module)])
  }
  rows.push(['', root.constructor.name, shapes.get(root) ?? '', total(root.modules())])
  return align(rows)
}

/** Sees what `forward` of one module gives; the function that comes back ends it. */
function watch(module: Module<unknown>, see: (shape: string) => void): () => void {
  const own = Object.getOwnPropertyDescriptor(module, 'forward')
  const forward = module.forward
  const watched = (...inputs: unknown[]) => {
    const result = forward.apply(module, inputs)
    if (result instanceof Tensor) see(shapeText(result.shape))
    return result
  }
  Object.defineProperty(module, 'forward', { value: watched, configurable: true, enumerable: false })
  return () => {
    if (own) Object.defineProperty(module, 'forward', own)
    else Reflect.deleteProperty(module, 'forward')
  }
}

function title(module: Module<unknown>): string {
  const settings = module.describe()
  return settings ? `${module.constructor.name}(${settings})` : module.constructor.name
}

/** The tensors that a module holds itself. */
function held(module: Module<unknown>): [string, Tensor<DType>][] {
  return [...module.members()].filter(
    (member): member is [string, Tensor<DType>] => member[1] instanceof Tensor && kindOf(member[1]) !== undefined
  )
}

function ownTensors(module: Module<unknown>): string {
  if (!module.ownBuilt) return `${(module as Layer<unknown>).waiting.join(', ')} made at the first input`
  return held(module)
    .map(([name, { shape }]) => `${name} ${shapeText(shape)}`)
    .join(', ')
}

function count(module: Module<unknown>): string {
  const parameters = held(module).filter(([, tensor]) => kindOf(tensor) === 'parameter')
  if (parameters.length === 0) return ''
  const frozen = parameters.every(([, { requiresGradient }]) => !requiresGradient)
  return `${thousands(elements(parameters.map(([, tensor]) => tensor)))}${frozen ? ' (frozen)' : ''}`
}

function total(modules: Module<unknown>[]): string {
  const tensors = new Set(modules.flatMap((module) => held(module).map(([, tensor]) => tensor)))
  const parameters = [...tensors].filter((tensor) => kindOf(tensor) === 'parameter')
  const trainable = parameters.filter(({ requiresGradient }) => requiresGradient)
  const all = thousands(elements(parameters))
  const known = modules.every(({ ownBuilt }) => ownBuilt) ? '' : ' so far'
  return trainable.length === parameters.length
    ? all + known
    : `${all}${known}, ${thousands(elements(trainable))} trainable`
}

const elements = (tensors: Tensor<DType>[]): number => tensors.reduce((sum, { size }) => sum + size, 0)

const thousands = (n: number): string => n.toLocaleString('en-US')

function align(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
