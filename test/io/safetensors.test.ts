import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as nt from '../../lib/index.js'
import { temporaryFolder } from '../support/temporary.js'

const { readSafetensors, writeSafetensors } = nt.io

/** A file's bytes: the header's length, the header, the tensors. */
function file(header: unknown, data = 0, length?: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header), 'latin1')
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(length ?? json.length))
  return Buffer.concat([size, json, Buffer.alloc(data, 1)])
}

const entry = (begin = 0, end = 8, shape: unknown = [2], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end]
})
const text = (name: string, value: unknown) => `"${name}":${JSON.stringify(value)}`

describe('safetensors', () => {
  const path = temporaryFolder()

  describe('what is written is what is read', () => {
    const values = [0, 1, 1, 0, 1, 0]
    for (const dtype of ['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const) {
      for (const shape of [[2, 3], [6], [1, 6, 1], [0, 3]]) {
        it(`${dtype} [${shape.join(', ')}]`, async () => {
          const tensor = nt.tensor(shape.includes(0) ? [] : values, shape, { dtype })
          await writeSafetensors(path('a'), { tensor, other: nt.ones([3], { dtype: 'uint8' }) }, { epoch: '3' })
          const { tensors, metadata } = await readSafetensors(path('a'))
          const read = tensors.get('tensor')!
          deepStrictEqual([read.dtype, read.shape], [dtype, shape])
          deepStrictEqual(await read.data(), await tensor.data())
          deepStrictEqual([...metadata], [['epoch', '3']])
          strictEqual(tensors.size, 2)
        })
      }
    }

    it('keeps every bit of half precision, NaN and infinity included', async () => {
      const bits = new Uint8Array(new Uint16Array([0x7fc1, 0xff80, 0x0001, 0x8000, 0x3f81, 0x7c00]).buffer)
      for (const dtype of ['bfloat16', 'float16'] as const) {
        await writeSafetensors(path('bits'), { x: nt.fromBytes(bits, [6], dtype) })
        deepStrictEqual(readFileSync(path('bits')).subarray(-12), Buffer.from(bits))
        const read = (await readSafetensors(path('bits'))).tensors.get('x')!
        deepStrictEqual(new Uint8Array(await read.bytes()), bits)
      }
    })

    it('a scalar, a name with odd characters, and nothing at all', async () => {
      await writeSafetensors(path('odd'), [['a "b"\n\u{1f426}.0', nt.tensor(7)]], [['key', 'déjà "vu"']])
      const { tensors, metadata } = await readSafetensors(path('odd'))
      strictEqual(await tensors.get('a "b"\n\u{1f426}.0')!.item(), 7)
      strictEqual(metadata.get('key'), 'déjà "vu"')
      await writeSafetensors(path('none'), {})
      strictEqual((await readSafetensors(path('none'))).tensors.size, 0)
    })

    it('a header with spaces, escapes and keys in any order', async () => {
      const json =
        '{ "x" :\t{"data_offsets":[ 0 , 8 ], "shape":[2],\n"dtype":"F32"},"__metadata__":{"a\\u0062\\"":"\\u00e9\\n\\/"}}  '
      writeFileSync(path('spaced'), file(json, 8))
      const { tensors, metadata } = await readSafetensors(path('spaced'))
      deepStrictEqual(tensors.get('x')!.shape, [2])
      deepStrictEqual([...metadata], [['ab"', 'é\n/']])
    })

    it('aligns each tensor to the width of its elements', async () => {
      const wide = nt.ones([1], { dtype: 'int64' })
      await writeSafetensors(path('aligned'), { narrow: nt.ones([3], { dtype: 'uint8' }), x: nt.ones([1]), wide })
      const bytes = readFileSync(path('aligned'))
      const length = Number(bytes.readBigUInt64LE())
      strictEqual(length % 8, 0)
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { data_offsets: number[] }>
      deepStrictEqual(
        ['wide', 'x', 'narrow'].map((name) => header[name]!.data_offsets),
        [
          [0, 8],
          [8, 12],
          [12, 15]
        ]
      )
    })
  })

  describe('a file appears complete or not at all', () => {
    it('a failure leaves the file that was there, and nothing beside it', async () => {
      const target = path('kept')
      await writeSafetensors(target, { x: nt.ones([2]) })
      const before = readFileSync(target)
      const broken = nt.ones([2])
      broken.dispose()
      await rejects(async () => writeSafetensors(target, { broken }), /disposed/)
      deepStrictEqual(readFileSync(target), before)
      deepStrictEqual(
        readdirSync(dirname(target)).filter((name) => name.endsWith('.tmp')),
        []
      )
    })

    it('a folder that is missing is an error that leaves nothing', async () => {
      await rejects(writeSafetensors(path('missing/x'), { x: nt.ones([2]) }), /ENOENT/)
      strictEqual(existsSync(path('missing')), false)
    })

    it('replaces a file that may not be written to, for the folder decides', async () => {
      await writeSafetensors(path('locked'), { x: nt.zeros([2]) })
      chmodSync(path('locked'), 0o444)
      await writeSafetensors(path('locked'), { x: nt.ones([2]) })
      deepStrictEqual(await (await readSafetensors(path('locked'))).tensors.get('x')!.array(), [1, 1])
    })
  })

  describe('refuses to write', () => {
    const x = nt.ones([1])
    const cases: [string, () => Promise<void>, RegExp][] = [
      [
        'a name twice',
        () =>
          writeSafetensors(path('w'), [
            ['x', x],
            ['x', x]
          ]),
        /each name once, got "x" twice/
      ],
      ['__metadata__', () => writeSafetensors(path('w'), [['__metadata__', x]]), /as a name, got __metadata__/],
      ['__proto__', () => writeSafetensors(path('w'), [['a.__proto__', x]]), /as a name, got a\.__proto__/],
      ['no tensor', () => writeSafetensors(path('w'), { x: 3 as never }), /a tensor as x, got 3/],
      ['metadata that is no text', () => writeSafetensors(path('w'), { x }, { epoch: 3 as never }), /text as metadata/]
    ]
    for (const [name, write, message] of cases) {
      it(name, async () => {
        await rejects(write, message)
        strictEqual(existsSync(path('w')), false)
      })
    }
  })

  describe('refuses to read', () => {
    const good = file({ x: entry(), y: entry(8, 16) }, 16)
    const cases: [string, Buffer, RegExp][] = [
      ['an empty file', Buffer.alloc(0), /at least 8 bytes/],
      ['a file of 7 bytes', Buffer.alloc(7), /at least 8 bytes/],
      ['a header longer than the file', file('{}', 0, 3), /a header of 3 bytes .*got 2/],
      ['a header of 2^60 bytes', file('{}', 0, 2 ** 60), /a header of at most 100000000 bytes/],
      ['an empty header', file(''), /a header of JSON/],
      ['a header that is no JSON', file('{x}'), /a header of JSON/],
      ['a header that ends early', file('{"x":'), /a header of JSON/],
      ['something behind the header', file('{}{}'), /a header of JSON/],
      ['a header that is a list', file([]), /an object as its header/],
      ['a header that is not UTF-8', file('{"\xff":1}'), /a header of JSON/],
      ['a header nested deeply', file('['.repeat(100_000)), /at most 16 levels/],
      ['a name twice', file(`{${text('x', entry())},${text('x', entry())}}`, 8), /not there yet/],
      ['a key twice', file('{"x":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', 8), /not there yet/],
      ['__proto__ as a name', file(`{${text('__proto__', entry())}}`, 8), /harmless names/],
      ['__proto__ within a name', file(`{${text('a.__proto__.b', entry())}}`, 8), /harmless names/],
      ['__proto__ in the metadata', file('{"__metadata__":{"__proto__":"x"}}'), /harmless names/],
      ['metadata that is no text', file({ __metadata__: { a: 1 } }), /text as metadata "a"/],
      ['metadata that is a list', file({ __metadata__: [] }), /an object for "__metadata__"/],
      ['a tensor that is no object', file({ x: 1 }), /an object for "x"/],
      ['an unknown key', file({ x: { ...entry(), strides: [1] } }, 8), /got "strides"/],
      ['no dtype', file({ x: { shape: [2], data_offsets: [0, 8] } }, 8), /a dtype of "x"/],
      ['an unknown dtype', file({ x: entry(0, 8, [2], 'F33') }, 8), /a dtype of "x" out of F32, .*got "F33"/],
      ['a dtype that is not held', file({ x: entry(0, 16, [2], 'F64') }, 16), /got "F64"/],
      ['a shape that is no list', file({ x: entry(0, 8, 2) }, 8), /a shape of "x"/],
      ['a negative size', file({ x: entry(0, 8, [-2]) }, 8), /a shape of "x"/],
      ['a size that is no whole number', file({ x: entry(0, 8, [1.5]) }, 8), /a shape of "x"/],
      ['a shape of 9 axes', file({ x: entry(0, 8, [2, 1, 1, 1, 1, 1, 1, 1, 1]) }, 8), /at most 8 sizes/],
      ['one offset', file({ x: { ...entry(), data_offsets: [0] } }, 8), /two data_offsets/],
      ['an offset that is text', file({ x: { ...entry(), data_offsets: ['0', 8] } }, 8), /two data_offsets/],
      ['a negative offset', file({ x: entry(-8, 0) }, 8), /two data_offsets/],
      ['offsets that are too close for the shape', file({ x: entry(0, 4) }, 4), /8 bytes for float32 \[2\]/],
      ['offsets in the wrong order', file({ x: entry(8, 0) }, 8), /8 bytes for float32/],
      ['sizes whose product overflows', file({ x: entry(0, 0, [2 ** 31, 2 ** 31, 4]) }), /bytes for float32/],
      ['a hole', file({ x: entry(), y: entry(9, 17) }, 17), /"y" to begin at 8/],
      ['an overlap', file({ x: entry(), y: entry(4, 12) }, 12), /"y" to begin at 8/],
      ['the same range twice', file({ x: entry(), y: entry() }, 8), /"y" to begin at 8/],
      ['bytes in front of the first', file({ x: entry(4, 12) }, 12), /"x" to begin at 0/],
      ['bytes behind the last', file({ x: entry() }, 9), /8 bytes after the header .*got 9/],
      ['a tensor that is cut off', good.subarray(0, -1), /16 bytes after the header .*got 15/],
      ['a bool of 2', Buffer.concat([file({ x: entry(0, 1, [1], 'BOOL') }), Buffer.from([2])]), /0 or 1 as the bools/]
    ]
    for (const [name, bytes, message] of cases) {
      it(name, async () => {
        writeFileSync(path('bad'), bytes)
        await rejects(readSafetensors(path('bad')), message)
      })
    }

    it('but reads the file that these are broken versions of', async () => {
      writeFileSync(path('good'), good)
      deepStrictEqual([...(await readSafetensors(path('good'))).tensors.keys()], ['x', 'y'])
    })

    it('any file that is cut at any place', async () => {
      for (let length = 0; length < good.length; length++) {
        writeFileSync(path('cut'), good.subarray(0, length))
        await rejects(readSafetensors(path('cut')), /readSafetensors: expected/)
      }
    })

    it('a file that is not there', () => rejects(readSafetensors(path('nowhere')), /ENOENT/))
  })
})
