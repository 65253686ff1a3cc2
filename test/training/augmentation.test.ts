// Augmentation on the device: every change beside a slow reference that draws the same random numbers.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { augmented, type Pictures } from './augmented.js'
import { hash, near } from './support.js'

type Options = Omit<nt.BatchImagesOptions, 'mean' | 'std'>

const means = [0.45, 0.5, 0.3, 0.6, 0.2]
const deviations = [0.25, 0.5, 0.75, 0.3, 1]

function pictures(n: number, height: number, width: number, channels: number): Pictures {
  const pixels = Uint8Array.from({ length: n * height * width * channels }, (_, i) => hash(3, i) >>> 24)
  return { pixels, height, width, channels }
}
const complete = ({ channels }: Pictures, options: Options): nt.BatchImagesOptions => ({
  mean: means.slice(0, channels),
  std: deviations.slice(0, channels),
  ...options
})
async function changed(set: Pictures, indices: number[], options: Options): Promise<Float32Array[]> {
  const { pixels, height, width, channels } = set
  const size = height * width * channels
  using images = nt.tensor(pixels, [pixels.length / size, height, width, channels])
  using rows = nt.tensor(Int32Array.from(indices))
  using batch = nt.batchImages(images, rows, complete(set, options))
  const data = await batch.data()
  return indices.map((_, i) => data.subarray(i * size, (i + 1) * size))
}
const equal = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => Array.from(a).every((v, i) => v === b[i])
const each = [...Array(8).keys()]

// Pictures that are square and that are not, of one, three and other numbers of channels, with rows of many lengths.
const sets = {
  '32x32x3': pictures(8, 32, 32, 3),
  '9x14x1': pictures(8, 9, 14, 1),
  '11x5x3': pictures(8, 11, 5, 3),
  '6x7x5': pictures(8, 6, 7, 5),
  '4x3x2': pictures(8, 4, 3, 2),
  '1x5x4': pictures(8, 1, 5, 4),
  '3x1x3': pictures(8, 3, 1, 3),
  '1x1x1': pictures(8, 1, 1, 1)
}
const fills = ['mean', 'black', 'edge', 'reflect'] as const
const copies: Options[] = [
  {},
  ...fills.flatMap((fill) => [
    { flip: 0.5, shift: 3, fill },
    { flipVertical: 0.5, flip: 0.5, shift: 2, shiftProbability: 0.5, fill },
    { shift: 40, fill }
  ]),
  { flip: 0.5, cutout: 4 },
  { cutout: 3, cutoutProbability: 0.5 },
  { cutout: 100 }
]
const changes: Options[] = [
  ...fills.flatMap((fill) => [
    { rotate: 25, fill },
    { rotate: 180, rotateProbability: 1, fill },
    { scale: [0.5, 1.5] as const, fill },
    { flip: 0.5, flipVertical: 0.5, rotate: 45, scale: [0.8, 1.2] as const, shift: 2, crop: 0.5, fill }
  ]),
  { crop: 0.6 },
  { crop: 0.1, cropProbability: 0.5 },
  { crop: 1, flip: 0.5 },
  { scale: [0.01, 0.01] },
  { scale: [100, 100], scaleProbability: 0.7 },
  { blur: 3 },
  { blur: 0.4, blurProbability: 1 },
  { blur: 7, blurProbability: 1, flip: 0.5, shift: 2, fill: 'black' },
  { flip: 0.5, rotate: 25, blur: 3, blurProbability: 1 },
  { noise: 0.05 },
  { noise: 1, noiseProbability: 1, cutout: 2 },
  { flip: 0.5, rotate: 10, rotateProbability: 1, shift: 1, blur: 2, noise: 0.1, cutout: 3, fill: 'reflect' }
]

describe('augmentation', () => {
  for (const [name, set] of Object.entries(sets)) {
    it(`copies to the bit where flips, whole pixels and cutouts are asked for: ${name}`, async () => {
      for (const options of copies) {
        for (const numbers of [{}, { seed: 2 ** 40 + 5, epoch: 2 ** 33 + 1 }]) {
          const all = { ...options, ...numbers }
          for (const [i, got] of (await changed(set, each, all)).entries())
            assert.ok(equal(got, augmented(set, i, complete(set, all))), `picture ${i} ${JSON.stringify(all)}`)
        }
      }
    })

    it(`samples, blurs and adds noise as the reference does: ${name}`, async () => {
      for (const options of changes) {
        for (const seed of name === '32x32x3' ? [1] : [1, 2]) {
          const all = { ...options, seed, epoch: 3 }
          for (const [i, got] of (await changed(set, each, all)).entries())
            near(got, augmented(set, i, complete(set, all)), 1e-5, `picture ${i} ${JSON.stringify(all)}`)
        }
      }
    })
  }
})
