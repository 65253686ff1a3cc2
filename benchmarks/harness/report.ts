// A scenario's result as a Markdown table.
import { shown, type Alternation, type Row } from './alternate.js'
import type { Machine } from './machine.js'
import type { Comparison, Summary } from './statistics.js'

export interface CaseResult extends Alternation {
  title: string
  unit: 'ms' | 'us'
  comparison: Comparison | 'multiple'
  /** Which quantile is compared: the median unless given. */
  quantile?: number
  reference: string
  rounds: number
  perTurn: number
}

export interface Result {
  scenario: string
  title: string
  date: string
  threads: number
  machine: Machine
  cases: CaseResult[]
}

function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toFixed(digits)
}
const percent = (p: number): string => (p === 1 ? 'most' : `${Number((100 * p).toFixed(3))} %`)
const withSpread = ({ median, low, high }: Summary, scale = 1, sign = ''): string =>
  `${median > 0 ? sign : ''}${number(median * scale)} (${number(low * scale)} – ${number(high * scale)})`

function compared(row: Row, { comparison, reference, unit }: CaseResult): string {
  if (row.contender === reference) return comparison === 'difference' ? '0' : '1'
  if (!row.comparison) return '–'
  return comparison === 'difference'
    ? withSpread(row.comparison, unit === 'us' ? 1000 : 1, '+')
    : `${withSpread(row.comparison)}x`
}

function caseTable(result: CaseResult): string {
  const { unit, comparison, reference, rows, failed, othersLoad, rounds, perTurn, quantile } = result
  const scale = unit === 'us' ? 1000 : 1
  const heading = {
    ratio: `${reference} takes`,
    multiple: `beside ${reference}${quantile === undefined ? '' : `, ${percent(quantile)}`}`,
    difference: `more than ${reference}, ${unit}`
  }[comparison]
  const rare = quantile === undefined ? [] : shown.slice(1)
  const table = [
    ['', `${unit}, median`, ...rare.map(percent), heading, `processor time, ${unit}`, 'peak memory, MB', 'version'],
    ...rows.map((row) => [
      row.contender,
      withSpread(row.time, scale),
      ...rare.map((p) => number((row.quantiles?.[p] ?? NaN) * scale)),
      compared(row, result),
      row.cpu === undefined ? '–' : number(row.cpu * scale),
      row.peak === undefined ? '–' : String(Math.round(row.peak / 1e6)),
      row.note ? `${row.version} (${row.note})` : row.version
    ])
  ]
  const visible = table[0]!.map(
    (_, column) => column === 0 || table.slice(1).some((row) => !['–', ''].includes(row[column]!))
  )
  const line = (cells: string[]): string => `| ${cells.filter((_, i) => visible[i]).join(' | ')} |`
  const absent = failed.map(({ contender, reason }) => `- ${contender}: absent (${reason})`)
  const load =
    othersLoad === undefined ? '' : ` Other processes used ${Math.round(100 * othersLoad)} % of the machine meanwhile.`
  return [
    `### ${result.title}`,
    '',
    line(table[0]!),
    line(table[0]!.map(() => '---')),
    ...table.slice(1).map(line),
    '',
    ...absent,
    ...(absent.length ? [''] : []),
    `${rounds} rounds of ${perTurn}${quantile === undefined ? '' : ' s'}; in brackets the middle 80 %.${load}`
  ].join('\n')
}

export function markdown(result: Result): string {
  const { cpu, cores, instructions, memoryGB, platform, node, gpu } = result.machine
  const { name, ...versions } = gpu ?? {}
  return [
    `## ${result.title}`,
    '',
    ...(gpu
      ? [
          `${name as string} (${Object.entries(versions)
            .map(([what, is]) => `${what} ${is as string}`)
            .join(', ')}).`
        ]
      : []),
    `${cpu}, ${cores} cores (${[platform, ...instructions].join(', ')}), ${memoryGB} GB, Node.js ${node}, ` +
      `${result.threads} threads each, ${result.date}.`,
    '',
    ...result.cases.flatMap((c) => [caseTable(c), ''])
  ].join('\n')
}
