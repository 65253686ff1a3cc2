// The formats CIFAR-10 comes in: the official binary version, and PNG sheets in which a row of 1024 pixels is one picture.
import { expected } from '../errors.js'

export const CIFAR10_CLASSES = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck'
]

const SIDE = 32
const PIXELS = SIDE * SIDE
const BYTES = 3 * PIXELS

export interface LabelledPixels {
  /** [n, 32, 32, 3] */
  images: Uint8Array
  /** [n] */
  labels: Uint8Array
}

/**
 * Reads the binary version: records of 3073 bytes, one label, then 1024 red, 1024 green and 1024 blue values
 * (https://www.cs.toronto.edu/~kriz/cifar.html). `name` is for messages.
 */
export function readCifarBinary(op: string, name: string, bytes: Uint8Array): LabelledPixels {
  const record = 1 + BYTES
  const n = bytes.length / record
  if (!Number.isInteger(n) || n === 0)
    throw expected(op, `records of ${record} bytes in ${name}`, `${bytes.length} bytes`)
  const images = new Uint8Array(n * BYTES)
  const labels = new Uint8Array(n)
  for (let i = 0; i < n; i++) {
    labels[i] = bytes[i * record]!
    for (let channel = 0; channel < 3; channel++) {
      let from = i * record + 1 + channel * PIXELS
      const end = (i + 1) * BYTES
      for (let to = i * BYTES + channel; to < end; to += 3) images[to] = bytes[from++]!
    }
  }
  return { images, labels }
}

/** Reads a PNG sheet of `n` pictures: 1024 wide, n high, RGB. Returns the pixels as [n, 32, 32, 3]. */
export async function readSheet(op: string, name: string, png: Uint8Array, n: number): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  const decoded = await sharp(png, { limitInputPixels: PIXELS * n, failOn: 'warning' })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((error: Error) => {
      throw expected(op, `a PNG sheet of ${PIXELS}x${n} pixels in ${name}`, error.message)
    })
  const { width, height, channels } = decoded.info
  if (width !== PIXELS || height !== n || channels !== 3) {
    throw expected(op, `a PNG sheet of ${PIXELS}x${n} RGB pixels in ${name}`, `${width}x${height}x${channels}`)
  }
  return decoded.data
}

/** Reads a JSON array of `n` labels. */
export function readLabels(op: string, name: string, json: Uint8Array, n: number): Uint8Array {
  let values: unknown
  try {
    values = JSON.parse(Buffer.from(json).toString('utf8'))
  } catch (error) {
    throw expected(op, `a JSON array in ${name}`, (error as Error).message)
  }
  if (!Array.isArray(values) || values.length !== n || !values.every((v) => Number.isInteger(v) && v >= 0 && v < 256)) {
    throw expected(
      op,
      `a JSON array of ${n} labels in ${name}`,
      Array.isArray(values) ? `${values.length}` : typeof values
    )
  }
  return Uint8Array.from(values as number[])
}
