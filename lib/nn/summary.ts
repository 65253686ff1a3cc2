// Modules as text: the tree that console.log shows, and the table of `summary`.
import { Tensor, type DType } from '../tensor.js'
import type { Layer } from './layer.js'
import type { Module } from './module.js'
import { shapeText } from './names.js'
import { kindOf, type VariableKind } from './parameter.js'
import { watching, type Seen } from './watch.js'

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

/** What a summary tells of a module that was called. */
interface Figures {
  shape: readonly number[]
  multiplyAdds: number
}

/** See Module.summary. */
export function summaryTable(root: Module<unknown>, inputShape: readonly number[], dtype: DType): string {
  const figures = new Map<Module<unknown>, Figures>()
  // A module that passes its input on, and one that gives what its last member gave, make nothing new.
  const counted = new Set<unknown>()
  let [results, multiplyAdds] = [0, 0]
  const see: Seen = (module, input, result) => {
    if (!(result instanceof Tensor)) return
    const products = input instanceof Tensor ? module.multiplyAdds(input, result) : 0
    const before = figures.get(module)?.multiplyAdds ?? 0
    figures.set(module, { shape: result.shape, multiplyAdds: before + products })
    multiplyAdds += products
    if (result !== input && !counted.has(result)) results += result.byteLength
    counted.add(result)
  }
  watching(root, see, () => root.build(inputShape, { dtype }))

  const rows = [...root.namedModules()].map(([name, module]) => {
    const { shape, multiplyAdds = 0 } = figures.get(module) ?? {}
    return [
      name,
      title(module),
      shape ? shapeText(shape) : '',
      count(module),
      multiplyAdds ? thousands(multiplyAdds) : ''
    ]
  })
  const whole = rows.shift()!
  const tensors = stateOf(root.modules())
  const table = [
    ['layer', 'type', 'output shape', 'parameters', 'multiply-adds'],
    ['', 'input', shapeText(inputShape), '', ''],
    ...rows,
    [...whole.slice(0, 3), thousands(elements(tensors.parameters)), thousands(multiplyAdds)]
  ]
  const trainable = tensors.parameters.filter(({ requiresGradient }) => requiresGradient)
  const totals = [
    ['trainable', thousands(elements(trainable))],
    ['not trainable', thousands(elements(tensors.parameters) - elements(trainable))],
    ['buffers', thousands(elements(tensors.buffers))],
    [
      'memory',
      `${megabytes(bytes(tensors.parameters) + bytes(tensors.buffers))} of state, ${megabytes(results)} of results`
    ]
  ]
  return `${align(table, [3, 4])}\n\n${align(totals)}`
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

/** All tensors of `modules`, each once. */
function stateOf(modules: Module<unknown>[]): { parameters: Tensor<DType>[]; buffers: Tensor<DType>[] } {
  const tensors = [...new Set(modules.flatMap((module) => held(module).map(([, tensor]) => tensor)))]
  const of = (kind: VariableKind) => tensors.filter((tensor) => kindOf(tensor) === kind)
  return { parameters: of('parameter'), buffers: of('buffer') }
}

function total(modules: Module<unknown>[]): string {
  const { parameters } = stateOf(modules)
  const trainable = parameters.filter(({ requiresGradient }) => requiresGradient)
  const all = thousands(elements(parameters))
  const known = modules.every(({ ownBuilt }) => ownBuilt) ? '' : ' so far'
  return trainable.length === parameters.length
    ? all + known
    : `${all}${known}, ${thousands(elements(trainable))} trainable`
}

const elements = (tensors: Tensor<DType>[]): number => tensors.reduce((sum, { size }) => sum + size, 0)

const bytes = (tensors: Tensor<DType>[]): number => tensors.reduce((sum, { byteLength }) => sum + byteLength, 0)

const megabytes = (n: number): string => `${(n / 1e6).toLocaleString('en-US', { maximumSignificantDigits: 3 })} MB`

const thousands = (n: number): string => n.toLocaleString('en-US')

/** Columns; those of numbers end at one place. */
function align(rows: string[][], numbers: readonly number[] = []): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (numbers.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
