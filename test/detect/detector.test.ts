// Searches in photos: what is found and where, the same by convolution and by crops; boxes that overlap; what is refused.
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import sharp from 'sharp'
import * as nt from '../../lib/index.js'
import { Detector, nn, overlapOf, suppress } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { writeRun } from '../support/run-folder.js'
import { temporaryFolder } from '../support/temporary.js'

const WINDOW = [8, 8, 1] as const

/** Knows a bright square in the middle of a dark window: its score is what is bright inside less what is bright outside. */
function squares(): nt.Classifier {
  const network = new nn.Sequential(new nn.Flatten(), new nn.Dropout(0.5), new nn.Linear(2)).build([1, ...WINDOW])
  const inside = (at: number) => at >= 2 && at < 6
  const pattern = Float32Array.from({ length: 64 }, (_, i) => (inside(Math.floor(i / 8)) && inside(i % 8) ? 1 : -2))
  const head = network[2] as nt.nn.Linear
  head.weight.assign(nt.tensor(new Float32Array([...pattern.map(() => 0), ...pattern]), [2, 64]))
  head.bias!.assign(nt.tensor([12, 0]))
  return { network, inputShape: WINDOW, classes: ['other', 'square'] }
}

const box = (left: number, top: number, size: number): nt.Box => ({ left, top, width: size, height: size })

/** A dark photo with bright squares, each in the middle half of a box. */
function drawn(height: number, width: number, boxes: nt.Box[]): Uint8Array {
  const pixels = new Uint8Array(height * width)
  for (const { left, top, width: size } of boxes) {
    for (let row = 0; row < size / 2; row++) {
      const start = (top + size / 4 + row) * width + left + size / 4
      pixels.fill(255, start, start + size / 2)
    }
  }
  return pixels
}

const [HEIGHT, WIDTH] = [60, 90]
const placed = [box(3, 5, 8), box(30, 10, 16), box(50, 20, 32)]

/** Whether each box is found once, and nothing else is. */
function foundAll(found: nt.Found[], boxes: nt.Box[]): void {
  strictEqual(found.length, boxes.length)
  for (const wanted of boxes)
    ok(
      found.some((there) => overlapOf(there, wanted) > 0.6),
      JSON.stringify(wanted)
    )
}

