// ONNX files as modules.
import { checkOptions, checkWord, expected, quoted } from '../../errors.js'
import { tensor } from '../../functional/creation.js'
import { Module } from '../../nn/module.js'
import { buffer, parameter } from '../../nn/parameter.js'
import { Tensor, tidy, type DType } from '../../tensor.js'
import type { NodeProto } from '../protobuf/onnx_pb.js'
import { constantOf, filled, OPERATORS, type Making, type Run } from './operators.js'
import { Attributes, isStandard, readModel, type Constant, type Model, type Port } from './read.js'
import { product } from './graph.js'
import { held, image, known, plain, shapeOf, type Value } from './values.js'

const OP = 'importOnnx'

/** How a file is read. */
export interface ImportOnnxOptions {
  /** The order of the axes of images in the file: 'NCHW' unless given here, or in a file that `exportOnnx` wrote; or 'NHWC'. */
  layout?: 'NCHW' | 'NHWC' | undefined
}

interface Step {
  readonly at: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly run: Run
}

/**
 * The network of an ONNX file: what `importOnnx` gives. Images go in and come out as [n, height, width, channels], whatever their order in
 * the file; anything else as the file says. Its weights are its parameters, under the names that they have in the file.
 */
export class OnnxNetwork extends Module {
  /** The texts that stand beside the network in the file. */
  readonly metadata: ReadonlyMap<string, string>
  readonly #inputs: readonly Port[]
  readonly #output: string
  readonly #steps: readonly Step[]
  readonly #tensors: ReadonlyMap<string, Tensor<DType>>
  readonly #constants: ReadonlyMap<string, Value>
  /** Whether images of the file have their channels as the second axis. */
  readonly #first: boolean

  /** @internal */
  constructor(
    model: Model,
    layout: 'NCHW' | 'NHWC',
    steps: readonly Step[],
    tensors: ReadonlyMap<string, Tensor<DType>>,
    constants: ReadonlyMap<string, Value>
  ) {
    super()
    this.#first = layout === 'NCHW'
    this.metadata = model.metadata
    this.#inputs = model.inputs
    this.#output = model.outputs[0]!.name
    this.#steps = steps
    this.#tensors = tensors
    this.#constants = constants
  }

