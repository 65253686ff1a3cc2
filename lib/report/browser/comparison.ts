// Runs beside each other: their figures, their curves in common charts, and what was different about them.
import './comparison.css'
import type { ComparedRun, RunSummary } from '../run-data.js'
import { chart, type Series } from './chart.js'
import { axisOf, EPOCHS, formatOf, titleOf, valuesOf } from './curves.js'
import { flat } from './details.js'
import { el, scroller, section, table, type Child } from './dom.js'
import { count, duration } from './format.js'

const COLORS = 6
const WATCHED = 'validation.'
const SPEED = 'imagesPerSecond'

/** What tells the lines of the run at a place from the others': the theme's colours in turn, then the same dashed. */
const lookOf = (place: number) => ({ color: (place % COLORS) + 1, dashed: place % (2 * COLORS) >= COLORS })

/** A run's name behind a piece of its line. */
export function nameOf({ name, link }: ComparedRun, place: number): HTMLElement {
  const { color, dashed } = lookOf(place)
  return el(
    'span',
    { class: dashed ? 'key dashed' : 'key', style: `--color: var(--series-${color})` },
    link === undefined ? name : el('a', { href: link }, name)
  )
}

/** The columns that runs are compared by: those of pictures that were only watched, where there are such. */
export function comparedColumns(runs: readonly RunSummary[]): string[] {
  const all = [...new Set(runs.flatMap(({ metrics }) => metrics.columns))]
  const watched = all.filter((name) => name.startsWith(WATCHED))
  return watched.length > 0 ? watched : all.filter((name) => !OTHERS.includes(name))
}

const OTHERS = ['epoch', 'seconds', 'learningRate', SPEED]

/** The last epoch's figures of each run. The best of a column is marked. */
export function comparedFigures(runs: readonly ComparedRun[]): HTMLElement {
  const columns = comparedColumns(runs)
  const lasts = columns.map((column) => runs.map(({ metrics }) => valuesOf(metrics, column).at(-1) ?? null))
  const bests = columns.map((column, i) => bestOf(column, lasts[i]!))
  const rows = runs.map((run, place) => {
    const seconds = valuesOf(run.metrics, 'seconds').reduce<number>((sum, value) => sum + (value ?? 0), 0)
    return [
      nameOf(run, place),
      epochsOf(run),
      ...columns.map((column, i) => {
        const value = lasts[i]![place] ?? null
        const text = formatOf(column)(value)
        const isBest = value !== null && value === bests[i]
        return isBest
          ? el('strong', { class: 'tag good' }, text, el('span', { class: 'hidden-text' }, ' (best)'))
          : text
      }),
      duration(seconds)
    ]
  })
  return section(
    'figures',
    'Results',
    el('p', { class: 'muted' }, 'After the last epoch of each.'),
    el('div', { class: 'card' }, table('Figures of each run', ['Run', 'Epochs', ...columns.map(titleOf), 'Time'], rows))
  )
}

/** 12 of 50. */
export function epochsOf({ metrics, config }: RunSummary): string {
  const all = config.training['epochs']
  const done = metrics.rows.length
  return typeof all === 'number' && done !== all ? `${count(done)} of ${count(all)}` : count(done)
}

/** The best of several; none where all are the same. */
function bestOf(column: string, values: readonly (number | null)[]): number | undefined {
  const there = values.filter((value) => value !== null)
  if (new Set(there).size < 2) return undefined
  return column.endsWith('loss') ? Math.min(...there) : Math.max(...there)
}

/** A chart for each figure, a line for each run. */
export function comparedCurves(runs: readonly ComparedRun[]): HTMLElement {
  const watched = comparedColumns(runs)
  const all = [...new Set(runs.flatMap(({ metrics }) => metrics.columns))]
  const others = all.filter((name) => !watched.includes(name) && !['epoch', 'seconds'].includes(name))
  const charts = (columns: readonly string[]) =>
    el(
      'div',
      { class: 'columns' },
      ...columns.map((column) => {
        const series = runs.flatMap((run, place): Series[] => {
          const epochs = valuesOf(run.metrics, 'epoch')
          const points = valuesOf(run.metrics, column).map((value, i) => [epochs[i] ?? i + 1, value] as const)
          return points.length > 0 ? [{ name: run.name, ...lookOf(place), points }] : []
        })
        const drawn = chart({ title: titleOf(column), series, x: EPOCHS, y: axisOf(column), readOff: true })
        return el('div', { class: 'card' }, drawn.element)
      })
    )
  const isWatched = watched.some((name) => name.startsWith(WATCHED))
  return section(
    'curves',
    'Training',
    el('p', { class: 'muted' }, `Every epoch, on the pictures ${isWatched ? 'that were only watched' : 'trained on'}.`),
    charts(watched),
    others.length > 0 &&
      el(
        'details',
        { class: 'card', id: 'other-curves' },
        el(
          'summary',
          {},
          isWatched ? 'On the pictures trained on; learning rate and speed' : 'Learning rate and speed'
        ),
        charts(others)
      )
  )
}

