// Layers whose tensors' sizes follow from the first input.
import { requireGradient } from '../autograd.js'
import { withCompute } from '../compute.js'
import { device, onDevice } from '../device.js'
import { expected, quoted } from '../errors.js'
import { Tensor, type DType } from '../tensor.js'
import { Module } from './module.js'
import { spend } from './budget.js'
import { BUILD_HINT, shapeText } from './names.js'
import { buffer, parameter, type VariableKind } from './parameter.js'

/** One tensor of a layer, as it will be made. */
export interface Variable {
  /** Whether it is trained. */
  kind: VariableKind
  /** Its shape. */
  shape: readonly number[]
  /** Its dtype. */
  dtype: DType
  /** Makes its first values. */
  initial: () => Tensor<DType>
}

/** A layer's tensors, by the names of its fields. */
export type Variables = Record<string, Variable>

/**
 * A module that makes its own tensors when it first sees an input (or a file with its weights). A layer says with
 * `variablesFor` what it needs and with `sizeFrom` how a file tells its size; its `forward` begins with `prepare`.
 */
export abstract class Layer<Output = Tensor> extends Module<Output> {
  #waiting: string[] = []

  /** The layer's tensors for inputs whose last axes have the sizes `inputSize`. */
  abstract variablesFor(inputSize: readonly number[]): Variables

  /** The input size that fits tensors of `shapes`; undefined where they don't tell. */
  abstract sizeFrom(shapes: ReadonlyMap<string, readonly number[]>): readonly number[] | undefined

  /** The fields that `prepare` fills. Reading one before is an error that says what to do. */
  protected reserve(...names: string[]): void {
    this.#waiting = names
    for (const name of names) {
      Object.defineProperty(this, name, {
        enumerable: true,
        configurable: true,
        get: () => {
          throw expected(
            `${this.constructor.name}.${name}`,
            'a layer that knows its input size',
            'none yet',
            BUILD_HINT
          )
        }
      })
    }
  }

  /** The names of the tensors that are still to be made. */
  get waiting(): readonly string[] {
    return this.#waiting
  }

  override get ownBuilt(): boolean {
    return this.#waiting.length === 0
  }

  /**
   * Makes the layer's tensors for the input `x` by the sizes of its last `axes` axes. Throws, before anything is made,
   * where `x` isn't a tensor of `least` to `most` axes. They are made where `to` has put the module, else where `x` is.
   */
  protected prepareFor(x: Tensor<DType>, axes = 1, least = axes, most = Infinity): void {
    const op = this.constructor.name
    if (!(x instanceof Tensor)) throw expected(op, 'a tensor', quoted(x))
    if (x.rank < least || x.rank > most) {
      throw expected(op, `an input of ${least === most ? '' : 'at least '}${least} axes`, shapeText(x.shape))
    }
    if (!this.ownBuilt) onDevice(op, x.device, () => this.prepare(x.shape.slice(x.rank - axes)))
  }

  /** Makes the layer's tensors for inputs of `inputSize`, unless they are there; with the values `given`, where they are. */
  prepare(inputSize: readonly number[], given?: ReadonlyMap<string, Tensor<DType>>): void {
    if (this.ownBuilt) return
    const made = onDevice(this.constructor.name, this.placed, () => this.#make(inputSize, given))
    for (const name of this.#waiting) {
      const value = made.get(name)
      if (value && this.frozen) requireGradient(value, false)
      Object.defineProperty(this, name, { value, enumerable: true, configurable: true, writable: true })
    }
    this.#waiting = []
  }

  #make(inputSize: readonly number[], given?: ReadonlyMap<string, Tensor<DType>>): Map<string, Tensor<DType>> {
    const made = new Map<string, Tensor<DType>>()
    for (const [name, variable] of Object.entries(this.variablesFor(inputSize))) {
      spend(this.constructor.name, variable.shape)
      const value = given?.get(name) ?? withCompute('float32', variable.initial)
      this.#check(name, variable, value)
      const here = value.to(device())
      made.set(name, variable.kind === 'parameter' ? parameter(here as Tensor) : buffer(here))
    }
    return made
  }

  /** An initialiser may be the user's. */
  #check(name: string, { shape, dtype }: Variable, value: unknown): void {
    if (value instanceof Tensor && value.dtype === dtype && String(value.shape) === String(shape)) return
    const got = value instanceof Tensor ? `${value.dtype} ${shapeText(value.shape)}` : quoted(value)
    throw expected(`${this.constructor.name}.${name}`, `${dtype} ${shapeText(shape)} from the initializer`, got)
  }
}
