// Residual blocks.
import { checkOptions } from '../errors.js'
import { add } from '../functional.js'
import type { DType, FloatDType, Tensor } from '../tensor.js'
import { activationOf, type ActivationName } from './activation.js'
import { remember } from './arguments.js'
import { checkModule } from './check.js'
import { Module } from './module.js'

/** What `Residual` takes. */
export interface ResidualOptions {
  /** Applied to the sum; none unless given. */
  activation?: ActivationName | undefined
}

/**
 * activation(body(x) + shortcut(x)), a residual block (He et al. 2016); without a shortcut body(x) + x.
 *
 *     new nn.Residual(
 *       new nn.Sequential(new nn.Conv2d(64, 3, { padding: 'same' }), new nn.BatchNorm()),
 *       new nn.Conv2d(64, 1),
 *       { activation: 'relu' }
 *     )
 */
export class Residual extends Module {
  /** What the input is added to. */
  readonly body: Module
  /** What the input goes through before it is added. */
  readonly shortcut: Module | undefined
  readonly #activation: ActivationName | undefined

  constructor(body: Module, shortcut?: Module, options: ResidualOptions = {}) {
    super()
    remember(this, body, shortcut, options)
    checkOptions('Residual', options, ['activation'])
    this.body = checkModule('Residual', 'body', body)
    this.shortcut = shortcut === undefined ? undefined : checkModule('Residual', 'shortcut', shortcut)
    activationOf('Residual', options.activation)
    this.#activation = options.activation
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    const inputs = this.shortcut ? this.shortcut.forward(x) : x
    const sum = add(this.body.forward(x) as Tensor<DType> as Tensor<D>, inputs as Tensor<DType> as Tensor<D>)
    return activationOf('Residual', this.#activation)(sum)
  }

  override describe(): string {
    return this.#activation ?? ''
  }
}
