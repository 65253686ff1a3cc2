// ImageDataset: what it holds, what is made from it, and the real sets' figures where set-up has fetched them.
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { arange, datasets, ImageDataset } from '../../lib/index.js'
import { cacheFolder } from '../../lib/data/cache.js'
import { CIFAR10 } from '../../lib/data/cifar.js'
import { MNIST } from '../../lib/data/mnist.js'
import type { SetOrigin } from '../../lib/data/sets.js'
import { noise } from './support.js'

const classes = ['cat', 'bird', 'dog']
const small = (labels: number[], pixels = noise(labels.length * 12)) =>
  ImageDataset.from({ pixels, shape: [2, 2, 3], labels, classes })
const labelsOf = async (set: ImageDataset) => [...(await set.labels.data())]
const pixelsOf = async (set: ImageDataset) => [...(await set.images.data())]

describe('ImageDataset', () => {
  it('holds pictures and labels', async () => {
    const set = small([2, 0, 1, 1])
    deepStrictEqual([set.length, set.shape, set.classes, set.counts], [4, [2, 2, 3], classes, [1, 2, 1]])
    deepStrictEqual([set.images.dtype, set.images.shape], ['uint8', [4, 2, 2, 3]])
    deepStrictEqual([set.labels.dtype, set.labels.shape], ['int32', [4]])
    deepStrictEqual(await labelsOf(set), [2, 0, 1, 1])
    deepStrictEqual(await pixelsOf(set), [...noise(48)])
  })

  it('brings pixels and labels to the device once', () => {
    const set = small([0, 1])
    strictEqual(set.images, set.images)
    strictEqual(set.labels, set.labels)
    strictEqual(set.relabel(['x'], () => 0).images, set.images)
  })

  it('computes the statistics of each channel', () => {
    const pixels = Uint8Array.of(0, 10, 255, 0, 20, 255, 255, 30, 255, 255, 40, 255)
    const { mean, std } = ImageDataset.from({ pixels, shape: [2, 2, 3], labels: [0], classes }).statistics
    deepStrictEqual(mean, [0.5, 25 / 255, 1])
    deepStrictEqual(std, [0.5, Math.sqrt(125) / 255, 0])
  })

  it('computes the same statistics in slices, between which timers run', async () => {
    const random = new Uint8Array(6 * 2 ** 20).map((_, i) => Math.imul(i + 1, 2654435761) >>> 24)
    const make = () => ImageDataset.from({ pixels: random, shape: [1024, 1024, 3], labels: [0, 1], classes })
    let ticks = 0
    const ticking = setInterval(() => ticks++, 0)
    deepStrictEqual(await make().computeStatistics(), make().statistics)
    clearInterval(ticking)
    ok(ticks > 0)
  })

  it('computes the statistics of a subset from its own pictures', () => {
    const set = small([0, 1, 2, 0])
    const part = set.subset([3, 1])
    const pixels = noise(48)
    const same = small([0, 1], Uint8Array.of(...pixels.subarray(36), ...pixels.subarray(12, 24)))
    deepStrictEqual(part.statistics, same.statistics)
  })

  it('maps to other pictures, of another size, also a subset, in parts', async () => {
    const count = 2500
    const pixels = noise(count * 12)
    const set = small(
      Array.from({ length: count }, (_, i) => i % 3),
      pixels
    )
    const brighter = await set.map((images) => images.add(1).get(null, [0, 1]))
    deepStrictEqual([brighter.shape, brighter.counts, brighter.classes], [[1, 2, 3], set.counts, classes])
    const values = await brighter.images.data()
    ok(values.every((value, i) => value === (pixels[Math.floor(i / 6) * 12 + (i % 6)]! + 1) % 256))
    const some = Array.from({ length: 1100 }, (_, i) => count - 1 - 2 * i)
    const part = await brighter.subset(some).map((images) => images.sub(1))
    deepStrictEqual(
      await labelsOf(part),
      some.map((i) => i % 3)
    )
    deepStrictEqual(
      await pixelsOf(part),
      some.flatMap((i) => [...pixels.subarray(12 * i, 12 * i + 6)])
    )
    deepStrictEqual((await set.subset([]).map((images) => images)).length, 0)
  })

  it('maps to pictures and nothing else', async () => {
    const set = small([0, 1])
    const wrong: [(images: any) => any, RegExp][] = [
      [
        (images) => images.astype('float32'),
        /^Error: map: expected uint8 \[2, height, width, channels\].*, got float32 \[2, 2, 2, 3\]\./
      ],
      [(images) => images.slice(0, 1), /, got uint8 \[1, 2, 2, 3\]\./],
      [() => undefined, /, got undefined\./]
    ]
    for (const [change, message] of wrong) await rejects(set.map(change), message)
    await rejects(set.map('larger' as never), /^Error: map: expected a function of pictures, got larger\./)
  })

  it('relabels', async () => {
    const set = small([2, 0, 1, 1]).relabel(['other', 'bird'], (_, name) => (name === 'bird' ? 1 : 0))
    deepStrictEqual(
      [set.classes, set.counts],
      [
        ['other', 'bird'],
        [2, 2]
      ]
    )
    deepStrictEqual(await labelsOf(set), [0, 0, 1, 1])
  })

  it('selects, also from a selection', async () => {
    const part = small([2, 0, 1, 1]).subset([3, 0, 0]).subset(Int32Array.of(1, 0))
    const pixels = [...noise(48)]
    deepStrictEqual(await labelsOf(part), [2, 1])
    deepStrictEqual(await pixelsOf(part), [...pixels.slice(0, 12), ...pixels.slice(36)])
    deepStrictEqual(part.images.shape, [2, 2, 2, 3])
  })

  it('can be empty', async () => {
    const none = small([0, 1]).subset([])
    deepStrictEqual([none.length, none.counts, none.images.shape], [0, [0, 0, 0], [0, 2, 2, 3]])
    throws(() => none.statistics, { message: 'statistics: expected at least one picture, got none.' })
  })

  it('splits with the classes in proportion', async () => {
    const set = small(Array.from({ length: 100 }, (_, i) => (i < 70 ? 0 : i < 90 ? 1 : 2)))
    const { train, test } = set.split({ test: 0.31, seed: 5 })
    deepStrictEqual(
      [test.counts, train.counts],
      [
        [22, 6, 3],
        [48, 14, 7]
      ]
    )
    deepStrictEqual(await labelsOf(test), (await labelsOf(test)).sort())
  })

  it('splits by the seed, and loses no picture', async () => {
    const set = small(
      Array.from({ length: 60 }, (_, i) => i % 3),
      Uint8Array.from({ length: 720 }, (_, i) => i / 12)
    )
    const firsts = async (part: ImageDataset) => (await pixelsOf(part)).filter((_, i) => i % 12 === 0)
    const { train, test } = set.split({ test: 20, seed: 1, stratify: false })
    const [kept, held] = [await firsts(train), await firsts(test)]
    strictEqual(held.length, 20)
    deepStrictEqual(
      [...kept, ...held].sort((a, b) => a - b),
      [...Array(60).keys()]
    )
    deepStrictEqual(await firsts(set.split({ test: 20, seed: 1, stratify: false }).test), held)
    ok(String(await firsts(set.split({ test: 20, seed: 2, stratify: false }).test)) !== String(held))
  })

  const set = () => small([0, 1])
  const pixels = noise(12)
  const shape = [2, 2, 3] as const
  const kinds = ['animal', 'bird']
  const toKinds = (_: number, name: string) => (name === 'bird' ? 1 : 0)
  const positions = (set: ImageDataset) => arange(0, set.length, 1, { dtype: 'int32' })
  const fineOf = async (set: ImageDataset) => {
    const { fine } = set.batch(positions(set), { mean: [0, 0, 0], std: [1, 1, 1] })
    return fine && [...(await fine.data())]
  }

  it('keeps the finer classes when asked to, in every set made from it', async () => {
    const set = small([2, 0, 1, 1, 0]).relabel(kinds, toKinds, { fine: true })
    deepStrictEqual([set.classes, set.fine], [kinds, { classes, groups: [0, 1, 0] }])
    deepStrictEqual(
      [await labelsOf(set), await fineOf(set)],
      [
        [0, 0, 1, 1, 0],
        [2, 0, 1, 1, 0]
      ]
    )
    const { train, test } = set.split({ test: 2, seed: 1 })
    const both = ImageDataset.concat([train, test])
    deepStrictEqual([both.fine, [...(await fineOf(both))!].sort()], [set.fine, [0, 0, 1, 1, 2]])
    const few = set.subset([4, 2, 0])
    deepStrictEqual([few.fine, await fineOf(few)], [set.fine, [0, 1, 2]])
    deepStrictEqual(await fineOf(set.fromSource('memory')), [2, 0, 1, 1, 0])
    const forgotten = set.relabel(['x'], () => 0)
    deepStrictEqual([forgotten.fine, await fineOf(forgotten)], [undefined, undefined])
    strictEqual(await fineOf(small([0])), undefined)
  })

  const from = (source: string, labels: number[], seed: number) =>
    ImageDataset.from({ pixels: noise(labels.length * 12, seed), shape: [2, 2, 3], labels, classes, source })

  it("knows the pictures' files, whatever is made of the set", async () => {
    const set = (count: number, files?: string[]) =>
      ImageDataset.from({
        pixels: noise(count * 12, 1),
        shape: [2, 2, 3],
        labels: Array(count).fill(0),
        classes,
        files
      })
    const named = set(4, ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
    const filesOf = (of: ImageDataset) => Array.from({ length: of.length }, (_, i) => of.file(i))
    const part = named.subset([3, 1])
    deepStrictEqual(filesOf(part), ['d.jpg', 'b.jpg'])
    deepStrictEqual(filesOf(await part.map((images) => images)), ['d.jpg', 'b.jpg'])
    deepStrictEqual(filesOf(part.relabel(['x'], () => 0)), ['d.jpg', 'b.jpg'])
    const both = ImageDataset.concat([set(1), part])
    deepStrictEqual(filesOf(both), [undefined, 'd.jpg', 'b.jpg'])
    deepStrictEqual(filesOf(set(2)), [undefined, undefined])
    throws(() => named.file(4), /^Error: file: expected an index in \[0, 4\), got 4\.$/)
    throws(() => set(2, ['a.jpg']), /^Error: ImageDataset\.from: expected files as 2 names/)
  })

  it('puts sets together, and takes them apart by source', async () => {
    const [a, b, c] = [from('a', [0, 1], 1), from('b', [2, 2, 0], 2), from('a', [1], 3)]
    const all = ImageDataset.concat([a, b.subset([2, 0]), c])
    deepStrictEqual(
      [all.sources, await labelsOf(all)],
      [
        ['a', 'b'],
        [0, 1, 0, 2, 1]
      ]
    )
    const pixels = [a, b.subset([2, 0]), c].map(pixelsOf)
    deepStrictEqual(await pixelsOf(all), (await Promise.all(pixels)).flat())
    const fromA = all.fromSource('a')
    deepStrictEqual([fromA.sources, await labelsOf(fromA)], [['a'], [0, 1, 1]])
    deepStrictEqual(await pixelsOf(fromA), [...(await pixelsOf(a)), ...(await pixelsOf(c))])
    const nested = ImageDataset.concat([from('c', [1], 4), all.subset([3, 4, 0])])
    deepStrictEqual(nested.sources, ['c', 'a', 'b'])
    deepStrictEqual(await labelsOf(nested.fromSource('a')), [1, 0])
    deepStrictEqual(await labelsOf(nested.fromSource('b')), [2])
    deepStrictEqual(a.sources, ['a'])
    deepStrictEqual(a.fromSource('a').counts, a.counts)
  })

  it('remembers what was skipped', () => {
    const skipped = [{ file: 'x.jpg', reason: 'cut' }]
    const options = { pixels: noise(12), shape: [2, 2, 3] as const, labels: [0], classes, skipped }
    const set = ImageDataset.concat([small([1]), ImageDataset.from(options)])
    deepStrictEqual([set.skipped, set.subset([0]).skipped, small([0]).skipped], [skipped, skipped, []])
  })

  const mistakes: [string, () => unknown, RegExp][] = [
    [
      'too few pixels',
      () => small([0, 1], noise(23)),
      /^ImageDataset\.from: expected 2 \* 12 pixels for 2 labels, got 23/
    ],
    ['a label without a class', () => small([0, 3]), /expected labels in \[0, 3\), got 3 at 1\. A label is an index/],
    ['a negative label', () => small([-1]), /got -1 at 0/],
    ['a fraction as label', () => small([0.5]), /got 0\.5 at 0/],
    ['a flat shape', () => ImageDataset.from({ pixels, shape: [12] as never, labels: [0], classes }), /got \[12\]/],
    ['no shape', () => ImageDataset.from({ pixels, shape: null as never, labels: [0], classes }), /got null/],
    [
      'an array of pixels',
      () => ImageDataset.from({ pixels: [...pixels] as never, shape, labels: [0], classes }),
      /Uint8Array/
    ],
    ['an index outside', () => set().subset([0, 2]), /^subset: expected indices in \[0, 2\), got 2 at 1/],
    ['a fraction as index', () => set().subset([0.5]), /got 0\.5 at 0/],
    [
      'a new label without a class',
      () => set().relabel(['x'], (label) => label),
      /^relabel: expected labels in \[0, 1\)/
    ],
    ['too large a split', () => set().split({ test: 3 }), /^split: expected a share below 1 or a number of at most 2/],
    ['a negative split', () => set().split({ test: -1 }), /^split: /],
    [
      'sets of other classes',
      () => ImageDataset.concat([set(), set().relabel(['x', 'y', 'z'], () => 0)]),
      /^ImageDataset\.concat: expected the first set's classes \["cat","bird","dog"\] in all sets, got .* in set 1/
    ],
    [
      'sets of other shapes',
      () =>
        ImageDataset.concat([set(), ImageDataset.from({ pixels: noise(3), shape: [1, 1, 3], labels: [0], classes })]),
      /shape \[2,2,3\] in all sets, got \[1,1,3\] in set 1/
    ],
    [
      'sets with and without finer classes',
      () => ImageDataset.concat([set(), set().relabel(classes, (label) => label, { fine: true })]),
      /finer classes "none" in all sets/
    ],
    ['no set', () => ImageDataset.concat([]), /^ImageDataset\.concat: expected an array of sets/],
    ['what is no set', () => ImageDataset.concat([{} as never]), /sets of the type ImageDataset/],
    ['an unknown source', () => set().fromSource('b'), /^fromSource: expected a source of 'memory', got 'b'/],
    ['NaN as split', () => set().split({ test: NaN }), /^split: /]
  ]
  for (const [what, mistake, message] of mistakes) it(`refuses ${what}`, () => throws(mistake, { message }))
})

describe('the real sets as datasets', () => {
  const isFetched = (origin: SetOrigin) => existsSync(join(cacheFolder(), origin.name))
  const rounded = (values: readonly number[]) => values.map((value) => value.toFixed(4))

  it('mnist', async function () {
    if (!isFetched(MNIST)) return this.skip()
    const { train, test } = await datasets.mnist()
    deepStrictEqual([train.length, test.length, train.shape], [60_000, 10_000, [28, 28, 1]])
    deepStrictEqual(train.counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    deepStrictEqual([rounded(train.statistics.mean), rounded(train.statistics.std)], [['0.1307'], ['0.3081']])
  })

  it('cifar10 and birds', async function () {
    if (!isFetched(CIFAR10)) return this.skip()
    const { train, test } = await datasets.cifar10()
    deepStrictEqual([train.length, test.length, train.shape], [50_000, 10_000, [32, 32, 3]])
    deepStrictEqual([train.counts, test.counts], [Array(10).fill(5000), Array(10).fill(1000)])
    deepStrictEqual(rounded(train.statistics.mean), ['0.4914', '0.4822', '0.4465'])
    deepStrictEqual(rounded(train.statistics.std), ['0.2470', '0.2435', '0.2616'])
    const birds = await datasets.birds()
    deepStrictEqual(birds.train.classes, ['other', 'bird'])
    deepStrictEqual(
      [birds.train.counts, birds.test.counts],
      [
        [45_000, 5000],
        [9000, 1000]
      ]
    )
  })
})
