// Reading members of archives (tar, plain or gzipped, and zip) straight into memory. Nothing is unpacked to disk, and nothing in
// an archive decides where anything goes.
import { open } from 'node:fs/promises'
import { expected } from '../errors.js'
import { Damaged } from './archive-entry.js'
import { tarEntries } from './tar.js'
import { zipEntries } from './zip.js'

export interface ArchiveOptions {
  /** The most bytes a wanted member may have; 256 MiB by default. */
  maxBytes?: number
  /** The most members an archive may have; a million by default. */
  maxMembers?: number
  /**
   * The most bytes that may come out of an archive; by default 200 times its own, and at least 1 GiB: pictures hardly shrink
   * when they are packed, what swells more is a bomb.
   */
  maxTotal?: number
}

/** A member that is wanted, with its bytes. */
export interface Member {
  name: string
  bytes: Buffer
}

/**
 * The members of the archive `file` whose names `wants` chooses, in the order of the archive; what it is is told by its first
 * bytes. Throws for a damaged or truncated archive, for absolute member names and those with `..`, for a wanted member that is
 * too large or not a plain file, and for an archive that swells beyond the bounds.
 */
export async function* readMembers(
  op: string,
  file: string,
  wants: (name: string) => boolean,
  options: ArchiveOptions = {}
): AsyncGenerator<Member> {
  const { format, size: packed } = await recognise(op, file)
  const { maxBytes = 256 * 2 ** 20, maxMembers = 1e6, maxTotal = Math.max(2 ** 30, 200 * packed) } = options
  const refuse = (what: string, got: string) => expected(op, `${what} in ${file}`, got, 'The archive is not used.')
  let members = 0
  let total = 0
  try {
    const entries = format === 'zip' ? zipEntries(file, maxMembers) : tarEntries(file, format === 'tgz', maxTotal)
    for await (const { name, size, isFile, kind, read } of entries) {
      if (++members > maxMembers) throw refuse(`at most ${maxMembers} members`, 'more')
      if (/^([/\\]|[a-z]:)/i.test(name) || name.split(/[/\\]/).includes('..')) throw refuse('relative names', name)
      if (!wants(name)) continue
      if (!isFile) throw refuse(`a plain file ${name}`, kind)
      if (size > maxBytes) throw refuse(`at most ${maxBytes} bytes for ${name}`, `${size}`)
      total += size
      if (total > maxTotal) throw refuse(`at most ${maxTotal} bytes`, 'more')
      yield { name, bytes: await read() }
    }
  } catch (error) {
    if (error instanceof Damaged || (error as NodeJS.ErrnoException).code?.startsWith('Z_')) {
      throw refuse(`a whole ${format === 'zip' ? 'zip' : 'tar'} archive`, (error as Error).message)
    }
    throw error
  }
}

/** The members `names` of the archive `file`, by name. Throws when one is missing or there twice, and as `readMembers` does. */
export async function readArchive(op: string, file: string, names: string[], options: ArchiveOptions = {}) {
  const members = new Map<string, Buffer>()
  const wanted = new Set(names)
  const refuse = (what: string, got: string) => expected(op, `${what} in ${file}`, got, 'The archive is not used.')
  for await (const { name, bytes } of readMembers(op, file, (member) => wanted.has(member), options)) {
    if (members.has(name)) throw refuse(`one member ${name}`, 'a second')
    members.set(name, bytes)
  }
  const missing = names.filter((name) => !members.has(name))
  if (missing.length > 0) throw refuse(missing.join(', '), 'no such member')
  return members
}

async function recognise(op: string, file: string): Promise<{ format: 'tar' | 'tgz' | 'zip'; size: number }> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw expected(op, `an archive at ${file}`, error.code === 'ENOENT' ? 'no such file' : error.message)
  })
  try {
    const info = await handle.stat()
    if (!info.isFile()) throw expected(op, `an archive at ${file}`, info.isDirectory() ? 'a folder' : 'no plain file')
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    const magic = buffer.readUInt32BE()
    const isZip = magic === 0x504b0304 || magic === 0x504b0506
    return { format: isZip ? 'zip' : magic >>> 16 === 0x1f8b ? 'tgz' : 'tar', size: info.size }
  } finally {
    await handle.close()
  }
}
