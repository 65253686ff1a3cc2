// What is published of a comparison: a report of all parts, a chart, and what the project's README shows of them.
import { chart, themes, type Theme } from './chart.js'
import { headline, headlineTable } from './headline.js'
import { circumstances, markdown, type Result } from './report.js'

export interface Published {
  report: string
  charts: Record<Theme, string>
  /** Of the project's README, which stands two folders above the results. */
  section: string
}

const TITLE = 'The bird network and ResNet-50 on the CPU'
const CAPTION =
  'Medians; beneath each how much needletail takes beside it, paired by round, bfloat16 beside bfloat16.\nEmpty: not installed, or it cannot do that.'

export function published(results: readonly Result[]): Published {
  const lines = headline(new Map(results.map((result) => [result.scenario, result])))
  const [last] = [...results].sort((a, b) => (a.date < b.date ? 1 : -1))
  const machine = last ? circumstances(last) : ''
  const table = [headlineTable(lines), '', CAPTION, '', machine].join('\n')
  const of = (theme: Theme): string => `benchmarks/results/compare-${theme}.svg`
  const charted = lines.filter((line) => line.charted)
  return {
    report: [
      '# needletail beside its peers',
      '',
      'Made by `npm run compare`: [what is measured, and how](../README.md).',
      '',
      table,
      '',
      ...results.map(markdown)
    ].join('\n'),
    charts: Object.fromEntries(
      themes.map((theme) => [theme, chart(charted, TITLE, machine, theme)])
    ) as Published['charts'],
    section: [
      '<picture>',
      `<source media="(prefers-color-scheme: dark)" srcset="${of('dark')}">`,
      `<img alt="${TITLE}: needletail beside its peers" src="${of('light')}">`,
      '</picture>',
      '',
      table,
      '[benchmarks/results/compare.md](benchmarks/results/compare.md) has every contender, the spread, processor time, memory, versions,',
      'and single operations.'
    ].join('\n')
  }
}

const [BEGIN, END] = ['<!-- npm run compare -->', '<!-- end -->']

/** The text with the section in the place that is marked for it. */
export function withSection(text: string, section: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin)
    throw new Error(`compare: expected a place marked ${BEGIN} ... ${END} in README.md, got none.`)
  return `${text.slice(0, begin + BEGIN.length)}\n\n${section}\n\n${text.slice(end)}`
}
