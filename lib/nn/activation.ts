// Activation functions: as an option of other layers, and as layers.
import { expected, quoted } from '../errors.js'
import {
  clip,
  elu,
  full,
  gelu,
  leakyRelu,
  logSoftmax,
  mul,
  relu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
  where
} from '../functional.js'
import type { DType, FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { finite } from './check.js'
import { Module } from './module.js'
import { parameter } from './parameter.js'

type Elementwise = <D extends FloatDType>(x: Tensor<D>) => Tensor<D>

const relu6: Elementwise = (x) => clip(x, 0, 6)
const hardSigmoid: Elementwise = (x) => clip(x.add(3), 0, 6).mul(1 / 6)
const hardSwish: Elementwise = (x) => mul(x, hardSigmoid(x))
const mish: Elementwise = (x) => mul(x, tanh(softplus(x)))
// Klambauer et al. 2017: the numbers that keep mean 0 and variance 1.
const selu: Elementwise = (x) => elu(x, 1.6732632423543772).mul(1.0507009873554805)

const FUNCTIONS = {
  ...{ relu, gelu, sigmoid, tanh, silu, softplus, elu, leakyRelu },
  ...{ relu6, hardSigmoid, hardSwish, mish, selu }
} as const satisfies Record<string, unknown>

/** An activation function that a layer applies to its result. @useDeclaredType */
export type ActivationName = keyof typeof FUNCTIONS

/** What convolutions and matmuls can do to their result before they write it. */
export type FusedActivation = 'relu'

export interface SplitActivation {
  fused?: FusedActivation
  after?: Elementwise
}

/** The part of `activation` that the op does itself, and the function for what is left. */
export function splitActivation(op: string, activation: ActivationName | undefined): SplitActivation {
  const after = activationOf(op, activation)
  if (activation === undefined) return {}
  return activation === 'relu' ? { fused: activation } : { after }
}

/** The function of that name; without a name the one that gives back what it is given. */
export function activationOf(op: string, activation: ActivationName | undefined): Elementwise {
  if (activation === undefined) return (x) => x
  if (Object.hasOwn(FUNCTIONS, activation)) return FUNCTIONS[activation] as Elementwise
  throw expected(op, `activation as one of ${Object.keys(FUNCTIONS).join(', ')}`, quoted(activation))
}

/** A layer that is one function of its input. */
interface Plain extends Module {
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D>
}

const layerOf = (f: Elementwise): new () => Plain =>
  class extends Module {
    forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
      return f(x)
    }
  }

/** max(x, 0). */
export class ReLU extends layerOf(relu) {}

/** x * Phi(x), Phi being the normal distribution function (exact, not the tanh approximation). */
export class GELU extends layerOf(gelu) {}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends layerOf(sigmoid) {}

/** The hyperbolic tangent. */
export class Tanh extends layerOf(tanh) {}

/** x * sigmoid(x), also called swish. */
export class SiLU extends layerOf(silu) {}

/** log(1 + exp(x)). */
export class Softplus extends layerOf(softplus) {}

/** max(x, 0), but 6 at most. */
export class ReLU6 extends layerOf(relu6) {}

/** min(max(x + 3, 0), 6) / 6: a sigmoid of straight lines (Howard et al. 2019). */
export class HardSigmoid extends layerOf(hardSigmoid) {}

/** x * hardSigmoid(x) (Howard et al. 2019). */
export class HardSwish extends layerOf(hardSwish) {}

/** x * tanh(log(1 + exp(x))) (Misra 2019). */
export class Mish extends layerOf(mish) {}

/** 1.0507 * elu(x, 1.6733), which keeps the mean 0 and the variance 1 (Klambauer et al. 2017). */
export class SELU extends layerOf(selu) {}

/** x where positive, else slope * x, with a slope that is learnt (He et al. 2015). The weight is [1]. */
export class PReLU extends Module {
  /** The slopes below 0, one a channel or one for all. */
  readonly weight: Tensor

  /** @param slope the first slope; 0.25 unless given. */
  constructor(slope = 0.25) {
    super()
    remember(this, slope)
    this.weight = parameter(full([1], finite('PReLU', 'slope', slope)))
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return where(x.greater(0), x, mul(x, this.weight.astype(x.dtype)))
  }
}

/** x where positive, else alpha * (exp(x) - 1). */
export class ELU extends Module {
  /** What large negative values go towards, with the sign turned. */
  readonly alpha: number

  constructor(alpha = 1) {
    super()
    remember(this, alpha)
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
  /** The slope below 0. */
  readonly slope: number

  constructor(slope = 0.01) {
    super()
    remember(this, slope)
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
  /** The axis whose values come to 1 together. */
  readonly axis: number

  constructor(axis = -1) {
    super()
    remember(this, axis)
    this.axis = finite('Softmax', 'axis', axis)
  }

  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    return softmax(x, this.axis)
  }
}

/** The logarithm of the softmax along `axis` (the last unless given). */
export class LogSoftmax extends Module {
  /** The axis whose probabilities come to 1 together. */
  readonly axis: number

  constructor(axis = -1) {
    super()
    remember(this, axis)
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
