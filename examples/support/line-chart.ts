// Lines over each other, as an SVG.
import { COLOURS, escape, label, short, svg } from './svg.js'

export interface LineChart {
  title: string
  /** What is written along the axis, and its first and last value; the values' own unless given. */
  x: Axis
  y: Axis
  lines: readonly { name: string; points: readonly (readonly [x: number, y: number])[] }[]
}
interface Axis {
  name: string
  range?: readonly [number, number]
  /** How a value is written. */
  format?: (value: number) => string
}

const [WIDTH, HEIGHT] = [640, 360]
const PLOT = { left: 64, right: 620, top: 62, bottom: 304 }

export function lineChart({ title, x, y, lines }: LineChart): string {
  const all = lines.flatMap(({ points }) => points)
  const across = scale(x, all.map((point) => point[0]), PLOT.left, PLOT.right) // prettier-ignore
  const up = scale(y, all.map((point) => point[1]), PLOT.bottom, PLOT.top) // prettier-ignore
  const parts: string[] = []
  for (const value of across.ticks) parts.push(label(across.text(value), across.at(value), PLOT.bottom + 20))
  for (const value of up.ticks) {
    const at = short(up.at(value))
    parts.push(`<path class="axis" d="M${PLOT.left} ${at}H${PLOT.right}"/>`, label(up.text(value), PLOT.left - 8, up.at(value) + 4, 'end')) // prettier-ignore
  }
  parts.push(label(x.name, (PLOT.left + PLOT.right) / 2, HEIGHT - 14), label(y.name, PLOT.left, PLOT.top - 12, 'start'))
  let legend = PLOT.right
  for (const [i, { name, points }] of [...lines.entries()].reverse()) {
    const colour = COLOURS[i % COLOURS.length]!
    const path = points.map(([a, b]) => `${short(across.at(a))} ${short(up.at(b))}`).join('L')
    parts.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`)
    if (points.length <= 40)
      for (const [a, b] of points) {
        const hint = escape(`${name}: ${x.name} ${across.text(a)}, ${y.name} ${up.text(b)}`)
        parts.push(`<circle cx="${short(across.at(a))}" cy="${short(up.at(b))}" r="4" fill="${colour}"><title>${hint}</title></circle>`) // prettier-ignore
      }
    // The names stand in one row, from the right.
    parts.push(label(name, legend, PLOT.top - 12, 'end'))
    legend -= 7.2 * name.length + 8
    parts.push(`<circle cx="${short(legend)}" cy="${PLOT.top - 16}" r="5" fill="${colour}"/>`)
    legend -= 18
  }
  return svg(title, WIDTH, HEIGHT, parts)
}

function scale({ range, format }: Axis, values: readonly number[], start: number, end: number) {
  const [low, high] = range ?? [Math.min(...values), Math.max(...values)]
  const step = niceStep((high - low) / 8)
  const first = Math.ceil(low / step - 1e-9)
  const count = Math.floor(high / step + 1e-9) - first + 1
  return {
    at: (value: number) => start + ((value - low) / (high - low || 1)) * (end - start),
    ticks: Array.from({ length: count }, (_, i) => (first + i) * step),
    text: format ?? short
  }
}

/** The least of 1, 2, 5, 10, 20, 50, … times a power of ten that is no less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least || 1))
  return power * ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10)
}
