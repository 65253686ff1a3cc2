// Parallel coordinates: a line for each trial, through its value on each axis. The best stand out.
import { line } from 'd3-shape'
import type { LeaderboardData, TrialData } from '../leaderboard-data.js'
import { axisFor, metricAxis, spread } from './axes.js'
import { scroller, svg } from './dom.js'
import { figure } from './format.js'

const [HEIGHT, TOP, BOTTOM, SIDE] = [340, 46, 12, 72]
/** The height over which the trials at one place are spread. */
const SPREAD = 26
/** Room for an axis and what is written along it. */
const LEAST = 104

export interface Drawing {
  element: HTMLElement
  /** Which trials stand out. */
  mark(trials: readonly TrialData[]): void
}

export function parallel(data: LeaderboardData): Drawing {
  const axes = [...data.dimensions.map(axisFor), metricAxis(data)]
  const trials = data.trials.filter(({ value }) => value !== null)
  const drawing = svg('svg', { role: 'img', height: HEIGHT })
  const element = scroller('What was varied, and what came of it', drawing)
  element.classList.add('parallel')
  let [marked, width]: [readonly TrialData[], number] = [[], 0]
  const place = (i: number) => SIDE + (i * (width - 2 * SIDE)) / (axes.length - 1)
  const height = (i: number, value: number) => axes[i]!.at(value, HEIGHT - BOTTOM, TOP)
  const heightOf = (i: number, value: number, trial: TrialData) =>
    height(i, value) + (axes[i]!.shared ? SPREAD * spread(trial) : 0)
  const path = line()

  const lineOf = (trial: TrialData, name: string) =>
    svg('path', {
      class: name,
      d: path([...trial.values, trial.value!].map((value, i) => [place(i), heightOf(i, value, trial)])) ?? ''
    })
  const axis = (i: number) => {
    const { name, ticks, text } = axes[i]!
    const [x, anchor] = i === axes.length - 1 ? [8, 'start'] : [-8, 'end']
    return svg(
      'g',
      { transform: `translate(${place(i)})`, class: 'axis' },
      svg('line', { y1: TOP, y2: HEIGHT - BOTTOM }),
      svg('text', { class: 'name', y: TOP - 20, 'text-anchor': 'middle' }, name),
      ...ticks.map((tick) =>
        svg('text', { class: 'tick', x, y: height(i, tick), dy: '0.32em', 'text-anchor': anchor }, text(tick))
      )
    )
  }
  const draw = () => {
    const others = trials.filter((trial) => !marked.includes(trial))
    const chosen = trials.filter((trial) => marked.includes(trial)).reverse()
    drawing.setAttribute('width', String(width))
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    drawing.replaceChildren(
      ...others.map((trial) => lineOf(trial, 'trial')),
      ...chosen.map((trial) => lineOf(trial, trial === trials[0] ? 'trial best' : 'trial good')),
      ...axes.map((_, i) => axis(i))
    )
  }
  new ResizeObserver(([entry]) => {
    width = Math.max(Math.floor(entry!.contentRect.width), LEAST * axes.length)
    draw()
  }).observe(element)
  return {
    element,
    mark(now) {
      marked = now
      const values = trials.map(({ value }) => value!)
      const range = `${figure(Math.min(...values))} to ${figure(Math.max(...values))}`
      const label = `${trials.length} trials, ${axes.at(-1)!.name} from ${range}; ${now.length} of them stand out. The table below has their values.`
      drawing.setAttribute('aria-label', label)
      if (width > 0) draw()
    }
  }
}
