// The batch op: gathering, normalising, flips and shifts.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { batchImagesAt } from '../../lib/functional/batch.js'
import { near } from './support.js'
import { onEachDevice } from '../support/devices.js'

const [n, height, width, channels] = [5, 6, 7, 3] as const
const size = height * width * channels
const pixels = Uint8Array.from({ length: n * size }, (_, i) => (i * 37 + (i >> 3)) % 256)
const images = () => nt.tensor(pixels, [n, height, width, channels])
const mean = [0.1, 0.5, 0.3]
const std = [0.2, 0.25, 0.5]
const ints = (...values: number[]): nt.Tensor<'int32'> => nt.tensor(new Int32Array(values))

// The picture, flipped or not, moved by (dy, dx).
function picture(index: number, flip: boolean, dy: number, dx: number): number[] {
  const out: number[] = []
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const [fromY, moved] = [y - dy, x - dx]
        const inside = fromY >= 0 && fromY < height && moved >= 0 && moved < width
        const fromX = flip ? width - 1 - moved : moved
        const value = inside ? pixels[index * size + (fromY * width + fromX) * channels + c]! : 0
        out.push((value / 255 - mean[c]!) / std[c]!)
      }
    }
  }
  return out
}
const same = (a: ArrayLike<number>, b: readonly number[]): boolean => b.every((v, i) => Math.abs(v - a[i]!) < 1e-5)

