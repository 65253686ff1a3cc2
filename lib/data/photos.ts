// The photos of a folder or an archive as pixels of one size. They are decoded once, several at a time, and kept in the cache
// under a name made of what they are made from.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkInteger, checkWord, expected } from '../errors.js'
import { readMembers } from './archive.js'
import { cachedValue } from './cache.js'
import type { SkippedPicture } from './dataset.js'
import { IdxWriter, readIdxFile } from './idx.js'
import { checkBytes } from './bytes.js'
import { isPhoto, readPhoto, type PhotoBox, type PhotoFit } from './photo.js'

/** The version of what is kept in the cache: it changes when a photo would be read into other pixels. */
const VERSION = 1
/** More than these four and libuv's threads, which decode, would only queue them. */
const AT_ONCE = Math.min(4, Math.max(2, availableParallelism()))
const MAX_FILES = 1e6

/** What the sets made of photos have in common. */
export interface PhotoSetOptions {
  /** Height and width that every picture gets: [h, w], or one number for both. */
  size: number | readonly [height: number, width: number]
  /** 3: red, green and blue; 1: grey; 3 by default. */
  channels?: 1 | 3
  /** 'fill' (the default) ignores the proportions, 'cover' cuts off what is too much, 'contain' keeps all between black bars. */
  fit?: PhotoFit
  /** Whether a photo that can't be read is an error that names it, or is left out and listed in `skipped`; 'throw' by default. */
  onError?: 'throw' | 'skip'
}

/** Which photos to take, and how each is read. */
export interface PhotoChoice {
  /** Which names within the folder or archive, with `/` between folders; by default those with an ending of a photo. */
  wants?: (name: string) => boolean
  /** All names that there must be, in place of `wants`; one that is missing counts as a photo that can't be read. */
  names?: readonly string[]
  /** The part of the photo of that name to read. */
  box?: (name: string) => PhotoBox | undefined
  /** What the choice depends on besides the folder or archive: the cache tells apart what this tells apart. */
  key?: string
}

/** Photos that have been read. */
export interface Photos {
  /** [h, w, channels] of each. */
  shape: [number, number, number]
  /** uint8 [n, h, w, channels] */
  pixels: Uint8Array
  /** n names within the folder or archive, with `/` between folders. */
  names: string[]
  skipped: SkippedPicture[]
  /** Whether they are from a folder, not an archive. */
  isFolder: boolean
}

/** The names of the options of `PhotoSetOptions`. */
export const photoSetOptions = ['size', 'channels', 'fit', 'onError']

/** Checks the options that sets of photos share; gives them in one form. */
export function checkPhotoSet(op: string, { size, channels = 3, fit = 'fill', onError = 'throw' }: PhotoSetOptions) {
  const [height, width] = (Array.isArray(size) ? size : [size, size]) as [number, number]
  if (Array.isArray(size) && size.length !== 2) throw expected(op, 'size as [height, width]', size)
  for (const side of [height, width]) checkInteger(op, 'size as whole numbers from 1', side, 1, 0x3fff)
  if (channels !== 1 && channels !== 3) throw expected(op, '1 or 3 channels', channels)
  checkWord(op, 'fit', fit, ['fill', 'cover', 'contain'])
  checkWord(op, 'onError', onError, ['throw', 'skip'])
  return { height, width, channels, fit, onError }
}

/**
 * The photos of the folder or archive (tar, plain or gzipped, or zip) at `path`, in the order of the archive or of their names. A
 * photo that can't be read is an error that names it, or is left out.
 */
export async function readPhotos(
  op: string,
  path: string,
  options: ReturnType<typeof checkPhotoSet>,
  { wants = isPhoto, names: wanted, box, key = '' }: PhotoChoice = {}
): Promise<Photos> {
  const { height, width, channels, fit, onError } = options
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw expected(op, `a folder or an archive at ${path}`, error.code === 'ENOENT' ? 'nothing' : error.message)
  })
  const isFolder = info.isDirectory()
  const files = !isFolder ? [] : wanted ? await statFiles(path, wanted) : await listFiles(op, path, wants)
  const hash = createHash('sha256').update(JSON.stringify([VERSION, height, width, channels, fit, key, wanted]))
  if (isFolder) hash.update(JSON.stringify(files.map(({ name, size, changed }) => [name, size, changed])))
  else await pipeline(createReadStream(path), hash, { end: false })
  const shape: Photos['shape'] = [height, width, channels]
  const source = isFolder ? inFolder(path, files) : inArchive(op, path, wanted ?? wants)
  const photos = await cachedValue(
    `photos-${hash.digest('hex').slice(0, 32)}`,
    async (folder) => {
      const output = await IdxWriter.open(join(folder, 'images.idx'), shape)
      try {
        const names: string[] = []
        const skipped: SkippedPicture[] = []
        const decode = async ({ name, photo }: Found) => {
          if (photo instanceof Error) return { name, error: photo }
          const part = box?.(name)
          const label = typeof photo === 'string' ? photo : `${name} of ${path}`
          return readPhoto(op, photo, { height, width, channels, fit, name: label, ...(part && { box: part }) }).then(
            (pixels) => ({ name, pixels }),
            (error: Error) => ({ name, error })
          )
        }
        for await (const result of inOrder(source, decode)) {
          if ('pixels' in result) {
            names.push(result.name)
            checkBytes(op, names.length, shape)
            await output.append(result.pixels)
          } else {
            if (onError === 'throw') throw result.error
            skipped.push({ file: result.name, reason: result.error.message })
          }
        }
        if (names.length === 0) {
          const got = skipped.length > 0 ? `${skipped.length} that can't be read` : 'none'
          throw expected(op, `photos in ${path}`, got, skipped[0]?.reason)
        }
        await output.finish(names.length)
        await writeFile(join(folder, 'photos.json'), JSON.stringify({ names, skipped }), { flush: true })
      } finally {
        await output.close()
      }
    },
    (folder) => readDecoded(op, folder, shape)
  )
  const bad = photos.skipped[0]
  if (bad && onError === 'throw') throw new Error(bad.reason)
  return { ...photos, isFolder }
}

