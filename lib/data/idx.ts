// The IDX format of MNIST (bytes only): two zero bytes, the type (8: unsigned byte), the number of axes, then their
// lengths as big-endian 32-bit integers, then the values in row-major order. Decoded sets are cached in it, too.
import { open, type FileHandle } from 'node:fs/promises'
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

/** Reads the IDX file `file`. */
export async function readIdxFile(op: string, file: string): Promise<ByteArray> {
  const input = await open(file)
  try {
    // One read into one buffer, where it can be: `readFile` would read in pieces.
    const { size } = await input.stat()
    const bytes = Buffer.allocUnsafeSlow(size)
    let at = 0
    while (at < size) {
      const { bytesRead } = await input.read(bytes, at, Math.min(size - at, 2 ** 30), at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return readIdx(op, file, bytes.subarray(0, at))
  } finally {
    await input.close()
  }
}

/** Writes the new IDX file `file`. */
export async function writeIdxFile(file: string, { shape, data }: ByteArray): Promise<void> {
  const output = await IdxWriter.open(file, shape.slice(1))
  try {
    await output.append(data)
    await output.finish(shape[0]!)
  } finally {
    await output.close()
  }
}

/** Writes a new IDX file piece by piece; how many entries the first axis has is said at the end. */
export class IdxWriter {
  readonly #file: FileHandle
  readonly #inner: number[]

  private constructor(file: FileHandle, inner: number[]) {
    this.#file = file
    this.#inner = inner
  }

  /** `inner` are the lengths of all axes but the first. */
  static async open(file: string, inner: number[]): Promise<IdxWriter> {
    const writer = new IdxWriter(await open(file, 'wx'), inner)
    await writer.#file.writeFile(idxHeader([0, ...inner]))
    return writer
  }

  append(data: Uint8Array): Promise<void> {
    return this.#file.writeFile(data)
  }

  /** The first axis has `length` entries; the file is complete on disk when this resolves. */
  async finish(length: number): Promise<void> {
    await this.#file.write(idxHeader([length, ...this.#inner]), 0, undefined, 0)
    await this.#file.sync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
