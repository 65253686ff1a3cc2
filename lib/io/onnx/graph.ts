// An ONNX graph in the making. Images are [n, height, width, channels] here and [n, channels, height, width] there: a value knows which
// of the two it is in the file, so that axes are exchanged only where something needs the other order.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { expected } from '../../errors.js'
import { keep, tidy, type Tensor } from '../../tensor.js'
import type { NodeProtoSchema } from '../protobuf/onnx_pb.js'
import type { FileTensor } from './file.js'
import { ATTRIBUTE_TYPES, DATA_TYPES } from './types.js'

/** A result in the graph. */
export interface Value {
  readonly name: string
  /** As the library has it, batch first; the batch's size is of no matter. */
  readonly shape: readonly number[]
  /**
   * How it lies in the file. 'ours': as `shape` says. 'first': channels are the second axis, not the last. An image's
   * [height, width, channels]: [n, features] that were such an image, flattened with channels first.
   */
  readonly layout: 'ours' | 'first' | readonly number[]
}

type Node = MessageInitShape<typeof NodeProtoSchema>
type Attribute = number | string | readonly number[] | { float: number }

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)

/** From [n, ..., channels] to [n, channels, ...]. */
export const channelsFirst = (rank: number): number[] => [
  0,
  rank - 1,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 1)
]
/** And back. */
export const channelsLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]

export class Graph {
  readonly nodes: Node[] = []
  readonly tensors: FileTensor[] = []
  readonly #names = new Set<string>()
  readonly #weights = new Map<Tensor, Map<string, string>>()
  /** The name of the module that is being written. */
  at = ''

  /** `name`, or the next free name like it. */
  unique(name: string): string {
    let free = name
    for (let next = 1; this.#names.has(free); next++) free = `${name}_${next}`
    this.#names.add(free)
    return free
  }

  /** A node of one result, whose shape and layout are those of `like` unless given. */
  node(
    type: string,
    inputs: readonly (Value | string)[],
    attributes: Readonly<Record<string, Attribute | undefined>>,
    like: Partial<Value> & Pick<Value, 'shape'> = inputs[0] as Value
  ): Value {
    const name = this.unique(`${this.at || 'network'}/${type}`)
    this.nodes.push({
      name,
      opType: type,
      input: inputs.map((input) => (typeof input === 'string' ? input : input.name)),
      output: [name],
      attribute: Object.entries(attributes).flatMap(([key, value]) =>
        value === undefined ? [] : [attribute(key, value)]
      )
    })
    return { name, shape: like.shape, layout: like.layout ?? 'ours' }
  }

  /**
   * A tensor of the network in the file, as float32; one that is there already is used again.
   * @param arrange what is made of it before, and a name for that
   */
  weight(
    name: string,
    tensor: Tensor,
    [form, arrange]: readonly [string, (tensor: Tensor) => Tensor] = ['', (x) => x]
  ): string {
    const forms = this.#weights.get(tensor) ?? new Map<string, string>()
    this.#weights.set(tensor, forms)
    const known = forms.get(form)
    if (known !== undefined) return known
    const arranged = keep(tidy(() => arrange(tensor.detach().astype('float32'))))
    const { shape, size } = arranged
    const unique = this.unique(this.at ? `${this.at}.${name}` : name)
    // Read now: what is trained meanwhile doesn't show in the file.
    this.tensors.push({ name: unique, type: DATA_TYPES.FLOAT, shape, size: 4 * size, bytes: arranged.bytes() })
    arranged.dispose()
    forms.set(form, unique)
    return unique
  }

  /** Whole numbers or floats in the file. */
  constant(values: BigInt64Array | Float32Array, shape: readonly number[] = [values.length]): string {
    const name = this.unique(`${this.at || 'network'}/constant`)
    const type = values instanceof Float32Array ? DATA_TYPES.FLOAT : DATA_TYPES.INT64
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    this.tensors.push({ name, type, shape, size: bytes.length, bytes: Promise.resolve(bytes) })
    return name
  }

  whole(...values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt))
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), [])
  }

  /** The value with channels as the second axis: an image or a sequence. */
  first(x: Value): Value {
    if (x.layout === 'first') return x
    if (x.shape.length < 3) throw expected('exportOnnx', `an image at ${this.at}`, `[${x.shape.join(', ')}]`)
    return this.node('Transpose', [x], { perm: channelsFirst(x.shape.length) }, { shape: x.shape, layout: 'first' })
  }

  /** The value with its axes, and what it has been flattened from, in the library's order. */
  ours(x: Value): Value {
    if (x.layout === 'ours') return x
    if (x.layout === 'first') {
      return this.node('Transpose', [x], { perm: channelsLast(x.shape.length) }, { shape: x.shape, layout: 'ours' })
    }
    const [height, width, channels] = x.layout as [number, number, number]
    const image = this.reshape(x, [0, channels, height, width], { shape: [1, ...x.layout], layout: 'first' })
    return this.node('Flatten', [this.ours(image)], { axis: 1 }, { shape: x.shape })
  }

  /** Both in one layout: the first's where one has to be changed. */
  alike(x: Value, y: Value): [Value, Value] {
    if (String(x.layout) === String(y.layout)) return [x, y]
    return x.layout === 'first' && y.shape.length > 2 ? [x, this.first(y)] : [this.ours(x), this.ours(y)]
  }

  /** `sizes` as ONNX has them: 0 is the size that the axis had, -1 what is left. */
  reshape(x: Value, sizes: readonly number[], like: Pick<Value, 'shape'> & Partial<Value>): Value {
    return this.node('Reshape', [x, this.whole(...sizes)], {}, like)
  }

  /** Makes one axis of all from the second on. */
  flatten(x: Value): Value {
    const shape = [x.shape[0]!, product(x.shape.slice(1))]
    const image = x.shape.slice(1)
    const moved = x.layout === 'first' && image.length === 3 && image[2] !== 1 && image[0]! * image[1]! !== 1
    const before = x.layout === 'first' && image.length !== 3 ? this.ours(x) : x
    return this.node('Flatten', [before], { axis: 1 }, { shape, layout: moved ? image : 'ours' })
  }

  /** Where an axis of `x` is in the file. */
  axisOf(x: Value, axis: number): number {
    const rank = x.shape.length
    const own = axis < 0 ? axis + rank : axis
    return x.layout === 'first' ? channelsLast(rank)[own]! : own
  }
}

function attribute(name: string, value: Attribute) {
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPES.STRING, s: new TextEncoder().encode(value) }
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPES.INT, i: BigInt(value) }
  if ('float' in value) return { name, type: ATTRIBUTE_TYPES.FLOAT, f: value.float }
  return { name, type: ATTRIBUTE_TYPES.INTS, ints: value.map(BigInt) }
}
