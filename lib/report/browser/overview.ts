// What to know of a run at a glance.
import type { RunData, RunSummary } from '../run-data.js'
import { formatOf, titleOf, valuesOf } from './curves.js'
import { el } from './dom.js'
import { count, duration, percent, plural } from './format.js'

export function header({ name, config, environment, metrics }: RunData): HTMLElement {
  const { training, classes } = config
  const number = (key: string) => (typeof training[key] === 'number' ? training[key] : 0)
  const seconds = valuesOf(metrics, 'seconds').reduce<number>((sum, value) => sum + (value ?? 0), 0)
  const [done, all] = [metrics.rows.length, number('epochs')]
  const gpu = environment['gpu'] as { name?: unknown } | undefined
  const tags = [
    plural(classes.length, 'class').replace('classs', 'classes'),
    `trained on ${plural(number('pictures'), 'picture')}`,
    number('validationPictures') > 0 && `watched on ${count(number('validationPictures'))}`,
    done > 0 && duration(seconds),
    String(gpu?.name ?? environment['processor'] ?? ''),
    `version ${config.needletail}`
  ]
  return el(
    'header',
    { class: 'top' },
    el('p', { class: 'name' }, 'needletail'),
    el('h1', {}, name),
    el(
      'p',
      { class: 'tags' },
      el(
        'span',
        { class: done < all ? 'tag' : 'tag good' },
        done < all ? `${count(done)} of ${plural(all, 'epoch')}` : plural(done, 'epoch')
      ),
      ...tags.filter((tag) => tag).map((tag) => el('span', { class: 'tag' }, tag))
    )
  )
}

/** The last epoch's figures, each with its best. */
export function results(
  { config, metrics }: RunSummary,
  matrix: readonly (readonly number[])[] | undefined
): HTMLElement {
  const isWatched = metrics.columns.some((name) => name.startsWith('validation.'))
  const columns = metrics.columns.filter((name) =>
    isWatched ? name.startsWith('validation.') : !['epoch', 'seconds', 'learningRate'].includes(name)
  )
  const shown = metrics.rows.length > 0 ? columns : []
  return el(
    'section',
    { id: 'results', 'aria-labelledby': 'results-title' },
    el('h2', { id: 'results-title' }, 'Results'),
    el(
      'p',
      { class: 'muted' },
      shown.length === 0
        ? 'No epoch is complete yet.'
        : isWatched
          ? 'After the last epoch, on pictures that the network was not trained on.'
          : 'After the last epoch, on the pictures that the network was trained on: no others were watched.'
    ),
    el(
      'dl',
      { class: 'figures' },
      ...shown.map((column) => {
        const name = column.replace('validation.', '')
        const value = valuesOf(metrics, column).at(-1) ?? null
        const notes = [best(metrics, column), name === 'accuracy' && alwaysSame(config.classes, matrix)]
        return el(
          'div',
          { class: 'figure' },
          el('dt', {}, titleOf(column)),
          el('dd', {}, formatOf(column)(value), ...notes.map((note) => note && el('small', {}, note)))
        )
      })
    )
  )
}

function best(metrics: RunData['metrics'], column: string): string | undefined {
  const isLower = column.endsWith('loss')
  let [at, found] = [-1, NaN]
  valuesOf(metrics, column).forEach((value, i) => {
    if (value !== null && (at < 0 || (isLower ? value < found : value > found))) [at, found] = [i, value]
  })
  if (column === 'imagesPerSecond' || at < 0) return undefined
  if (at === metrics.rows.length - 1) return 'the best so far'
  return `best ${formatOf(column)(found)} in epoch ${count(valuesOf(metrics, 'epoch')[at]!)}`
}

/** How right one would be without looking. */
function alwaysSame(
  classes: readonly string[],
  matrix: readonly (readonly number[])[] | undefined
): string | undefined {
  if (!matrix) return undefined
  const counts = matrix.map((row) => row.reduce((sum, value) => sum + value, 0))
  const [most, all] = [Math.max(...counts), counts.reduce((sum, value) => sum + value, 0)]
  return all > 0 ? `always “${classes[counts.indexOf(most)]}” is right ${percent(most / all)}` : undefined
}
