// Photos of any format and size as pixels of one size. Where a photo comes from is not trusted: its size is bounded, and
// what can't be read whole is refused.
import { readFile, stat } from 'node:fs/promises'
import { checkInteger, checkWord, expected, quoted } from '../errors.js'
import type { Sharp } from 'sharp'
import { Tensor, type DType } from '../tensor.js'
import { loadSharp } from './sharp.js'

/**
 * A photo: the path of a file, a file's bytes (of any format that sharp reads), or pixels [height, width, channels] of any
 * size: uint8 from 0 to 255, or floats from 0 to 1.
 */
export type Photo = string | Uint8Array | Tensor<'uint8'> | Tensor<'float32'> | Tensor<'float16'> | Tensor<'bfloat16'>

/**
 * How a photo gets the wanted height and width: 'fill' ignores its proportions, 'cover' cuts off what is too much around
 * the middle, 'contain' keeps all of it between black bars.
 */
export type PhotoFit = 'fill' | 'cover' | 'contain'

/** A part of a photo in pixels, as it is stored in the file: with a box, EXIF data turn nothing. */
export interface PhotoBox {
  left: number
  top: number
  width: number
  height: number
}

export interface PhotoOptions {
  height: number
  width: number
  /** 3: red, green and blue (sRGB); 1: grey; 3 by default. */
  channels?: 1 | 3
  /** 'fill' by default. */
  fit?: PhotoFit
  /** The part of the photo to read, cut to what lies within the photo; all of it by default. */
  box?: PhotoBox
  /** The photo's name in messages; its path by default. */
  name?: string
}

/** 16383 * 16383, what sharp allows by default: the largest photos of today's cameras have 200 million pixels. */
const MAX_PIXELS = 0x3fff * 0x3fff
const MAX_BYTES = 2 ** 30

/** Whether a file of that name is taken for a photo in folders and archives; hidden ones aren't. */
export const isPhoto = (name: string): boolean =>
  /\.(jpe?g|png|webp|gif|tiff?|avif|bmp)$/i.test(name) && !/(^|\/)(\.[^/]|__MACOSX\/)/.test(name)

/**
 * The pixels of a photo (a path, or the bytes of a file) as uint8 [height, width, channels]: turned as its EXIF data
 * say, in sRGB, on white where it is transparent, made smaller or larger with Lanczos3. Of several pages the first. Throws
 * when it isn't a whole picture of a format that sharp reads, or has more than 268 million pixels.
 */
export async function readPhoto(op: string, photo: string | Uint8Array, options: PhotoOptions): Promise<Uint8Array> {
  const { height, width, channels = 3, fit = 'fill', box } = options
  checkInteger(op, 'height as a whole number from 1', height, 1, 0x3fff)
  checkInteger(op, 'width as a whole number from 1', width, 1, 0x3fff)
  if (channels !== 1 && channels !== 3) throw expected(op, '1 or 3 channels', channels)
  checkWord(op, 'fit', fit, ['fill', 'cover', 'contain'])
  if (typeof photo !== 'string' && !(photo instanceof Uint8Array)) {
    throw expected(op, 'a photo as a path or a Uint8Array of the file', photo)
  }
  const name = options.name ?? (typeof photo === 'string' ? photo : 'the photo')
  const bytes = typeof photo === 'string' ? await readBytes(op, photo) : photo
  return decode(op, name, bytes, async (image) => {
    const part = box ? image.extract(within(op, name, box, await image.metadata())) : image.autoOrient()
    return part
      .flatten({ background: 'white' })
      .resize(width, height, { fit, kernel: 'lanczos3', background: 'black' })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer()
  })
}

