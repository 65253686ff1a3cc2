// DataLoader: order, batches, normalisation and augmentation, each the same for the same seed.
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { DataLoader, ImageDataset, type Augmentation, type DataLoaderOptions } from '../../lib/index.js'
import { native } from '../../lib/native.js'
import { noise } from './support.js'
import { onEachDevice } from '../support/devices.js'

const HEIGHT = 5
const WIDTH = 4
const CHANNELS = 3
const BYTES = HEIGHT * WIDTH * CHANNELS

/** A set in which label and pixels tell which picture it is. */
function numbered(n: number): ImageDataset {
  const labels = Array.from({ length: n }, (_, i) => i)
  return ImageDataset.from({
    pixels: noise(n * BYTES),
    shape: [HEIGHT, WIDTH, CHANNELS],
    labels,
    classes: labels.map(String)
  })
}

interface Epoch {
  sizes: number[]
  labels: number[]
  /** Pixels of each picture, in the order of the labels. */
  images: number[][]
}

async function run(loader: DataLoader): Promise<Epoch> {
  const epoch: Epoch = { sizes: [], labels: [], images: [] }
  for await (const { images, labels } of loader) {
    deepStrictEqual(images.shape, [labels.shape[0], HEIGHT, WIDTH, CHANNELS])
    deepStrictEqual([images.dtype, labels.dtype], ['float32', 'int32'])
    const values = [...(await images.data())]
    epoch.sizes.push(labels.shape[0]!)
    epoch.labels.push(...(await labels.data()))
    for (let i = 0; i < values.length; i += BYTES) epoch.images.push(values.slice(i, i + BYTES))
  }
  return epoch
}

const load = (set: ImageDataset, options: DataLoaderOptions) => run(new DataLoader(set, options))
const sorted = (values: number[]) => [...values].sort((a, b) => a - b)
const indices = (n: number) => [...Array(n).keys()]

/** Picture `i` of a numbered set in 0..1, flipped or not, moved; black outside. */
function moved(i: number, flip: boolean, down: number, right: number): number[] {
  const pixels = noise((i + 1) * BYTES).subarray(i * BYTES)
  return indices(BYTES).map((at) => {
    const channel = at % CHANNELS
    const y = Math.floor(at / CHANNELS / WIDTH) - down
    const column = (Math.floor(at / CHANNELS) % WIDTH) - right
    const x = flip ? WIDTH - 1 - column : column
    const inside = y >= 0 && y < HEIGHT && column >= 0 && column < WIDTH
    return inside ? Math.fround(pixels[(y * WIDTH + x) * CHANNELS + channel]! / 255) : 0
  })
}

const isClose = (a: number[], b: number[]) => a.every((value, i) => Math.abs(value - b[i]!) < 1e-6)

