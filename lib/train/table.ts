// metrics.csv: one row an epoch, written when the epoch ends.
import { appendFile, readFile } from 'node:fs/promises'
import { expected } from '../errors.js'
import { writeAtomically } from '../io/atomic.js'
import type { Metrics } from '../report/run-data.js'

/** Whose values depend on the machine's mood; they stand last. */
export const TIME_COLUMNS = ['seconds', 'imagesPerSecond'] as const

export class MetricsTable {
  readonly #path: string
  readonly #columns: readonly string[]

  private constructor(path: string, columns: readonly string[]) {
    this.#path = path
    this.#columns = columns
  }

  /** The table of a run at which `epochs` have been done: rows of later epochs, and one that was cut off, are dropped. */
  static async open(path: string, columns: readonly string[], epochs: number): Promise<MetricsTable> {
    const header = columns.join(',')
    const before = epochs === 0 ? header : await readFile(path, 'utf8')
    const lines = before.split('\n').slice(0, epochs + 1)
    if (lines[0] !== header) throw expected('fit', `the columns ${header} in ${path}`, lines[0]!, RESUME_HINT)
    if (lines.length < epochs + 1)
      throw expected('fit', `${epochs} rows in ${path}`, `${lines.length - 1}`, RESUME_HINT)
    await writeAtomically(path, (file) => file.writeFile(`${lines.join('\n')}\n`))
    return new MetricsTable(path, columns)
  }

  async add(row: Readonly<Record<string, number>>): Promise<void> {
    await appendFile(this.#path, `${this.#columns.map((name) => numberText(row[name])).join(',')}\n`)
  }
}

/** What metrics.csv says. A row that is being written, without its end, is left out. */
export function parseMetrics(text: string): Metrics {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const [columns = [], ...rows] = lines.slice(0, -1).map((line) => line.split(','))
  const number = (cell: string) => (cell !== '' && Number.isFinite(Number(cell)) ? Number(cell) : null)
  return { columns, rows: rows.filter((row) => row.length === columns.length).map((row) => row.map(number)) }
}

const RESUME_HINT = 'A training goes on with the options that it began with.'

/** Seven digits: more would be noise in the file, fewer would hide that two runs differ. */
const numberText = (value: number | undefined): string =>
  value === undefined ? '' : String(Number(value.toPrecision(7)))
