// Activation functions: as an option of other layers, and as layers.
import { expected, quoted } from '../errors.js'
import { elu, gelu, leakyRelu, logSoftmax, relu, sigmoid, silu, softmax, softplus, tanh } from '../functional.js'
import type { DType, FloatDType, Tensor } from '../tensor.js'
import { finite } from './check.js'
import { Module } from './module.js'

type Elementwise = <D extends FloatDType>(x: Tensor<D>) => Tensor<D>

const FUNCTIONS = { relu, gelu, sigmoid, tanh, silu, softplus, elu, leakyRelu } as const satisfies Record<
  string,
  unknown
>

/** An activation function that a layer applies to its result. */
export type ActivationName = keyof typeof FUNCTIONS

/** What convolutions and matmuls can do to their result before they write it. */
export type FusedActivation = 'relu'

export interface SplitActivation {
  fused?: FusedActivation
  after?: Elementwise
}

/** The part of `activation` that the op does itself, and the function for what is left. */
export function splitActivation(op: string, activation: ActivationName | undefined): SplitActivation {
  if (activation === undefined) return {}
  if (!Object.hasOwn(FUNCTIONS, activation)) {
    throw expected(op, `activation as one of ${Object.keys(FUNCTIONS).join(', ')}`, quoted(activation))
  }
  if (activation === 'relu') return { fused: activation }
  return { after: FUNCTIONS[activation] as Elementwise }
}

/** max(x, 0). */
export class ReLU extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return relu(x)
  }
}

/** x * Phi(x), Phi being the normal distribution function (exact, not the tanh approximation). */
export class GELU extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return gelu(x)
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return sigmoid(x)
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return tanh(x)
  }
}

/** x * sigmoid(x), also called swish. */
export class SiLU extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return silu(x)
  }
}

/** log(1 + exp(x)). */
export class Softplus extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return softplus(x)
  }
}

/** x where positive, else alpha * (exp(x) - 1). */
export class ELU extends Module {
  readonly alpha: number

  constructor(alpha = 1) {
    super()
    this.alpha = finite('ELU', 'alpha', alpha)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return elu(x, this.alpha)
  }

  override describe(): string {
    return `${this.alpha}`
  }
}

/** x where positive, else slope * x. */
export class LeakyReLU extends Module {
  readonly slope: number

  constructor(slope = 0.01) {
    super()
    this.slope = finite('LeakyReLU', 'slope', slope)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return leakyRelu(x, this.slope)
  }

  override describe(): string {
    return `${this.slope}`
  }
}

/** exp(x) over its sum along `axis` (the last unless given). */
export class Softmax extends Module {
  readonly axis: number

  constructor(axis = -1) {
    super()
    this.axis = finite('Softmax', 'axis', axis)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return softmax(x, this.axis)
  }
}

/** The logarithm of the softmax along `axis` (the last unless given). */
export class LogSoftmax extends Module {
  readonly axis: number

  constructor(axis = -1) {
    super()
    this.axis = finite('LogSoftmax', 'axis', axis)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return logSoftmax(x, this.axis)
  }
}

/** Passes its input on. */
export class Identity extends Module {
  forward<D extends DType>(x: Tensor<D>): Tensor<D> {
    return x
  }
}
