// Members of zip archives, read by yauzl in the order of their directory.
import { crc32 } from 'node:zlib'
import type { Readable } from 'node:stream'
import { Damaged, type Entry } from './archive-entry.js'

const TYPE_OF_FILE = 0o170000
const REGULAR = 0o100000

/** The members of the zip archive `file`. Throws when its directory says that there are more than `maxMembers`. */
export async function* zipEntries(file: string, maxMembers: number): AsyncGenerator<Entry> {
  const { default: yauzl } = await import('yauzl')
  // Names are decoded here, so that those that lead out of the archive are refused where those of tar archives are.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false }
  const zip = await yauzl.openPromise(file, options).catch(damaged)
  try {
    if (zip.entryCount > maxMembers) throw new Damaged(`${zip.entryCount} members`)
    const entries = zip.eachEntry()
    for (;;) {
      const { value: entry, done } = await entries.next().catch(damaged)
      if (done) return
      const { generalPurposeBitFlag: flags, fileNameRaw, extraFields, uncompressedSize: size } = entry
      const name = yauzl.getFileNameLowLevel(flags, fileNameRaw, extraFields, false)
      const mode = (entry.externalFileAttributes >>> 16) & TYPE_OF_FILE // 0 where no Unix made the archive
      const kind = name.endsWith('/') ? 'a folder' : `mode ${mode.toString(8)}`
      const isFile = !name.endsWith('/') && (mode === 0 || mode === REGULAR)
      const read = async () => {
        const bytes = await collect(await zip.openReadStreamPromise(entry).catch(damaged), size).catch(damaged)
        if (crc32(bytes) !== entry.crc32) throw new Damaged(`a wrong checksum of ${name}`)
        return bytes
      }
      yield { name, size, isFile, kind, read }
    }
  } finally {
    zip.close()
  }
}

/** The bytes of a stream of `size` bytes. */
async function collect(stream: Readable, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) at += chunk.copy(bytes, at)
  if (at !== size) throw new Error(`${at} of ${size} bytes`)
  return bytes
}

function damaged(error: Error): never {
  throw error instanceof Damaged ? error : new Damaged(error.message.replace(/\.$/, ''))
}
