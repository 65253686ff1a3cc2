// The pictures of a cell, in a panel that stays where it is while cells are chosen.
import './examples.css'
import { el } from './dom.js'
import { count, percent, plural } from './format.js'
import type { Shown } from './judged.js'

export interface Cell {
  /** e.g. False positives */
  title: string
  /** e.g. other, taken for bird */
  meaning: string
  /** What the probabilities beneath the pictures are of. */
  probabilityOf: string
  /** How many pictures are in the cell; not all are in the report. */
  count: number
  pictures: readonly Shown[]
}

export class ExamplePanel {
  readonly element: HTMLElement
  readonly #title = el('h3', { 'aria-live': 'polite' })
  readonly #note = el('p', { class: 'muted' })
  readonly #tiles = el('ul', { class: 'tiles' })

  constructor() {
    this.element = el('div', { class: 'card examples' }, this.#title, this.#note, this.#tiles)
  }

  show({ title, meaning, probabilityOf, count: all, pictures }: Cell): void {
    const text = meaning ? `${title}: ${meaning}` : title
    if (this.#title.textContent !== text) this.#title.textContent = text
    const shown =
      pictures.length < all ? `${count(pictures.length)} of ${plural(all, 'picture')}` : plural(all, 'picture')
    const note =
      pictures.length === 0 ? shown : `${shown}, the most wrong first, each with the probability of ${probabilityOf}.`
    this.#note.textContent =
      all === 0 ? 'None.' : pictures.length === 0 ? `${plural(all, 'picture')}, none of them in this report.` : note
    this.#tiles.replaceChildren(...pictures.map(tile))
  }
}

const tile = ({ image, index, file, probability, label, prediction }: Shown): HTMLElement => {
  const name = file ?? `picture ${count(index + 1)}`
  return el(
    'li',
    { title: `${name}: ${label}, taken for ${prediction}` },
    el('img', { src: image, alt: `${name}: ${label}, taken for ${prediction}`, decoding: 'async' }),
    el('span', { class: 'probability' }, percent(probability)),
    file !== undefined && el('span', { class: 'file' }, file.split('/').at(-1)!)
  )
}
