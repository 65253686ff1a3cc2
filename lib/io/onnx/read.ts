// An ONNX file as plain data. It may come from anywhere: what is malformed is refused, and nothing beside it is ever read.
import { open } from 'node:fs/promises'
import { expected } from '../../errors.js'
import type { AttributeProto, ModelProto, NodeProto, TensorProto } from '../protobuf/onnx_pb.js'
import { DATA_TYPES } from './types.js'

/** A tensor that stands in the file: floats as they will be computed with, or whole numbers. */
export type Constant =
  | { readonly kind: 'floats'; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly kind: 'whole'; readonly shape: readonly number[]; readonly values: readonly number[] }

/** An input or output: its name, and its sizes where they are fixed. */
export interface Port {
  name: string
  shape: readonly (number | undefined)[] | undefined
}

export interface Model {
  opset: number
  nodes: NodeProto[]
  constants: Map<string, Constant>
  inputs: Port[]
  outputs: Port[]
  metadata: Map<string, string>
}

const OP = 'importOnnx'
const MAX_BYTES = 2 ** 31 - 1
const MAX_RANK = 8
/** The opset that made broadcasting what it is, and the last that this was written for. */
const OPSETS = [7, 28] as const

export async function readModel(path: string): Promise<Model> {
  const { graph, opsetImport, metadataProps } = await parse(path)
  const refuse = (what: string, got: string) => expected(OP, `${what} in ${path}`, got)
  if (!graph || graph.node.length === 0) throw refuse('a graph with nodes', 'none')
  const opset = Number(opsetImport.find(({ domain }) => isStandard(domain))?.version ?? 0)
  const [low, high] = OPSETS
  if (!(opset >= low && opset <= high)) throw refuse(`an opset from ${low} to ${high}`, `${opset}`)
  const constants = new Map<string, Constant>()
  for (const tensor of graph.initializer) constants.set(tensor.name, decode(tensor, `${tensor.name} in ${path}`))
  const ports = (list: typeof graph.input): Port[] =>
    list.map(({ name, type }) => {
      const dims = type?.tensorType?.shape?.dim
      const sizes = dims?.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : undefined))
      return { name, shape: sizes }
    })
  return {
    opset,
    nodes: graph.node,
    constants,
    inputs: ports(graph.input).filter(({ name }) => !constants.has(name)),
    outputs: ports(graph.output),
    metadata: new Map(metadataProps.map(({ key, value }) => [key, value]))
  }
}

export const isStandard = (domain: string): boolean => domain === '' || domain === 'ai.onnx'

async function parse(path: string): Promise<ModelProto> {
  const { fromBinary, onnx } = await import('../protobuf/messages.js')
  const file = await open(path)
  try {
    const info = await file.stat()
    if (!info.isFile()) throw expected(OP, `a file at ${path}`, 'something else')
    if (info.size > MAX_BYTES) throw expected(OP, `at most ${MAX_BYTES} bytes in ${path}`, `${info.size}`)
    const bytes = await file.readFile()
    try {
      return fromBinary(onnx.ModelProtoSchema, bytes, { readUnknownFields: false })
    } catch (error) {
      throw expected(OP, `an ONNX model in ${path}`, (error as Error).message.replace(/\.$/, ''))
    }
  } finally {
    await file.close()
  }
}

/** The values of a tensor. Those that lie in files of their own are never looked for. */
export function decode(tensor: TensorProto, what: string): Constant {
  const refuse = (need: string, got: string) => expected(OP, `${need} for ${what}`, got)
  if (tensor.dataLocation !== 0 || tensor.externalData.length > 0) {
    throw refuse('values within the file', 'a reference to another')
  }
  const shape = tensor.dims.map(Number)
  if (shape.length > MAX_RANK || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw refuse(`at most ${MAX_RANK} sizes`, `[${shape.join(', ')}]`)
  }
  const values = valuesOf(tensor)
  if (values === undefined) throw refuse('floats or whole numbers', `data type ${tensor.dataType}`)
  const wanted = shape.reduce((product, size) => product * size, 1)
  if (values.length !== wanted) throw refuse(`${wanted} values [${shape.join(', ')}]`, `${values.length}`)
  return values instanceof Float32Array ? { kind: 'floats', shape, values } : { kind: 'whole', shape, values }
}