/** What `work` makes of a photo's file; what is wrong with the file is told in the library's words. */
async function decode<T>(op: string, name: string, bytes: Uint8Array, work: (image: Sharp) => Promise<T>): Promise<T> {
  const sharp = await loadSharp(op)
  try {
    return await work(sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' }))
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ARGUMENT') throw error
    const { message } = error as Error
    if (/pixel limit/i.test(message)) {
      const size = await sharp(bytes, { limitInputPixels: false }).metadata()
      throw expected(op, `at most ${MAX_PIXELS} pixels in ${name}`, `${size.width}x${size.height}`)
    }
    const got = message.replace(/\s+/g, ' ').trim().replace(/\.$/, '')
    throw expected(op, `a whole picture in ${name}`, got || 'none')
  }
}

/**
 * Pixels [height, width, channels] at another size, as `readPhoto` would give them: with Lanczos3, whatever their proportions.
 */
export async function resizePixels(
  op: string,
  pixels: Uint8Array,
  shape: readonly number[],
  size: { height: number; width: number }
): Promise<Uint8Array> {
  const [height, width, channels] = shape as [number, number, number]
  if (channels !== 1 && channels !== 3) {
    throw expected(
      op,
      `pixels of ${size.height}x${size.width}`,
      `${height}x${width}`,
      'Only 1 or 3 channels are resized.'
    )
  }
  const sharp = await loadSharp(op)
  return sharp(pixels, { raw: { width, height, channels }, limitInputPixels: false })
    .resize(size.width, size.height, { fit: 'fill', kernel: 'lanczos3' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer()
}

/** Pixels [height, width, channels] of 1 (grey), 3 or 4 channels as a PNG file. */
export async function encodePng(op: string, pixels: Uint8Array, shape: readonly number[]): Promise<Uint8Array> {
  const [height, width, channels] = shape as [number, number, 1 | 3 | 4]
  const sharp = await loadSharp(op)
  return sharp(pixels, { raw: { width, height, channels }, limitInputPixels: false })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png()
    .toBuffer()
}

/** A photo that is looked at in several sizes. */
export interface OpenPhoto {
  /** As it is turned by its EXIF data. */
  height: number
  width: number
  /** The pixels uint8 [height, width, channels] at a size. */
  at(size: { height: number; width: number }): Promise<Uint8Array>
}

/** Reads what a photo is made of, and its size. Pixels in a tensor must have as many channels. */
export async function openPhoto(op: string, photo: Photo, channels: number): Promise<OpenPhoto> {
  if (photo instanceof Tensor) {
    const pixels = bytesOf(await pixelsOf(op, photo as Tensor<DType>, channels))
    const { shape } = photo
    const [height, width] = shape as [number, number]
    const at: OpenPhoto['at'] = async (size) =>
      size.height === height && size.width === width ? pixels : resizePixels(op, pixels, shape, size)
    return { height, width, at }
  }
  checkFile(op, photo)
  const name = typeof photo === 'string' ? photo : 'the photo'
  const bytes = typeof photo === 'string' ? await readBytes(op, photo) : photo
  const { autoOrient } = await decode(op, name, bytes, (image) => image.metadata())
  return { ...autoOrient, at: (size) => readPhoto(op, bytes, { ...size, channels: channels as 1 | 3, name }) }
}

/** Checks that what isn't a tensor is a photo's path or bytes. */
export function checkFile(op: string, photo: unknown): asserts photo is string | Uint8Array {
  if (typeof photo === 'string' || photo instanceof Uint8Array) return
  throw expected(op, 'a path, the bytes of a file, or a tensor [height, width, channels]', quoted(photo))
}

/** The values of a photo [height, width, channels] in a tensor: bytes, or floats from 0 to 1. */
export async function pixelsOf(op: string, photo: Tensor<DType>, channels: number): Promise<Uint8Array | Float32Array> {
  const { shape, dtype } = photo
  if (shape.length !== 3 || shape[2] !== channels || photo.size === 0) {
    throw expected(op, `a photo [height, width, ${channels}]`, `a tensor ${dtype} [${shape.join(', ')}]`)
  }
  if (dtype === 'uint8') return (await photo.data()) as Uint8Array
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') {
    throw expected(op, 'a photo of uint8 or floats', `a tensor ${dtype}`)
  }
  const values = (await photo.data()) as Float32Array
  // Rounding may take a resized picture a little past 0 and 1; bytes as floats go far past it.
  const wrong = values.find((value) => !(value >= -0.1 && value <= 1.1))
  if (wrong !== undefined) throw expected(op, 'floats from 0 to 1', wrong, 'Pixels from 0 to 255 go in as uint8.')
  return values
}

/** Pixels as bytes; floats in steps of 1/255. */
export const bytesOf = (pixels: Uint8Array | Float32Array): Uint8Array =>
  pixels instanceof Uint8Array ? pixels : Uint8Array.from(pixels, (v) => Math.round(255 * Math.min(1, Math.max(0, v))))

// Not sharp's own reading: libvips takes brackets in a path for options.
async function readBytes(op: string, path: string): Promise<Uint8Array> {
  try {
    const info = await stat(path)
    if (!info.isFile()) throw expected(op, `a photo at ${path}`, info.isDirectory() ? 'a folder' : 'no plain file')
    if (info.size > MAX_BYTES) throw expected(op, `at most ${MAX_BYTES} bytes in ${path}`, `${info.size}`)
    return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_ARGUMENT') throw error
    throw expected(op, `a photo at ${path}`, code === 'ENOENT' ? 'no such file' : (error as Error).message)
  }
}

/** The whole pixels of `box` that lie within a picture. */
function within(op: string, name: string, box: PhotoBox, size: { width: number; height: number }): PhotoBox {
  const left = Math.max(0, Math.floor(box.left))
  const top = Math.max(0, Math.floor(box.top))
  const right = Math.min(size.width, Math.ceil(box.left + box.width))
  const bottom = Math.min(size.height, Math.ceil(box.top + box.height))
  if (right > left && bottom > top) return { left, top, width: right - left, height: bottom - top }
  const got = `${box.width}x${box.height} at ${box.left}, ${box.top}`
  throw expected(op, `a box within the ${size.width}x${size.height} pixels of ${name}`, got)
}