/** What the runs were made with, where that isn't the same for all. */
export function differences(runs: readonly ComparedRun[]): HTMLElement {
  const options = runs.map(optionsOf)
  const names = [...new Set(options.flatMap((of) => [...of.keys()]))]
  const isSame = (name: string) => options.every((of) => of.get(name) === options[0]!.get(name))
  const head = ['Option', ...runs.map(nameOf)]
  const rows = (shown: readonly string[]) =>
    shown.map((name) => {
      const texts = options.map((of) => of.get(name))
      const usual = mostFrequent(texts)
      return [name, ...texts.map((text) => cell(text, text !== usual, usual))]
    })
  const different = names.filter((name) => !isSame(name))
  const same = names.filter(isSame)
  return section(
    'differences',
    'What was different',
    different.length === 0
      ? el('p', { class: 'muted' }, 'Nothing: they were made with the same network and options.')
      : el('div', { class: 'card facts' }, table('Options that are different', head, rows(different))),
    el(
      'details',
      { class: 'card facts', id: 'same-options' },
      el('summary', {}, `What was the same (${count(same.length)})`),
      scroller(
        'Options that are the same',
        el(
          'table',
          {},
          el(
            'tbody',
            {},
            ...same.map((name) =>
              el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, cell(options[0]!.get(name), false)))
            )
          )
        )
      )
    )
  )
}

/** A value; marked where it isn't the usual one. Of several lines those are marked that the usual one hasn't, if there are such. */
function cell(text: string | undefined, isMarked: boolean, usual = ''): Child {
  if (text === undefined) return '–'
  const lines = text.split('\n')
  const known = new Set(usual.split('\n'))
  const isPart = lines.some((line) => !known.has(line))
  const marked = (line: string) => isMarked && (!isPart || !known.has(line))
  return el(
    'span',
    { class: 'value' },
    ...lines.map((line) => el('span', { class: 'line' }, marked(line) ? el('mark', {}, line) : line))
  )
}

function mostFrequent(texts: readonly (string | undefined)[]): string | undefined {
  const times = new Map<string | undefined, number>()
  for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1)
  const most = Math.max(...times.values())
  // Where all are different none is usual: only what at least two have can be.
  return most > 1 || texts.length === 1 ? texts.find((text) => times.get(text) === most) : texts[0]
}

/** All that a run was made with, as text: the network a layer a line. */
function optionsOf({ config, environment }: RunSummary): Map<string, string> {
  const { network, networkClass, inputShape, classes, positive, training, needletail } = config
  const layers = network === null ? networkClass : layersOf(network).join('\n')
  const machine = {
    device: environment['device'],
    processor: environment['processor'],
    threads: environment['threads']
  }
  const rest = { inputShape, classes, positive, ...training, ...machine, needletail }
  return new Map([['network', layers], ...flat(rest, String)])
}

/** A network as nn.toConfig tells it: the layers of a Sequential each by itself. */
function layersOf(network: unknown): string[] {
  const { type, arguments: given } = network as { type?: unknown; arguments?: unknown }
  const list = Array.isArray(given) ? (given as unknown[]) : []
  return type === 'Sequential' ? list.flatMap(layersOf) : [written(network)]
}

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const { type, arguments: given } = value as { type?: unknown; arguments?: unknown }
  if (typeof type === 'string' && Array.isArray(given)) return `${type}(${given.map(written).join(', ')})`
  return Object.entries(value)
    .map(([name, one]) => `${name} ${written(one)}`)
    .join(', ')
}
