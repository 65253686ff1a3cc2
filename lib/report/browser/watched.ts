// The live view: a row for each run, and curves of those that are chosen.
import './watched.css'
import type { ComparedRun, Status, WatchedRun } from '../run-data.js'
import { comparedColumns, comparedCurves, comparedFigures, differences, epochsOf, nameOf } from './comparison.js'
import { curves, formatOf, titleOf, valuesOf } from './curves.js'
import { el, section, table, type Child } from './dom.js'
import { count } from './format.js'
import { results } from './overview.js'

/** Runs whose curves are shown unless chosen otherwise: those that began last. */
const SHOWN = 3

const STATES: Record<Status['state'], readonly [text: string, look: string]> = {
  training: ['training', 'tag live'],
  finished: ['finished', 'tag good'],
  stopped: ['stopped', 'tag'],
  failed: ['failed', 'tag bad'],
  killed: ['its process is gone', 'tag bad']
}

export class Watched {
  readonly #runs = new Map<string, Exclude<WatchedRun, { gone: true }>>()
  /** What was chosen by hand. */
  readonly #chosen = new Map<string, boolean>()
  readonly #connection = el('span', { class: 'tag', role: 'status' }, 'connecting')
  readonly #list = el('div')
  readonly #shown = el('div')
  /** Told of since the connection began. */
  #told = new Set<string>()
  #isReady = false
  #drawn = ''

  constructor(title: string, root: HTMLElement) {
    root.append(
      el('header', { class: 'top' }, el('h1', {}, title), el('p', { class: 'tags' }, this.#connection)),
      this.#list,
      this.#shown
    )
  }

  /** Takes what the server says of a run. */
  take(run: WatchedRun): void {
    this.#told.add(run.name)
    if ('gone' in run) this.#runs.delete(run.name)
    else this.#runs.set(run.name, run)
    if (this.#isReady) this.#draw()
  }

  /** The server is there, and has said all that it had to say at first. */
  connected(): void {
    this.#say('live', 'tag good')
    for (const name of this.#runs.keys()) if (!this.#told.has(name)) this.#runs.delete(name)
    this.#isReady = true
    this.#draw()
  }

  /** The server is gone: what it says when it is back is all that there is. */
  disconnected(): void {
    this.#say('the server is gone; trying again', 'tag bad')
    this.#told = new Set()
    this.#isReady = false
  }

  #say(text: string, look: string): void {
    this.#connection.textContent = text
    this.#connection.className = look
  }

  #draw(): void {
    const runs = [...this.#runs.values()].sort(
      (a, b) => began(b).localeCompare(began(a)) || b.name.localeCompare(a.name)
    )
    const readable = runs.filter((run): run is ComparedRun => !('error' in run))
    const shown = readable.filter(({ name }, i) => this.#chosen.get(name) ?? i < SHOWN)
    keepingPlace(this.#list, () => this.#list.replaceChildren(this.#table(runs, shown)))
    // Charts are drawn anew where an epoch is new, not with each batch.
    const now = JSON.stringify(shown.map(({ name, metrics, config }) => [name, metrics, config]))
    if (now === this.#drawn) return
    this.#drawn = now
    keepingPlace(this.#shown, () => this.#shown.replaceChildren(...partsOf(shown)))
  }

  #table(runs: readonly Exclude<WatchedRun, { gone: true }>[], shown: readonly ComparedRun[]): HTMLElement {
    if (runs.length === 0) return section('runs', 'Runs', el('p', { class: 'muted' }, 'There are none yet.'))
    const [column] = comparedColumns(shown).filter((name) => !name.endsWith('loss'))
    const rows = runs.map((run) => {
      if ('error' in run) return [run.name, el('span', { class: 'tag bad' }, 'unreadable'), run.error, '']
      const value = column === undefined ? null : (valuesOf(run.metrics, column).at(-1) ?? null)
      const place = shown.indexOf(run)
      const name = place < 0 ? el('a', { href: run.link }, run.name) : nameOf(run, place)
      return [
        el('span', { class: 'choice' }, this.#choice(run.name, place >= 0), name),
        stateOf(run),
        progressOf(run),
        column === undefined ? '' : formatOf(column)(value)
      ]
    })
    const head = ['Run', 'State', 'Epochs', column === undefined ? '' : titleOf(column)]
    return section('runs', 'Runs', el('div', { class: 'card runs' }, table('State of each run', head, rows)))
  }

  #choice(name: string, isShown: boolean): HTMLElement {
    const onchange = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
      this.#chosen.set(name, currentTarget.checked)
      this.#draw()
    }
    return el('input', { type: 'checkbox', 'aria-label': `Show ${name}`, checked: isShown, onchange })
  }
}

function partsOf(runs: readonly ComparedRun[]): HTMLElement[] {
  const [only, another] = runs
  if (only === undefined) return []
  if (another === undefined) return [results(only, only.validation?.matrix), curves(only.metrics)]
  return [comparedFigures(runs), comparedCurves(runs), differences(runs)]
}

const began = (run: WatchedRun): string => ('environment' in run ? String(run.environment['started'] ?? '') : '')

function stateOf({ status }: ComparedRun): Child {
  if (status === null) return ''
  const [text, look] = STATES[status.state]
  return el('span', { class: look }, text)
}

/** How many epochs are done, and how much of the next. */
function progressOf(run: ComparedRun): Child {
  const { status } = run
  const isWithin = status !== null && status.batch > 0 && status.state !== 'finished'
  const all = Number(run.config.training['epochs'])
  const done = run.metrics.rows.length + (isWithin ? status.batch / Math.max(1, status.batches) : 0)
  const text = `${epochsOf(run)}${isWithin ? `, batch ${count(status.batch)} of ${count(status.batches)}` : ''}`
  return el(
    'span',
    { class: 'progress' },
    el('progress', { max: all || 1, value: Math.min(done, all || 1), 'aria-label': `Epochs of ${run.name}` }),
    text
  )
}

/** Replaces elements, and brings focus, opened details and scrolled tables back to those in their place. */
function keepingPlace(container: HTMLElement, replace: () => void): void {
  const focused = document.activeElement
  const label = focused && container.contains(focused) ? keyOf(focused) : undefined
  const value = focused instanceof HTMLInputElement ? focused.value : undefined
  const open = new Set([...container.querySelectorAll('details[open]')].map(({ id }) => id))
  const scrolled = new Map([...container.querySelectorAll('.scroll')].map((one) => [keyOf(one), one.scrollLeft]))
  replace()
  for (const one of container.querySelectorAll('details')) one.open = open.has(one.id)
  for (const one of container.querySelectorAll('.scroll')) one.scrollLeft = scrolled.get(keyOf(one)) ?? 0
  if (label === undefined) return
  const again = [...container.querySelectorAll<HTMLElement>('a, input, summary, [tabindex]')].find(
    (one) => keyOf(one) === label
  )
  if (again instanceof HTMLInputElement && again.type === 'range' && value !== undefined) again.value = value
  again?.focus({ preventScroll: true })
}

const keyOf = (element: Element): string =>
  `${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent}`