onEachDevice('batchImages', () => {
  it('gathers and normalises', async () => {
    const batch = nt.batchImages(images(), ints(3, 0, 3), { mean, std })
    assert.deepEqual(batch.shape, [3, height, width, channels])
    near(
      await batch.data(),
      [3, 0, 3].flatMap((i) => picture(i, false, 0, 0)),
      1e-6,
      'batch'
    )
  })

  it('flips and shifts each picture as a whole, each way alike', async () => {
    const seen = new Map<string, number>()
    const indices = [0, 1, 2, 3, 4]
    for (let epoch = 0; epoch < 100; epoch++) {
      const data = await nt
        .batchImages(images(), ints(...indices), { mean, std, flip: 0.5, shift: 2, fill: 'black', seed: 1, epoch })
        .data()
      for (const i of indices) {
        const got = data.subarray(i * size, (i + 1) * size)
        const all = [false, true].flatMap((flip) =>
          [-2, -1, 0, 1, 2].flatMap((dy) => [-2, -1, 0, 1, 2].map((dx) => ({ flip, dy, dx })))
        )
        const which = all.find(({ flip, dy, dx }) => same(got, picture(i, flip, dy, dx)))
        assert.ok(which, `picture ${i} of epoch ${epoch} is none of the variants`)
        for (const [key, value] of Object.entries(which))
          seen.set(`${key} ${value}`, (seen.get(`${key} ${value}`) ?? 0) + 1)
      }
    }
    near([seen.get('flip true')!], [250], 0.2, 'flips')
    for (const key of ['dy', 'dx'])
      for (const by of [-2, -1, 0, 1, 2]) near([seen.get(`${key} ${by}`)!], [100], 0.35, `${key} ${by}`)
  })

  it('always flips at 1, and never at 0', async () => {
    const all = await nt.batchImages(images(), ints(0, 1), { mean, std, flip: 1 }).data()
    near(
      all,
      [0, 1].flatMap((i) => picture(i, true, 0, 0)),
      1e-6,
      'flipped'
    )
  })

  it('decides by seed, epoch and index alone', async () => {
    const options = { mean, std, flip: 0.5, shift: 3, seed: 7, epoch: 2 }
    const data = async (o: typeof options, ...i: number[]): Promise<number[]> => [
      ...(await nt.batchImages(images(), ints(...i), o).data())
    ]
    const batch = await data(options, 4, 2)
    assert.deepEqual([...(await data(options, 4)), ...(await data(options, 2))], batch)
    assert.notDeepEqual(await data({ ...options, epoch: 3 }, 4, 2), batch)
    assert.notDeepEqual(await data({ ...options, seed: 8 }, 4, 2), batch)
  })

  it('moves pictures out of sight', async () => {
    const black = picture(0, false, height, 0)
    let gone = 0
    for (let epoch = 0; epoch < 40; epoch++) {
      gone += Number(
        same(await nt.batchImages(images(), ints(1), { mean, std, shift: 20, fill: 'black', epoch }).data(), black)
      )
    }
    assert.ok(gone > 5 && gone < 40)
  })

  it('takes empty batches, and pictures of nothing', async () => {
    assert.deepEqual(nt.batchImages(images(), ints(), { mean, std }).shape, [0, height, width, channels])
    const flat = nt.batchImages(nt.zeros([2, 0, 4, 3], { dtype: 'uint8' }), ints(1), { mean, std, shift: 1 })
    assert.equal((await flat.data()).length, 0)
  })

  it('makes all batches of all epochs by one program', async () => {
    const list = ints(3, 0, 4, 1, 2, 2, 0)
    const place = { epoch: nt.zeros([], { dtype: 'int32' }), first: nt.zeros([], { dtype: 'int32' }) }
    const means = { mean: nt.tensor(mean), std: nt.tensor(std) }
    const options = { ...means, seed: 3, flip: 0.5, rotate: 25, blur: 1, noise: 0.1 }
    const three = nt.compile(() => batchImagesAt(images(), list, place, 3, options))
    for (let epoch = 0; epoch < 3; epoch++) {
      for (const first of [4, 0, 2]) {
        nt.assign(place.epoch, epoch)
        nt.assign(place.first, first)
        const wanted = nt.batchImages(images(), list.slice(first, first + 3), { ...options, epoch })
        assert.deepEqual(await three().data(), await wanted.data())
      }
    }
    assert.equal(three.programs.length, 1)
    for (const [first, got] of [
      [5, 7],
      [-1, -1]
    ]) {
      nt.assign(place.first, first!)
      await assert.rejects(three().data(), new RegExp(`batch: expected indices in \\[0, 7\\), got ${got}`))
    }
  })

  it('fails in the queue for an index that is none', async () => {
    for (const index of [n, -1]) {
      const batch = nt.batchImages(images(), ints(0, index), { mean, std })
      await assert.rejects(batch.data(), new RegExp(`batch: expected indices in \\[0, 5\\), got ${index}`))
    }
  })

  const refused: [string, () => unknown, RegExp][] = [
    [
      'no options',
      () => nt.batchImages(images(), ints(0), undefined as never),
      /^batchImages: expected options with mean and std/
    ],
    ['no mean', () => nt.batchImages(images(), ints(0), { std } as never), /expected mean as an array/],
    [
      'a deviation of 0',
      () => nt.batchImages(images(), ints(0), { mean, std: [1, 0, 1] }),
      /std as an array of numbers above 0/
    ],
    [
      'two channels for three',
      () => nt.batchImages(images(), ints(0), { mean: [0, 0], std }),
      /^batch: expected means float32 \[3\]/
    ],
    [
      'a negative shift',
      () => nt.batchImages(images(), ints(0), { mean, std, shift: -1 }),
      /shift as a number of whole pixels in \[0, 1000000\], got -1/
    ],
    ['a shift too far', () => nt.batchImages(images(), ints(0), { mean, std, shift: 1e7 }), /shift as a number/],
    [
      'a flip above 1',
      () => nt.batchImages(images(), ints(0), { mean, std, flip: 1.5 }),
      /flip as a probability in \[0, 1\], got 1.5/
    ],
    ['a negative epoch', () => nt.batchImages(images(), ints(0), { mean, std, epoch: -1 }), /a seed and an epoch/],
    [
      'pictures as floats',
      () => nt.batchImages(nt.zeros([1, 2, 2, 3]) as never, ints(0), { mean, std }),
      /images uint8/
    ],
    [
      'indices as bytes',
      () => nt.batchImages(images(), nt.zeros([1], { dtype: 'uint8' }) as never, { mean, std }),
      /indices int32/
    ],
    ['a number as pictures', () => nt.batchImages(3 as never, ints(0), { mean, std }), /expected a tensor, got 3/]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
})
