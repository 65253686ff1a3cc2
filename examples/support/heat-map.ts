// A table of values as coloured squares, as an SVG.
import { label, svg } from './svg.js'

export interface HeatMap {
  title: string
  /** [row][column], from 0 to 1. */
  values: readonly (readonly number[])[]
  rows: { name: string; values: readonly (string | number)[] }
  columns: { name: string; values: readonly (string | number)[] }
}

const CELL = 30
const [LEFT, TOP] = [64, 72]

export function heatMap({ title, values, rows, columns }: HeatMap): string {
  const [height, width] = [values.length * CELL, values[0]!.length * CELL]
  const parts = [
    label(columns.name, LEFT + width / 2, TOP - 24),
    `<g transform="translate(16 ${TOP + height / 2}) rotate(-90)">${label(rows.name, 0, 0)}</g>`
  ]
  columns.values.forEach((value, i) => parts.push(label(String(value), LEFT + (i + 0.5) * CELL, TOP - 6)))
  rows.values.forEach((value, i) => parts.push(label(String(value), LEFT - 8, TOP + (i + 0.5) * CELL + 4, 'end')))
  for (const [row, line] of values.entries())
    for (const [column, value] of line.entries()) {
      const [x, y] = [LEFT + column * CELL, TOP + row * CELL]
      const hint = `${rows.values[row]}, ${columns.values[column]}: ${percent(value)} %`
      const ink = value > 0.55 ? '#ffffff' : '#1f2328'
      parts.push(
        `<g><title>${hint}</title><rect x="${x}" y="${y}" width="${CELL - 1}" height="${CELL - 1}" fill="${colour(value)}"/>` +
          `<text x="${x + CELL / 2}" y="${y + CELL / 2 + 4}" text-anchor="middle" style="fill:${ink};font-size:11px">${percent(value)}</text></g>`
      )
    }
  return svg(title, LEFT + width + 16, TOP + height + 14, parts)
}

const percent = (value: number): string => String(Math.round(100 * value))

/** From a pale to a deep blue. */
function colour(value: number): string {
  const mixed = [221, 244, 255].map((pale, i) => Math.round(pale + value * ([5, 80, 174][i]! - pale)))
  return `rgb(${mixed.join(' ')})`
}
