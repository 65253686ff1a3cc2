import { checkOptions } from '../errors.js'
import { embedding } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { spend } from './budget.js'
import { countOf } from './check.js'
import { initializerOf, type InitializerOption } from './init.js'
import { Module } from './module.js'
import { parameter } from './parameter.js'
import { checkInitial } from './settings.js'

/** What `Embedding` takes. */
export interface EmbeddingOptions {
  /** Draws the first vectors; normal with deviation 1 unless given. */
  initializer?: InitializerOption | undefined
  /** The same first values each time; without it they come from the generator that `nt.random.seed` sets. */
  seed?: number | undefined
  /** 'float32' unless given. */
  dtype?: FloatDType | undefined
}

/** A vector of `size` numbers for each of `count` indices: int32 or int64 [...] to [..., size]. The weight is [count, size]. */
export class Embedding extends Module {
  /** [count, size] */
  readonly weight: Tensor
  /** The number of vectors. */
  readonly count: number
  /** The numbers in each of them. */
  readonly size: number

  constructor(count: number, size: number, options: EmbeddingOptions = {}) {
    super()
    remember(this, count, size, options)
    checkOptions('Embedding', options, ['initializer', 'seed', 'dtype'])
    const { initializer = 'normal', seed, dtype = 'float32' } = options
    this.count = countOf('Embedding', 'count', count)
    this.size = countOf('Embedding', 'size', size)
    checkInitial('Embedding', options)
    spend('Embedding', [count, size])
    const draw = initializerOf('Embedding', initializer)
    this.weight = parameter(draw([count, size], seed === undefined ? { dtype } : { dtype, seed }))
  }

  forward(indices: Tensor<'int32'> | Tensor<'int64'>): Tensor {
    return embedding(this.weight, indices)
  }

  override describe(): string {
    return `${this.count}, ${this.size}`
  }
}
