// Tensors in files of the safetensors format. Nothing of a file is ever executed.
import { open, type FileHandle } from 'node:fs/promises'
import { checkDevice } from '../device.js'
import { expected, quoted } from '../errors.js'
import { fromBytes, type Placement } from '../functional.js'
import { Tensor, type DType } from '../tensor.js'
import { writeAtomically } from './atomic.js'
import { decodeHeader, encodeHeader, layOut, MAX_HEADER, refusal, type Header } from './safetensors-header.js'

/** Named tensors and the texts that stand beside them in a safetensors file. */
export interface Safetensors {
  /** The tensors by name. */
  tensors: Map<string, Tensor<DType>>
  /** Texts by name. */
  metadata: Map<string, string>
}

/** @inline */
type Named<T> = Iterable<readonly [string, T]> | Readonly<Record<string, T>>

/**
 * Writes `tensors` (by name, of any dtype) and `metadata` (texts by name) to the safetensors file `path`. The values are
 * those at the time of the call. The file appears complete or, where something fails, not at all; one that is there
 * is replaced.
 */
export async function writeSafetensors(
  path: string,
  tensors: Named<Tensor<DType>>,
  metadata: Named<string> = {}
): Promise<void> {
  await takeSafetensors(tensors, metadata)(path)
}

/** @internal Memory for large tensors that are read again and again. New memory each time is work for the garbage collector. */
export class Memory {
  static readonly least = 2 ** 16
  readonly #free: ArrayBuffer[] = []

  take(bytes: number): ArrayBuffer {
    const at = this.#free.findIndex(({ byteLength }) => byteLength === bytes)
    return at < 0 ? new ArrayBuffer(bytes) : this.#free.splice(at, 1)[0]!
  }

  give(memory: ArrayBufferLike): void {
    if (memory instanceof ArrayBuffer && memory.byteLength >= Memory.least) this.#free.push(memory)
  }
}

/**
 * @internal Takes the values of tensors as they are now: all reads are put in the queue at once, and a step that is taken meanwhile
 * doesn't show. Gives what writes them, as `writeSafetensors`, which may be done later, and once.
 */
export function takeSafetensors(
  tensors: Named<Tensor<DType>>,
  metadata: Named<string>,
  memory?: Memory
): (path: string) => Promise<void> {
  const named = uniqueNames(tensors)
  for (const [name, tensor] of named) {
    if (!(tensor instanceof Tensor)) throw expected('writeSafetensors', `a tensor as ${name}`, quoted(tensor))
  }
  const texts = uniqueNames(metadata)
  for (const [name, text] of texts) {
    if (typeof text !== 'string') throw expected('writeSafetensors', `text as metadata ${name}`, quoted(text))
  }
  const entries = layOut([...named].map(([name, { dtype, shape }]) => [name, dtype, shape]))
  const contents = Promise.allSettled(
    [...entries].map(([name, { begin, end }]) => {
      const tensor = named.get(name)!
      return memory && end - begin >= Memory.least ? tensor.bytesInto(memory.take(end - begin)) : tensor.bytes()
    })
  )
  return async (path) => {
    const settled = await contents
    await writeAtomically(path, async (file) => {
      await writeAll(file, encodeHeader({ entries, metadata: texts }))
      for (const content of settled) {
        if (content.status === 'rejected') throw content.reason
        await writeAll(file, content.value)
      }
    })
    for (const content of settled) if (content.status === 'fulfilled') memory?.give(content.value.buffer)
  }
}

/**
 * Reads the safetensors file `path`. Throws for a file that is malformed in any way (lengths, JSON, names that stand
 * twice, dtypes, shapes, ranges of bytes that overlap, leave holes or end outside the file), before a tensor is made. The tensors are
 * made on the default device unless another is given.
 */
export async function readSafetensors(path: string, options: Placement = {}): Promise<Safetensors> {
  const device = checkDevice('readSafetensors', options.device)
  const file = await open(path)
  try {
    const { entries, metadata, start } = await readHeader(file, path)
    const tensors = new Map<string, Tensor<DType>>()
    for (const [name, { dtype, shape, begin, end }] of entries) {
      const bytes = await readExactly(file, start + begin, end - begin, path)
      if (dtype === 'bool') checkBools(bytes, name, path)
      tensors.set(name, fromBytes(bytes, shape, dtype, { device }))
    }
    return { tensors, metadata }
  } finally {
    await file.close()
  }
}

async function readHeader(file: FileHandle, path: string): Promise<Header & { start: number }> {
  const { size } = await file.stat()
  if (size < 8) throw refusal(path, 'at least 8 bytes', `${size}`)
  const length = Number((await readExactly(file, 0, 8, path)).readBigUInt64LE())
  if (length > MAX_HEADER) throw refusal(path, `a header of at most ${MAX_HEADER} bytes`, `${length}`)
  const start = 8 + length
  if (start > size) throw refusal(path, `a header of ${length} bytes`, `${size - 8}`)
  return { ...decodeHeader(await readExactly(file, 8, length, path), size - start, path), start }
}

async function readExactly(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done)
    if (bytesRead === 0) throw refusal(path, `${position + length} bytes`, `${position + done}`)
    done += bytesRead
  }
  return bytes
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 2 ** 30))
    done += bytesWritten
  }
}

/** A bool is one byte, 0 or 1; kernels count on it. */
function checkBools(bytes: Buffer, name: string, path: string): void {
  const wrong = bytes.find((byte) => byte > 1)
  if (wrong !== undefined) throw refusal(path, `0 or 1 as the bools of ${JSON.stringify(name)}`, `${wrong}`)
}

function uniqueNames<T>(named: Named<T>): Map<string, T> {
  const entries = Symbol.iterator in named ? [...named] : Object.entries(named)
  const unique = new Map<string, T>()
  for (const [name, value] of entries) {
    if (typeof name !== 'string' || name.split('.').includes('__proto__') || name === '__metadata__') {
      throw expected('writeSafetensors', 'text other than __metadata__ and __proto__ as a name', String(name))
    }
    if (unique.has(name)) throw expected('writeSafetensors', 'each name once', `${JSON.stringify(name)} twice`)
    unique.set(name, value)
  }
  return unique
}
