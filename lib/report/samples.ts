// Pictures of a training set, as they are and as the network saw them.
import { augmentationNumbers, type Augmentation } from '../data/augmentation.js'
import type { ImageDataset, Statistics } from '../data/dataset.js'
import { tensor } from '../functional/creation.js'
import type { Pictures, Sample } from './run-data.js'
import { thumbnail } from './thumbnail.js'

const SAMPLES = 24
const AUGMENTED = 6
const EPOCHS = 6

export interface SampleOptions {
  augment: Augmentation
  normalize: Statistics | undefined
  seed: number
  device: string
}

export async function samplesOf(
  train: ImageDataset,
  options: SampleOptions
): Promise<Pick<Pictures, 'samples' | 'augmented'>> {
  const places = spreadOverClasses(train)
  const samples = places.map(async (at): Promise<Sample> => {
    const file = train.file(at)
    return {
      image: await thumbnail(train.pixelsOf(at), train.shape),
      label: train.labelNumbers[at]!,
      ...(file !== undefined && { file })
    }
  })
  return { samples: await Promise.all(samples), augmented: await augmentedOf(train, places, options) }
}

/** The first pictures of each class, class by class in turn. */
function spreadOverClasses({ classes, labelNumbers }: ImageDataset): number[] {
  const each = Math.ceil(SAMPLES / classes.length)
  const found = classes.map(() => [] as number[])
  let missing = SAMPLES
  for (let at = 0; at < labelNumbers.length && missing > 0; at++) {
    const list = found[labelNumbers[at]!]!
    if (list.length >= each) continue
    list.push(at)
    missing--
  }
  return Array.from({ length: each }, (_, rank) => found.flatMap((list) => list.slice(rank, rank + 1))).flat()
}

/** What the loader made of the pictures in the first epochs. */
async function augmentedOf(
  train: ImageDataset,
  places: readonly number[],
  { augment, normalize, seed, device }: SampleOptions
): Promise<Pictures['augmented']> {
  const changes = augmentationNumbers('report', augment)
  if (Object.keys(augment).length === 0) return []
  const channels = train.shape[2]
  const { mean, std } = normalize ?? { mean: Array(channels).fill(0), std: Array(channels).fill(1) }
  const chosen = places.slice(0, AUGMENTED)
  const positions = tensor(Int32Array.from(chosen), { device })
  const size = train.pixelsOf(chosen[0]!).length
  const originals = await Promise.all(chosen.map((at) => thumbnail(train.pixelsOf(at), train.shape)))
  const rows = originals.map((image) => ({ image, epochs: [] as string[] }))
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const { images, labels, fine } = train.batch(positions, { mean, std, ...changes, seed, epoch })
    const values = await images.data()
    for (const one of [images, labels, fine]) one?.dispose()
    const bytes = Uint8ClampedArray.from(values, (value, i) => 255 * (value * std[i % channels]! + mean[i % channels]!))
    for (const [i, row] of rows.entries()) {
      row.epochs.push(await thumbnail(Uint8Array.from(bytes.subarray(i * size, (i + 1) * size)), train.shape))
    }
  }
  positions.dispose()
  return rows
}
