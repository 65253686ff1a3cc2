// What layers have in common that multiply by a weight, add a bias and apply an activation.
import { checkOptions } from '../errors.js'
import type { DType, FloatDType, Tensor } from '../tensor.js'
import { splitActivation, type ActivationName, type FusedActivation, type SplitActivation } from './activation.js'
import { countOf } from './check.js'
import { Layer } from './layer.js'
import { checkInitial, typed, WEIGHT_OPTIONS, type WeightOptions } from './settings.js'

/** What `Linear` takes, and so do all layers whose weight's size follows from their input. */
export interface WeightedOptions extends WeightOptions {
  /** The size of the input's last axis, e.g. the number of channels; taken from the first input unless given. */
  inputs?: number | undefined
}

/** What the op of such a layer does to its result before it writes it. */
export interface Epilogue<D extends FloatDType> {
  bias?: Tensor<D>
  activation?: FusedActivation
}

export abstract class Weighted<Options extends WeightedOptions> extends Layer {
  /** What the input is multiplied by. */
  declare readonly weight: Tensor
  /** [outputs], added to the product. */
  declare readonly bias?: Tensor
  /** As they were given. */
  protected readonly options: Options
  readonly #activation: SplitActivation

  constructor(op: string, options: Options, names: readonly string[] = []) {
    super()
    checkOptions(op, options, [...names, 'inputs', ...WEIGHT_OPTIONS])
    checkInitial(op, options)
    this.options = { ...options }
    this.#activation = splitActivation(op, options.activation)
    this.reserve('weight', ...(options.bias === false ? [] : ['bias']))
  }

  /** What is applied to the result; undefined: nothing. */
  get activation(): ActivationName | undefined {
    return this.options.activation
  }

  /** Makes the weights where `inputs` was given: the last thing that a constructor does. */
  protected prepareIfTold(op: string): void {
    if (this.options.inputs !== undefined) this.prepare([countOf(op, 'inputs', this.options.inputs)])
  }

  /** The weight's first axis has one entry a value of the result; the others are what is summed for it. */
  override multiplyAdds(_input: Tensor<DType>, result: Tensor<DType>): number {
    return result.size * (this.weight.size / this.weight.shape[0]!)
  }

  /** What `op` makes of the weight, with bias and activation, which it applies itself where it can. */
  protected apply<D extends FloatDType>(
    x: Tensor<D>,
    op: (weight: Tensor<D>, epilogue: Epilogue<D>) => Tensor<D>
  ): Tensor<D> {
    const { fused, after } = this.#activation
    const y = op(typed(this.weight, x), {
      ...(this.bias && { bias: typed(this.bias, x) }),
      ...(fused && { activation: fused })
    })
    return after ? after(y) : y
  }
}
