// The readers of IDX, tar, PNG sheets and CIFAR's binary version: small files in the real formats, whole and damaged.
import { deepStrictEqual, rejects, strictEqual, throws } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { readArchive } from '../../lib/data/archive.js'
import { readCifarBinary, readLabels, readSheet } from '../../lib/data/cifar.js'
import { idxHeader, readIdx } from '../../lib/data/idx.js'
import { noise, pax, tar, temporaryCache, type Member } from './support.js'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

describe('IDX', () => {
  it('reads shape and values', () => {
    const { shape, data } = readIdx('mnist', 'f', bytes('00000803 00000002 00000001 00000003 010203 0405ff'))
    deepStrictEqual(shape, [2, 1, 3])
    deepStrictEqual([...data], [1, 2, 3, 4, 5, 255])
  })

  it('reads what idxHeader begins', () => {
    const data = noise(24)
    const file = Buffer.concat([idxHeader([2, 3, 4]), data])
    deepStrictEqual(readIdx('mnist', 'f', file), { shape: [2, 3, 4], data: Buffer.from(data) })
  })

  const damaged: [string, string, RegExp][] = [
    ['an empty file', '', /^mnist: expected an IDX file in f, got 0 bytes/],
    ['another type of value', '00000d01 00000001 00000000', /expected the IDX magic number 000008NN .* got 00000d01/],
    ['another format', '89504e47 0d0a1a0a', /got 89504e47/],
    ['no axis', '00000800', /got 00000800/],
    ['a gzip file', '1f8b0800 00000000', /got 1f8b0800\. That is a gzip file/],
    ['a cut header', '00000803 00000001', /expected 16 bytes of IDX header in f, got 8 bytes/],
    ['cut values', '00000801 00000003 0102', /expected 11 bytes for shape \[3\] in f, got 10 bytes/],
    ['too many values', '00000801 00000001 0102', /expected 9 bytes for shape \[1\] in f, got 10 bytes/],
    ['huge axes', '00000803 ffffffff ffffffff ffffffff', /for shape \[4294967295, 4294967295, 4294967295\]/]
  ]
  for (const [what, hex, message] of damaged) {
    it(`refuses ${what}`, () => throws(() => readIdx('mnist', 'f', bytes(hex)), { message }))
  }
})

describe('tar', () => {
  const folder = temporaryCache()
  const write = (contents: Uint8Array) => {
    const file = join(folder(), 'a.tar')
    writeFileSync(file, contents)
    return file
  }
  const large = noise(300_000)
  const plain: Member[] = [
    { name: 'p/', type: '5' },
    { name: 'p/a', data: large },
    { name: 'p/b', data: noise(512, 2) },
    { name: 'p/empty' }
  ]

  for (const [kind, pack] of [
    ['plain', (b: Buffer) => b],
    ['gzipped', (b: Buffer) => gzipSync(b)]
  ] as const) {
    it(`reads the wanted members of a ${kind} archive`, async () => {
      const members = await readArchive('cifar10', write(pack(tar(plain))), ['p/empty', 'p/a'])
      deepStrictEqual([...members.keys()].sort(), ['p/a', 'p/empty'])
      strictEqual(members.get('p/a')!.equals(large), true)
      strictEqual(members.get('p/empty')!.length, 0)
    })

    it(`refuses a truncated ${kind} archive`, async () => {
      const whole = pack(tar(plain))
      const file = write(whole.subarray(0, whole.length / 2))
      await rejects(readArchive('cifar10', file, ['p/a']), {
        message: /expected a whole tar archive in .*a\.tar, got /
      })
    })
  }

  const long = `${'d'.repeat(120)}/${'n'.repeat(120)}`
  const names: [string, Member[], string][] = [
    ['ustar prefix', [{ name: 'name', prefix: 'folder', data: large }], 'folder/name'],
    [
      'pax path',
      [
        { name: 'x', type: 'x', data: pax('path', long) },
        { name: 'cut', data: large }
      ],
      long
    ],
    [
      'pax size',
      [
        { name: 'x', type: 'x', data: pax('size', '300000') },
        { name: 'n', data: large, size: 0 }
      ],
      'n'
    ],
    [
      'GNU long name',
      [
        { name: '@', type: 'L', data: Buffer.from(long + '\0') },
        { name: 'cut', data: large }
      ],
      long
    ]
  ]
  for (const [what, members, name] of names) {
    it(`understands a ${what}`, async () => {
      const found = await readArchive('cifar10', write(tar([...members, { name: 'last', data: noise(3) }])), [
        name,
        'last'
      ])
      strictEqual(found.get(name)!.equals(large), true)
      deepStrictEqual([...found.get('last')!], [...noise(3)])
    })
  }

  const refused: [string, Member[], RegExp][] = [
    [
      'a name with ..',
      [{ name: 'p/../../etc/passwd' }],
      /expected relative names in .*, got p\/\.\.\/\.\.\/etc\/passwd/
    ],
    ['an absolute name', [{ name: '/etc/passwd' }], /expected relative names/],
    ['a drive name', [{ name: 'C:\\x' }], /expected relative names/],
    ['a link in place of a file', [{ name: 'p/a', type: '2' }], /expected a plain file p\/a in .*, got type "2"/],
    ['a second member', [{ name: 'p/a' }, { name: 'p/a' }], /expected one member p\/a/],
    ['a missing member', [{ name: 'p/b' }], /expected p\/a in .*, got no such member/],
    ['a member that is too large', [{ name: 'p/a', data: large }], /expected at most 1000 bytes for p\/a .*300000/],
    ['a huge header record', [{ name: 'x', type: 'x', size: 2 ** 30 }], /a header record of 1073741824 bytes/],
    ['a malformed pax record', [{ name: 'x', type: 'x', data: Buffer.from('99') }], /a malformed pax record/]
  ]
  for (const [what, members, message] of refused) {
    it(`refuses ${what}`, () =>
      rejects(readArchive('cifar10', write(tar(members)), ['p/a'], { maxBytes: 1000 }), { message }))
  }

  it('refuses a header with a wrong checksum', async () => {
    const archive = tar(plain)
    archive[1]! ^= 1
    await rejects(readArchive('cifar10', write(archive), ['p/a']), { message: /a header with a wrong checksum/ })
  })

  it('refuses what is no archive', () =>
    rejects(readArchive('cifar10', write(noise(2048)), ['p/a']), { message: /expected a whole tar archive/ }))
})

