// The dense layer.
import { checkOptions } from '../errors.js'
import { matmul } from '../functional.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { splitActivation, type SplitActivation } from './activation.js'
import { remember } from './arguments.js'
import { countOf } from './check.js'
import { Layer, type Variables } from './layer.js'
import {
  checkInitial,
  epilogueOf,
  finish,
  typed,
  WEIGHT_OPTIONS,
  weightAndBias,
  type WeightOptions
} from './settings.js'

export interface LinearOptions extends WeightOptions {
  /** The size of the input's last axis; taken from the first input unless given. */
  inputs?: number | undefined
}

/**
 * x W^T + b over the last axis: [..., inputs] to [..., outputs]. The weight is [outputs, inputs], as in PyTorch.
 *
 *     new nn.Linear(512, { activation: 'relu' })
 */
export class Linear extends Layer {
  declare readonly weight: Tensor
  declare readonly bias?: Tensor
  readonly outputs: number
  readonly #options: LinearOptions
  readonly #activation: SplitActivation

  constructor(outputs: number, options: LinearOptions = {}) {
    super()
    remember(this, outputs, options)
    checkOptions('Linear', options, ['inputs', ...WEIGHT_OPTIONS])
    this.outputs = countOf('Linear', 'outputs', outputs)
    this.#options = { ...options }
    this.#activation = splitActivation('Linear', options.activation)
    checkInitial('Linear', options)
    this.reserve('weight', ...(options.bias === false ? [] : ['bias']))
    if (options.inputs !== undefined) this.prepare([countOf('Linear', 'inputs', options.inputs)])
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    this.prepareFor(x)
    const options = { transposeB: true, ...epilogueOf(this, this.#activation, x) }
    return finish(matmul(x, typed(this.weight, x), options), this.#activation)
  }

  override variablesFor([inputs]: readonly [number]): Variables {
    return weightAndBias(this.#options, [this.outputs, inputs], this.outputs)
  }

  override sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): [number] | undefined {
    const inputs = shapes.get('weight')?.[1]
    return inputs === undefined ? undefined : [inputs]
  }

  override describe(): string {
    const { activation } = this.#options
    return activation ? `${this.outputs}, ${activation}` : `${this.outputs}`
  }
}
