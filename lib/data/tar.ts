// Members of tar archives (ustar, with pax and GNU long names), plain or gzipped, one after the other from a stream.
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { Damaged, type Entry } from './archive-entry.js'

const BLOCK = 512
/** Pax and long-name records are small; more is an attack. */
const MAX_RECORD = 2 ** 20

/** The members of the tar archive `file`, unpacked with gzip if `gzipped`. Throws after more than `maxBytes` of archive. */
export async function* tarEntries(file: string, gzipped: boolean, maxBytes: number): AsyncGenerator<Entry> {
  const input = new Blocks(openStream(file, gzipped), maxBytes)
  try {
    for await (const { name, type, size } of headers(input)) {
      let taken = false
      const read = async () => {
        taken = true
        return (await input.read(padded(size))).subarray(0, size)
      }
      yield {
        name,
        size,
        isFile: type === '0' || type === '\0' || type === '7',
        kind: `type ${JSON.stringify(type)}`,
        read
      }
      if (!taken) await input.skip(padded(size))
    }
  } finally {
    await input.close()
  }
}

function openStream(file: string, gzipped: boolean): AsyncIterable<Buffer> {
  const raw = createReadStream(file, { highWaterMark: 2 ** 20 })
  if (!gzipped) return raw
  const unzip = createGunzip({ chunkSize: 2 ** 18 })
  raw.on('error', (error) => unzip.destroy(error))
  unzip.on('close', () => raw.destroy())
  return raw.pipe(unzip)
}

/** Bytes of a stream, taken in the lengths that are asked for. */
class Blocks {
  #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #left: number

  constructor(stream: AsyncIterable<Buffer>, maxBytes: number) {
    this.#chunks = stream[Symbol.asyncIterator]()
    this.#left = maxBytes
  }

  async read(length: number): Promise<Buffer> {
    const result = Buffer.allocUnsafe(length)
    await this.#take(length, (piece, at) => piece.copy(result, at))
    return result
  }

  skip(length: number): Promise<void> {
    return this.#take(length, () => {})
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #take(length: number, use: (piece: Buffer, at: number) => void): Promise<void> {
    for (let done = 0; done < length;) {
      if (this.#rest.length === 0) {
        const { value, done: ended } = await this.#chunks.next()
        if (ended) throw new Damaged(`an end ${length - done} bytes too early`)
        this.#left -= value.length
        if (this.#left < 0) throw new Damaged('far more bytes than it has packed')
        this.#rest = value
      }
      const piece = this.#rest.subarray(0, length - done)
      use(piece, done)
      this.#rest = this.#rest.subarray(piece.length)
      done += piece.length
    }
  }
}

interface Header {
  name: string
  type: string
  size: number
}

/** The headers of an archive; after each the consumer takes its `padded(size)` bytes. */
async function* headers(input: Blocks): AsyncGenerator<Header> {
  let longName: string | undefined
  let pax = new Map<string, string>()
  for (;;) {
    const block = await input.read(BLOCK)
    if (block.every((byte) => byte === 0)) return
    checkSum(block)
    const type = String.fromCharCode(block[156]!)
    const size = pax.has('size') ? Number(pax.get('size')) : number(block.subarray(124, 136))
    if (!Number.isSafeInteger(size) || size < 0) throw new Damaged(`a member of ${size} bytes`)
    if (type === 'L' || type === 'x' || type === 'g' || type === 'K') {
      if (size > MAX_RECORD) throw new Damaged(`a header record of ${size} bytes`)
      const record = (await input.read(padded(size))).subarray(0, size)
      if (type === 'L') longName = text(record)
      if (type === 'x') pax = paxRecords(record)
      continue
    }
    const prefix = text(block.subarray(257, 263)) === 'ustar' ? text(block.subarray(345, 500)) : ''
    const short = text(block.subarray(0, 100))
    const name = pax.get('path') ?? longName ?? (prefix ? `${prefix}/${short}` : short)
    yield { name, type, size }
    longName = undefined
    pax = new Map()
  }
}

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

const text = (field: Buffer): string => {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? field.length : end)
}

/** A number in octal digits, or in base 256 where the first bit is set (GNU). */
function number(field: Buffer): number {
  if (field[0]! & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, field[0]! & 0x7f)
  const digits = text(field).trim()
  return /^[0-7]*$/.test(digits) ? parseInt(digits || '0', 8) : NaN
}

/** The sum of a header's bytes, its own checksum field counted as spaces, stands in it. */
function checkSum(block: Buffer): void {
  let sum = 8 * 0x20
  block.forEach((byte, i) => (sum += i >= 148 && i < 156 ? 0 : byte))
  if (number(block.subarray(148, 156)) !== sum) throw new Damaged('a header with a wrong checksum')
}

/** Pax records: `<length> <key>=<value>\n`, the length in bytes and with itself. */
function paxRecords(data: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at)
    const length = Number(data.toString('latin1', at, space))
    const record = data.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (space < 0 || !Number.isInteger(length) || length <= space - at || equals < 0) {
      throw new Damaged('a malformed pax record')
    }
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}
