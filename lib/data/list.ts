// Pictures named in a table (CSV), each with its class.
import { readFile } from 'node:fs/promises'
import { dirname, posix } from 'node:path'
import { checkOptions, didYouMean, expected, quoted } from '../errors.js'
import { ImageDataset } from './dataset.js'
import { checkBytes } from './bytes.js'
import { checkPhotoSet, photoSetOptions, readPhotos, sourceName, type PhotoSetOptions } from './photos.js'

export interface CsvOptions extends PhotoSetOptions {
  /** The folder or archive that the paths in the table are in; by default the table's folder. */
  root?: string
  /** The heading of the column of paths; 'image' by default. */
  imageColumn?: string
  /** The heading of the column of classes; 'label' by default. */
  labelColumn?: string
  /** The names of the classes in the order of their labels; by default those in the table, by name (numbers by value). */
  classes?: readonly string[]
  /** What separates columns; ',' by default. */
  delimiter?: string
}

interface Row {
  image: string
  label: string
}

/**
 * The pictures that a CSV table (RFC 4180, UTF-8, with a line of headings) names, in its order. The decoded pictures are kept in
 * the cache folder until one of them changes.
 *
 *     const set = await datasets.csv('labels.csv', { size: [64, 64], imageColumn: 'path', labelColumn: 'species' })
 *
 * @returns uint8 [n, h, w, channels]
 */
export async function csv(file: string, options: CsvOptions): Promise<ImageDataset> {
  const op = 'datasets.csv'
  const own = ['root', 'imageColumn', 'labelColumn', 'classes', 'delimiter']
  checkOptions(op, options, [...photoSetOptions, ...own])
  const photoSet = checkPhotoSet(op, options)
  const { root = dirname(file) } = options
  const rows = await readTable(op, file, options)
  const present = [...new Set(rows.map(({ label }) => label))]
  const isNumeric = present.every((label) => /^\d{1,15}$/.test(label))
  const classes = options.classes ?? present.sort(isNumeric ? (a, b) => Number(a) - Number(b) : undefined)
  const numbers = new Map(classes.map((name, label) => [name, label]))
  for (const [i, { label }] of rows.entries()) {
    if (!numbers.has(label)) {
      throw expected(op, `labels of ${classes.map(quoted).join(', ')} in ${file}`, `${quoted(label)} in row ${i + 1}`)
    }
  }
  const wanted = [...new Set(rows.map(({ image }) => image))]
  const { shape, pixels, names, skipped } = await readPhotos(op, root, photoSet, { names: wanted })
  const at = new Map(names.map((name, i) => [name, i]))
  const found = rows.filter(({ image }) => at.has(image))
  const inOrder = found.length === names.length && found.every(({ image }, i) => image === names[i])
  return ImageDataset.from({
    pixels: inOrder
      ? pixels
      : pick(
          op,
          pixels,
          found.map(({ image }) => at.get(image)!),
          shape
        ),
    shape,
    labels: found.map(({ label }) => numbers.get(label)!),
    classes,
    source: sourceName(file),
    skipped,
    files: found.map(({ image }) => image)
  })
}

/** The pictures at `rows`. */
function pick(op: string, pixels: Uint8Array, rows: number[], shape: number[]): Uint8Array {
  const picked = new Uint8Array(checkBytes(op, rows.length, shape))
  const bytes = checkBytes(op, 1, shape)
  rows.forEach((row, i) => picked.set(pixels.subarray(row * bytes, (row + 1) * bytes), i * bytes))
  return picked
}

async function readTable(op: string, file: string, options: CsvOptions): Promise<Row[]> {
  const { imageColumn = 'image', labelColumn = 'label', delimiter = ',' } = options
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw expected(op, `a table at ${file}`, error.code === 'ENOENT' ? 'no such file' : error.message)
  })
  const { parse } = await import('csv-parse/sync')
  let table: string[][]
  try {
    table = parse(text, {
      bom: true,
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'], // else the first line decides for all
      skip_empty_lines: true,
      max_record_size: 2 ** 20
    })
  } catch (error) {
    throw expected(op, `a CSV table in ${file}`, (error as Error).message.replace(/\.$/, ''))
  }
  const [headings = [], ...rows] = table
  const [image, label] = [imageColumn, labelColumn].map((name) => {
    if (headings.filter((heading) => heading === name).length === 1) return headings.indexOf(name)
    const got = headings.map(quoted).join(', ') || 'none'
    throw expected(op, `one column ${quoted(name)} in ${file}`, got, didYouMean(name, headings))
  }) as [number, number]
  if (rows.length === 0) throw expected(op, `rows in ${file}`, 'none')
  return rows.map((row, i) => {
    const path = posix.normalize(row[image]!.replaceAll('\\', '/'))
    if (row[image] === '' || /^(\/|[a-z]:|\.\.(\/|$))/i.test(path) || path.includes('\0')) {
      throw expected(op, `paths that lie within the root in ${file}`, `${quoted(row[image])} in row ${i + 1}`)
    }
    return { image: path, label: row[label]! }
  })
}
