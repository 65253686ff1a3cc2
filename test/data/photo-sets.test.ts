// Sets made of photos: folders of classes, tables, and CUB-200-2011 in its official layout, from folders and archives.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { datasets, type ImageDataset } from '../../lib/index.js'
import { tar, temporaryCache, zip } from './support.js'

/** A PNG of one grey. */
const png = (grey: number, width = 6, height = 4): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } })
    .png()
    .toBuffer()

/** The first value of each picture, and its class. */
async function contents(set: ImageDataset): Promise<[number, string][]> {
  const pixels = await set.images.data()
  const labels = await set.labels.data()
  const bytes = set.shape.reduce((product, size) => product * size, 1)
  return [...labels].map((label, i) => [pixels[i * bytes]!, set.classes[label]!])
}

type Files = Record<string, Uint8Array | string>

describe('sets of photos', () => {
  const cache = temporaryCache()
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'needletail-photos-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** A place with these files: a folder, or an archive of it. */
  const place = (kind: 'folder' | 'tar' | 'tgz' | 'zip', files: Files): string => {
    const list = Object.entries(files).map(([name, data]) => ({ name, data: Buffer.from(data as Uint8Array) }))
    const path = join(folder, kind === 'folder' ? 'set' : `set.${kind}`)
    if (kind === 'folder') {
      for (const { name, data } of list) {
        mkdirSync(dirname(join(path, name)), { recursive: true })
        writeFileSync(join(path, name), data)
      }
    } else {
      writeFileSync(path, kind === 'zip' ? zip(list) : kind === 'tar' ? tar(list) : gzipSync(tar(list)))
    }
    return path
  }
  const kinds = ['folder', 'tar', 'tgz', 'zip'] as const
  const entries = () => readdirSync(cache())

  describe('imageFolder', () => {
    const animals = async (prefix = ''): Promise<Files> => ({
      [`${prefix}cat/1.png`]: await png(10),
      [`${prefix}cat/deep/2.PNG`]: await png(20),
      [`${prefix}cat/notes.txt`]: 'no photo',
      [`${prefix}dog/.hidden.png`]: 'no photo',
      [`${prefix}dog/1.png`]: await png(30)
    })
    const wanted = [
      [10, 'cat'],
      [20, 'cat'],
      [30, 'dog']
    ]

    for (const kind of kinds) {
      it(`takes folders for classes, in a ${kind}`, async () => {
        const path = place(kind, await animals(kind === 'folder' ? '' : './outer/'))
        const set = await datasets.imageFolder(path, { size: [3, 2] })
        deepStrictEqual([set.classes, set.shape, set.sources, set.skipped], [['cat', 'dog'], [3, 2, 3], ['set'], []])
        deepStrictEqual(await contents(set), wanted)
      })
    }

    it('reads the classes asked for, in their order', async () => {
      const files = { ...(await animals('x/')), 'x/emu/1.png': await png(40), 'x/fox/1.png': 'damaged' }
      for (const kind of ['folder', 'zip'] as const) {
        const set = await datasets.imageFolder(place(kind, files), { size: 2, classes: ['emu', 'dog'], channels: 1 })
        deepStrictEqual(
          [set.classes, set.shape],
          [
            ['emu', 'dog'],
            [2, 2, 1]
          ]
        )
        deepStrictEqual((await contents(set)).sort(), [
          [30, 'dog'],
          [40, 'emu']
        ])
      }
    })

    it('decodes a folder once, and anew when it has changed', async () => {
      const path = place('folder', await animals())
      await datasets.imageFolder(path, { size: 2 })
      deepStrictEqual(entries().length, 1)
      await datasets.imageFolder(path, { size: 2 })
      deepStrictEqual(entries().length, 1)
      // What is in the cache is what is read, as long as sizes and times are the same.
      const file = join(cache(), entries()[0]!, 'images.idx')
      writeFileSync(file, 'damaged')
      deepStrictEqual(await contents(await datasets.imageFolder(path, { size: 2 })), wanted)
      writeFileSync(join(path, 'dog/1.png'), await png(99))
      utimesSync(join(path, 'dog/1.png'), 1, 1)
      deepStrictEqual((await contents(await datasets.imageFolder(path, { size: 2 })))[2], [99, 'dog'])
      await datasets.imageFolder(path, { size: 3 })
      await datasets.imageFolder(path, { size: 3, fit: 'cover' })
      deepStrictEqual(entries().length, 4)
    })

    it('follows links, but not in circles', async () => {
      const path = place('folder', { 'cat/1.png': await png(10) })
      const elsewhere = join(folder, 'elsewhere')
      mkdirSync(elsewhere)
      writeFileSync(join(elsewhere, '2.png'), await png(20))
      symlinkSync(elsewhere, join(path, 'dog'))
      symlinkSync(path, join(path, 'cat', 'circle'))
      symlinkSync(join(folder, 'nowhere'), join(path, 'cat', 'broken.png'))
      deepStrictEqual(await contents(await datasets.imageFolder(path, { size: 2 })), [
        [10, 'cat'],
        [20, 'dog']
      ])
    })

    for (const kind of kinds) {
      it(`names a damaged photo in a ${kind}, or leaves it out`, async () => {
        const whole = await png(50, 60, 60)
        const path = place(kind, { 'cat/1.png': whole.subarray(0, 60), 'cat/2.png': whole, 'dog/1.png': 'text' })
        await rejects(datasets.imageFolder(path, { size: 2 }), {
          message: /^datasets\.imageFolder: expected a whole picture in .*cat\/1\.png.*, got /
        })
        deepStrictEqual(entries(), [])
        const set = await datasets.imageFolder(path, { size: 2, onError: 'skip' })
        deepStrictEqual(await contents(set), [[50, 'cat']])
        deepStrictEqual(
          set.skipped.map(({ file }) => file),
          ['cat/1.png', 'dog/1.png']
        )
        ok(set.skipped.every(({ reason }) => reason.startsWith('datasets.imageFolder: expected a whole picture in ')))
      })
    }

    it('says what is wrong, and leaves nothing behind', async () => {
      const empty = place('folder', { 'cat/notes.txt': 'no photo' })
      const read = (path: string, options: object = {}) => datasets.imageFolder(path, { size: 2, ...options })
      await rejects(read(empty), { message: /^datasets\.imageFolder: expected photos in .*set, got none\./ })
      await rejects(read(join(folder, 'no')), { message: /expected a folder or an archive at .*no, got nothing/ })
      await rejects(read(empty, { size: 0 }), { message: /expected size as whole numbers from 1, got 0/ })
      await rejects(read(empty, { size: [1, 2, 3] }), { message: /size as \[height, width\]/ })
      await rejects(read(empty, { channels: 2 }), { message: /1 or 3 channels, got 2/ })
      await rejects(read(empty, { clases: ['a'] }), { message: /Did you mean 'classes'\?/ })
      await rejects(read(empty, { classes: 'cat' }), { message: /classes as an array of names of folders/ })
      const all = place('zip', { 'bad.png': 'text', 'dog/x.png': 'text' })
      await rejects(read(all, { onError: 'skip' }), { message: /got 2 that can't be read\. .*bad\.png/ })
      deepStrictEqual(entries(), [])
      const loose = place('tar', { 'a.png': await png(1), 'dog/x.png': await png(2) })
      await rejects(read(loose), { message: /expected a folder as the class of a\.png in .*set\.tar, got none/ })
      await rejects(read(loose, { classes: ['dog', 'cat'] }), { message: /expected photos of the class 'cat'/ })
    })
  })

  describe('csv', () => {
    const table = 'image,"kind, of animal",label\n./b.png,"x ""y""",dog\r\nsub//a.png,,cat\n\nb.png,z,cat\n'
    const photos = async (): Promise<Files> => ({ 'b.png': await png(10), 'sub/a.png': await png(20) })
    const read = (text: string, options: object = {}, name = 'labels.csv') => {
      mkdirSync(join(folder, 'set'), { recursive: true })
      const file = join(folder, 'set', name)
      writeFileSync(file, text)
      return datasets.csv(file, { size: [2, 3], ...options })
    }
    const wanted = [
      [10, 'dog'],
      [20, 'cat'],
      [10, 'cat']
    ]

    for (const kind of kinds) {
      it(`reads the photos that a table names, in a ${kind}`, async () => {
        const root = place(kind, await photos())
        const set = await read(`\ufeff${table}`, kind === 'folder' ? {} : { root })
        deepStrictEqual([set.classes, set.shape, set.sources], [['cat', 'dog'], [2, 3, 3], ['labels.csv']])
        deepStrictEqual(await contents(set), wanted)
      })
    }

    it('takes other columns, separators and classes', async () => {
      place('folder', await photos())
      const text = 'a;b\n10;b.png\n9;sub/a.png\n'
      const set = await read(text, { imageColumn: 'b', labelColumn: 'a', delimiter: ';' })
      deepStrictEqual(
        [set.classes, await contents(set)],
        [
          ['9', '10'],
          [
            [10, '10'],
            [20, '9']
          ]
        ]
      )
      const other = await read('image,label\nb.png,y\n', { classes: ['x', 'y'] })
      deepStrictEqual(
        [other.classes, other.counts],
        [
          ['x', 'y'],
          [0, 1]
        ]
      )
    })

    for (const kind of kinds) {
      it(`names a missing photo in a ${kind}, or leaves it out`, async () => {
        const root = place(kind, await photos())
        const text = 'image,label\nno.png,cat\nb.png,dog\n'
        await rejects(read(text, { root }), { message: /^datasets\.csv: expected a photo .*no\.png.*, got no such / })
        const set = await read(text, { root, onError: 'skip' })
        deepStrictEqual([await contents(set), set.skipped.map(({ file }) => file)], [[[10, 'dog']], ['no.png']])
      })
    }

    const mistakes: [string, string, object, RegExp][] = [
      [
        'a path that leads out',
        'image,label\nb.png,x\nsub/../../b.png,x\n',
        {},
        /expected paths that lie within the root in .*labels\.csv, got 'sub\/\.\.\/\.\.\/b\.png' in row 2/
      ],
      ['an absolute path', 'image,label\n/etc/passwd,x\n', {}, /lie within the root.*'\/etc\/passwd' in row 1/],
      ['a drive', 'image,label\nC:\\x.png,x\n', {}, /lie within the root/],
      ['an empty path', 'image,label\n,x\n', {}, /lie within the root .* got '' in row 1/],
      [
        'a missing column',
        'images,label\nb.png,x\n',
        {},
        /expected one column 'image' in .*, got 'images', 'label'\. Did you mean 'images'\?/
      ],
      ['a column that is there twice', 'image,image,label\na,b,c\n', {}, /expected one column 'image'/],
      ['no rows', 'image,label\n', {}, /expected rows in .*, got none/],
      ['an empty file', '', {}, /expected one column 'image' in .*, got none/],
      ['rows of other lengths', 'image,label\na.png\n', {}, /expected a CSV table in .*, got .*line 2/],
      ['an open quote', 'image,label\n"a.png,x\n', {}, /expected a CSV table in .*, got Quote Not Closed/],
      [
        'a label without a class',
        'image,label\nb.png,x\n',
        { classes: ['y'] },
        /expected labels of 'y' in .*, got 'x' in row 1/
      ],
      ['an unknown option', 'image,label\nb.png,x\n', { labelColum: 'x' }, /Did you mean 'labelColumn'\?/]
    ]
    for (const [what, text, options, message] of mistakes) {
      it(`refuses ${what}`, async () => {
        await rejects(read(text, options), (error: Error) => {
          ok(message.test(error.message), error.message)
          return error.message.startsWith('datasets.csv: expected ')
        })
        deepStrictEqual(entries(), [])
      })
    }

    it('says that there is no table', () =>
      rejects(datasets.csv(join(folder, 'no.csv'), { size: 2 }), {
        message: /expected a table at .*no\.csv, got no such file/
      }))
  })

  describe('cub200', () => {
    /** Five photos, each black with a white box; number 3 is left out, as in a part of the set. */
    const cub = async (prefix: string): Promise<Files> => {
      const photo = async (left: number) => {
        const white = { input: await png(255, 4, 4), left, top: 2 }
        return sharp(await png(0, 20, 10))
          .composite([white])
          .png()
          .toBuffer()
      }
      return {
        [`${prefix}images.txt`]: '1 001.A/x.jpg\n2 001.A/y.jpg\n4 002.B/x.jpg\n5 002.B/z.jpg\n',
        [`${prefix}images/002.B/z.jpg`]: await photo(12),
        [`${prefix}images/002.B/x.jpg`]: await photo(8),
        [`${prefix}images/001.A/y.jpg`]: await photo(4),
        [`${prefix}images/001.A/x.jpg`]: await photo(0),
        [`${prefix}images/001.A/unlisted.jpg`]: 'damaged',
        [`${prefix}image_class_labels.txt`]: '1 1\n2 1\n4 2\n5 2\n',
        [`${prefix}train_test_split.txt`]: '1 1\n2 0\n4 0\n5 1\n',
        [`${prefix}classes.txt`]: '1 001.A\n2 002.B\n3 003.C\n',
        [`${prefix}bounding_boxes.txt`]:
          '1 0.0 2.0 4.0 4.0\n2 4.0 2.0 4.0 4.0\n4 8.0 2.0 4.0 4.0\n5 12.0 2.0 4.0 4.0\n',
        'attributes.txt': '1 has_bill_shape::curved\n'
      }
    }

    for (const [kind, prefix] of [
      ['folder', 'CUB_200_2011/'],
      ['folder', ''],
      ['tar', 'CUB_200_2011/'],
      ['tgz', './CUB_200_2011/'],
      ['zip', 'CUB_200_2011/']
    ] as const) {
      it(`reads the official parts of a ${kind} (${prefix || 'the folder itself'})`, async () => {
        const path = place(kind, await cub(prefix))
        const { train, test } = await datasets.cub200(path, { size: 10 })
        deepStrictEqual(train.classes, ['001.A', '002.B', '003.C'])
        deepStrictEqual(
          [train.counts, test.counts],
          [
            [1, 1, 0],
            [1, 1, 0]
          ]
        )
        deepStrictEqual([train.shape, train.sources], [[10, 10, 3], ['CUB-200-2011']])
        // Where the white box begins tells the photo.
        const first = async (set: ImageDataset) => {
          const pixels = await set.images.data()
          const row = (i: number) => pixels.subarray(i * 300 + 4 * 30, i * 300 + 5 * 30)
          return [0, 1].map((i) => row(i).findIndex((value) => value > 128) / 3)
        }
        deepStrictEqual(
          [await first(train), await first(test)],
          [
            [0, 6],
            [2, 4]
          ]
        )
      })
    }

    it('reads the part within the bounding box', async () => {
      const files = await cub('CUB_200_2011/')
      const { train, test } = await datasets.cub200(place('tgz', files), { size: 3, crop: 'box' })
      for (const set of [train, test]) deepStrictEqual([...(await set.images.data())], Array(54).fill(255))
    })

    const changes: [string, Files, object, RegExp][] = [
      [
        'a missing list',
        { 'CUB_200_2011/classes.txt': undefined as never },
        {},
        /expected the lists of CUB-200-2011 in .*, got no classes\.txt/
      ],
      [
        'a missing photo',
        { 'CUB_200_2011/images/001.A/x.jpg': undefined as never },
        {},
        /expected a photo .*images\/001\.A\/x\.jpg/
      ],
      [
        'a photo without a class',
        { 'CUB_200_2011/image_class_labels.txt': '1 1\n' },
        {},
        /expected image_class_labels\.txt of .* to have number 2/
      ],
      [
        'an unknown class',
        { 'CUB_200_2011/image_class_labels.txt': '1 7\n' },
        {},
        /expected a class of classes\.txt for number 1, got 7/
      ],
      [
        'another flag',
        { 'CUB_200_2011/train_test_split.txt': '1 2\n' },
        {},
        /expected 0 or 1 in train_test_split\.txt of .*, got '2'/
      ],
      [
        'a list that is none',
        { 'CUB_200_2011/classes.txt': 'birds\n' },
        {},
        /expected a new number and its value in line 1 of classes\.txt of .*, got 'birds'/
      ],
      ['a number that is there twice', { 'CUB_200_2011/classes.txt': '1 a\n1 b\n' }, {}, /line 2 of classes\.txt/],
      [
        'a box that is none',
        { 'CUB_200_2011/bounding_boxes.txt': '1 0 2 4\n' },
        { crop: 'box' },
        /expected four numbers for a bounding box, got '0 2 4'/
      ],
      [
        'a name that leads out',
        { 'CUB_200_2011/images.txt': '1 ../../x.jpg\n' },
        {},
        /expected relative names in images\.txt of .*, got \.\.\/\.\.\/x\.jpg/
      ]
    ]
    for (const kind of ['folder', 'tar'] as const) {
      for (const [what, change, options, message] of changes) {
        it(`refuses ${what}, in a ${kind}`, async () => {
          const files = Object.entries({ ...(await cub('CUB_200_2011/')), ...change }).filter(
            ([, data]) => data !== undefined
          )
          await rejects(datasets.cub200(place(kind, Object.fromEntries(files)), { size: 2, ...options }), { message })
          deepStrictEqual(entries(), [])
        })
      }
    }

    it('refuses an unknown crop', () =>
      rejects(datasets.cub200(folder, { size: 2, crop: 'bird' as never }), {
        message: /expected crop of 'box', got 'bird'/
      }))

    it('says that a folder is not CUB-200-2011', async () => {
      await rejects(datasets.cub200(folder, { size: 2 }), { message: /got no images\.txt, image_class_labels\.txt/ })
      await rejects(datasets.cub200(join(folder, 'no'), { size: 2 }), { message: /at .*no, got nothing/ })
      strictEqual(entries().length, 0)
    })
  })
})
