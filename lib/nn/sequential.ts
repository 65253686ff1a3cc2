// Modules one after the other.
import { expected, quoted } from '../errors.js'
import type { DType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { Module } from './module.js'

/**
 * Passes its input through modules, each taking what the one before gave.
 *
 *     const network = new nn.Sequential(new nn.Flatten(), new nn.Linear(10))
 *     network[1], network.layers[1]                                       // the linear layer
 *     new nn.Sequential({ flat: new nn.Flatten(), head: new nn.Linear(10) }).get('head')
 *
 * The names of its parameters begin with the module's position (`1.weight`) or name (`head.weight`).
 */
export class Sequential<Layers extends readonly Module[] = readonly Module[]> extends Module {
  /** The modules by position, each with its own type. */
  declare readonly layers: Layers
  readonly [position: number]: Module
  readonly #named: ReadonlyMap<string, Module>

  constructor(...layers: Layers)
  constructor(layers: Readonly<Record<string, Module>>)
  constructor(...layers: readonly Module[] | [Readonly<Record<string, Module>>]) {
    super()
    remember(this, ...layers)
    const [first] = layers
    const named = layers.length === 1 && isPlain(first) ? Object.entries(first) : Object.entries(layers as Module[])
    for (const [name, layer] of named) {
      if (!(layer instanceof Module)) throw expected('Sequential', `a module as ${name}`, quoted(layer))
      if (name === '' || name.includes('.')) throw expected('Sequential', 'names without dots', quoted(name))
    }
    this.#named = new Map(named)
    // Not enumerable: `members` lists them under their names.
    Object.defineProperty(this, 'layers', { value: Object.freeze([...this.#named.values()]) })
    for (const [i, layer] of this.layers.entries()) Object.defineProperty(this, i, { value: layer })
  }

  forward(x: Tensor<DType>): Tensor {
    return this.layers.reduce<Tensor<DType>>((value, layer) => layer.forward(value), x) as Tensor
  }

  /** The number of modules. */
  get length(): number {
    return this.layers.length
  }

  /** The module of that name, or at that position where the modules have none. */
  get(name: string): Module {
    const layer = this.#named.get(name)
    if (!layer) throw expected('Sequential.get', `one of ${[...this.#named.keys()].join(', ')}`, quoted(name))
    return layer
  }

  /** The modules in their order. */
  [Symbol.iterator](): IterableIterator<Module> {
    return this.layers.values()
  }

  override *members(): IterableIterator<[string, Module<unknown> | Tensor<DType>]> {
    yield* this.#named
    yield* super.members()
  }
}

function isPlain(value: unknown): value is Record<string, Module> {
  return typeof value === 'object' && value !== null && !(value instanceof Module)
}
