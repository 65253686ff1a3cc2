// What networks are made of. A module's state is found by walking its fields; there is nothing to register.
import { inspect } from 'node:util'
import { noGrad, requireGradient } from '../autograd.js'
import { noteDependency } from '../compile.js'
import { checkDevice, device, move } from '../device.js'
import { expected } from '../errors.js'
import { zeros } from '../functional/creation.js'
import { Tensor, tidy, type DType } from '../tensor.js'
import { BUILD_HINT, join } from './names.js'
import { kindOf, type VariableKind } from './parameter.js'
import { summaryTable, toTree } from './summary.js'
import { loadWeights, saveWeights, type LoadOptions, type SaveOptions } from './weights.js'

/**
 * A part of a network, or a whole one: state in its fields, and what it does with its inputs in `forward`.
 *
 *     class Digits extends nn.Module {
 *       conv = new nn.Conv2d(16, 3)
 *       head = new nn.Linear(10)
 *       forward(x: nt.Tensor) { return this.head.forward(this.conv.forward(x).flatten(1)) }
 *     }
 *
 * Its state is what is found in its own fields, in their order: modules, tensors marked by `nn.parameter` or `nn.buffer`,
 * and arrays of these. Other tensors are left alone, and `#private` fields can't be seen. `Output` is what `forward`
 * gives, a tensor unless said otherwise.
 */
export abstract class Module<Output = Tensor> {
  #training = true
  #frozen = false
  #placed: string | undefined

  /** What the module makes of its inputs. */
  abstract forward(...inputs: any[]): Output

