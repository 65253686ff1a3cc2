// One class against the rest: a threshold on its probability, and what that makes of the validation set.
import {
  averagePrecision,
  bestRecall,
  countsAt,
  precisionRecallOf,
  rocAuc,
  rocOf,
  type BinaryCounts,
  type Counts
} from '../../metrics/curves.js'
import { chart, type Axis, type DrawnChart } from './chart.js'
import { el, section } from './dom.js'
import { ExamplePanel } from './examples.js'
import { count, percent } from './format.js'
import type { Judged } from './judged.js'
import './threshold.css'

const STEPS = 1000

interface Outcome {
  name: string
  key: 'truePositives' | 'falsePositives' | 'falseNegatives' | 'trueNegatives'
  isPositive: boolean
  isAbove: boolean
}

/** In the order of the table: what it is, row by row, and what it is taken for. */
const OUTCOMES: readonly Outcome[] = [
  { name: 'True positives', key: 'truePositives', isPositive: true, isAbove: true },
  { name: 'False negatives', key: 'falseNegatives', isPositive: true, isAbove: false },
  { name: 'False positives', key: 'falsePositives', isPositive: false, isAbove: true },
  { name: 'True negatives', key: 'trueNegatives', isPositive: false, isAbove: false }
]

export function thresholds(judged: Judged, positive: number | undefined): HTMLElement | undefined {
  const choices = [...judged.scores.keys()]
  const first = positive ?? choices[0]
  if (first === undefined || !judged.scores.has(first)) return undefined
  const content = el('div', {})
  const show = (c: number) => content.replaceChildren(...new ThresholdView(judged, c).elements)
  show(first)
  const select = el(
    'select',
    { id: 'threshold-class', onchange: () => show(Number(select.value)) },
    ...choices.map((c) => el('option', { value: c, selected: c === first }, judged.classes[c]!))
  )
  return section(
    'threshold',
    'Precision and recall',
    el(
      'p',
      { class: 'muted' },
      'How sure must the network be? A higher threshold finds fewer, and is right more often. Choose a cell to see its pictures.'
    ),
    choices.length > 1 &&
      el('p', { class: 'choice' }, el('label', { for: 'threshold-class' }, 'The class to find'), select),
    content
  )
}

class ThresholdView {
  readonly elements: HTMLElement[]
  readonly #judged: Judged
  readonly #class: number
  readonly #counts: Counts
  readonly #slider: HTMLInputElement
  readonly #value = el('output', { for: 'threshold-slider' })
  readonly #figures = new Map(['Precision', 'Recall', 'F1', 'Accuracy'].map((name) => [name, el('dd', {})]))
  readonly #cells = new Map<Outcome, HTMLButtonElement>()
  readonly #curves: { drawn: DrawnChart; point: (at: BinaryCounts) => readonly [number, number] }[]
  readonly #panel = new ExamplePanel()
  #threshold = 0.5
  #chosen: Outcome

