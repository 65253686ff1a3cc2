// What the drawn pictures share: an SVG file that is readable on a light and on a dark page.

/** Colours that can be told apart, also by who is colour-blind, on light and on dark. */
export const COLOURS = ['#0969da', '#d1570a', '#1a8754', '#8250df', '#b0458c', '#7d8590'] as const

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #59636e }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
  .axis { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title { fill: #f0f6fc }
    .axis { stroke: #3d444d }
  }`

export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)

/** A whole file. The title is what is read aloud in place of the picture, and its first line. */
export function svg(title: string, width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title><style>${STYLE}</style>`,
    `<text class="title" x="12" y="22">${escape(title)}</text>`,
    ...parts,
    '</svg>\n'
  ].join('\n')
}

export function label(text: string, x: number, y: number, anchor: 'start' | 'middle' | 'end' = 'middle'): string {
  return `<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}">${escape(text)}</text>`
}

/** A number as short as it can be at two decimals. */
export const short = (value: number): string => String(Math.round(value * 100) / 100)
