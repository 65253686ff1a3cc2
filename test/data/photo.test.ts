// readPhoto: any format, size and number of channels becomes the pixels asked for; what is no whole picture is refused by name.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { readPhoto, type PhotoFit } from '../../lib/data/photo.js'
import { noise, temporaryCache } from './support.js'

const plain = (background: object, channels: 3 | 4 = 3): Sharp =>
  sharp({ create: { width: 12, height: 8, channels, background } })
const raw = (pixels: number[], width: number, height: number) =>
  sharp(Uint8Array.from(pixels), { raw: { width, height, channels: 3 } })
const photo = (side = 100): Sharp => sharp(noise(side * side * 3), { raw: { width: side, height: side, channels: 3 } })
const red = { r: 255, g: 0, b: 0 }
const black = [0, 0, 0]
const white = [255, 255, 255]

/** The only colour of the photo; fails if there are several. */
async function colour(image: Sharp, channels: 1 | 3 = 3): Promise<number[]> {
  const pixels = [...(await readPhoto('predict', await image.toBuffer(), { height: 5, width: 3, channels }))]
  strictEqual(pixels.length, 15 * channels)
  const first = pixels.slice(0, channels)
  pixels.forEach((value, i) => ok(Math.abs(value - first[i % channels]!) <= 1))
  return first
}