  constructor(judged: Judged, c: number) {
    this.#judged = judged
    this.#class = c
    this.#counts = judged.counts(c)
    this.#slider = el('input', {
      id: 'threshold-slider',
      type: 'range',
      min: 0,
      max: STEPS,
      oninput: () => this.#set(Number(this.#slider.value) / STEPS)
    })
    this.#curves = this.#drawCurves()
    for (const outcome of OUTCOMES) this.#cells.set(outcome, el('button', { onclick: () => this.#choose(outcome) }))
    this.#chosen = this.#firstOutcome()
    this.elements = [
      el(
        'div',
        { class: 'columns halves' },
        this.#controls(),
        el('div', { class: 'card' }, this.#table()),
        ...this.#curves.map(({ drawn }) => el('div', { class: 'card' }, drawn.element))
      ),
      this.#panel.element
    ]
    this.#set(0.5)
  }

  get #name(): string {
    return this.#judged.classes[this.#class]!
  }

  /** What the other classes are called together. */
  get #rest(): string {
    const { classes } = this.#judged
    return classes.length === 2 ? classes[1 - this.#class]! : `not ${this.#name}`
  }

  /** Mistakes first: the kind of which there are more. */
  #firstOutcome(): Outcome {
    const at = countsAt(this.#counts, 0.5)
    const wanted = at.falseNegatives > at.falsePositives ? 'falseNegatives' : 'falsePositives'
    return OUTCOMES.find(({ key }) => key === wanted)!
  }

  #controls(): HTMLElement {
    const presets: [string, () => number][] = [
      ['50 %', () => 0.5],
      ['best F1', () => this.#bestF1()],
      ...[0.9, 0.95, 0.99].map((precision): [string, () => number] => [
        `precision ≥ ${percent(precision).replace('.0', '')}`,
        () => Math.min(1, bestRecall(this.#counts, precision).threshold)
      ])
    ]
    return el(
      'div',
      { class: 'card threshold' },
      el(
        'div',
        { class: 'slider' },
        el('label', { for: 'threshold-slider' }, `${this.#name} from a probability of`),
        this.#value,
        this.#slider
      ),
      el(
        'div',
        { class: 'presets', role: 'group', 'aria-label': 'Thresholds to try' },
        ...presets.map(([name, threshold]) => el('button', { onclick: () => this.#set(threshold()) }, name))
      ),
      el(
        'dl',
        { class: 'shares' },
        ...[...this.#figures].map(([name, value]) => el('div', {}, el('dt', {}, name), value))
      )
    )
  }

  #bestF1(): number {
    const { thresholds, truePositives, falsePositives } = this.#counts
    const positives = truePositives[truePositives.length - 1] ?? 0
    const f1 = (i: number) => (2 * truePositives[i]!) / (truePositives[i]! + falsePositives[i]! + positives)
    let best = 0
    for (let i = 1; i < thresholds.length; i++) if (f1(i) > f1(best)) best = i
    return thresholds[best] ?? 0.5
  }

  #table(): HTMLElement {
    const row = (name: string, from: number) =>
      el(
        'tr',
        {},
        el('th', { scope: 'row' }, name),
        ...OUTCOMES.slice(from, from + 2).map((outcome) => el('td', {}, this.#cells.get(outcome)))
      )
    const head = [this.#name, this.#rest].map((name) => el('th', { scope: 'col' }, `taken for ${name}`))
    return el(
      'table',
      { class: 'outcomes' },
      el('caption', { class: 'hidden-text' }, 'Pictures by what they are and what they are taken for'),
      el('thead', {}, el('tr', {}, el('td', {}), ...head)),
      el('tbody', {}, row(this.#name, 0), row(this.#rest, 2))
    )
  }

  #drawCurves() {
    const share = (label: string): Axis => ({
      label,
      domain: [0, 1],
      format: (value) => `${Math.round(100 * value)} %`
    })
    const { precision, recall } = precisionRecallOf(this.#counts)
    const { falsePositiveRate, truePositiveRate } = rocOf(this.#counts)
    const points = (x: Float64Array, y: Float64Array) => thin(Array.from(x, (value, i) => [value, y[i]!] as const))
    const baseline = { name: 'by chance', color: 2, dashed: true }
    const positives = this.#counts.truePositives[this.#counts.truePositives.length - 1] ?? 0
    const rate = positives / Math.max(1, this.#judged.labels.length)
    return [
      {
        drawn: chart({
          title: `Precision by recall: area ${percent(averagePrecision(this.#counts))}`,
          series: [
            { name: 'network', color: 1, points: points(recall, precision).reverse() },
            { ...baseline, points: [[0, rate] as const, [1, rate] as const] }
          ],
          x: share('recall'),
          y: share('precision')
        }),
        point: (at: BinaryCounts) => [at.recall, at.precision] as const
      },
      {
        drawn: chart({
          title: `ROC: area ${percent(rocAuc(this.#counts))}`,
          series: [
            { name: 'network', color: 1, points: points(falsePositiveRate, truePositiveRate) },
            { ...baseline, points: [[0, 0] as const, [1, 1] as const] }
          ],
          x: share('false positive rate'),
          y: share('recall')
        }),
        point: (at: BinaryCounts) =>
          [at.falsePositives / Math.max(1, at.falsePositives + at.trueNegatives), at.recall] as const
      }
    ]
  }

  #set(threshold: number): void {
    this.#threshold = threshold
    const at = countsAt(this.#counts, threshold)
    const { precision, recall, f1, accuracy } = at
    this.#slider.value = String(Math.round(STEPS * threshold))
    this.#value.textContent = percent(threshold)
    const said = `precision ${percent(precision)}, recall ${percent(recall)}`
    this.#slider.setAttribute('aria-valuetext', `${percent(threshold)}: ${said}`)
    for (const [name, value] of Object.entries({ Precision: precision, Recall: recall, F1: f1, Accuracy: accuracy })) {
      this.#figures.get(name)!.textContent = percent(value)
    }
    for (const [outcome, button] of this.#cells) {
      button.replaceChildren(el('strong', {}, count(at[outcome.key])), el('span', {}, outcome.name.toLowerCase()))
    }
    for (const { drawn, point } of this.#curves) {
      drawn.mark([point(at)], `At a threshold of ${percent(threshold)}: ${said}`)
    }
    this.#choose(this.#chosen, at)
  }

  #choose(outcome: Outcome, at = countsAt(this.#counts, this.#threshold)): void {
    this.#chosen = outcome
    for (const [one, button] of this.#cells) button.setAttribute('aria-pressed', String(one === outcome))
    const { isPositive, isAbove, name, key } = outcome
    const [label, taken] = [isPositive, isAbove].map((positive) => (positive ? this.#name : this.#rest))
    this.#panel.show({
      title: name,
      meaning: `${label}, taken for ${taken}`,
      probabilityOf: this.#name,
      count: at[key],
      pictures: this.#judged.outcome(this.#class, isPositive, this.#threshold, isAbove)
    })
  }
}

/** Points that are apart by more than a pixel or so; the first and the last stay. */
function thin(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const apart = 1 / 400
  let [x, y] = [Infinity, Infinity]
  return points.filter(([px, py], i) => {
    if (i < points.length - 1 && Math.abs(px - x) < apart && Math.abs(py - y) < apart) return false
    ;[x, y] = [px, py]
    return true
  })
}
