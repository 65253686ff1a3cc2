// A page of photos and what a network took them for.
import { openPhoto } from '../data/photo.js'
import type { Found } from '../detect/index.js'
import { checkInteger, checkOptions, checkWord, expected } from '../errors.js'
import { writeAtomically } from '../io/atomic.js'
import type { GalleryPhoto } from './gallery-data.js'
import { page } from './page.js'
import { thumbnail } from './thumbnail.js'

/** What a gallery is about. */
export interface GalleryOptions {
  /** Its heading. */
  title: string
  /** What the network tells apart. */
  classes: readonly string[]
  /** The class that the page asks about first; the last unless given. */
  positive?: string | undefined
  /** How many photos there will be: the more, the smaller they are shown. */
  count: number
  /** Where things were looked for in the photos: the least probability of what was found. */
  foundFrom?: number | undefined
}

/** What a network said about a photo: what `predict` gives, or what `find` gives. */
export type Judgement =
  { readonly probabilities: Readonly<Record<string, number>> } | { readonly found: readonly Found[] }

/** More photos than this don't fit into a page that a browser opens. */
const MAX_PHOTOS = 20_000
/** All pictures together, in pixels: some 15 MB. */
const ROOM = 50e6
const [SMALLEST, LARGEST] = [64, 320]
/** Photos in which things were looked for are shown larger. */
const LARGEST_SEARCHED = 640
/** Of many classes the most probable are kept. */
const MAX_CLASSES = 10

/**
 * Photos with what a network says about them, as one HTML file that loads nothing: sorted by probability, with a threshold to move.
 *
 *     const gallery = new nt.Gallery({ title: 'Holiday', classes: birds.classes, positive: 'bird', count: files.length })
 *     for (const file of files) await gallery.add(file, await birds.predict(file))
 *     await gallery.write('gallery.html')
 */
export class Gallery {
  readonly #options: GalleryOptions
  readonly #side: number
  readonly #photos: GalleryPhoto[] = []

  constructor(options: GalleryOptions) {
    const { classes, positive, count, foundFrom } = checkOptions('Gallery', options, [
      'title',
      'classes',
      'positive',
      'count',
      'foundFrom'
    ])
    if (positive !== undefined) checkWord('Gallery', 'positive as a class', positive, classes)
    checkInteger('Gallery', `a count of photos from 0 to ${MAX_PHOTOS}`, count, 0, MAX_PHOTOS)
    this.#options = options
    this.#side = Math.round(
      Math.min(
        foundFrom === undefined ? LARGEST : LARGEST_SEARCHED,
        Math.max(SMALLEST, Math.sqrt(ROOM / Math.max(1, count)))
      )
    )
  }

  /** Puts a photo in, which is shown under its path. Photos may be added in any order. */
  async add(file: string, judgement: Judgement): Promise<void> {
    const { height, width, at } = await openPhoto('Gallery', file, 3)
    const scale = Math.min(1, this.#side / Math.max(height, width))
    const [rows, columns] = [height, width].map((size) => Math.max(1, Math.round(size * scale))) as [number, number]
    const image = await thumbnail(await at({ height: rows, width: columns }), [rows, columns, 3], this.#side)
    if (this.#photos.length === MAX_PHOTOS) throw expected('Gallery', `at most ${MAX_PHOTOS} photos`, 'more')
    const found = 'found' in judgement ? judgement.found : []
    const probabilities = 'found' in judgement ? best(found) : judgement.probabilities
    this.#photos.push({
      file,
      image,
      size: [width, height],
      probabilities: Object.entries(probabilities)
        .map(([name, value]): [number, number] => [this.#options.classes.indexOf(name), short(value)])
        .sort((a, b) => b[1] - a[1])
        .slice(0, MAX_CLASSES),
      boxes: found.map(({ left, top, width, height, probability }) => [left, top, width, height, short(probability)])
    })
  }

  /** The page as HTML. */
  html(): Promise<string> {
    const { title, classes, positive = classes.at(-1)!, foundFrom = null } = this.#options
    const data = { title, classes, positive: classes.indexOf(positive), foundFrom, photos: this.#photos }
    return page({ title: `${title} · needletail`, view: 'gallery', data })
  }

  /** Writes the page to the file `path`, which appears complete or not at all. */
  async write(path: string): Promise<void> {
    const html = await this.html()
    await writeAtomically(path, (file) => file.writeFile(html))
  }
}

/** A photo is as probable as what is most probable in it. */
const best = (found: readonly Found[]): Record<string, number> =>
  Object.fromEntries(
    [...found].sort((a, b) => a.probability - b.probability).map((one) => [one.label, one.probability])
  )

const short = (probability: number): number => Number(probability.toPrecision(5))
