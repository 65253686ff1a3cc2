// The options of augmentation: what they stand for, how often changes happen, and what is refused.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import * as nt from '../../lib/index.js'
import { DataLoader, ImageDataset, type Augmentation } from '../../lib/index.js'
import { noise } from './support.js'

const COUNT = 400
const SHAPE = [6, 8, 3] as const
const SIZE = 6 * 8 * 3

const pixels = noise(COUNT * SIZE, 5)
const set = ImageDataset.from({ pixels, shape: SHAPE, labels: Array<number>(COUNT).fill(0), classes: ['any'] })
const normalize = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] }

async function epoch(augment: Augmentation, seed = 3): Promise<Float32Array> {
  const all = []
  for await (const { images } of new DataLoader(set, { batchSize: COUNT, normalize, seed, augment })) all.push(images)
  return all[0]!.data()
}
const part = (data: Float32Array, i: number) => data.subarray(i * SIZE, (i + 1) * SIZE)
const isSame = (a: Float32Array, b: Float32Array) => a.every((value, i) => value === b[i])

/** As many of the pictures as five standard deviations of a binomial distribution allow. */
function likely(count: number, probability: number, what: string): void {
  const deviation = Math.sqrt(COUNT * probability * (1 - probability))
  assert.ok(Math.abs(count - COUNT * probability) <= 5 * deviation, `${what}: ${count} of ${COUNT} at ${probability}`)
}

