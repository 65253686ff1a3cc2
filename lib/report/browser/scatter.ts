// What a value has to do with the metric: a dot for each trial.
import type { LeaderboardData, TrialData } from '../leaderboard-data.js'
import { axisFor, metricAxis, spread } from './axes.js'
import { el, svg } from './dom.js'
import type { Drawing } from './parallel.js'

const HEIGHT = 200
/** The width over which the trials at one place are spread. */
const SPREAD = 26
const MARGIN = { top: 10, right: 14, bottom: 26, left: 48 }

/** @param i which of the dimensions */
export function scatter(data: LeaderboardData, i: number): Drawing {
  const across = axisFor(data.dimensions[i]!)
  const up = metricAxis(data)
  const trials = data.trials.filter(({ value }) => value !== null)
  const drawing = svg('svg', { role: 'img', height: HEIGHT, 'aria-label': `${up.name} by ${across.name}` })
  const plot = el('div', { class: 'plot' }, drawing)
  let [marked, width]: [readonly TrialData[], number] = [[], 0]
  const bottom = HEIGHT - MARGIN.bottom
  const x = (value: number) => across.at(value, MARGIN.left + 6, width - MARGIN.right)
  const y = (value: number) => up.at(value, bottom - 6, MARGIN.top)
  const dot = (trial: TrialData, name: string) =>
    svg('circle', {
      class: name,
      cx: x(trial.values[i]!) + (across.shared ? SPREAD * spread(trial) : 0),
      cy: y(trial.value!),
      r: 4
    })
  const draw = () => {
    const chosen = trials.filter((trial) => marked.includes(trial)).reverse()
    drawing.setAttribute('width', String(width))
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    drawing.replaceChildren(
      ...up.ticks.map((tick) =>
        svg(
          'g',
          { class: 'tick' },
          svg('line', { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
          svg('text', { x: MARGIN.left - 8, y: y(tick), dy: '0.32em', 'text-anchor': 'end' }, up.text(tick))
        )
      ),
      svg('line', { class: 'axis', x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom }),
      ...across.ticks.map((tick) =>
        svg('text', { x: x(tick), y: bottom + 17, 'text-anchor': 'middle' }, across.text(tick))
      ),
      ...trials.filter((trial) => !marked.includes(trial)).map((trial) => dot(trial, 'trial')),
      ...chosen.map((trial) => dot(trial, trial === trials[0] ? 'trial best' : 'trial good'))
    )
  }
  new ResizeObserver(([entry]) => {
    width = Math.floor(entry!.contentRect.width)
    if (width > 80) draw()
  }).observe(plot)
  const element = el('figure', { class: 'card chart' }, el('figcaption', {}, el('h3', {}, across.name)), plot)
  return {
    element,
    mark(now) {
      marked = now
      if (width > 80) draw()
    }
  }
}
