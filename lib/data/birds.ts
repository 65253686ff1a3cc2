// Bird or not: CIFAR-10's pictures, and bird pictures of other origins.
import { checkOptions, expected } from '../errors.js'
import { CIFAR10_CLASSES } from './cifar.js'
import { ImageDataset } from './dataset.js'
import { cifar10, type DatasetParts } from './datasets.js'
import { checkPhotoSet, readPhotos, sourceName } from './photos.js'

/** What `datasets.birds` takes. */
export interface BirdsOptions {
  /** Folders of bird pictures; every picture in them and in the folders in them is one. */
  folders?: readonly string[]
  /** Archives (tar, plain or gzipped, or zip) of bird pictures; they are read without unpacking. */
  archives?: readonly string[]
  /** Whether CIFAR-10's ten classes stay as the set's finer ones; the other sources' birds are then its birds. */
  fine?: boolean
  /** Pictures that are held out, a number or a share below 1; 15000 by default. */
  test?: number
  /** Seed of the choice of those held out; 0 by default. */
  seed?: number
  /** Whether a picture that can't be read is an error that names it, or is left out and listed in `skipped`; 'throw' by default. */
  onError?: 'throw' | 'skip'
}

const SIDE = 32
const BIRD = CIFAR10_CLASSES.indexOf('bird')

/**
 * Pictures of 32x32 with the classes 'other' and 'bird'. Without options CIFAR-10's own two parts: 5,000 and 1,000 of the
 * pictures are birds, a tenth. With `folders` or `archives` their pictures, made 32x32 whatever their proportions, come in as
 * further birds, and of all together `test` are held out, chosen by `seed`, birds and others in their proportion. The
 * sources are 'CIFAR-10' and the names of the folders and archives.
 */
export async function birds(options: BirdsOptions = {}): Promise<DatasetParts> {
  const op = 'datasets.birds'
  checkOptions(op, options, ['folders', 'archives', 'fine', 'test', 'seed', 'onError'])
  const { folders = [], archives = [], fine = false, test, seed = 0, onError = 'throw' } = options
  for (const [name, paths] of Object.entries({ folders, archives })) {
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
      throw expected(op, `${name} as an array of paths`, paths)
    }
  }
  const photoSet = checkPhotoSet(op, { size: SIDE, onError })
  const cifar = await cifar10()
  const relabel = (set: ImageDataset) => set.relabel(['other', 'bird'], (label) => (label === BIRD ? 1 : 0), { fine })
  const paths = [...folders, ...archives]
  if (paths.length === 0 && test === undefined) return { train: relabel(cifar.train), test: relabel(cifar.test) }
  const sets = [cifar.train, cifar.test]
  const names = new Set(cifar.train.sources)
  for (const path of paths) {
    const { shape, pixels, names: pictures, skipped } = await readPhotos(op, path, photoSet)
    const labels = pictures.map(() => BIRD)
    sets.push(
      ImageDataset.from({
        pixels,
        shape,
        labels,
        classes: CIFAR10_CLASSES,
        source: unique(path, names),
        skipped,
        files: pictures
      })
    )
  }
  return relabel(ImageDataset.concat(sets)).split({ test: test ?? 15_000, seed })
}

/** The name of a source, with a number where another has that name. */
function unique(path: string, names: Set<string>): string {
  const base = sourceName(path)
  let name = base
  for (let i = 2; names.has(name); i++) name = `${base}-${i}`
  names.add(name)
  return name
}
