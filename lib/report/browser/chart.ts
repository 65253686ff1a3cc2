// A chart of lines: drawn as SVG at the width that there is, coloured by the theme, read with the pointer, by keys and by screen
// readers.
import { scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'
import './chart.css'
import { el, svg, type Child } from './dom.js'

export interface Series {
  name: string
  /** A number from 1 to 6: the theme's colour. */
  color: number
  dashed?: boolean
  /** By rising x; y is null where there is a gap. */
  points: readonly (readonly [x: number, y: number | null])[]
}

export interface Chart {
  title: string
  series: readonly Series[]
  x: Axis
  y: Axis
  /** Whether the values are read off at each x of the series: along epochs, not along the thresholds of a curve. */
  readOff?: boolean
}

export interface Axis {
  label: string
  /** What the axis covers at least; what the values need unless given. */
  domain?: readonly [number, number]
  format: (value: number) => string
  /** Equal factors are equal distances. */
  logarithmic?: boolean
}

export interface DrawnChart {
  element: HTMLElement
  /** Marks a point on each series: [x, y] or none. */
  mark(points: readonly (readonly [x: number, y: number])[], description: string): void
}

const HEIGHT = 240
const MARGIN = { top: 12, right: 16, bottom: 36, left: 46 }

export function chart({ title, series, x, y, readOff = false }: Chart): DrawnChart {
  const drawing = svg('svg', { role: 'img', height: HEIGHT })
  const plot = el('div', { class: 'plot' }, drawing)
  const place = el('span', { class: 'place' })
  const values = series.map(() => el('output', {}))
  const element = el(
    'figure',
    { class: 'chart' },
    el('figcaption', {}, el('h3', {}, title, readOff && [' ', place]), legend(series, readOff ? values : [])),
    plot
  )
  const places = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b)
  const range = xRange(x, places)
  const heights = series.flatMap(({ points }) => points.flatMap(([, value]) => (value === null ? [] : [value])))
  let width = 0
  let marks: readonly Mark[] = []
  /** The x that is being read. */
  let cursor: number | undefined

  const xScale = () => scaleLinear(range, [MARGIN.left, width - MARGIN.right])
  const draw = () => {
    const toX = xScale()
    const toY = yScale(y, heights)
    const path = line<readonly [number, number | null]>()
      .defined(([, value]) => value !== null)
      .x(([at]) => toX(at))
      .y(([, value]) => toY(value!))
    const color = (number: number) => `--color: var(--series-${number})`
    drawing.setAttribute('width', String(width))
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    drawing.replaceChildren(
      ...grid(toX, toY, x, y, width),
      ...(cursor === undefined
        ? []
        : [
            svg('line', {
              class: 'cursor',
              x1: toX(cursor),
              x2: toX(cursor),
              y1: MARGIN.top,
              y2: HEIGHT - MARGIN.bottom
            })
          ]),
      ...series.map((one) =>
        svg('path', {
          class: 'line',
          d: path(one.points) ?? '',
          style: color(one.color),
          'stroke-dasharray': one.dashed && '5 4'
        })
      ),
      ...[...singles(series), ...marks, ...marksAt(series, cursor)].map((mark) =>
        svg('circle', { class: 'dot', cx: toX(mark.x), cy: toY(mark.y), r: 4.5, style: color(mark.color) })
      )
    )
  }
  /** Writes the values at an x, those at the last unless given, beside the names of the series. */
  const read = (at: number | undefined): string => {
    cursor = at
    if (width > 0) draw()
    const where = at ?? places.at(-1)
    const found = series.map((one) => marksAt([one], where)[0])
    place.textContent = where === undefined ? '' : `${x.label} ${x.format(where)}`
    values.forEach((value, i) => (value.textContent = found[i] ? y.format(found[i].y) : ''))
    const texts = found.flatMap((mark) => (mark ? [`${mark.name} ${y.format(mark.y)}`] : []))
    return `${place.textContent}: ${texts.join(', ')}`
  }
  describe(drawing, `${title}. ${series.map((one) => summary(one, y)).join('; ')}`)
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry!.contentRect.width)
    if (now === width || now < 80) return
    width = now
    draw()
  }).observe(plot)
  if (readOff) read(undefined)
  if (readOff && places.length > 1) {
    plot.append(reader(title, places, read))
    plot.addEventListener('pointermove', (event) => {
      read(nearest(places, xScale().invert(event.clientX - plot.getBoundingClientRect().left)))
    })
    plot.addEventListener('pointerleave', () => read(undefined))
  }
  return {
    element,
    mark(points, description) {
      marks = points.map(([px, py], i) => ({ name: '', x: px, y: py, color: series[i % series.length]!.color }))
      describe(drawing, `${title}. ${description}`)
      if (width > 0) draw()
    }
  }
}

