// Caltech-UCSD Birds-200-2011 (Wah, Branson, Welinder, Perona, Belongie: CNS-TR-2011-001), from its archive or folder.
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { checkOptions, checkWord, expected, quoted } from '../errors.js'
import { readMembers } from './archive.js'
import { ImageDataset } from './dataset.js'
import type { DatasetParts } from './datasets.js'
import type { PhotoBox } from './photo.js'
import { checkPhotoSet, photoSetOptions, plainName, readPhotos, type PhotoSetOptions } from './photos.js'

export interface Cub200Options extends PhotoSetOptions {
  /** 'box': only the part of each photo within its bounding box, as the set gives it; the whole photo by default. */
  crop?: 'box'
}

const LISTS = ['images.txt', 'image_class_labels.txt', 'train_test_split.txt', 'classes.txt', 'bounding_boxes.txt']

/** One of the set's lists: what stands behind each number. */
type List = Map<string, string>

/**
 * CUB-200-2011: 11,788 photos of 200 species of birds, in its official parts of 5,994 and 5,794. `path` is its archive
 * (CUB_200_2011.tgz, or a tar or zip of the same files) or the folder that it unpacks to. It isn't fetched: the set's makers ask to
 * be visited (https://www.vision.caltech.edu/datasets/cub_200_2011/). What the lists leave out is not missed.
 *
 * @returns uint8 [n, h, w, channels] each, in the order of the set's numbers
 */
export async function cub200(path: string, options: Cub200Options): Promise<DatasetParts> {
  const op = 'datasets.cub200'
  checkOptions(op, options, [...photoSetOptions, 'crop'])
  const photoSet = checkPhotoSet(op, options)
  if (options.crop !== undefined) checkWord(op, 'crop', options.crop, ['box'])
  const { folder, lists } = await readLists(op, path)
  const [images, species, split, classes, boxes] = LISTS.map((name) =>
    parseList(op, `${name} of ${path}`, lists.get(name)!)
  )
  const numbers = new Map([...classes!.keys()].map((number, label) => [number, label]))
  const look = (list: number, number: string): string => {
    const value = [images, species, split, classes, boxes][list]!.get(number)
    if (value === undefined) throw expected(op, `${LISTS[list]} of ${path} to have number ${number}`, 'no such line')
    return value
  }
  const photos = [...images!].map(([number, name]) => {
    const label = numbers.get(look(1, number))
    if (label === undefined) throw expected(op, `a class of classes.txt for number ${number}`, look(1, number))
    const flag = look(2, number)
    if (flag !== '0' && flag !== '1') throw expected(op, `0 or 1 in train_test_split.txt of ${path}`, quoted(flag))
    if (name.startsWith('/') || name.split(/[/\\]/).includes('..')) {
      throw expected(op, `relative names in images.txt of ${path}`, name)
    }
    const box = options.crop && parseBox(op, look(4, number))
    return { name: `${folder}images/${name}`, label, isTrain: flag === '1', box }
  })
  const byName = new Map(photos.map((photo) => [photo.name, photo]))
  const crop = options.crop && {
    box: (name: string) => byName.get(name)!.box,
    key: JSON.stringify(photos.map(({ box }) => box))
  }
  const read = await readPhotos(op, path, photoSet, { names: [...byName.keys()], ...crop })
  const found = read.names.map((name) => byName.get(name)!)
  const order = new Map(photos.map(({ name }, at) => [name, at]))
  const all = ImageDataset.from({
    pixels: read.pixels,
    shape: read.shape,
    labels: found.map(({ label }) => label),
    classes: [...classes!.values()],
    source: 'CUB-200-2011',
    skipped: read.skipped,
    files: read.names
  })
  const sorted = [...found.keys()].sort((a, b) => order.get(found[a]!.name)! - order.get(found[b]!.name)!)
  const part = (train: boolean) => all.subset(sorted.filter((at) => found[at]!.isTrain === train))
  return { train: part(true), test: part(false) }
}

/** The set's lists, and the folder that they lie in within the folder or archive: '' or with `/` at its end. */
async function readLists(op: string, path: string): Promise<{ folder: string; lists: Map<string, string> }> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw expected(op, `a folder or an archive at ${path}`, error.code === 'ENOENT' ? 'nothing' : error.message)
  })
  const lists = new Map<string, string>()
  let folder = ''
  if (info.isDirectory()) {
    const isInner = await stat(join(path, 'images.txt')).catch(() => undefined)
    folder = isInner ? '' : 'CUB_200_2011/'
    for (const name of LISTS) {
      const text = await readFile(join(path, folder, name), 'utf8').catch(() => undefined)
      if (text !== undefined) lists.set(name, text)
    }
  } else {
    const wants = (name: string) => LISTS.includes(basename(name)) && plainName(name).split('/').length <= 2
    for await (const { name, bytes } of readMembers(op, path, wants, { maxBytes: 2 ** 24 })) {
      lists.set(basename(name), bytes.toString('utf8'))
      folder = dirname(plainName(name)) === '.' ? '' : `${dirname(plainName(name))}/`
      if (lists.size === LISTS.length) break
    }
  }
  const missing = LISTS.filter((name) => !lists.has(name))
  if (missing.length > 0) throw expected(op, `the lists of CUB-200-2011 in ${path}`, `no ${missing.join(', ')}`)
  return { folder, lists }
}

/** Lines of a number, a space, and what belongs to it. */
function parseList(op: string, name: string, text: string): List {
  const list: List = new Map()
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line === '') continue
    const [, number, value] = /^(\d+) (.+)$/.exec(line) ?? []
    if (number === undefined || list.has(number)) {
      throw expected(op, `a new number and its value in line ${i + 1} of ${name}`, quoted(line))
    }
    list.set(number, value!.trim())
  }
  return list
}

function parseBox(op: string, text: string): PhotoBox {
  const [left, top, width, height, ...more] = text.split(' ').map(Number) as [number, number, number, number]
  if (more.length > 0 || ![left, top, width, height].every(Number.isFinite)) {
    throw expected(op, 'four numbers for a bounding box', quoted(text))
  }
  return { left, top, width, height }
}
