// Augmentation on the device: every change beside a slow reference that draws the same random numbers.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import * as nt from '../../lib/index.js'
import { run } from '../support/child.js'
import { augmented, type Pictures } from './augmented.js'
import { hash, near } from './support.js'
import { onEachDevice } from '../support/devices.js'

type Options = nt.AugmentationNumbers

const means = [0.45, 0.5, 0.3, 0.6, 0.2]
const deviations = [0.25, 0.5, 0.75, 0.3, 1]

function pictures(n: number, height: number, width: number, channels: number): Pictures {
  const pixels = Uint8Array.from({ length: n * height * width * channels }, (_, i) => hash(3, i) >>> 24)
  return { pixels, height, width, channels }
}
const complete = ({ channels }: Pictures, options: Options): nt.AugmentationNumbers & nt.Statistics => ({
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

onEachDevice('augmentation', (device) => {
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

  it('does so with pictures that are too large for the memory of a block', async () => {
    const set = pictures(3, 70, 75, 2)
    for (const options of [
      { flip: 0.5, rotate: 25, rotateProbability: 1, blur: 3, blurProbability: 1 },
      { shift: 2, blur: 20, noise: 0.1, noiseProbability: 1, cutout: 9, fill: 'edge' as const }
    ]) {
      for (const [i, got] of (await changed(set, [0, 1, 2], options)).entries())
        near(got, augmented(set, i, complete(set, options)), 1e-5, `picture ${i} ${JSON.stringify(options)}`)
    }
  })

  it('is the same with one thread and with two, and in every batch', async () => {
    const set = pictures(40, 32, 32, 3)
    const options: Options = { flip: 0.5, shift: 2, rotate: 25, crop: 0.7, cropProbability: 0.5, blur: 3, noise: 0.1 }
    const all = [...Array(40).keys()]
    const threads = nt.threads()
    try {
      nt.setThreads(1)
      const one = await changed(set, all, options)
      nt.setThreads(2)
      const two = await changed(set, [...all].reverse(), options)
      all.forEach((i) => assert.ok(equal(one[i]!, two[39 - i]!), `picture ${i}`))
      const alone = (await changed(set, [17], options))[0]!
      assert.ok(equal(alone, one[17]!))
      const again = await changed(set, [17, 17], { ...options, epoch: 1 })
      assert.ok(equal(again[0]!, again[1]!) && !equal(again[0]!, alone))
    } finally {
      nt.setThreads(threads)
    }
  })

  if (device === 'cpu') {
    it('is the same with every instruction set', async () => {
      const source = `
        import { createHash } from 'node:crypto'
        const images = nt.random.integers([20, 9, 13, 3], 0, 256, { seed: 1 }).astype('uint8')
        const options = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4], flip: 0.5, rotate: 25, crop: 0.7, blur: 3, noise: 0.1 }
        const hash = createHash('sha1')
        for (const fill of ['mean', 'edge', 'reflect'] as const) {
          const rows = nt.arange(0, 20, 1, { dtype: 'int32' })
          hash.update(await nt.batchImages(images, rows, { ...options, fill }).data())
        }
        console.log(hash.digest('hex'))`
      const results = await Promise.all(
        ['baseline', 'avx2', 'avx512', 'avx512bf16'].map((isa) => run(source, { env: { NEEDLETAIL_ISA: isa } }))
      )
      for (const { code, output, errors } of results) assert.deepEqual([code, output], [0, results[0]!.output], errors)
    })
  }

  it('takes empty batches, and pictures of nothing', async () => {
    const all: Options = { flip: 1, shift: 2, rotate: 25, scale: [0.5, 2], crop: 0.5, blur: 3, noise: 1, cutout: 3 }
    for (const shape of [
      [2, 0, 4, 3],
      [2, 4, 0, 3],
      [2, 4, 4, 0]
    ]) {
      const options = { ...all, mean: means.slice(0, shape[3]), std: deviations.slice(0, shape[3]) }
      const batch = nt.batchImages(nt.zeros(shape, { dtype: 'uint8' }), nt.tensor(Int32Array.of(1)), options)
      assert.equal((await batch.data()).length, 0)
    }
    assert.deepEqual(await changed(sets['32x32x3'], [], all), [])
  })

  it('takes amounts so small that they round to nothing', async () => {
    const set = sets['9x14x1']
    for (const options of [
      { blur: 5e-324, blurProbability: 1 },
      { blur: 1e-9, blurProbability: 1 },
      { noise: 0, noiseProbability: 1 },
      { rotate: 0, rotateProbability: 1 },
      { scale: [1, 1] as const },
      { crop: 1 }
    ]) {
      const plain = await changed(set, each, {})
      for (const [i, got] of (await changed(set, each, options)).entries())
        near(got, plain[i]!, 1e-6, JSON.stringify(options))
    }
  })

  const refused: [Options | object, RegExp][] = [
    [{ rotat: 3 }, /options of mean, std, flip, .*, got 'rotat'\. Did you mean 'rotate'\?/],
    [{ flip: NaN }, /flip as a probability in \[0, 1\], got NaN/],
    [{ flipVertical: 2 }, /flipVertical as a probability in \[0, 1\], got 2/],
    [{ shift: 0.5 }, /shift as a number of whole pixels in \[0, 1000000\], got 0\.5/],
    [{ shift: 1, shiftProbability: -1 }, /shiftProbability in \[0, 1\], got -1/],
    [{ rotate: 181 }, /rotate as an angle in degrees in \[0, 180\], got 181/],
    [{ rotate: '25' }, /rotate as an angle in degrees in \[0, 180\], got '25'/],
    [{ rotateProbability: 'often' }, /rotateProbability in \[0, 1\], got 'often'/],
    [{ scale: 0.5 }, /scale as \[least, largest\] factors in \[0\.01, 100\], got 0\.5/],
    [{ scale: [1.2, 0.8] }, /scale as .* got \[1\.2, 0\.8\]/],
    [{ scale: [0, 1] }, /scale as .* got \[0, 1\]/],
    [{ scale: [1, 2, 3] }, /scale as .* got \[1, 2, 3\]/],
    [{ scaleProbability: 1.5 }, /scaleProbability in \[0, 1\], got 1\.5/],
    [{ crop: 0 }, /crop as a part of the area in \[0\.01, 1\], got 0/],
    [{ cropProbability: Infinity }, /cropProbability in \[0, 1\], got Infinity/],
    [{ blur: 101 }, /blur as a deviation in pixels in \[0, 100\], got 101/],
    [{ blurProbability: null }, /blurProbability in \[0, 1\], got null/],
    [{ noise: -0.1 }, /noise as a deviation in \[0, 100\], got -0\.1/],
    [{ noiseProbability: 9 }, /noiseProbability in \[0, 1\], got 9/],
    [{ cutout: 2.5 }, /cutout as a number of whole pixels in \[0, 1000000\], got 2\.5/],
    [{ cutoutProbability: -0.5 }, /cutoutProbability in \[0, 1\], got -0\.5/],
    [{ fill: 'reflct' }, /fill of 'mean', 'black', 'edge', 'reflect', got 'reflct'\. Did you mean 'reflect'\?/]
  ]
  for (const [options, message] of refused)
    it(`refuses ${inspect(options)}`, async () => {
      await assert.rejects(changed(sets['1x1x1'], [0], options), ({ message: got }: Error) => {
        assert.match(got, /^batchImages: expected /)
        assert.match(got, message)
        return true
      })
    })
})