describe('Augmentation', () => {
  const rate: [Augmentation, number][] = [
    [{ flip: 'horizontal' }, 0.5],
    [{ flip: 'vertical' }, 0.5],
    [{ flip: 'both' }, 0.75],
    [{ flip: { direction: 'horizontal' } }, 0.5],
    [{ flip: { direction: 'vertical', probability: 0.2 } }, 0.2],
    [{ flip: { direction: 'both', probability: 0.2 } }, 0.36],
    [{ rotate: 25 }, 0.5],
    [{ rotate: { degrees: 25, probability: 0.1 } }, 0.1],
    [{ blur: 3 }, 0.5],
    [{ blur: { sigma: 3, probability: 0.8 } }, 0.8],
    [{ shift: 2 }, 24 / 25],
    [{ shift: { pixels: 2, probability: 0.5 } }, 12 / 25],
    [{ scale: [0.8, 1.2] }, 1],
    [{ scale: { range: [0.8, 1.2], probability: 0.3 } }, 0.3],
    [{ crop: 0.6 }, 1],
    [{ crop: { area: 0.6, probability: 0.4 } }, 0.4],
    [{ noise: 0.05 }, 0.5],
    [{ noise: { deviation: 0.05, probability: 1 } }, 1],
    [{ cutout: 2 }, 1],
    [{ cutout: { size: 2, probability: 0 } }, 0],
    [{ fill: 'edge' }, 0],
    [{ flip: undefined, rotate: undefined, fill: undefined }, 0]
  ]
  for (const [augment, probability] of rate) {
    it(`changes as often as asked for: ${inspect(augment)}`, async () => {
      const [plain, changed] = [await epoch({}), await epoch(augment)]
      const count = [...Array(COUNT).keys()].filter((i) => !isSame(part(plain, i), part(changed, i))).length
      likely(count, probability, inspect(augment))
    })
  }

  it('says the same as the numbers of batchImages', async () => {
    const rows: [Augmentation, Omit<nt.BatchImagesOptions, 'mean' | 'std'>][] = [
      [
        {
          flip: 'both',
          rotate: 10,
          blur: 1,
          shift: 2,
          scale: [0.9, 1.1],
          crop: 0.8,
          noise: 0.1,
          cutout: 3,
          fill: 'edge'
        },
        {
          ...{
            flip: 0.5,
            flipVertical: 0.5,
            rotate: 10,
            rotateProbability: 0.5,
            blur: 1,
            blurProbability: 0.5,
            shift: 2
          },
          ...{ scale: [0.9, 1.1], crop: 0.8, noise: 0.1, noiseProbability: 0.5, cutout: 3, fill: 'edge' }
        }
      ],
      [
        { rotate: { degrees: 10, probability: 0.9 }, scale: { range: [0.5, 2], probability: 0.1 } },
        { rotate: 10, rotateProbability: 0.9, scale: [0.5, 2], scaleProbability: 0.1 }
      ]
    ]
    const positions = nt.arange(0, COUNT, 1, { dtype: 'int32' })
    for (const [augment, numbers] of rows) {
      const direct = await nt.batchImages(set.images, positions, { ...normalize, ...numbers, seed: 3, epoch: 0 }).data()
      assert.ok(isSame(await epoch(augment), direct), inspect(augment))
    }
  })

  it('decides anew in each epoch and for each seed', async () => {
    const augment: Augmentation = { flip: 'horizontal', rotate: 25, blur: 3 }
    const loader = new DataLoader(set, { batchSize: COUNT, augment, seed: 1 })
    const epochs: Float32Array[] = []
    for (let i = 0; i < 2; i++) for await (const { images } of loader) epochs.push(await images.data())
    const other = new DataLoader(set, { batchSize: COUNT, augment, seed: 2 })
    for await (const { images } of other) epochs.push(await images.data())
    for (const [a, b] of [
      [0, 1],
      [0, 2]
    ] as const) {
      const same = [...Array(COUNT).keys()].filter((i) => isSame(part(epochs[a]!, i), part(epochs[b]!, i)))
      // Neither turned nor blurred in both, and flipped in both or in none: one of 32.
      assert.ok(same.length < COUNT / 10, `${same.length} pictures alike`)
    }
  })

  const refused: [unknown, RegExp][] = [
    [3, /augment as an object of changes, got 3/],
    [null, /augment as an object of changes, got null/],
    [['flip'], /augment as an object of changes, got \[/],
    [{ rotat: 3 }, /augment of 'flip', 'rotate', .*'fill', got 'rotat'\. Did you mean 'rotate'\?/],
    [{ colour: 3 }, /'fill', got 'colour'\.$/],
    [
      { flip: 'horizontl' },
      /augment\.flip of 'horizontal', 'vertical', 'both', got 'horizontl'\. Did you mean 'horizontal'\?/
    ],
    [{ flip: true }, /augment\.flip of .* got true/],
    [{ flip: { direction: 'up' } }, /augment\.flip\.direction of .* got 'up'/],
    [{ flip: { probability: 1 } }, /augment\.flip with 'direction', got \{ probability: 1 \}/],
    [{ flip: null }, /augment\.flip of .* got null/],
    [{ rotate: -1 }, /augment\.rotate as an angle in degrees in \[0, 180\], got -1/],
    [{ rotate: { degrees: '3' } }, /augment\.rotate\.degrees as an angle in degrees in \[0, 180\], got '3'/],
    [{ rotate: { degree: 3 } }, /augment\.rotate of 'degrees', 'probability', got 'degree'\. Did you mean 'degrees'\?/],
    [{ blur: { sigma: 3, probability: 1.5 } }, /augment\.blur\.probability in \[0, 1\], got 1\.5/],
    [{ blur: { sigma: 3, probability: null } }, /augment\.blur\.probability in \[0, 1\], got null/],
    [{ blur: NaN }, /augment\.blur as a deviation in pixels in \[0, 100\], got NaN/],
    [{ shift: 1.5 }, /augment\.shift as a number of whole pixels in \[0, 1000000\], got 1\.5/],
    [{ shift: { pixels: -1 } }, /augment\.shift\.pixels as a number of whole pixels in \[0, 1000000\], got -1/],
    [{ scale: 2 }, /augment\.scale as \[least, largest\] factors in \[0\.01, 100\], got 2/],
    [{ scale: { range: [2, 1] } }, /augment\.scale\.range as .* got \[2, 1\]/],
    [{ crop: 2 }, /augment\.crop as a part of the area in \[0\.01, 1\], got 2/],
    [{ noise: 'loud' }, /augment\.noise as a deviation in \[0, 100\], got 'loud'/],
    [{ cutout: [8] }, /augment\.cutout as a number of whole pixels in \[0, 1000000\], got \[8\]/],
    [{ fill: 'white' }, /augment\.fill of 'mean', 'black', 'edge', 'reflect', got 'white'/]
  ]
  for (const [augment, message] of refused) {
    it(`refuses ${inspect(augment)}`, () => {
      assert.throws(
        () => new DataLoader(set, { augment: augment as Augmentation }),
        ({ message: got }: Error) => {
          assert.match(got, /^DataLoader: expected /)
          assert.match(got, message)
          return true
        }
      )
    })
  }
})