/** Undefined for a data type that isn't read; of a length that isn't whole elements what is whole. */
function valuesOf({
  dataType,
  rawData,
  floatData,
  doubleData,
  int32Data,
  int64Data
}: TensorProto): Float32Array | number[] | undefined {
  // A copy: an array of numbers must begin at a multiple of their width.
  const raw = rawData && new Uint8Array(rawData).buffer
  const view = <T>(type: {
    new (buffer: ArrayBuffer, start: number, length: number): T
    BYTES_PER_ELEMENT: number
  }): T => {
    const length = raw!.byteLength / type.BYTES_PER_ELEMENT
    return new type(raw!, 0, Number.isInteger(length) ? length : 0)
  }
  switch (dataType) {
    case DATA_TYPES.FLOAT:
      return raw ? view(Float32Array) : Float32Array.from(floatData)
    case DATA_TYPES.DOUBLE:
      return Float32Array.from(raw ? view(Float64Array) : doubleData)
    case DATA_TYPES.FLOAT16:
      return Float32Array.from(raw ? view(Uint16Array) : int32Data, fromFloat16)
    case DATA_TYPES.BFLOAT16: {
      const bits = Uint32Array.from(raw ? view(Uint16Array) : int32Data, (value) => value << 16)
      return new Float32Array(bits.buffer)
    }
    case DATA_TYPES.INT32:
      return raw ? [...view(Int32Array)] : int32Data
    case DATA_TYPES.INT64:
      return Array.from(raw ? view(BigInt64Array) : int64Data, Number)
    case DATA_TYPES.BOOL:
    case DATA_TYPES.UINT8:
      return raw ? [...view(Uint8Array)] : int32Data
    default:
      return undefined
  }
}

function fromFloat16(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction)
}

/** The attributes of one node, each of which must be asked for: one that isn't understood would give wrong results. */
export class Attributes {
  readonly #node: NodeProto
  readonly #named: Map<string, AttributeProto>
  readonly #asked = new Set<string>()
  readonly #at: string

  constructor(node: NodeProto, at: string) {
    this.#node = node
    this.#at = at
    this.#named = new Map(node.attribute.map((attribute) => [attribute.name, attribute]))
  }

  #take(name: string): AttributeProto | undefined {
    this.#asked.add(name)
    return this.#named.get(name)
  }

  int(name: string): number | undefined
  int(name: string, otherwise: number): number
  int(name: string, otherwise?: number): number | undefined {
    const found = this.#take(name)
    return found ? Number(found.i ?? 0n) : otherwise
  }

  float(name: string, otherwise: number): number {
    const found = this.#take(name)
    return found ? (found.f ?? 0) : otherwise
  }

  text(name: string, otherwise: string): string {
    const found = this.#take(name)
    return found ? new TextDecoder().decode(found.s) : otherwise
  }

  ints(name: string): number[] | undefined {
    return this.#take(name)?.ints.map(Number)
  }

  floats(name: string): number[] | undefined {
    return this.#take(name)?.floats
  }

  tensor(name: string): Constant | undefined {
    const found = this.#take(name)
    return found?.t && decode(found.t, `${name} of ${this.#at}`)
  }

  /** An attribute that only one value is understood of. */
  only(name: string, value: number): void {
    const got = this.int(name, value)
    if (got !== value) throw expected(OP, `${name} ${value} of ${this.#at}`, `${got}`)
  }

  /** Refuses the attributes that nobody has asked for. */
  finish(): void {
    const other = [...this.#named.keys()].find((name) => !this.#asked.has(name))
    if (other === undefined) return
    throw expected(OP, `attributes that are understood of ${this.#at}`, `'${other}' of ${this.#node.opType}`)
  }
}
