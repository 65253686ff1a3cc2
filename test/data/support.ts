// What the data tests share: a temporary cache folder, small archives in the real formats, and a web server that fails on demand.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'

/** A cache folder of its own for each test of the suite; returns a function that gives its path. */
export function temporaryCache(): () => string {
  const before = process.env['NEEDLETAIL_CACHE']
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'needletail-test-'))
    process.env['NEEDLETAIL_CACHE'] = folder
  })
  afterEach(() => {
    if (before === undefined) delete process.env['NEEDLETAIL_CACHE']
    else process.env['NEEDLETAIL_CACHE'] = before
    rmSync(folder, { recursive: true, force: true })
  })
  return () => folder
}

export const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
export const sha512 = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('base64')

/** Bytes that look random and are the same each time. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

export interface Member {
  name: string
  data?: Uint8Array
  type?: string
  prefix?: string
  /** Written into the header in place of the true length. */
  size?: number
}

/** A ustar archive. */
export function tar(members: Member[]): Buffer {
  const blocks: Buffer[] = []
  for (const { name, data = new Uint8Array(), type = '0', prefix = '', size = data.length } of members) {
    const header = Buffer.alloc(512)
    header.write(name, 0, 100)
    header.write('0000644\0', 100)
    header.write(size.toString(8).padStart(11, '0') + '\0', 124)
    header.write(type, 156)
    header.write('ustar\x0000', 257)
    header.write(prefix, 345)
    header.fill(' ', 148, 156)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(sum.toString(8).padStart(6, '0') + '\0 ', 148)
    blocks.push(header, Buffer.from(data), Buffer.alloc((512 - (data.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export interface ZipMember {
  name: string
  data?: Uint8Array
  /** The Unix mode; a plain file's by default. */
  mode?: number
  /** Written in place of the true length. */
  size?: number
  /** Written in place of the true checksum. */
  checksum?: number
  flags?: number
}

/** A zip archive, deflated. */
export function zip(members: ZipMember[], entries = members.length): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const member of members) {
    const { name, data = new Uint8Array(), mode = 0o100644, size = data.length, flags = 0 } = member
    const packed = deflateRawSync(data)
    const common = Buffer.alloc(26) // version, flags, method, time, date, checksum, lengths
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(flags, 2)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(member.checksum ?? crc32(data), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(size, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(mode * 2 ** 16, 6)
    rest.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), common, rest, Buffer.from(name))
    const file = [Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]
    files.push(...file)
    offset += file.reduce((sum, { length }) => sum + length, 0)
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(entries, 8)
  end.writeUInt16LE(entries, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...files, ...directory, end])
}

/** The data of a pax header record. */
export function pax(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length++
  return Buffer.from(`${length}${rest}`)
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Runs `body` with the base address of a server on 127.0.0.1. */
export async function withServer(handler: Handler, body: (base: string) => Promise<void>): Promise<void> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