onEachDevice('DataLoader', (device) => {
  it('goes through the set in its order', async () => {
    const { sizes, labels, images } = await load(numbered(10), { batchSize: 4 })
    deepStrictEqual([sizes, labels], [[4, 4, 2], indices(10)])
    images.forEach((image, i) => ok(isClose(image, moved(i, false, 0, 0)), `picture ${i}`))
  })

  it('leaves out the last batch if asked', async () => {
    const loader = new DataLoader(numbered(10), { batchSize: 4, dropLast: true })
    strictEqual(loader.length, 2)
    deepStrictEqual((await run(loader)).sizes, [4, 4])
    strictEqual(new DataLoader(numbered(10), { batchSize: 4 }).length, 3)
  })

  it('shuffles by seed and epoch', async () => {
    const set = numbered(50)
    const loader = new DataLoader(set, { batchSize: 16, shuffle: true, seed: 3 })
    const first = (await run(loader)).labels
    const second = (await run(loader)).labels
    deepStrictEqual([sorted(first), sorted(second)], [indices(50), indices(50)])
    const orders = [first, second, indices(50), (await load(set, { shuffle: true, seed: 4 })).labels].map(String)
    strictEqual(new Set(orders).size, 4)
    deepStrictEqual((await load(set, { batchSize: 7, shuffle: true, seed: 3 })).labels, first)
  })

  it('goes on at an epoch', async () => {
    const options = { batchSize: 8, shuffle: true, seed: 9, augment: { flip: 'horizontal', shift: 1 } } as const
    const loader = new DataLoader(numbered(20), options)
    await run(loader)
    const second = await run(loader)
    strictEqual(loader.epoch, 2)
    const resumed = new DataLoader(numbered(20), options)
    resumed.epoch = 1
    deepStrictEqual(await run(resumed), second)
  })

  it('goes on in the middle of an epoch', async () => {
    const options = { batchSize: 8, shuffle: true, seed: 9, augment: { flip: 'horizontal', shift: 1 } } as const
    const whole = new DataLoader(numbered(30), options)
    await run(whole)
    const [second, third] = [await run(whole), await run(whole)]
    const resumed = new DataLoader(numbered(30), options)
    resumed.epoch = 1
    resumed.batch = 2
    const rest = await run(resumed)
    deepStrictEqual([rest.sizes, rest.labels, rest.images], [[8, 6], second.labels.slice(16), second.images.slice(16)])
    deepStrictEqual(await run(resumed), third)
    resumed.batch = 4
    deepStrictEqual((await run(resumed)).sizes, [])
    resumed.batch = 5
    await rejects(run(resumed), { message: /^DataLoader: expected batch as a whole number in \[0, 4\], got 5/ })
  })

  const groups = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2].flatMap((group) => Array<number>(50).fill(group))
  const grouped = () =>
    ImageDataset.from({ pixels: noise(600), shape: [1, 1, 1], labels: groups, classes: ['a', 'b', 'c', 'd'] })
  const drawn = async (set: ImageDataset, options: DataLoaderOptions) => {
    const labels: number[] = []
    const loader = new DataLoader(set, { batchSize: 100, ...options })
    for await (const batch of loader) labels.push(...(await batch.labels.data()))
    return labels
  }
  const balances: [boolean | number[], number[]][] = [
    [true, [200, 200, 200, 0]],
    [
      [1, 3, 0, 0],
      [150, 450, 0, 0]
    ],
    [
      [0, 0, 0.1, 0],
      [0, 0, 600, 0]
    ]
  ]
  for (const [balance, wanted] of balances) {
    it(`draws classes in proportion: balance ${String(balance)}`, async () => {
      const labels = await drawn(grouped(), { balance, seed: 5 })
      strictEqual(labels.length, 600)
      wanted.forEach((count, group) => {
        const got = labels.filter((label) => label === group).length
        // Five standard deviations of a binomial distribution either way.
        ok(Math.abs(got - count) <= 5 * Math.sqrt(count * (1 - count / 600)), `${got} of class ${group}`)
      })
    })
  }

  it('draws by the seed and the epoch, each picture of a class as likely', async () => {
    const set = numbered(40).relabel(['a', 'b'], (label) => (label < 4 ? 1 : 0), { fine: true })
    const draw = async (epoch: number, seed: number) => {
      const loader = new DataLoader(set, { balance: true, seed })
      loader.epoch = epoch
      const pictures: number[] = []
      for await (const { fine } of loader) pictures.push(...(await fine!.data()))
      return pictures
    }
    const [first, again, second, other] = [await draw(0, 1), await draw(0, 1), await draw(1, 1), await draw(0, 2)]
    deepStrictEqual(again, first)
    strictEqual(new Set([first, second, other].map(String)).size, 3)
    const counts = indices(40).map(() => 0)
    for (let epoch = 0; epoch < 50; epoch++) for (const picture of await draw(epoch, 3)) counts[picture]!++
    counts.forEach((count, picture) => {
      const share = picture < 4 ? 1 / 8 : 1 / 72
      const mean = 2000 * share
      ok(Math.abs(count - mean) <= 5 * Math.sqrt(mean * (1 - share)), `${count} times picture ${picture}`)
    })
  })

  it('keeps pictures and labels together when it shuffles', async () => {
    const { labels, images } = await load(numbered(30), { batchSize: 8, shuffle: true })
    images.forEach((image, at) => ok(isClose(image, moved(labels[at]!, false, 0, 0)), `picture ${labels[at]}`))
  })

  it('takes the right pictures of a subset', async () => {
    const { labels, images } = await load(numbered(30).subset([7, 29, 7, 3]), { batchSize: 3 })
    deepStrictEqual(labels, [7, 29, 7, 3])
    images.forEach((image, at) => ok(isClose(image, moved(labels[at]!, false, 0, 0))))
  })

  it('normalises', async () => {
    const set = numbered(6)
    for (const [normalize, { mean, std }] of [
      [true, set.statistics],
      [
        { mean: [0.1, 0.2, 0.3], std: [1, 2, 4] },
        { mean: [0.1, 0.2, 0.3], std: [1, 2, 4] }
      ]
    ] as const) {
      const { images } = await load(set, { normalize })
      images.forEach((image, i) => {
        const wanted = moved(i, false, 0, 0).map((v, at) => (v - mean[at % CHANNELS]!) / std[at % CHANNELS]!)
        ok(image.every((value, at) => Math.abs(value - wanted[at]!) < 1e-5))
      })
    }
  })

  const candidates: [string, Augmentation, [boolean, number, number][]][] = [
    ['flips', { flip: 'horizontal' }, [false, true].map((flip) => [flip, 0, 0])],
    [
      'shifts',
      { shift: 1, fill: 'black' },
      [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => [false, y, x] as [boolean, number, number]))
    ]
  ]
  for (const [what, augment, ways] of candidates) {
    it(`${what} each picture by chance`, async () => {
      const set = numbered(200)
      const { labels, images } = await load(set, { batchSize: 64, shuffle: true, seed: 1, augment })
      const counts = ways.map(() => 0)
      images.forEach((image, at) => {
        const way = ways.findIndex(([flip, y, x]) => isClose(image, moved(labels[at]!, flip, y, x)))
        ok(way >= 0, `picture ${labels[at]} is none of the ${ways.length} possible ones`)
        counts[way]!++
      })
      // Five standard deviations of a binomial distribution either way.
      const mean = 200 / ways.length
      const bound = 5 * Math.sqrt(mean * (1 - 1 / ways.length))
      for (const count of counts) ok(Math.abs(count - mean) < bound, `${counts}`)
    })
  }

  it('augments a picture the same way in every batch size, and anew in each epoch', async () => {
    const augment = { flip: 'horizontal', shift: 2 } as const
    const set = numbered(40)
    const byLabel = ({ labels, images }: Epoch) =>
      labels
        .map((l, at) => ({ l, at }))
        .sort((a, b) => a.l - b.l)
        .map(({ at }) => images[at])
    const loader = new DataLoader(set, { batchSize: 40, seed: 2, augment })
    const first = byLabel(await run(loader))
    deepStrictEqual(byLabel(await load(set, { batchSize: 7, seed: 2, augment })), first)
    const second = byLabel(await run(loader))
    ok(second.filter((image, i) => String(image) !== String(first[i])).length > 20)
  })

  // What has been enqueued on a stream can't be held.
  if (device === 'cpu') {
    it('waits while the queue is behind', async () => {
      const set = numbered(40)
      set.images.dataSync() // what the first batch needs is there
      let batches = 0
      let finished: Promise<void>
      native.hold(true)
      try {
        finished = (async () => {
          for await (const _ of new DataLoader(set, { batchSize: 1 })) batches++
        })()
        for (let turn = 0; turn < 1000; turn++) await setImmediate()
        ok(batches <= 2, `${batches} batches while the queue did nothing`)
      } finally {
        native.hold(false)
      }
      await finished
      strictEqual(batches, 40)
    })
  }

  it('lets timers run', async () => {
    let fired = false
    setTimeout(() => (fired = true), 0)
    const loader = new DataLoader(numbered(10), { batchSize: 1 })
    while (!fired) for await (const _ of loader) if (fired) break
    ok(loader.epoch > 0)
  })

  it('can be left early and used again', async () => {
    const loader = new DataLoader(numbered(10), { batchSize: 2 })
    for await (const _ of loader) break
    deepStrictEqual((await run(loader)).labels, indices(10))
  })

  it('gives no batch of an empty set', async () => {
    deepStrictEqual((await load(numbered(3).subset([]), { shuffle: true })).sizes, [])
  })

  const mistakes: [string, DataLoaderOptions, RegExp][] = [
    ['an unknown option', { batchsize: 7 } as never, /^DataLoader: .*got 'batchsize'\. Did you mean 'batchSize'\?/],
    ['batchSize 0', { batchSize: 0 }, /^DataLoader: expected batchSize as a whole number from 1, got 0/],
    ['a fraction as batchSize', { batchSize: 1.5 }, /batchSize/],
    ['a negative seed', { seed: -1 }, /^DataLoader: expected seed as a whole number in \[0, 2\^32\), got -1/],
    [
      'another flip',
      { augment: { flip: 'diagonal' as never } },
      /expected augment\.flip of 'horizontal', 'vertical', 'both', got 'diagonal'/
    ],
    ['a negative shift', { augment: { shift: -1 } }, /augment\.shift/],
    ['an unknown augmentation', { augment: { twirl: 3 } as never }, /got 'twirl'/],
    [
      'statistics of other channels',
      { normalize: { mean: [0], std: [1] } },
      /expected normalize \{ mean, std \} of 3 numbers/
    ],
    [
      'too few weights of classes',
      { balance: [1] },
      /^DataLoader: expected balance as true or 2 numbers from 0.*got \[1\]/
    ],
    ['a negative weight of a class', { balance: [1, -1] }, /balance/],
    ['no weight above 0', { balance: [0, 0] }, /balance/],
    ['NaN as a weight', { balance: [NaN, 1] }, /balance/],
    ['a deviation of 0', { normalize: { mean: [0, 0, 0], std: [1, 0, 1] } }, /std/]
  ]
  for (const [what, options, message] of mistakes) {
    it(`refuses ${what}`, () => throws(() => new DataLoader(numbered(2), options), { message }))
  }
})
