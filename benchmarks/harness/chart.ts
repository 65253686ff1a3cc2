// The figures as a chart: a panel each, a bar for each contender. SVG, in colours for a light and for a dark page.
import type { Line } from './headline.js'
import { number, times } from './report.js'

const THEMES = {
  light: {
    page: '#ffffff',
    text: '#1f2328',
    dim: '#59636e',
    own: '#0969da',
    ownHalf: '#54aeff',
    other: '#848d97',
    otherHalf: '#b4bcc5'
  },
  dark: {
    page: '#0d1117',
    text: '#f0f6fc',
    dim: '#9198a1',
    own: '#4493f8',
    ownHalf: '#1f5fb0',
    other: '#7d8590',
    otherHalf: '#4d555e'
  }
} as const
export type Theme = keyof typeof THEMES
export const themes = Object.keys(THEMES) as Theme[]

const PANEL = 460
const NAMES = 150 // where bars begin
const LONGEST = 200
const BAR = 14
const STEP = 20
const TOP = 64
/** A bar that is longer than this many of needletail's is cut. */
const CUT = 8

const escape = (text: string): string => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!)

export function chart(lines: readonly Line[], title: string, footer: string, theme: Theme): string {
  const colours = THEMES[theme]
  const parts: string[] = []
  const text = (x: number, y: number, content: string, fill: string, style = ''): void => {
    parts.push(`<text x="${x}" y="${y}" fill="${fill}"${style && ` ${style}`}>${escape(content)}</text>`)
  }
  const colourOf = (name: string): string => {
    const half = /bfloat16|autocast/.test(name)
    return name.startsWith('needletail') ? colours[half ? 'ownHalf' : 'own'] : colours[half ? 'otherHalf' : 'other']
  }

  // Two columns, a panel under the shorter one each time.
  const ends = [TOP, TOP]
  for (const { title, unit, cells } of lines) {
    const column = ends[0]! <= ends[1]! ? 0 : 1
    const left = 16 + column * PANEL
    const top = ends[column]! + 26
    text(left, top, `${title.replaceAll('`', '')}, ${unit}`, colours.text, 'font-weight="600"')
    const own = cells.find(({ contender }) => contender === 'needletail')?.value ?? Infinity
    const most = Math.min(CUT * own, Math.max(...cells.map(({ value }) => value)))
    for (const [i, { contender, value, ratio }] of cells.entries()) {
      const y = top + 10 + i * STEP
      const cut = value > most
      const width = Math.max(1, (LONGEST * Math.min(value, most)) / most)
      const colour = colourOf(contender)
      const yardstick = contender.startsWith('yardstick')
      const fill = yardstick ? `fill="none" stroke="${colour}" stroke-dasharray="3 2"` : `fill="${colour}"`
      text(left + NAMES - 8, y + 11, contender, colours.text, 'text-anchor="end"')
      parts.push(`<rect x="${left + NAMES}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" ${fill}/>`)
      if (cut) {
        const x = left + NAMES + width - 16
        parts.push(`<path d="M${x} ${y + BAR}l6 ${-BAR}h4l-6 ${BAR}z" fill="${colours.page}"/>`)
      }
      const beside = ratio === undefined ? '' : ` (${times(ratio)})`
      text(left + NAMES + width + 6, y + 11, number(value, unit) + beside, colours.dim)
    }
    ends[column] = top + 10 + cells.length * STEP
  }

  const [width, height] = [2 * PANEL + 16, Math.max(...ends) + 40]
  text(16, 30, title, colours.text, 'font-size="17" font-weight="600"')
  const legend =
    'Shorter is better; in brackets how much needletail takes beside it. Lighter bars: bfloat16. Dashed: hand-wired C++.'
  text(16, 50, theme === 'dark' ? legend.replace('Lighter', 'Darker') : legend, colours.dim)
  text(16, height - 14, footer, colours.dim, 'font-size="11"')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${colours.page}"/>`,
    ...parts,
    '</svg>',
    ''
  ].join('\n')
}