describe('readPhoto', () => {
  const folder = temporaryCache()

  const colours: [string, Sharp, 1 | 3, number[], number][] = [
    ['PNG', plain(red).png(), 3, [255, 0, 0], 0],
    ['JPEG', plain(red).jpeg(), 3, [255, 0, 0], 2],
    ['WebP', plain(red).webp(), 3, [255, 0, 0], 2],
    ['GIF', plain(red).gif(), 3, [255, 0, 0], 0],
    ['TIFF', plain(red).tiff(), 3, [255, 0, 0], 2],
    ['16 bits', plain(red).toColourspace('rgb16').png(), 3, [255, 0, 0], 0],
    ['grey', plain(white).greyscale().png(), 3, white, 0],
    ['grey with 16 bits', plain(white).toColourspace('grey16').png(), 3, white, 0],
    ['CMYK', plain(white).toColourspace('cmyk').jpeg(), 3, white, 2],
    ['black, half transparent', plain({ ...red, r: 0, alpha: 0.5 }, 4).png(), 3, [127, 127, 127], 1],
    ['black, transparent, with a palette', plain({ ...red, r: 0, alpha: 0 }, 4).png({ palette: true }), 3, white, 0],
    ['colours as grey', plain({ r: 90, g: 90, b: 90 }).png(), 1, [90], 1],
    ['grey as grey', plain(white).greyscale().jpeg(), 1, [255], 1]
  ]
  for (const [what, image, channels, wanted, tolerance] of colours) {
    it(`reads ${what}`, async () => {
      const got = await colour(image, channels)
      ok(
        got.every((value, i) => Math.abs(value - wanted[i]!) <= tolerance),
        `${got}`
      )
    })
  }

  it('keeps pixels as they are when the size is right', async () => {
    const bytes = await photo(6).png().toBuffer()
    deepStrictEqual([...(await readPhoto('predict', bytes, { height: 6, width: 6 }))], [...noise(108)])
  })

  it('turns a photo as its EXIF data say', async () => {
    const row = [255, 0, 0, 0, 255, 0, 0, 0, 255]
    const bytes = await raw(row, 3, 1).withMetadata({ orientation: 6 }).png().toBuffer()
    deepStrictEqual([...(await readPhoto('predict', bytes, { height: 3, width: 1 }))], row)
    const back = await raw(row, 3, 1).withMetadata({ orientation: 8 }).png().toBuffer()
    deepStrictEqual([...(await readPhoto('predict', back, { height: 3, width: 1 }))], [0, 0, 255, 0, 255, 0, 255, 0, 0])
  })

  const fits: [PhotoFit, number[][]][] = [
    ['fill', [white, white, white, white]],
    ['cover', [white, white, white, white]],
    ['contain', [black, white, white, black]]
  ]
  for (const [fit, wanted] of fits) {
    it(`fits a high photo with '${fit}'`, async () => {
      const bytes = await plain(white).resize(4, 8).png().toBuffer()
      const pixels = [...(await readPhoto('predict', bytes, { height: 4, width: 4, fit }))]
      deepStrictEqual(pixels, Array(4).fill(wanted.flat()).flat())
    })
  }

  it('reads a part, cut to what lies within', async () => {
    const bytes = await raw([...white, ...black, ...black, ...white], 4, 1)
      .png()
      .toBuffer()
    const read = async (left: number, width: number) => [
      ...(await readPhoto('cub200', bytes, { height: 1, width: 1, box: { left, top: 0, width, height: 9 } }))
    ]
    deepStrictEqual([await read(1, 2), await read(3, 8)], [black, white])
    await rejects(read(4, 1), {
      message: /^cub200: expected a box within the 4x1 pixels of the photo, got 1x9 at 4, 0/
    })
  })

  it('reads a file, whatever its name', async () => {
    const file = join(folder(), 'a [page=3].jpg')
    writeFileSync(file, await plain(red).png().toBuffer())
    deepStrictEqual([...(await readPhoto('predict', file, { height: 1, width: 1 }))], [255, 0, 0])
  })

  const damaged: [string, () => Promise<Uint8Array>, RegExp][] = [
    [
      'a cut JPEG',
      async () => half(await photo().jpeg().toBuffer()),
      /expected a whole picture in .*x\.jpg, got .*end/
    ],
    ['a cut PNG', async () => half(await photo().png().toBuffer()), /expected a whole picture in .*x\.jpg, got /],
    ['another format', async () => noise(100), /expected a whole picture in .*x\.jpg, got .*unsupported/],
    ['an empty file', async () => new Uint8Array(), /expected a whole picture in .*x\.jpg, got .*empty/],
    ['a pixel bomb', async () => bomb(), /expected at most 268402689 pixels in .*x\.jpg, got 30000x30000\.$/]
  ]
  for (const [what, bytes, message] of damaged) {
    it(`refuses ${what}, by name`, async () => {
      const file = join(folder(), 'x.jpg')
      writeFileSync(file, await bytes())
      await rejects(readPhoto('predict', file, { height: 1, width: 1 }), (error: Error) => {
        ok(message.test(error.message), error.message)
        return error.message.startsWith('predict: expected ')
      })
    })
  }

  it('says what is no photo', async () => {
    const size = { height: 1, width: 1 }
    const missing = join(folder(), 'missing.jpg')
    mkdirSync(join(folder(), 'f'))
    await rejects(readPhoto('predict', missing, size), {
      message: `predict: expected a photo at ${missing}, got no such file.`
    })
    await rejects(readPhoto('predict', join(folder(), 'f'), size), { message: /got a folder\.$/ })
    await rejects(readPhoto('predict', 7 as never, size), { message: /^predict: expected a photo as a path/ })
    await rejects(readPhoto('predict', noise(9), { ...size, height: 0 }), { message: /expected height/ })
    await rejects(readPhoto('predict', noise(9), { ...size, channels: 4 as never }), {
      message: /1 or 3 channels, got 4/
    })
    await rejects(readPhoto('predict', noise(9), { ...size, fit: 'x' as never }), { message: /expected fit of 'fill'/ })
  })
})

const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2)

/** A PNG whose header says 30000x30000 pixels; nothing but the header is true. */
async function bomb(): Promise<Uint8Array> {
  const bytes = await plain(red).png().toBuffer()
  bytes.writeUInt32BE(30000, 16)
  bytes.writeUInt32BE(30000, 20)
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
  return bytes
}
