// The dense layer.
import { matmul } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { countOf } from './check.js'
import type { Variables } from './layer.js'
import { weightAndBias } from './settings.js'
import { Weighted, type WeightedOptions } from './weighted.js'

export type { WeightedOptions as LinearOptions } from './weighted.js'

/**
 * x W^T + b over the last axis: [..., inputs] to [..., outputs]. The weight is [outputs, inputs], as in PyTorch.
 *
 *     new nn.Linear(512, { activation: 'relu' })
 */
export class Linear extends Weighted<WeightedOptions> {
  /** The size of the result's last axis. */
  readonly outputs: number

  constructor(outputs: number, options: WeightedOptions = {}) {
    super('Linear', options)
    remember(this, outputs, options)
    this.outputs = countOf('Linear', 'outputs', outputs)
    this.prepareIfTold('Linear')
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x)
    return this.apply(x, (weight, epilogue) => matmul(x, weight, { transposeB: true, ...epilogue }))
  }

  override variablesFor([inputs]: readonly [number]): Variables {
    return weightAndBias(this.options, [this.outputs, inputs], this.outputs)
  }

  override sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): [number] | undefined {
    const inputs = shapes.get('weight')?.[1]
    return inputs === undefined ? undefined : [inputs]
  }

  override describe(): string {
    const { activation } = this.options
    return activation ? `${this.outputs}, ${activation}` : `${this.outputs}`
  }
}
