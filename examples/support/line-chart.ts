// Lines over each other, as an SVG.
import { COLOURS, escape, label, short, svg } from './svg.js'

export interface LineChart {
  title: string
  x: Axis
  y: Axis
  lines: readonly { name: string; points: readonly (readonly [x: number, y: number])[] }[]
}
interface Axis {
  name: string
  /** Its first and last value; the least and the largest there are unless given. */
  range?: readonly [number, number]
}

const [WIDTH, HEIGHT] = [640, 360]
const PLOT = { left: 64, right: 620, top: 62, bottom: 304 }

export function lineChart({ title, x, y, lines }: LineChart): string {
  const [xs, ys] = [0, 1].map((axis) => lines.flatMap(({ points }) => points.map((point) => point[axis]!)))
  const across = scale(x, xs!, PLOT.left, PLOT.right)
  const up = scale(y, ys!, PLOT.bottom, PLOT.top)
  const parts: string[] = []
  for (const value of across.ticks) parts.push(label(short(value), across.at(value), PLOT.bottom + 20))
  for (const value of up.ticks) {
    parts.push(`<path class="axis" d="M${PLOT.left} ${short(up.at(value))}H${PLOT.right}"/>`)
    parts.push(label(short(value), PLOT.left - 8, up.at(value) + 4, 'end'))
  }
  parts.push(label(x.name, (PLOT.left + PLOT.right) / 2, HEIGHT - 14), label(y.name, PLOT.left, PLOT.top - 12, 'start'))
  for (const [i, { name, points }] of lines.entries()) {
    const colour = colourOf(i)
    const path = points.map(([a, b]) => `${short(across.at(a))} ${short(up.at(b))}`).join('L')
    parts.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`)
    if (points.length <= 40)
      for (const [a, b] of points) {
        const hint = escape(`${name}: ${x.name} ${short(a)}, ${y.name} ${short(b)}`)
        const circle = `<circle cx="${short(across.at(a))}" cy="${short(up.at(b))}" r="4" fill="${colour}">`
        parts.push(`${circle}<title>${hint}</title></circle>`)
      }
  }
  const names = lines.map(({ name }, i) => `<tspan style="fill:${colourOf(i)}">●</tspan> ${escape(name)}`).join('   ')
  parts.push(`<text x="${PLOT.right}" y="${PLOT.top - 12}" text-anchor="end" xml:space="preserve">${names}</text>`)
  return svg(title, WIDTH, HEIGHT, parts)
}

const colourOf = (line: number): string => COLOURS[line % COLOURS.length]!

function scale({ range }: Axis, values: readonly number[], start: number, end: number) {
  const [low, high] = range ?? [Math.min(...values), Math.max(...values)]
  const step = niceStep((high - low) / 8)
  const first = Math.ceil(low / step - 1e-9)
  const count = Math.floor(high / step + 1e-9) - first + 1
  return {
    at: (value: number) => start + ((value - low) / (high - low || 1)) * (end - start),
    ticks: Array.from({ length: count }, (_, i) => (first + i) * step)
  }
}

/** The least of 1, 2, 5, 10, 20, 50, … times a power of ten that is no less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least || 1))
  return power * ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10)
}
