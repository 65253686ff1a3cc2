// A gallery: photos sorted by the probability of a class, those above a threshold and those below.
import './theme.css'
import './gallery.css'
import type { GalleryData, GalleryPhoto } from '../gallery-data.js'
import { el, svg } from './dom.js'
import { count, percent, plural } from './format.js'

const STEPS = 1000
/** Photos that are added to the page at once. */
const CHUNK = 120

type Side = 'all' | 'above' | 'below'

/** A photo and the probability of the class that is asked about. */
interface Rated {
  photo: GalleryPhoto
  probability: number
}

export class GalleryView {
  readonly elements: HTMLElement[]
  readonly #data: GalleryData
  #rated: Rated[] = []
  #class: number
  #threshold = 0.5
  #side: Side = 'all'
  readonly #slider: HTMLInputElement
  readonly #value = el('output', { for: 'threshold' })
  readonly #sides = new Map<Side, HTMLButtonElement>()
  readonly #status = el('p', { class: 'muted', role: 'status' })
  readonly #tiles: HTMLUListElement
  readonly #more = el('button', { class: 'more', onclick: () => this.#showMore() })
  #shown: Rated[] = []

  constructor(data: GalleryData) {
    this.#data = data
    this.#class = data.positive
    this.#tiles = el('ul', { class: data.foundFrom === null ? 'gallery' : 'gallery found' })
    this.#threshold = Math.max(0.5, data.foundFrom ?? 0)
    this.#slider = el('input', {
      id: 'threshold',
      type: 'range',
      min: Math.round(STEPS * (data.foundFrom ?? 0)),
      max: STEPS,
      value: Math.round(STEPS * this.#threshold),
      oninput: () => this.#setThreshold(Number(this.#slider.value) / STEPS)
    })
    for (const side of ['all', 'above', 'below'] as const) {
      this.#sides.set(side, el('button', { onclick: () => this.#setSide(side) }))
    }
    const what =
      data.foundFrom === null ? 'Each photo with the probability that it shows' : 'What was found in each photo:'
    this.elements = [
      el(
        'header',
        {},
        el('h1', {}, data.title),
        el(
          'p',
          { class: 'muted' },
          `${plural(data.photos.length, 'photo')}. ${what} `,
          el('strong', {}, this.#name),
          '.'
        )
      ),
      this.#controls(),
      el(
        'section',
        { 'aria-labelledby': 'photos' },
        el('h2', { id: 'photos', class: 'hidden-text' }, 'Photos'),
        this.#status,
        this.#tiles,
        this.#more
      )
    ]
    this.#rate()
    new IntersectionObserver(([entry]) => entry!.isIntersecting && this.#showMore(), { rootMargin: '600px' }).observe(
      this.#more
    )
  }

  get #name(): string {
    return this.#data.classes[this.#class]!
  }

  #controls(): HTMLElement {
    const { classes, foundFrom } = this.#data
    const select = el(
      'select',
      { id: 'class', onchange: () => this.#setClass(Number(select.value)) },
      ...classes.map((name, c) => el('option', { value: c, selected: c === this.#class }, name))
    )
    return el(
      'div',
      { class: 'card controls' },
      foundFrom === null && el('p', { class: 'ask' }, el('label', { for: 'class' }, 'Sorted by'), select),
      el('div', { class: 'slider' }, el('label', { for: 'threshold' }, 'Threshold'), this.#value, this.#slider),
      el('div', { class: 'sides', role: 'group', 'aria-label': 'Which photos to show' }, ...this.#sides.values())
    )
  }

  #setClass(c: number): void {
    this.#class = c
    for (const strong of document.querySelectorAll('header strong')) strong.textContent = this.#name
    this.#rate()
  }

  #setThreshold(threshold: number): void {
    this.#threshold = threshold
    this.#show()
  }

  #setSide(side: Side): void {
    this.#side = side
    this.#show()
  }

  #rate(): void {
    this.#rated = this.#data.photos
      .map((photo) => ({ photo, probability: photo.probabilities.find(([c]) => c === this.#class)?.[1] ?? 0 }))
      .sort((a, b) => b.probability - a.probability || a.photo.file.localeCompare(b.photo.file))
    this.#show()
  }

  #show(): void {
    const above = this.#rated.filter(({ probability }) => probability >= this.#threshold)
    const below = this.#rated.slice(above.length)
    this.#value.textContent = percent(this.#threshold)
    this.#slider.setAttribute(
      'aria-valuetext',
      `${percent(this.#threshold)}: ${plural(above.length, 'photo')} of ${this.#name}`
    )
    const none = this.#data.foundFrom === null ? `not ${this.#name}` : `no ${this.#name}`
    const sides: [Side, string, Rated[]][] = [
      ['all', 'all', this.#rated],
      ['above', this.#name, above],
      ['below', none, below]
    ]
    for (const [side, name, photos] of sides) {
      const button = this.#sides.get(side)!
      button.textContent = `${name}: ${count(photos.length)}`
      button.setAttribute('aria-pressed', String(side === this.#side))
    }
    this.#shown = sides.find(([side]) => side === this.#side)![2]
    // As many as there were: who moves the threshold stays where they are.
    const kept = Math.max(CHUNK, this.#tiles.childElementCount)
    this.#tiles.replaceChildren(...this.#shown.slice(0, kept).map((rated) => this.#tile(rated)))
    this.#tell()
  }

  #showMore(): void {
    const from = this.#tiles.childElementCount
    this.#tiles.append(...this.#shown.slice(from, from + CHUNK).map((rated) => this.#tile(rated)))
    this.#tell()
  }

  #tell(): void {
    const [there, all] = [this.#tiles.childElementCount, this.#shown.length]
    this.#status.textContent = all === 0 ? 'No photos.' : `${plural(all, 'photo')}, the most probable first.`
    this.#more.hidden = there === all
    this.#more.textContent = `Show ${count(Math.min(CHUNK, all - there))} more of ${count(all - there)}`
  }

  #tile({ photo, probability }: Rated): HTMLElement {
    const { file, image, size, boxes } = photo
    const isAbove = probability >= this.#threshold
    const found = boxes.filter(([, , , , sure]) => sure >= this.#threshold)
    const verdict = isAbove ? this.#name : this.#data.foundFrom === null ? `not ${this.#name}` : `no ${this.#name}`
    const said =
      this.#data.foundFrom === null || !isAbove
        ? percent(probability)
        : `${count(found.length)} found, up to ${percent(probability)}`
    const [width, height] = size
    return el(
      'li',
      { class: isAbove ? 'above' : 'below', title: file },
      el(
        'div',
        { class: 'picture' },
        el('img', { src: image, alt: `${file}: ${verdict}, ${said}`, decoding: 'async', width, height }),
        found.length > 0 &&
          svg(
            'svg',
            { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
            ...found.map(([x, y, w, h]) => svg('rect', { x, y, width: w, height: h }))
          )
      ),
      el('span', { class: 'said' }, el('span', { class: `tag ${isAbove ? 'good' : ''}` }, verdict), ' ', said),
      el('span', { class: 'file' }, file)
    )
  }
}