  /** Whether the module behaves as in training: dropout drops, batch norm uses the batch's statistics. True at first. */
  get training(): boolean {
    noteDependency(() => this.#training)
    return this.#training
  }

  /** Whether `freeze` was called last: parameters that are made later don't collect gradients either. */
  get frozen(): boolean {
    return this.#frozen
  }

  /** Puts this module and all in it in training mode, or with `false` in the mode for use. */
  train(training = true): this {
    for (const module of this.modules()) module.#training = training
    return this
  }

  /** Puts this module and all in it in the mode for use: dropout passes on, batch norm uses its running statistics. */
  eval(): this {
    return this.train(false)
  }

  /**
   * Runs `f` with this module and all in it in the mode for use, then puts each back in the mode it was in, whatever `f`
   * does.
   */
  async inUse<T>(f: () => T | Promise<T>): Promise<T> {
    const putBack = this.#use()
    try {
      return await f()
    } finally {
      putBack()
    }
  }

  /** @internal The same for an `f` that waits for nothing. */
  inUseSync<T>(f: () => T): T {
    const putBack = this.#use()
    try {
      return f()
    } finally {
      putBack()
    }
  }

  /** Puts all in the mode for use; what comes back puts each in the mode it was in. */
  #use(): () => void {
    const modes = this.modules().map((module) => [module, module.#training] as const)
    this.eval()
    return () => {
      for (const [module, training] of modes) module.#training = training
    }
  }

  /**
   * Stops training of all parameters in this module: they collect no gradient and optimizers leave them alone. Batch norm
   * still follows its statistics while in training mode; `eval` stops that too.
   */
  freeze(): this {
    return this.#setFrozen(true)
  }

  /** Takes `freeze` back. */
  unfreeze(): this {
    return this.#setFrozen(false)
  }

  #setFrozen(frozen: boolean): this {
    for (const module of this.modules()) module.#frozen = frozen
    for (const [, tensor] of this.variables('parameter')) requireGradient(tensor, !frozen)
    return this
  }

  /**
   * Brings all parameters and buffers in this module to a device, 'cpu' or 'cuda:0', in place: optimizers that know them, made
   * before or after, go on, and bring their own state along at their next step. Parameters that are yet to be made will be made there.
   */
  to(device: string): this {
    const name = checkDevice('to', device)
    for (const module of this.modules()) module.#placed = name
    for (const tensor of this.#state()) move(tensor, name)
    return this
  }

  /** Where the parameters and buffers are, or will be made: where `to` brought them, else on the default device. */
  get device(): string {
    return this.#state()[0]?.device ?? this.#placed ?? device()
  }

  /** Where `to` has put this module; undefined: nowhere yet. */
  protected get placed(): string | undefined {
    return this.#placed
  }

  #state(): Tensor<DType>[] {
    return [...this.variables('parameter'), ...this.variables('buffer')].map(([, tensor]) => tensor)
  }

  /** All parameters, frozen ones included: a module's own, then those of its members. Throws while a layer's sizes are unknown. */
  parameters(): Tensor[] {
    return [...this.namedParameters().values()]
  }

  /** All parameters by name, e.g. `conv.weight`; of one that is there twice the first name. */
  namedParameters(): Map<string, Tensor> {
    this.#expectBuilt('parameters')
    const named = new Map(this.variables('parameter')) as Map<string, Tensor>
    noteDependency(() => [...named.values()].map((tensor) => (tensor.requiresGradient ? 1 : 0)).join(''))
    return named
  }

  /** All buffers by name: state without a gradient, e.g. the running statistics of batch norm. */
  namedBuffers(): Map<string, Tensor<DType>> {
    this.#expectBuilt('namedBuffers')
    return new Map(this.variables('buffer'))
  }

  /** This module and all modules in it, each once, a module before its members. */
  modules(): Module<unknown>[] {
    return [...this.namedModules().values()]
  }

  /** This module under the name '' and all in it by name, e.g. `block.conv`; of one that is there twice the first name. */
  namedModules(): Map<string, Module<unknown>> {
    const named = new Map<string, Module<unknown>>()
    const seen = new Set<Module<unknown>>()
    const visit = (name: string, module: Module<unknown>) => {
      if (seen.has(module)) return
      seen.add(module)
      named.set(name, module)
      for (const [member, value] of module.members()) {
        if (value instanceof Module) visit(join(name, member), value)
      }
    }
    visit('', this)
    return named
  }

  /** The number of elements in all parameters. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * Makes the parameters of layers whose sizes were left to the first input, by passing zeros of `inputShape` (with the
   * batch axis, e.g. [1, 32, 32, 3]) through `forward` in the mode for use.
   */
  build(inputShape: readonly number[], options: { dtype?: DType | undefined } = {}): this {
    const { dtype = 'float32' } = options
    this.inUseSync(() => {
      tidy(() => noGrad(() => void this.forward(zeros(inputShape, { dtype, device: this.device }))))
    })
    return this
  }

  /** Whether all parameters are there: false while a layer in it waits for its first input to tell its size. */
  get built(): boolean {
    return this.modules().every((module) => module.ownBuilt)
  }

  /**
   * Writes all parameters and buffers to the safetensors file `path`, which appears complete or not at all. The values
   * are those at the time of the call.
   */
  save(path: string, options: SaveOptions = {}): Promise<void> {
    return saveWeights(this, path, options)
  }

  /**
   * Takes parameters and buffers from a file that `save` wrote, or with a `prefix` from a checkpoint; layers whose sizes are
   * still unknown take them from the file. All names and shapes must fit, else one error lists what is missing, unexpected or of another shape, and
   * nothing is changed.
   */
  async load(path: string, options: LoadOptions = {}): Promise<this> {
    await loadWeights(this, path, options)
    return this
  }

  /**
   * A table of the layers: the shapes of their results for an input of `inputShape` (with the batch axis), their parameters, and their
   * multiply-adds for this input; below it which parameters are trained, and the memory of the state and of all results.
   */
  summary(inputShape: readonly number[], options: { dtype?: DType | undefined } = {}): string {
    return summaryTable(this, inputShape, options.dtype ?? 'float32')
  }

  /** The modules in this one as a tree, with their settings, the shapes of their parameters and the parameter counts. */
  toString(): string {
    return toTree(this)
  }

  /** @internal What console.log prints. Not declared, so that the types need none of Node's. */
  [inspect.custom](): string {
    return this.toString()
  }

  /**
   * The products that are summed to make `result` of `input`, for `summary`: those of convolutions and dense layers. A module of your own
   * that multiplies matrices itself says so here; what its members do is counted by them.
   */
  multiplyAdds(_input: Tensor<DType>, _result: Tensor<DType>): number {
    return 0
  }

  /** The settings that `toString` shows between the name's brackets. */
  describe(): string {
    return ''
  }

  /** For modules that make their parameters late: whether this one's own are there. */
  get ownBuilt(): boolean {
    return true
  }

  /** The parts that hold state, by name, in order. Override it to find them elsewhere than in fields. */
  *members(): IterableIterator<[string, Module<unknown> | Tensor<DType>]> {
    for (const [name, field] of Object.entries(Object.getOwnPropertyDescriptors(this))) {
      if (field.enumerable) yield* held(name, field.value)
    }
  }

  /** The parameters, or the buffers, of this module and all in it by name, each once. */
  variables(kind: VariableKind): [string, Tensor<DType>][] {
    const found: [string, Tensor<DType>][] = []
    const seen = new Set<Tensor<DType>>()
    for (const [name, module] of this.namedModules()) {
      for (const [member, value] of module.members()) {
        if (!(value instanceof Tensor) || kindOf(value) !== kind || seen.has(value)) continue
        seen.add(value)
        found.push([join(name, member), value])
      }
    }
    return found
  }

  #expectBuilt(what: string): void {
    for (const [name, module] of this.namedModules()) {
      if (module.ownBuilt) continue
      const at = name ? `${module.constructor.name} ${name}` : module.constructor.name
      throw expected(what, 'layers that know their input size', `${at} before its first input`, BUILD_HINT)
    }
  }
}

function* held(name: string, value: unknown): IterableIterator<[string, Module<unknown> | Tensor<DType>]> {
  if (value instanceof Module) yield [name, value]
  else if (value instanceof Tensor) yield [name, value]
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) yield* held(`${name}.${i}`, item)
}
