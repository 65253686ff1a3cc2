// An ONNX file, written piece by piece: what is large, the tensors, is never copied into one message.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { expected } from '../../errors.js'
import { writeAtomically } from '../atomic.js'
import type { GraphProtoSchema, ModelProtoSchema } from '../protobuf/onnx_pb.js'

/** A tensor as it will stand in the file. */
export interface FileTensor {
  name: string
  type: number
  shape: readonly number[]
  /** The number of bytes. */
  size: number
  bytes: Promise<Uint8Array>
}

/** No message of protobuf may be larger. */
const MAX_BYTES = 2 ** 31 - 1

/** The numbers of the fields that hold what is written by itself: see lib/io/protobuf/onnx.proto. */
const FIELDS = { graph: 7, initializer: 5, rawData: 9 }

/** Writes a model, given without its graph, the graph, without its tensors, and these. */
export async function writeModel(
  path: string,
  model: MessageInitShape<typeof ModelProtoSchema>,
  graph: MessageInitShape<typeof GraphProtoSchema>,
  tensors: readonly FileTensor[]
): Promise<void> {
  const { create, toBinary, onnx } = await import('../protobuf/messages.js')
  // A message is its fields one after the other: a part of it and the rest, written in turn, are the message.
  const heads = tensors.map(({ name, type, shape, size }) => {
    const rest = toBinary(
      onnx.TensorProtoSchema,
      create(onnx.TensorProtoSchema, { name, dataType: type, dims: shape.map(BigInt) })
    )
    const raw = head(FIELDS.rawData, size)
    return [head(FIELDS.initializer, rest.length + raw.length + size), rest, raw]
  })
  const outer = toBinary(onnx.ModelProtoSchema, create(onnx.ModelProtoSchema, model))
  const inner = toBinary(onnx.GraphProtoSchema, create(onnx.GraphProtoSchema, graph))
  const size = tensors.reduce((sum, tensor, i) => sum + Buffer.concat(heads[i]!).length + tensor.size, inner.length)
  const pieces = [outer, head(FIELDS.graph, size), inner]
  const total = pieces.reduce((sum, { length }) => sum + length, size)
  const settled = await Promise.allSettled(tensors.map(({ bytes }) => bytes))
  if (total > MAX_BYTES) throw expected('exportOnnx', `a network of at most ${MAX_BYTES} bytes`, `${total}`)
  await writeAtomically(path, async (file) => {
    await file.writeFile(Buffer.concat(pieces))
    for (const [i, bytes] of settled.entries()) {
      if (bytes.status === 'rejected') throw bytes.reason
      await file.writeFile(Buffer.concat(heads[i]!))
      await file.writeFile(bytes.value)
    }
  })
}

/** What stands before a field of bytes: its number and form, and how many they are. */
function head(field: number, size: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8 + 2), ...varint(size)])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return [...bytes, value]
}
