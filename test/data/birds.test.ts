// datasets.birds with bird pictures of one's own: a small CIFAR-10, and small folders and archives.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { CIFAR10 } from '../../lib/data/cifar.js'
import { arange, datasets, type ImageDataset } from '../../lib/index.js'
import { writeSmallCifar } from '../support/small-cifar.js'
import { noise, tar, temporaryCache } from './support.js'

const jpeg = (seed: number, width = 40, height = 30) =>
  sharp(noise(width * height * 3, seed), { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer()

describe('datasets.birds', () => {
  const folder = temporaryCache()
  beforeEach(() => writeSmallCifar(folder())) // 480 and 200 pictures, a tenth are birds
  const put = (name: string, contents: Uint8Array) => {
    writeFileSync(join(folder(), name), contents)
    return join(folder(), name)
  }
  const photos = () => readdirSync(folder()).filter((name) => name.startsWith('photos-'))
  const all = ({ train, test }: { train: ImageDataset; test: ImageDataset }, source: string) =>
    train.fromSource(source).length + test.fromSource(source).length

  it("adds folders' and archives' pictures as birds, and holds pictures out by the seed", async () => {
    const mine = join(folder(), 'my.birds')
    mkdirSync(join(mine, 'deep', 'er'), { recursive: true })
    writeFileSync(join(mine, 'a.jpg'), await jpeg(1))
    writeFileSync(join(mine, 'deep', 'er', 'b.PNG'), await jpeg(2))
    writeFileSync(join(mine, 'notes.txt'), 'no picture')
    writeFileSync(join(mine, '.hidden.jpg'), 'no picture')
    const members = [
      { name: 'set/1.jpg', data: await jpeg(3) },
      { name: 'set/list.txt', data: noise(9) },
      { name: 'set/._1.jpg', data: noise(9) },
      { name: './set/2.jpeg', data: await jpeg(4) }
    ]
    const archives = [put('more.tar', tar(members)), put('more.tar.gz', gzipSync(tar(members.slice(0, 1))))]
    const read = (seed: number) => datasets.birds({ folders: [mine], archives, fine: true, test: 150, seed })
    const sets = await read(3)
    const { train, test } = sets
    deepStrictEqual(train.classes, ['other', 'bird'])
    deepStrictEqual(train.sources, ['CIFAR-10', 'my.birds', 'more', 'more-2'])
    deepStrictEqual(
      train.sources.map((source) => all(sets, source)),
      [680, 2, 2, 1]
    )
    deepStrictEqual(
      [test.counts, train.counts],
      [
        [134, 16],
        [478, 57]
      ]
    ) // 150 of 685, 73 of them birds
    deepStrictEqual([train.fine!.classes[2], train.fine!.groups], ['bird', [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]])
    const part = train.fromSource('more')
    const positions = arange(0, part.length, 1, { dtype: 'int32' })
    const { fine } = part.batch(positions, { mean: [0, 0, 0], std: [1, 1, 1] })
    deepStrictEqual([...(await fine!.data())], Array(part.length).fill(2))

    strictEqual(photos().length, 3)
    const again = await read(3)
    deepStrictEqual([...(await again.test.labels.data())], [...(await test.labels.data())])
    deepStrictEqual(again.test.statistics, test.statistics)
    const other = await read(4)
    ok(String(other.test.statistics.mean) !== String(test.statistics.mean))
  })

  it('reads a picture as readPhoto does', async () => {
    const archive = put('one.tar', tar([{ name: '1.jpg', data: await jpeg(5) }]))
    const { train, test } = await datasets.birds({ archives: [archive], test: 0 })
    strictEqual(test.length, 0)
    const pixels = await train.fromSource('one').images.data()
    const wanted = await sharp(await jpeg(5))
      .resize(32, 32, { fit: 'fill', kernel: 'lanczos3' })
      .raw()
      .toBuffer()
    deepStrictEqual([...pixels], [...wanted])
  })

  it("holds CIFAR-10's pictures out by the seed when only told how many", async () => {
    const { train, test } = await datasets.birds({ test: 0.1 })
    deepStrictEqual(
      [train.counts, test.counts],
      [
        [551, 61],
        [61, 7]
      ]
    )
    deepStrictEqual(test.fine, undefined)
  })

  it('names a picture that cannot be read, or leaves it out', async () => {
    const whole = await jpeg(6, 100, 100)
    const members = [
      { name: 'cut.jpg', data: whole.subarray(0, whole.length / 2) },
      { name: 'whole.jpg', data: whole }
    ]
    const archives = [put('damaged.tar', tar(members))]
    const message = /^datasets\.birds: expected a whole picture in cut\.jpg of .*damaged\.tar, got /
    await rejects(datasets.birds({ archives }), { message })
    deepStrictEqual(readdirSync(folder()).sort(), [CIFAR10.name, 'damaged.tar'])
    const { train, test } = await datasets.birds({ archives, onError: 'skip', test: 10 })
    strictEqual(all({ train, test }, 'damaged'), 1)
    deepStrictEqual(
      train.skipped.map(({ file }) => file),
      ['cut.jpg']
    )
    ok(message.test(train.skipped[0]!.reason))
    // Not even from the cache is a part of the pictures taken for all.
    await rejects(datasets.birds({ archives }), { message })
  })

  it('refuses what holds no picture, and leaves nothing behind', async () => {
    const archive = put('none.tar', tar([{ name: 'list.txt' }]))
    await rejects(datasets.birds({ archives: [archive] }), {
      message: /^datasets\.birds: expected photos in .*none\.tar/
    })
    const missing = join(folder(), 'missing')
    await rejects(datasets.birds({ folders: [missing] }), {
      message: /expected a folder or an archive at .*missing, got/
    })
    const whole = tar([{ name: '1.jpg', data: await jpeg(1) }])
    const cut = put('cut.tar', whole.subarray(0, 700))
    await rejects(datasets.birds({ archives: [cut] }), {
      message: /expected a whole tar archive in .*cut\.tar, got an end/
    })
    const out = put('out.tar', tar([{ name: '../1.jpg', data: await jpeg(1) }]))
    await rejects(datasets.birds({ archives: [out] }), { message: /expected relative names in .*out\.tar/ })
    deepStrictEqual(photos(), [])
    await rejects(datasets.birds({ folder: ['x'] } as never), { message: /Did you mean 'folders'\?/ })
    await rejects(datasets.birds({ folders: 'x' as never }), { message: /expected folders as an array of paths/ })
    await rejects(datasets.birds({ onError: 'ignore' as never }), { message: /expected onError of 'throw', 'skip'/ })
  })
})
