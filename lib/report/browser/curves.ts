// The training as curves, epoch by epoch, and as a table.
import type { Metrics } from '../run-data.js'
import { chart, type Axis, type Series } from './chart.js'
import { el, section, table } from './dom.js'
import { count, duration, figure, percent } from './format.js'

const TITLES: Record<string, string> = {
  loss: 'Loss',
  accuracy: 'Accuracy',
  precision: 'Precision',
  recall: 'Recall',
  f1: 'F1',
  averagePrecision: 'Average precision',
  rocAuc: 'Area under the ROC curve',
  learningRate: 'Learning rate',
  seconds: 'Seconds',
  imagesPerSecond: 'Pictures a second'
}

const VALIDATION = 'validation.'

/** What a column of metrics.csv is called. */
export function titleOf(column: string): string {
  if (column.startsWith(VALIDATION)) return titleOf(column.slice(VALIDATION.length))
  const at = /^recall@([\d.]+)$/.exec(column)
  return at ? `Recall at a precision of ${percent(Number(at[1]))}` : (TITLES[column] ?? column)
}

const NOT_SHARES = ['loss', 'learningRate', 'seconds', 'imagesPerSecond']

/** How the values of a column are written. */
export function formatOf(column: string): (value: number | null) => string {
  return NOT_SHARES.includes(column.replace(VALIDATION, '')) || column === 'epoch' ? figure : percent
}

/** The values of a column, one an epoch. */
export function valuesOf({ columns, rows }: Metrics, column: string): (number | null)[] {
  const at = columns.indexOf(column)
  return at < 0 ? [] : rows.map((row) => row[at] ?? null)
}

/** The axis of the values of a column. */
export function axisOf(column: string): Axis {
  const format = formatOf(column)
  const isShare = format === percent
  // The ticks of shares are whole: no room for more beside a chart.
  const short = (value: number) => (isShare ? `${Number((100 * value).toFixed(1))} %` : figure(value))
  return { label: titleOf(column), format: isShare ? short : figure }
}

export const EPOCHS: Axis = { label: 'epoch', format: count }

export function curves(metrics: Metrics): HTMLElement {
  const names = metrics.columns.filter((name) => !['epoch', 'seconds'].includes(name) && !name.startsWith(VALIDATION))
  const watched = metrics.columns
    .filter((name) => name.startsWith(VALIDATION))
    .map((name) => name.slice(VALIDATION.length))
  const epochs = valuesOf(metrics, 'epoch') as number[]
  const series = (column: string, name: string, color: number, dashed = false): Series[] =>
    metrics.columns.includes(column)
      ? [{ name, color, dashed, points: valuesOf(metrics, column).map((value, i) => [epochs[i]!, value] as const) }]
      : []
  const last = ['learningRate', 'imagesPerSecond']
  const shown = [...new Set([...names.filter((name) => !last.includes(name)), ...watched, ...last])]
  return section(
    'curves',
    'Training',
    el('p', { class: 'muted' }, 'Every epoch: on the pictures trained on, and on those that were only watched.'),
    el(
      'div',
      { class: 'columns' },
      ...shown.map((name) => {
        const lines = [
          ...series(`${VALIDATION}${name}`, 'validation', 1),
          ...series(name, last.includes(name) ? titleOf(name) : 'training', 2, !last.includes(name))
        ]
        const { element } = chart({ title: titleOf(name), series: lines, x: EPOCHS, y: axisOf(name), readOff: true })
        return el('div', { class: 'card' }, element)
      })
    ),
    el('details', { class: 'card' }, el('summary', {}, 'All epochs as a table'), epochTable(metrics))
  )
}

function epochTable(metrics: Metrics): HTMLElement {
  const titles = metrics.columns.map((name) =>
    name === 'epoch' ? 'Epoch' : `${titleOf(name)}${name.startsWith(VALIDATION) ? ' (validation)' : ''}`
  )
  const text = (value: number | null, name: string) =>
    name === 'seconds' && value !== null ? duration(value) : formatOf(name)(value)
  return table(
    'Figures of every epoch',
    titles,
    metrics.rows.map((row) => row.map((value, i) => text(value, metrics.columns[i]!)))
  )
}