interface Mark {
  name: string
  x: number
  y: number
  color: number
}

/** The points of all series at an x. */
function marksAt(series: readonly Series[], at: number | undefined): Mark[] {
  return series.flatMap(({ name, color, points }) => {
    const value = points.find(([x]) => x === at)?.[1]
    return at === undefined || value === undefined || value === null ? [] : [{ name, x: at, y: value, color }]
  })
}

/** Points without a neighbour, of which no line is drawn. */
const singles = (series: readonly Series[]): Mark[] =>
  series.flatMap((one) => {
    const [first, second] = one.points.filter(([, value]) => value !== null)
    return first && !second ? marksAt([one], first[0]) : []
  })

/** The keyboard's way along a chart: a slider that only keys and screen readers find. */
function reader(title: string, places: readonly number[], read: (at: number | undefined) => string): HTMLElement {
  const label = `Read ${title}`
  const input = el('input', { type: 'range', class: 'reader', min: 0, max: places.length - 1, 'aria-label': label })
  const show = () => input.setAttribute('aria-valuetext', read(places[Number(input.value)]))
  input.value = String(places.length - 1)
  input.addEventListener('input', show)
  input.addEventListener('focus', show)
  input.addEventListener('blur', () => read(undefined))
  return input
}

function describe(drawing: SVGElement, text: string): void {
  drawing.setAttribute('aria-label', text)
}

function summary({ name, points }: Series, y: Axis): string {
  const values = points.flatMap(([, value]) => (value === null ? [] : [value]))
  if (values.length === 0) return `${name}: no values`
  const [first, last] = [values[0]!, values.at(-1)!].map(y.format)
  return values.length === 1 ? `${name} ${first}` : `${name} from ${first} to ${last}`
}

/** The names of the series, each with its value where values are read; the name of a single one says nothing new. */
function legend(series: readonly Series[], values: readonly HTMLElement[]): Child {
  if (series.length < 2) return values
  return el(
    'ul',
    { class: 'legend' },
    ...series.map(({ name, color, dashed }, i) =>
      el('li', { style: `--color: var(--series-${color})`, class: dashed ? 'dashed' : '' }, name, ' ', values[i])
    )
  )
}

function xRange({ domain }: Axis, places: readonly number[]): [number, number] {
  if (domain) return [...domain]
  const [first, last] = [places[0] ?? 0, places.at(-1) ?? 1]
  return first === last ? [first - 0.5, first + 0.5] : [first, last]
}

function yScale({ domain, logarithmic }: Axis, values: readonly number[]) {
  let [low, high] = domain ?? [Infinity, -Infinity]
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  if (!(low <= high)) [low, high] = [0, 1]
  if (low === high) [low, high] = [low - Math.abs(low || 1) / 10, high + Math.abs(high || 1) / 10]
  const range = [HEIGHT - MARGIN.bottom, MARGIN.top]
  if (logarithmic && low > 0) return scaleLog([low, high], range).nice()
  return domain ? scaleLinear([low, high], range) : scaleLinear([low, high], range).nice(5)
}

type Scale = ReturnType<typeof scaleLinear<number, number>> | ReturnType<typeof scaleLog<number, number>>

function grid(toX: Scale, toY: Scale, x: Axis, y: Axis, width: number): SVGElement[] {
  const bottom = HEIGHT - MARGIN.bottom
  const right = width - MARGIN.right
  const whole = toX.domain().every(Number.isInteger) && x.domain === undefined
  const xTicks = toX.ticks(Math.max(2, Math.floor(width / 80))).filter((at) => !whole || Number.isInteger(at))
  return [
    ...toY
      .ticks(5)
      .map((at) =>
        svg(
          'g',
          { class: 'tick' },
          svg('line', { x1: MARGIN.left, x2: right, y1: toY(at), y2: toY(at) }),
          svg('text', { x: MARGIN.left - 8, y: toY(at), dy: '0.32em', 'text-anchor': 'end' }, y.format(at))
        )
      ),
    ...xTicks.map((at) =>
      svg('text', { class: 'tick', x: toX(at), y: bottom + 16, 'text-anchor': 'middle' }, x.format(at))
    ),
    svg('line', { class: 'axis', x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    svg('text', { class: 'label', x: right, y: HEIGHT - 2, 'text-anchor': 'end' }, x.label)
  ]
}

function nearest(places: readonly number[], at: number): number {
  return places.reduce((best, place) => (Math.abs(place - at) < Math.abs(best - at) ? place : best))
}
