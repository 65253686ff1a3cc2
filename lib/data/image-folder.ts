// Pictures in folders, one for each class.
import { checkOptions, expected, quoted } from '../errors.js'
import { ImageDataset } from './dataset.js'
import { isPhoto } from './photo.js'
import { checkPhotoSet, photoSetOptions, plainName, readPhotos, sourceName, type PhotoSetOptions } from './photos.js'

export interface ImageFolderOptions extends PhotoSetOptions {
  /** The folders to read, in the order of their labels; all, by name, unless given. */
  classes?: readonly string[]
}

/**
 * The pictures of a folder that has a folder for each class, or of an archive (tar, plain or gzipped, or zip) of such a folder;
 * they may lie deeper in their class's folder. What has no picture's ending, and what is hidden, is passed over. The decoded
 * pictures are kept in the cache folder until the folder or archive changes.
 *
 *     const set = await datasets.imageFolder('flowers', { size: 64 })
 *
 * @returns uint8 [n, h, w, channels], by name or in the order of the archive
 */
export async function imageFolder(path: string, options: ImageFolderOptions): Promise<ImageDataset> {
  const op = 'datasets.imageFolder'
  checkOptions(op, options, [...photoSetOptions, 'classes'])
  const chosen = options.classes
  if (
    chosen !== undefined &&
    !(Array.isArray(chosen) && chosen.length > 0 && chosen.every((c) => typeof c === 'string'))
  ) {
    throw expected(op, 'classes as an array of names of folders', chosen)
  }
  // With classes given, a picture's class is the outermost folder of that name.
  const chosenFolder = (name: string) => folders(name).find((folder) => chosen!.includes(folder))
  const choice = chosen && {
    wants: (name: string) => isPhoto(name) && chosenFolder(name) !== undefined,
    key: JSON.stringify(chosen)
  }
  const { shape, pixels, names, skipped, isFolder } = await readPhotos(op, path, checkPhotoSet(op, options), choice)
  const depth = isFolder || chosen ? 0 : commonDepth(names.map(folders))
  const classOf = (name: string) => (chosen ? chosenFolder(name) : folders(name)[depth])
  const found = names.map((name) => {
    const folder = classOf(name)
    if (folder === undefined) throw expected(op, `a folder as the class of ${name} in ${path}`, 'none')
    return folder
  })
  const classes = chosen ?? [...new Set(found)].sort()
  const empty = classes.find((name) => !found.includes(name))
  if (empty !== undefined) throw expected(op, `photos of the class ${quoted(empty)} in ${path}`, 'none')
  const numbers = new Map(classes.map((name, label) => [name, label]))
  const labels = found.map((name) => numbers.get(name)!)
  return ImageDataset.from({ pixels, shape, labels, classes, source: sourceName(path), skipped, files: names })
}

/** The folders that a file lies in, outermost first. */
const folders = (name: string): string[] => plainName(name).split('/').slice(0, -1)

/** How many outer folders all have in common; each keeps one for its class. */
function commonDepth(paths: string[][]): number {
  const most = Math.min(...paths.map(({ length }) => length - 1))
  let depth = 0
  while (depth < most && paths.every((path) => path[depth] === paths[0]![depth])) depth++
  return depth
}
