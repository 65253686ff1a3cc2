// The IDX format of MNIST (bytes only): two zero bytes, the type (8: unsigned byte), the number of axes, then their
// lengths as big-endian 32-bit integers, then the values in row-major order. Decoded sets are cached in it, too.
import { expected } from '../errors.js'

const UNSIGNED_BYTE = 0x08

export interface ByteArray {
  shape: number[]
  /** The values, row-major; a view into what was given to `readIdx`. */
  data: Uint8Array
}

/** Reads an IDX file of unsigned bytes. `name` is for messages. */
export function readIdx(op: string, name: string, bytes: Uint8Array): ByteArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4) throw expected(op, `an IDX file in ${name}`, `${bytes.length} bytes`)
  const magic = view.getUint32(0)
  const rank = magic & 0xff
  if (magic >>> 8 !== UNSIGNED_BYTE || rank === 0) {
    const hex = magic.toString(16).padStart(8, '0')
    const hint = magic >>> 16 === 0x1f8b ? 'That is a gzip file: decompress it first.' : ''
    throw expected(op, `the IDX magic number 000008NN of unsigned bytes in ${name}`, hex, hint)
  }
  const header = 4 + 4 * rank
  if (bytes.length < header) throw expected(op, `${header} bytes of IDX header in ${name}`, `${bytes.length} bytes`)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const total = header + shape.reduce((product, length) => product * length, 1)
  if (bytes.length !== total) {
    throw expected(op, `${total} bytes for shape [${shape.join(', ')}] in ${name}`, `${bytes.length} bytes`)
  }
  return { shape, data: bytes.subarray(header) }
}

/** The IDX header that belongs before the values of an array of unsigned bytes. */
export function idxHeader(shape: number[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length))
  header.setUint32(0, (UNSIGNED_BYTE << 8) | shape.length)
  shape.forEach((length, axis) => header.setUint32(4 + 4 * axis, length))
  return new Uint8Array(header.buffer)
}