describe('CIFAR-10 formats', () => {
  it('reads a binary batch into NHWC', () => {
    const record = (label: number, seed: number) => Buffer.concat([Buffer.from([label]), noise(3072, seed)])
    const { images, labels } = readCifarBinary('cifar10', 'f', Buffer.concat([record(3, 1), record(9, 2)]))
    deepStrictEqual([...labels], [3, 9])
    const planes = noise(3072, 2) // red, green, blue
    for (const [row, column] of [
      [0, 0],
      [0, 31],
      [31, 0],
      [17, 5]
    ] as const) {
      const at = row * 32 + column
      const pixel = images.subarray(3072 + at * 3, 3072 + at * 3 + 3)
      deepStrictEqual([...pixel], [planes[at], planes[1024 + at], planes[2048 + at]])
    }
  })

  it('refuses a truncated binary batch', () =>
    throws(() => readCifarBinary('cifar10', 'f', noise(3073 * 2 - 1)), {
      message: /^cifar10: expected records of 3073 bytes in f, got 6145 bytes/
    }))

  const sheet = (pixels: Uint8Array, width: number, channels: 1 | 3 | 4) =>
    sharp(pixels, { raw: { width, height: pixels.length / width / channels, channels } }).png()

  it('reads a PNG sheet into NHWC', async () => {
    const pixels = noise(2 * 3072)
    const png = await sheet(pixels, 1024, 3).toBuffer()
    strictEqual((await readSheet('cifar10', 'f', png, 2)).length, pixels.length)
    strictEqual(Buffer.compare(await readSheet('cifar10', 'f', png, 2), pixels), 0)
  })

  const pixels = noise(2 * 3072)
  const refused: [string, () => Promise<Uint8Array>, RegExp][] = [
    ['another height', () => sheet(pixels, 1024, 3).toBuffer(), /1024x3 RGB pixels in f, got 1024x2x3/],
    ['a larger sheet (a pixel bomb)', () => sheet(noise(9 * 3072), 1024, 3).toBuffer(), /exceeds pixel limit/],
    ['another width', () => sheet(noise(3 * 3072), 512, 3).toBuffer(), /got 512x6x3|exceeds/],
    ['an alpha channel', () => sheet(noise(3 * 4096), 1024, 4).toBuffer(), /got 1024x3x4/],
    [
      'a truncated file',
      async () => (await sheet(noise(3 * 3072), 1024, 3).toBuffer()).subarray(0, 5000),
      /expected a PNG sheet/
    ],
    ['what is no picture', async () => noise(100), /expected a PNG sheet of 1024x3 pixels in f/]
  ]
  for (const [what, png, message] of refused) {
    it(`refuses a PNG sheet with ${what}`, async () => rejects(readSheet('cifar10', 'f', await png(), 3), { message }))
  }

  const lists: [string, string, RegExp][] = [
    ['another length', '[1, 2]', /expected a JSON array of 3 labels in f, got 2/],
    ['fractions', '[1, 2, 0.5]', /expected a JSON array of 3 labels/],
    ['text', '["1", "2", "3"]', /expected a JSON array of 3 labels/],
    ['no list', '{"length": 3}', /expected a JSON array of 3 labels in f, got object/],
    ['no JSON', '[1, 2', /expected a JSON array in f/]
  ]
  for (const [what, json, message] of lists) {
    it(`refuses labels: ${what}`, () => throws(() => readLabels('cifar10', 'f', Buffer.from(json), 3), { message }))
  }

  it('reads labels', () => deepStrictEqual([...readLabels('cifar10', 'f', Buffer.from('[6, 9, 0]'), 3)], [6, 9, 0]))
})