  /** The inputs in the order of the file. */
  forward(...inputs: Tensor<any>[]): Tensor {
    const op = 'OnnxNetwork'
    if (inputs.length !== this.#inputs.length) {
      const names = this.#inputs.map(({ name }) => name).join(', ')
      throw expected(op, `${this.#inputs.length} inputs (${names})`, `${inputs.length}`)
    }
    const values = new Map<string, Value>(this.#constants)
    for (const [i, port] of this.#inputs.entries()) values.set(port.name, inputOf(op, port, inputs[i], this.#first))
    for (const { at, inputs: names, outputs, run } of this.#steps) {
      try {
        const results = [
          run(
            names.map((name) => (name ? values.get(name) : undefined)),
            inputs[0]!.device
          )
        ].flat()
        for (const [i, result] of results.entries()) if (outputs[i]) values.set(outputs[i], result)
      } catch (error) {
        throw new Error(`${(error as Error).message} This is at ${at}.`, { cause: error })
      }
    }
    const result = values.get(this.#output)
    if (result === undefined || !('tensor' in result)) throw expected(op, `a tensor as ${this.#output}`, 'none')
    return this.#first && result.tensor.rank === 4 ? image(result) : plain(result)
  }

  override *members(): IterableIterator<[string, Module<unknown> | Tensor<DType>]> {
    yield* this.#tensors
  }

  override describe(): string {
    return `${this.#steps.length} nodes`
  }
}

function inputOf(op: string, { name, shape }: Port, x: unknown, channelsFirst: boolean): Value {
  if (!(x instanceof Tensor)) throw expected(op, `a tensor as ${name}`, quoted(x))
  const value = held(x, channelsFirst && x.rank === 4)
  const fits = !shape || (shape.length === x.rank && shapeOf(value).every((size, i) => size === (shape[i] ?? size)))
  if (fits) return value
  const [first, second, ...rest] = shape.map((size, i) => size ?? (i === 0 ? 'n' : '?'))
  const wanted = channelsFirst && shape.length === 4 ? [first, ...rest, second] : [first, second, ...rest]
  throw expected(
    op,
    `[${wanted.filter((size) => size !== undefined).join(', ')}] as ${name}`,
    `[${x.shape.join(', ')}]`
  )
}

/**
 * Reads the network of an ONNX file, for use: convolutions, pools, norms, dense layers, activations and what puts them together, of
 * one output. Nothing of the file is executed, no other file is read, and a damaged or malicious one is refused.
 *
 *     const network = await nt.importOnnx('resnet18.onnx')
 *     const scores = network.forward(images)                         // [n, height, width, channels], as everywhere
 *
 * @throws where the file is malformed, refers to other files, or has an operator that isn't known, which the error names
 */
export async function importOnnx(path: string, options: ImportOnnxOptions = {}): Promise<OnnxNetwork> {
  if (typeof path !== 'string' || path === '') throw expected(OP, 'the path of a file', quoted(path))
  const told = checkOptions(OP, options, ['layout']).layout
  const model = await readModel(path)
  const own = model.metadata.get('layout') === 'NHWC' ? 'NHWC' : 'NCHW'
  const layout = checkWord(OP, 'a layout', told ?? own, ['NCHW', 'NHWC'] as const)
  if (model.outputs.length !== 1) throw expected(OP, `a network of one output in ${path}`, `${model.outputs.length}`)
  return tidy(() => new Importer(model, path).network(layout)).eval()
}

/** What an operator that weights come through makes of constants. */
function fold(
  operator: string,
  [x, sizes]: readonly (Constant | undefined)[],
  attributes: Attributes,
  at: string
): Constant | undefined {
  if (x && operator === 'Identity') return x
  if (x && operator === 'ConstantOfShape') return filled(x.values, attributes, at)
  if (!x || !sizes || operator !== 'Reshape' || attributes.int('allowzero', 0) !== 0) return undefined
  const told = Array.from(sizes.values, (size, i) => (size === 0 ? (x.shape[i] ?? 0) : size))
  const rest = x.values.length / told.reduce((product, size) => (size === -1 ? product : product * size), 1)
  const shape = told.map((size) => (size === -1 ? rest : size))
  return product(shape) === x.values.length ? { ...x, shape } : undefined
}

class Importer {
  readonly #model: Model
  readonly #path: string
  readonly #tensors = new Map<string, Tensor<DType>>()
  readonly #constants = new Map<string, Value>()
  /** What is there before a node runs. */
  readonly #made: Set<string>

  constructor(model: Model, path: string) {
    this.#model = model
    this.#path = path
    this.#made = new Set([...model.inputs.map(({ name }) => name), ...model.constants.keys()])
  }

  network(layout: 'NCHW' | 'NHWC'): OnnxNetwork {
    const steps = this.#model.nodes.map((node, i) => this.#step(node, i)).filter((step) => step !== undefined)
    const [{ name }] = this.#model.outputs as [Port]
    if (!this.#made.has(name)) throw expected(OP, `a node that makes the output ${name} in ${this.#path}`, 'none')
    return new OnnxNetwork(this.#model, layout, steps, this.#tensors, this.#constants)
  }

  /** Nothing for a node that is a constant, or another name for one. */
  #step(node: NodeProto, i: number): Step | undefined {
    const { opType, domain, input, output } = node
    const { constants } = this.#model
    const at = `${opType} ${node.name || `number ${i + 1}`}`
    // Nodes stand after those whose results they take: so there are no circles either.
    for (const name of input) {
      if (name && !this.#made.has(name)) throw expected(OP, `${name} to be made before ${at} in ${this.#path}`, 'none')
    }
    for (const name of output.filter(Boolean)) {
      if (this.#made.has(name)) throw expected(OP, `one node that makes ${name} in ${this.#path}`, 'two')
      this.#made.add(name)
    }
    const attributes = new Attributes(node, at)
    if (isStandard(domain) && opType === 'Constant') {
      constants.set(output[0]!, constantOf(attributes, at))
      attributes.finish()
      return undefined
    }
    const given = input.map((name) => constants.get(name))
    const folded = isStandard(domain) ? fold(opType, given, attributes, at) : undefined
    if (folded) {
      constants.set(output[0]!, folded)
      attributes.finish()
      return undefined
    }
    const make = isStandard(domain) ? OPERATORS.get(opType) : undefined
    if (make === undefined) {
      const hint = `There are ${[...OPERATORS.keys(), 'Constant'].sort().join(', ')}.`
      throw expected(OP, `operators that are known in ${this.#path}`, `${at}${domain ? ` of ${domain}` : ''}`, hint)
    }
    const taken = new Set<string>()
    const run = make(this.#making(node, at, attributes, taken))
    attributes.finish()
    for (const name of input) {
      const value = constants.get(name)
      if (value && !taken.has(name) && !this.#constants.has(name)) this.#constants.set(name, this.#value(name, value))
    }
    return { at, inputs: input.map((name) => (taken.has(name) ? '' : name)), outputs: output, run }
  }

  #making(node: NodeProto, at: string, attributes: Attributes, taken: Set<string>): Making {
    const { constants, opset } = this.#model
    const constant = (i: number): Constant | undefined => constants.get(node.input[i] ?? '')
    return {
      node,
      at,
      opset,
      attributes,
      isWeight: (i) => constant(i)?.kind === 'floats',
      number: (i) => {
        if (!node.input[i]) return undefined
        taken.add(node.input[i])
        const found = constant(i)
        if (found?.values.length === 1) return found.values[0]
        throw expected(
          OP,
          `one number in the file as input ${i + 1} of ${at}`,
          found ? `${found.values.length}` : 'none'
        )
      },
      weight: (i, arrange = (x) => x, kind = 'parameter') => {
        const found = constant(i)
        if (found?.kind !== 'floats') {
          throw expected(OP, `floats in the file as input ${i + 1} of ${at}`, found ? 'whole numbers' : 'none')
        }
        taken.add(node.input[i]!)
        const arranged = arrange(tensor(found.values, found.shape))
        return this.#keep(node.input[i]!, kind === 'parameter' ? parameter(arranged) : buffer(arranged))
      }
    }
  }

  /** A constant as nodes take it: shapes and the like as numbers, others in a buffer. */
  #value(name: string, { kind, shape, values }: Constant): Value {
    if (kind === 'whole' && shape.length < 2) return known(values, shape.length === 0)
    const made = kind === 'whole' ? tensor(Int32Array.from(values), shape) : tensor(values, shape)
    return held(this.#keep(name, buffer<DType>(made)))
  }

  /** Under its name in the file, or one like it where it is used in several ways. */
  #keep<T extends Tensor<DType>>(name: string, value: T): T {
    let free = name
    for (let next = 1; this.#tensors.has(free); next++) free = `${name}_${next}`
    this.#tensors.set(free, value)
    return value
  }
}
