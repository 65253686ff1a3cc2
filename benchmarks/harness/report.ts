// A scenario's result as a Markdown table.
import { shown, type Alternation, type Row } from './alternate.js'
import type { Machine } from './machine.js'
import type { Comparison, Summary } from './statistics.js'

/** How many of each are a millisecond, or a byte. */
const UNITS = { s: 1e-3, ms: 1, us: 1e3, MB: 1e-6 }
export type Unit = keyof typeof UNITS

export interface CaseResult extends Alternation {
  title: string
  unit: Unit
  comparison: Comparison | 'multiple'
  /** Which quantile is compared: the median unless given. */
  quantile?: number
  references: readonly string[]
  rounds: number
  perTurn: number
}

export interface Result {
  scenario: string
  title: string
  /** A table with a case a row. */
  matrix?: boolean
  date: string
  threads: number
  machine: Machine
  cases: CaseResult[]
}

/** With three digits; a time is in milliseconds, a size in bytes. */
export function number(value: number, unit: Unit = 'ms'): string {
  const scaled = value * UNITS[unit]
  if (!Number.isFinite(scaled)) return '–'
  if (scaled === 0) return '0'
  if (Math.abs(scaled) < 0.01) return scaled.toPrecision(2)
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(scaled)))))
  return scaled.toFixed(digits)
}
/** How much one takes beside another, for a glance: two digits. */
export const times = (ratio: number): string => `${ratio < 100 ? ratio.toPrecision(2) : Math.round(ratio)}x`
const percent = (p: number): string => (p === 1 ? 'most' : `${Number((100 * p).toFixed(3))} %`)
const withSpread = ({ median, low, high, count }: Summary, unit?: Unit, sign = ''): string => {
  const text = `${median > 0 ? sign : ''}${number(median, unit)}`
  return count > 1 ? `${text} (${number(low, unit)} – ${number(high, unit)})` : text
}
export const tableLine = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

function compared(row: Row, reference: string, { comparison, unit }: CaseResult): string {
  if (row.contender === reference) return comparison === 'difference' ? '0' : '1'
  const beside = row.comparisons[reference]
  if (!beside) return '–'
  return comparison === 'difference' ? withSpread(beside, unit, '+') : `${withSpread(beside)}x`
}

const absence = (failed: Alternation['failed']): string[] =>
  failed.map(({ contender, reason }) => `- ${contender}: absent (${reason})`)

function caseTable(result: CaseResult): string {
  const { unit, comparison, references, rows, failed, othersLoad, rounds, perTurn, quantile } = result
  const heading = (reference: string): string =>
    ({
      ratio: `${reference} takes`,
      multiple: `beside ${reference}${quantile === undefined ? '' : `, ${percent(quantile)}`}`,
      difference: `more than ${reference}, ${unit}`
    })[comparison]
  const known = references.filter((name) => rows.some(({ contender }) => contender === name))
  const rare = quantile === undefined ? [] : shown.slice(1)
  const table = [
    [
      '',
      unit === 'MB' ? unit : `${unit}, median`,
      ...rare.map(percent),
      ...known.map(heading),
      `processor time, ${unit}`,
      'peak memory, MB',
      'version'
    ],
    ...rows.map((row) => [
      row.contender,
      withSpread(row.value, unit),
      ...rare.map((p) => number(row.quantiles?.[p] ?? NaN, unit)),
      ...known.map((reference) => compared(row, reference, result)),
      row.cpu === undefined ? '–' : number(row.cpu, unit),
      row.peak === undefined ? '–' : String(Math.round(row.peak / 1e6)),
      row.note ? `${row.version} (${row.note})` : row.version
    ])
  ]
  const visible = table[0]!.map(
    (_, column) => column === 0 || table.slice(1).some((row) => !['–', ''].includes(row[column]!))
  )
  const line = (cells: readonly string[]): string => tableLine(cells.filter((_, i) => visible[i]))
  const absent = absence(failed)
  const load =
    othersLoad === undefined ? '' : ` Other processes used ${Math.round(100 * othersLoad)} % of the machine meanwhile.`
  return [
    `### ${result.title}`,
    '',
    ...(rows.length ? [line(table[0]!), line(table[0]!.map(() => '---')), ...table.slice(1).map(line), ''] : []),
    ...absent,
    ...(absent.length ? [''] : []),
    ...(rows.length && rounds * perTurn > 1
      ? [`${rounds} rounds of ${perTurn}${quantile === undefined ? '' : ' s'}; in brackets the middle 80 %.${load}`]
      : [])
  ].join('\n')
}

/** A case a row, a contender a column; in brackets how long the reference takes beside it. */
function matrixTable(cases: readonly CaseResult[]): string {
  const { unit, references, rounds, perTurn } = cases[0]!
  const [reference] = references as [string]
  const contenders = [...new Set(cases.flatMap(({ rows }) => rows.map(({ contender }) => contender)))]
  const cell = (row: Row | undefined): string => {
    if (!row) return '–'
    const beside = row.comparisons[reference]
    return number(row.value.median, unit) + (beside ? ` (${times(beside.median)})` : '')
  }
  const reasons = new Map<string, string[]>()
  for (const { title, failed } of cases) {
    for (const { contender, reason } of failed) {
      const key = `- ${contender}: absent (${reason})`
      reasons.set(key, [...(reasons.get(key) ?? []), title])
    }
  }
  const absent = [...reasons].map(([key, titles]) =>
    titles.length === cases.length ? key : `${key}: ${titles.join('; ')}`
  )
  return [
    tableLine([`${unit}, median`, ...contenders]),
    tableLine(['---', ...contenders.map(() => '---')]),
    ...cases.map(({ title, rows }) =>
      tableLine([title, ...contenders.map((name) => cell(rows.find(({ contender }) => contender === name)))])
    ),
    '',
    ...absent,
    ...(absent.length ? [''] : []),
    `${rounds} rounds of ${perTurn}; in brackets how long ${reference} takes beside it.`
  ].join('\n')
}

/** What it was measured on. */
export function circumstances({ machine, threads, date }: Pick<Result, 'machine' | 'threads' | 'date'>): string {
  const { cpu, cores, instructions, memoryGB, platform, node } = machine
  return (
    `${cpu}, ${cores} cores (${[platform, ...instructions].join(', ')}), ${memoryGB} GB, Node.js ${node}, ` +
    `${threads} threads each, ${date}.`
  )
}

export function markdown(result: Result): string {
  const { name, ...versions } = result.machine.gpu ?? {}
  const gpu = Object.entries(versions).map(([what, is]) => `${what} ${is as string}`)
  return [
    `## ${result.title}`,
    '',
    ...(result.machine.gpu ? [`${name as string} (${gpu.join(', ')}).`] : []),
    circumstances(result),
    '',
    ...(result.matrix ? [matrixTable(result.cases), ''] : result.cases.flatMap((c) => [caseTable(c), '']))
  ].join('\n')
}
