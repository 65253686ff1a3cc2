// Members of archives by a predicate: the same from tar, gzipped tar and zip; damaged archives and bombs are refused.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { readArchive, readMembers, type ArchiveOptions } from '../../lib/data/archive.js'
import { noise, tar, temporaryCache, zip, type ZipMember } from './support.js'

const members = [
  { name: 'p/a.jpg', data: noise(300_000) },
  { name: 'p/b.txt', data: noise(600, 2) },
  { name: 'q/c.jpg', data: new Uint8Array() },
  { name: 'q/d.jpg', data: noise(70_000, 3) }
]
const packs: [string, (files: { name: string; data: Uint8Array }[]) => Buffer][] = [
  ['tar', tar],
  ['tgz', (files) => gzipSync(tar(files))],
  ['zip', (files) => zip(files)]
]
const kinds: Record<string, string> = { tar: 'tar', tgz: 'tar', zip: 'zip' }

describe('archives', () => {
  const folder = temporaryCache()
  const write = (contents: Uint8Array) => {
    const file = join(folder(), 'archive')
    writeFileSync(file, contents)
    return file
  }
  const read = async (contents: Uint8Array, wants = (_: string) => true, options: ArchiveOptions = {}) => {
    const found: [string, Buffer][] = []
    for await (const { name, bytes } of readMembers('birds', write(contents), wants, options)) found.push([name, bytes])
    return found
  }

  for (const [format, pack] of packs) {
    describe(format, () => {
      it('gives the wanted members in order', async () => {
        const found = await read(pack(members), (name) => name.endsWith('.jpg'))
        deepStrictEqual(
          found.map(([name]) => name),
          ['p/a.jpg', 'q/c.jpg', 'q/d.jpg']
        )
        found.forEach(([name, bytes]) => ok(bytes.equals(members.find((member) => member.name === name)!.data)))
      })

      it('reads an archive without members', async () => {
        deepStrictEqual(await read(pack([])), [])
      })

      it('can be left early', async () => {
        for await (const { name } of readMembers('birds', write(pack(members)), () => true)) {
          strictEqual(name, 'p/a.jpg')
          break
        }
      })

      const message = (what: string, got: string) =>
        new RegExp(`^birds: expected ${what} in .*archive, got ${got}\\. The archive is not used\\.$`)

      for (const part of [0.3, 0.6, 0.99]) {
        it(`refuses one cut off after ${part} of its bytes`, async () => {
          const whole = pack(members)
          // A tar archive ends with two empty blocks, of which the first is enough.
          const cut = whole.subarray(0, Math.min(part * whole.length, whole.length - 1025))
          await rejects(read(cut), { message: message(`a whole ${kinds[format]} archive`, '.*') })
        })
      }

      for (const name of ['../a.jpg', 'p/../../a.jpg', '/a.jpg', 'C:\\a.jpg', '..\\a.jpg']) {
        it(`refuses the name ${name}, even of a member that isn't wanted`, async () => {
          const archive = pack([{ name, data: noise(3) }])
          const got = name.replaceAll(/[.\\]/g, '.')
          await rejects(
            read(archive, () => false),
            { message: message('relative names', got) }
          )
        })
      }

      it('refuses members that are too large, too many, or too much together', async () => {
        const archive = pack(members)
        await rejects(read(archive, undefined, { maxBytes: 1e5 }), {
          message: message('at most 100000 bytes for p/a.jpg', '300000')
        })
        deepStrictEqual((await read(archive, (name) => name === 'q/d.jpg', { maxBytes: 1e5 })).length, 1)
        await rejects(read(archive, undefined, { maxMembers: 3 }), { message: /at most 3 members|got 4 members/ })
        await rejects(read(archive, undefined, { maxTotal: 350_000 }), {
          message: /at most 350000 bytes|far more bytes/
        })
      })
    })
  }

  it('refuses a gzip bomb, whatever is wanted of it', async () => {
    const bomb = gzipSync(tar([{ name: 'zeros', data: new Uint8Array(2 ** 24) }]))
    ok(bomb.length < 2 ** 15)
    await rejects(
      read(bomb, () => false, { maxTotal: 2 ** 20 }),
      { message: /^birds: expected a whole tar archive in .*, got far more bytes than it has packed/ }
    )
  })

  const lies: [string, ZipMember[], RegExp][] = [
    [
      'more bytes than it says',
      [{ name: 'a', data: new Uint8Array(1e6), size: 1000 }],
      /expected a whole zip archive .*too many bytes/
    ],
    [
      'fewer bytes than it says',
      [{ name: 'a', data: noise(10), size: 1000 }],
      /expected a whole zip archive .*not enough bytes/
    ],
    ['a wrong checksum', [{ name: 'a', data: noise(10), checksum: 7 }], /got a wrong checksum of a\./],
    ['a link', [{ name: 'a', data: noise(10), mode: 0o120777 }], /expected a plain file a in .*, got mode 120000/],
    ['what is encrypted', [{ name: 'a', data: noise(10), flags: 1 }], /expected a whole zip archive .*encrypted/]
  ]
  for (const [what, files, message] of lies) {
    it(`refuses a zip member that is ${what}`, () => rejects(read(zip(files)), { message }))
  }

  it('refuses a zip archive that says it has more members than it has', () =>
    rejects(read(zip(members, 5)), { message: /expected a whole zip archive in / }))

  it('says what is no archive', async () => {
    const missing = join(folder(), 'missing')
    await rejects(readArchive('birds', missing, []), {
      message: `birds: expected an archive at ${missing}, got no such file.`
    })
    mkdirSync(join(folder(), 'f'))
    await rejects(readArchive('birds', join(folder(), 'f'), []), { message: /got a folder\.$/ })
    await rejects(read(new Uint8Array()), { message: /expected a whole tar archive/ })
    await rejects(read(noise(5000)), { message: /expected a whole tar archive in .*a header with a wrong checksum/ })
  })
})
