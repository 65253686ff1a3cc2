// The page of a sweep: which trials were the best, and what made them so.
import './theme.css'
import './run.css'
import './chart.css'
import './leaderboard.css'
import type { LeaderboardData, TrialData } from '../leaderboard-data.js'
import { axisFor, type Axis } from './axes.js'
import { titleOf } from './curves.js'
import { el, scroller, section } from './dom.js'
import { count, duration, figure, plural } from './format.js'
import { parallel, type Drawing } from './parallel.js'
import { scatter } from './scatter.js'

/** Trials that stand out at first. */
const BEST = 10

/** Everything that the page shows of a sweep. */
export function leaderboardView(data: LeaderboardData): HTMLElement[] {
  const axes = data.dimensions.map(axisFor)
  const ranked = data.trials.filter(({ value }) => value !== null)
  const drawings = ranked.length < 2 ? [] : [parallel(data), ...data.dimensions.map((_, i) => scatter(data, i))]
  const shown = standingOut(ranked, drawings)
  const mark = (trial: TrialData | undefined) => (trial ? drawings.forEach((one) => one.mark([trial])) : shown.reset())
  const [lines, ...dots] = drawings.map(({ element }) => element)
  return [
    header(data),
    results(data, ranked[0], axes),
    ...(lines
      ? [
          section('values', 'What made them good', el('div', { class: 'card' }, shown.element, lines)),
          section('dimensions', 'One by one', el('div', { class: 'columns' }, ...dots))
        ]
      : []),
    trials(data, axes, mark)
  ]
}

function header({ name, trials, total, metric, direction, rungs }: LeaderboardData): HTMLElement {
  const done = trials.filter(({ state }) => state !== 'begun').length
  const tags = [
    `${direction === 'maximize' ? 'highest' : 'lowest'} ${metric}`,
    rungs.length > 1 && `compared after ${rungs.join(', ')} epochs`,
    duration(trials.reduce((sum, { seconds }) => sum + seconds, 0))
  ]
  return el(
    'header',
    { class: 'top' },
    el('h1', {}, name),
    el(
      'p',
      { class: 'tags' },
      el(
        'span',
        { class: done < total ? 'tag' : 'tag good' },
        done < total ? `${count(done)} of ${plural(total, 'trial')}` : plural(total, 'trial')
      ),
      ...tags.filter((tag) => tag !== false).map((tag) => el('span', { class: 'tag' }, tag))
    )
  )
}

function results(
  { metric, trials, epochs }: LeaderboardData,
  best: TrialData | undefined,
  axes: readonly Axis[]
): HTMLElement {
  const of = (state: TrialData['state']) => trials.filter((trial) => trial.state === state).length
  const passes = trials.reduce((sum, trial) => sum + trial.epochs, 0)
  const [failed, begun] = [of('failed'), of('begun')]
  const figures: [string, string | number, string][] = [
    [
      titleOf(metric),
      metricText(best?.value ?? null),
      best ? `trial ${best.number}, after ${plural(best.epochs, 'epoch')}` : 'no result yet'
    ],
    ['Trained to the end', count(of('complete')), `of ${plural(trials.length, 'trial')} begun`],
    ['Epochs in all', count(passes), `in place of ${count(trials.length * epochs)}`],
    ...(failed > 0 ? [['Failed', count(failed), 'the table says why'] as [string, string, string]] : []),
    ...(begun > 0 ? [['In progress', count(begun), 'or to be gone on with'] as [string, string, string]] : [])
  ]
  return section(
    'results',
    'Results',
    el(
      'dl',
      { class: 'figures' },
      ...figures.map(([name, value, note]) =>
        el('div', { class: 'figure' }, el('dt', {}, name), el('dd', {}, value, el('small', {}, note)))
      )
    ),
    best &&
      el(
        'p',
        { class: 'best' },
        el('strong', {}, 'The best: '),
        axes.map(({ name, text }, i) => `${name} ${text(best.values[i]!)}`).join(', ')
      )
  )
}

/** Chooses how many of the best stand out. */
function standingOut(ranked: readonly TrialData[], drawings: readonly Drawing[]) {
  const input = el('input', { type: 'range', min: 1, max: Math.max(1, ranked.length), id: 'best' })
  const output = el('output', { for: 'best' })
  const reset = () => {
    const most = Number(input.value)
    output.textContent = `The best ${most === 1 ? 'one' : most} of ${ranked.length}`
    for (const drawing of drawings) drawing.mark(ranked.slice(0, most))
  }
  input.value = String(Math.min(BEST, ranked.length))
  input.addEventListener('input', reset)
  reset()
  const element = el(
    'div',
    { class: 'shown' },
    el('label', { for: 'best', class: 'hidden-text' }, 'How many of the best stand out'),
    output,
    input,
    el(
      'p',
      { class: 'keys', 'aria-hidden': 'true' },
      el('span', { style: '--color: var(--series-2)' }, 'the best'),
      el('span', { style: '--color: var(--series-1)' }, 'good'),
      el('span', { style: '--color: var(--control)' }, 'others')
    )
  )
  return { element, reset }
}

/** With as many digits for all, so that they can be compared. */
const metricText = (value: number | null): string =>
  value === null || Math.abs(value) >= 1000 ? figure(value) : value.toFixed(4)

const WORDS = { complete: 'complete', paused: 'stopped', begun: 'in progress', failed: 'failed' } as const

/** A row for each trial; one that is pointed at or focused stands out alone in the drawings. */
function trials(
  { metric, trials }: LeaderboardData,
  axes: readonly Axis[],
  mark: (trial: TrialData | undefined) => void
): HTMLElement {
  const rows = trials.map((trial, i) => {
    const { number, state, report, epochs, value, seconds, error, values } = trial
    const name = `trial ${number}`
    const tag = state === 'complete' ? 'tag good' : state === 'failed' ? 'tag bad' : 'tag'
    const cells = [
      el('td', {}, count(i + 1)),
      el('th', { scope: 'row', class: 'text' }, report === null ? name : el('a', { href: report }, name)),
      el('td', { class: 'text' }, el('span', { class: tag }, WORDS[state]), error !== null && ` ${error}`),
      el('td', {}, count(epochs)),
      el('td', {}, metricText(value)),
      ...axes.map(({ text }, axis) => el('td', {}, text(values[axis]!))),
      el('td', {}, duration(seconds))
    ]
    const listeners = { onpointerenter: () => mark(trial), onpointerleave: () => mark(undefined) }
    return el('tr', { ...listeners, onfocusin: () => mark(trial), onfocusout: () => mark(undefined) }, ...cells)
  })
  const head = ['#', 'Trial', 'State', 'Epochs', titleOf(metric), ...axes.map(({ name }) => name), 'Time']
  return section(
    'trials',
    'All trials',
    el(
      'p',
      { class: 'muted' },
      'The best first. Who was trained for longer comes before who was stopped earlier; a link leads to the report of the trial’s run.'
    ),
    el(
      'div',
      { class: 'card trials' },
      scroller(
        'The table of all trials',
        el(
          'table',
          { class: 'wide' },
          el('caption', { class: 'hidden-text' }, 'All trials, the best first'),
          el(
            'thead',
            {},
            el(
              'tr',
              {},
              ...head.map((text, i) => el('th', { scope: 'col', class: i === 1 || i === 2 ? 'text' : '' }, text))
            )
          ),
          el('tbody', {}, ...rows)
        )
      )
    )
  )
}