onEachDevice('Detector', () => {
  const photo = (): nt.Tensor<'uint8'> => nt.tensor(drawn(HEIGHT, WIDTH, placed), [HEIGHT, WIDTH, 1])
  const sizes = [8, 16, 32]

  it('finds things of every size, each once, the most probable first', async () => {
    const { found, windows } = await new Detector(squares()).find(photo(), { sizes, threshold: 0.6 })
    foundAll(found, placed)
    ok(found.every(({ label, probability }) => label === 'square' && probability >= 0.6 && probability <= 1))
    deepStrictEqual(
      found.map(({ probability }) => probability),
      found.map(({ probability }) => probability).sort((a, b) => b - a)
    )
    // 60 and 90 pixels, then half and a quarter as many, each with a window of 8 at every pixel.
    strictEqual(windows, 53 * 83 + 23 * 38 + 8 * 16)
  })

  it('finds the same by convolution and by crops', async () => {
    const detector = new Detector(squares())
    const [slid, cut] = await Promise.all(
      (['convolution', 'crops'] as const).map((method) =>
        detector.find(photo(), { sizes, threshold: 0, method, overlap: 1 })
      )
    )
    strictEqual(slid!.windows, cut!.windows)
    strictEqual(slid!.found.length, cut!.found.length)
    for (const [i, { probability }] of slid!.found.entries()) {
      ok(Math.abs(probability - cut!.found[i]!.probability) < 1e-5)
    }
  })

  it('moves crops on as it is told', async () => {
    const { windows } = await new Detector(squares()).find(photo(), { sizes: [8], method: 'crops', stride: 4 })
    strictEqual(windows, 14 * 22) // 52 and 82 pixels, rounded up
  })

  it('covers the photo to its edges', async () => {
    const corner = box(WIDTH - 8, HEIGHT - 8, 8)
    const pixels = nt.tensor(drawn(HEIGHT, WIDTH, [corner]), [HEIGHT, WIDTH, 1])
    for (const stride of [3, 5]) {
      const options = { sizes: [8], method: 'crops', stride, threshold: 0 } as const
      const { found } = await new Detector(squares()).find(pixels, options)
      const within = found.every(
        (at) => at.left >= 0 && at.top >= 0 && at.left + at.width <= WIDTH && at.top + at.height <= HEIGHT
      )
      ok(within)
      ok(found.some((at) => at.left + at.width === WIDTH && at.top + at.height === HEIGHT))
    }
  })

  it('takes photos as floats, files and bytes, turned as their EXIF data say', async () => {
    const detector = new Detector(squares())
    const { found: wanted } = await detector.find(photo(), { sizes })
    const floats = photo().astype('float32').div(255)
    const raw = { width: WIDTH, height: HEIGHT, channels: 1 } as const
    const turned = await sharp(drawn(HEIGHT, WIDTH, placed), { raw })
      .rotate(-90)
      .toColourspace('b-w')
      .png()
      .withMetadata({ orientation: 6 })
      .toBuffer()
    for (const same of [floats, turned]) deepStrictEqual((await detector.find(same, { sizes })).found, wanted)
  })

  it('without sizes looks at windows from small ones to all of the photo', async () => {
    const detector = new Detector(squares())
    const counts = async (height: number, width: number, sizes?: nt.WindowSizes) =>
      (await detector.find(nt.zeros([height, width, 1], { dtype: 'uint8' }), { sizes })).windows
    strictEqual(await counts(8, 8), 1)
    strictEqual(await counts(3, 5), 6) // made larger: 8 and 13 pixels
    strictEqual(await counts(64, 64, { step: 2 }), 57 ** 2 + 25 ** 2 + 9 ** 2 + 1)
    strictEqual(await counts(64, 64, { smallest: 32, largest: 32 }), 81)
  })

  it('leaves a network in training as it was', async () => {
    const classifier = squares()
    const { found } = await new Detector(classifier).find(photo(), { sizes, threshold: 0.6 })
    strictEqual(found.length, 3)
    ok(classifier.network.modules().every(({ training }) => training))
  })

  const refused: [string, nt.FindOptions & { extra?: number }, RegExp][] = [
    [
      'a class that isn’t there',
      { label: 'circle' },
      /find: expected label as a class of 'other', 'square', got 'circle'/
    ],
    ['a threshold that is no share', { threshold: 2 }, /threshold from 0 to 1, got 2/],
    ['an overlap that is no number', { overlap: 'much' as never }, /overlap from 0 to 1, got 'much'/],
    ['an unknown method', { method: 'magic' as never }, /method of 'convolution', 'crops', got 'magic'/],
    ['a stride of a convolution', { stride: 2 }, /a stride only with the method 'crops', got 2/],
    ['a stride of 0', { method: 'crops', stride: 0 }, /stride as a whole number from 1, got 0/],
    ['no sizes', { sizes: [] }, /1 to 100 sizes, got 0/],
    ['sizes below 0', { sizes: [-3] }, /sizes above 0, got -3/],
    ['sizes that are no numbers', { sizes: ['all'] as never }, /sizes as numbers, got 'all'/],
    [
      'sizes that need an endless photo',
      { sizes: [0.01] },
      /sizes for which the photo has at most .* got a size of 0.01/
    ],
    ['steps that lead nowhere', { sizes: { step: 1 } }, /step as a number above 1, got 1/],
    ['endless steps', { sizes: { smallest: 8, step: 1.0001 } }, /1 to 100 sizes, got 101/],
    [
      'a smallest above the largest',
      { sizes: { smallest: 40, largest: 20 } },
      /a smallest size of at most the largest, 20, got 40/
    ],
    ['an unknown option', { extra: 1 }, /find: expected options of label, .*, got 'extra'/]
  ]
  for (const [name, options, message] of refused) {
    it(`refuses ${name}`, () => rejects(new Detector(squares()).find(photo(), options), { message }))
  }

  it('refuses what is no photo of so many channels, and what is no classifier', async () => {
    const detector = new Detector(squares())
    await rejects(
      detector.find(nt.zeros([8, 8, 3])),
      /find: expected a photo \[height, width, 1\], got a tensor float32 \[8, 8, 3\]/
    )
    await rejects(detector.find('gone.png'), /find: expected a photo at gone.png, got no such file/)
    await rejects(detector.find(new Uint8Array(9)), /find: expected a whole picture in the photo/)
    await rejects(detector.find(3 as never), /find: expected a path, the bytes of a file, or a tensor/)
    throws(() => new Detector({ ...squares(), network: {} as never }), /Detector: expected a module as network/)
    throws(
      () => new Detector({ ...squares(), inputShape: [8, 8] as never }),
      /inputShape as \[height, width, channels\]/
    )
    const three = { ...squares(), classes: ['a', 'b', 'c'] }
    await rejects(new Detector(three).find(photo()), /label as a class of 'a', 'b', 'c', got undefined/)
    await rejects(new Detector(three).find(photo(), { label: 'c' }), /scores of 3 classes, got \[1, \d+, \d+, 2\]/)
  })
})

describe('boxes', () => {
  const overlaps: [string, nt.Box, nt.Box, number][] = [
    ['equal', box(1, 2, 4), box(1, 2, 4), 1],
    ['apart', box(0, 0, 4), box(10, 0, 4), 0],
    ['side by side', box(0, 0, 4), box(4, 0, 4), 0],
    ['one in the other', box(0, 0, 4), box(1, 1, 2), 4 / 16],
    ['half and half', box(0, 0, 4), box(2, 0, 4), 8 / 24],
    ['empty', box(0, 0, 0), box(0, 0, 0), 0]
  ]
  for (const [name, a, b, share] of overlaps) {
    it(`overlap: ${name}`, () => deepStrictEqual([overlapOf(a, b), overlapOf(b, a)], [share, share]))
  }

  it('that overlap leave the most probable', () => {
    const boxes = [
      { ...box(0, 0, 10), probability: 0.6 },
      { ...box(1, 0, 10), probability: 0.9 },
      { ...box(2, 0, 10), probability: 0.8 },
      { ...box(9, 0, 10), probability: 0.7 }
    ]
    deepStrictEqual(
      suppress(boxes, 0.5).map(({ probability }) => probability),
      [0.9, 0.7]
    )
    strictEqual(suppress(boxes, 1).length, 4)
    deepStrictEqual(suppress([], 0.5), [])
  })
})

describe('Predictor.find', () => {
  const path = temporaryFolder()

  it('finds with the network, the classes and the normalisation of a run', async () => {
    const run = await nt.load(await writeRun(path('run')))
    const [height, width] = [40, 60]
    const red = { create: { width: 30, height: 20, channels: 3, background: 'red' } } as const
    const photo = sharp({ create: { width, height, channels: 3, background: 'blue' } })
    const file = await photo
      .composite([{ input: await sharp(red).png().toBuffer(), left: 20, top: 10 }])
      .png()
      .toBuffer()
    const { found } = await run.find(file, { label: 'red', sizes: [20], threshold: 0.9 })
    ok(
      found.length > 0 && overlapOf(found[0]!, { left: 20, top: 10, width: 30, height: 20 }) > 0.6,
      JSON.stringify(found)
    )
  })
})
