// The figures that matter most, of all scenarios: one table, whose columns are the contenders.
import type { Row } from './alternate.js'
import { number, tableLine, times, type CaseResult, type Result, type Unit } from './report.js'

interface Figure {
  scenario: string
  /** Which of its cases. */
  at: number
  title: string
  unit: Unit
  /** What of a row it is: the median unless given. */
  of?: 'peak' | 'quantile' | 'difference'
  charted?: true
}

const FIGURES: readonly Figure[] = [
  { scenario: 'train', at: 0, title: 'Training step, batch 96', unit: 'ms', charted: true },
  { scenario: 'fit', at: 0, title: 'A pass over 4,800 pictures by `fit`', unit: 's', charted: true },
  {
    scenario: 'busy',
    at: 0,
    title: 'Training step beside a busy process (PyTorch: one thread)',
    unit: 'ms',
    charted: true
  },
  { scenario: 'infer', at: 2, title: 'Inference, batch 256', unit: 'ms', charted: true },
  { scenario: 'infer', at: 1, title: 'Inference, batch 32', unit: 'ms', charted: true },
  { scenario: 'infer', at: 0, title: 'Inference, batch 1', unit: 'ms', charted: true },
  { scenario: 'resnet50', at: 0, title: 'ResNet-50 training step, 224x224, batch 16', unit: 's', charted: true },
  { scenario: 'train', at: 0, title: 'Memory peak of training', unit: 'MB', of: 'peak', charted: true },
  { scenario: 'add', at: 0, title: 'Adding two one-element tensors', unit: 'us' },
  { scenario: 'stalls', at: 0, title: 'Lateness of timers while `fit` trains, 99.9 %', unit: 'ms', of: 'quantile' },
  { scenario: 'start', at: 0, title: 'First result, later than `node -e 0` ends', unit: 'ms', of: 'difference' },
  { scenario: 'size', at: 0, title: 'Install size', unit: 'MB' }
]

/** Contenders as columns, with the names that stand for them in some scenarios, which go first. */
const COLUMNS: readonly (readonly [title: string, ...others: string[]])[] = [
  ['needletail'],
  ['needletail bfloat16'],
  ['tfjs-node'],
  ['tfjs-wasm'],
  ['tfjs-cpu'],
  ['onnxruntime-node'],
  ['PyTorch channels_last', 'PyTorch channels_last, one thread', 'PyTorch'],
  ['PyTorch compiled'],
  ['PyTorch autocast', 'PyTorch autocast, one thread'],
  ['yardstick'],
  ['yardstick bfloat16']
]

export interface Cell {
  contender: string
  /** Milliseconds or bytes. */
  value: number
  /** How much needletail takes beside it, both in the same precision; absent for needletail itself. */
  ratio?: number
}
export interface Line {
  title: string
  unit: Unit
  charted: boolean
  cells: Cell[]
}

function valueOf(row: Row, { quantile, references }: CaseResult, of: Figure['of']): number {
  if (of === 'peak') return row.peak ?? NaN
  if (of === 'quantile') return row.quantiles?.[quantile!] ?? NaN
  return of === 'difference' ? (row.comparisons[references[0]!]?.median ?? NaN) : row.value.median
}

/** The figures that there are, of the results by scenario. */
export function headline(results: ReadonlyMap<string, Result>): Line[] {
  return FIGURES.flatMap(({ scenario, at, title, unit, of, charted = false }) => {
    const found = results.get(scenario)?.cases[at]
    if (!found) return []
    const row = (name: string): Row | undefined => found.rows.find(({ contender }) => name === contender)
    const cells = COLUMNS.flatMap(([contender, ...others]): Cell[] => {
      const own = [...others, contender].map(row).find((one) => one !== undefined)
      const value = own ? valueOf(own, found, of) : NaN
      if (!own || !Number.isFinite(value)) return []
      const reference = own.precision === 'bfloat16' ? 'needletail bfloat16' : 'needletail'
      if (contender.startsWith('needletail')) return [{ contender, value }]
      const base = row(reference)
      // Paired by round, where it was.
      const paired = of === undefined && found.comparison === 'ratio' ? own.comparisons[reference]?.median : undefined
      const ratio = paired ?? (base ? valueOf(base, found, of) / value : NaN)
      return [{ contender, value, ...(Number.isFinite(ratio) ? { ratio } : {}) }]
    })
    return cells.length ? [{ title, unit, charted, cells }] : []
  })
}

/** As a table: beneath each figure how much needletail takes beside it. */
export function headlineTable(lines: readonly Line[]): string {
  const columns = COLUMNS.map(([name]) => name).filter((name) =>
    lines.some(({ cells }) => cells.some(({ contender }) => contender === name))
  )
  const cell = (cell: Cell | undefined, unit: Unit): string =>
    cell ? `${number(cell.value, unit)} ${unit}${cell.ratio === undefined ? '' : `<br>${times(cell.ratio)}`}` : ''
  return [
    tableLine(['', ...columns]),
    tableLine(['---', ...columns.map(() => '---:')]),
    ...lines.map(({ title, unit, cells }) =>
      tableLine([
        title,
        ...columns.map((name) =>
          cell(
            cells.find(({ contender }) => contender === name),
            unit
          )
        )
      ])
    )
  ].join('\n')
}