async function readDecoded(op: string, folder: string, shape: Photos['shape']): Promise<Omit<Photos, 'isFolder'>> {
  const images = await readIdxFile(op, join(folder, 'images.idx'))
  const { names, skipped } = JSON.parse(await readFile(join(folder, 'photos.json'), 'utf8')) as Photos
  const wanted = [names.length, ...shape].join(', ')
  if (images.shape.join(', ') !== wanted) {
    throw expected(op, `images [${wanted}] in ${folder}`, `[${images.shape.join(', ')}]`)
  }
  return { shape, pixels: images.data, names, skipped }
}

/** A photo that is still a file: its path, or its bytes; or why it is neither. */
interface Found {
  name: string
  photo: string | Uint8Array | Error
}

async function* inArchive(
  op: string,
  file: string,
  wanted: readonly string[] | ((name: string) => boolean)
): AsyncGenerator<Found> {
  if (typeof wanted === 'function') {
    for await (const { name, bytes } of readMembers(op, file, wanted)) yield { name, photo: bytes }
    return
  }
  const missing = new Set(wanted)
  for await (const { name, bytes } of readMembers(op, file, (member) => missing.has(plainName(member)))) {
    missing.delete(plainName(name))
    yield { name: plainName(name), photo: bytes }
  }
  for (const name of missing) yield { name, photo: expected(op, `a photo ${name} in ${file}`, 'no such member') }
}

/** What the pictures of a folder or archive are called: its name without an archive's ending. */
export const sourceName = (path: string): string => basename(resolve(path)).replace(/(\.tar)?\.(tar|tgz|gz|zip)$/i, '')

/** A member's name without a `./` before it, as `tar` writes it when it packs a folder from within. */
export const plainName = (name: string): string => name.replace(/^(\.\/)+/, '')

async function* inFolder(folder: string, files: File[]): AsyncGenerator<Found> {
  for (const { name } of files) yield { name, photo: join(folder, name) }
}

interface File {
  /** Within the folder, with `/` between folders. */
  name: string
  size: number
  /** When it was changed, in milliseconds. */
  changed: number
}

/** The files of those names; one that isn't there has no size. */
async function statFiles(folder: string, names: readonly string[]): Promise<File[]> {
  const files: File[] = []
  for (const name of names) {
    const info = await stat(join(folder, name)).catch(() => undefined)
    files.push({ name, size: info?.size ?? -1, changed: info?.mtimeMs ?? 0 })
  }
  return files
}

/** The files of a folder and of the folders in it, by name. Hidden ones are left out; links are followed, but not in circles. */
async function listFiles(op: string, folder: string, wants: (name: string) => boolean): Promise<File[]> {
  const files: File[] = []
  const visit = async (prefix: string, above: string[]): Promise<void> => {
    const place = await realpath(join(folder, prefix))
    if (above.includes(place)) return
    for (const entry of await readdir(place, { withFileTypes: true })) {
      const name = prefix + entry.name
      if (entry.name.startsWith('.')) continue
      const info = entry.isSymbolicLink() ? await stat(join(folder, name)).catch(() => undefined) : entry
      if (info?.isDirectory()) await visit(`${name}/`, [...above, place])
      else if (info?.isFile() && wants(name)) {
        const { size, mtimeMs } = await stat(join(folder, name))
        files.push({ name, size, changed: mtimeMs })
        if (files.length > MAX_FILES) throw expected(op, `at most ${MAX_FILES} files in ${folder}`, 'more')
      }
    }
  }
  await visit('', [])
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What `work` makes of each item, in the order of the items; `AT_ONCE` are under way. */
async function* inOrder<T, R>(items: AsyncIterable<T>, work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const waiting: Promise<R>[] = []
  for await (const item of items) {
    waiting.push(work(item))
    if (waiting.length === AT_ONCE) yield await waiting.shift()!
  }
  for (const result of waiting) yield await result
}
