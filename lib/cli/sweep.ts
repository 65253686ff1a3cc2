// `needletail sweep CONFIG`: many trainings, and which of them is the best.
import { sweep as run, type SweepOptions, type SweepResult, type TrialResult } from '../index.js'
import { print, table } from './output.js'

/** Rows of the leaderboard. */
const SHOWN = { live: 10, end: 20 }

/** Runs the sweep and prints its leaderboard; on a terminal that is drawn anew after each result. */
export async function sweep(
  module: string,
  { json = false, ...options }: SweepOptions & { json?: boolean }
): Promise<void> {
  const live = process.stderr.isTTY ? new Live() : undefined
  const result = await run(module, { ...options, progress: !live, ...(live && { onUpdate: (so) => live.show(so) }) })
  live?.clear()
  print(json ? JSON.stringify(result, null, 2) : leaderboard(result, SHOWN.end))
  if (result.best === undefined) process.exitCode = 1
  else process.stderr.write(`\nleaderboard: ${result.folder}/leaderboard.html\nbest run: ${result.best.folder}\n`)
}

/** Lines that are drawn over themselves. */
class Live {
  #lines = 0

  show(result: SweepResult): void {
    this.clear()
    const done = result.trials.filter(({ state }) => state !== 'begun').length
    const text = `${result.folder}: ${done} of ${result.total} trials\n${leaderboard(result, SHOWN.live)}\n`
    const columns = process.stderr.columns ?? 80
    const lines = text.split('\n').map((line) => line.slice(0, columns - 1))
    process.stderr.write(lines.join('\n'))
    this.#lines = lines.length - 1
  }

  clear(): void {
    if (this.#lines > 0) process.stderr.write(`\x1b[${this.#lines}A\x1b[J`)
    this.#lines = 0
  }
}

/** The best trials as a table. */
export function leaderboard({ trials, total }: SweepResult, most: number): string {
  const names = Object.keys(trials[0]?.values ?? {})
  const rows = trials
    .slice(0, most)
    .map((trial, i) => [
      `${i + 1}.`,
      `trial ${trial.number}`,
      trial.state,
      trial.epochs,
      trial.value === undefined ? '' : trial.value.toFixed(4),
      ...names.map((name) => cell(trial.values[name]))
    ])
  const left = total - Math.min(most, trials.length)
  const more = left > 0 ? `\n… and ${left} more` : ''
  return table([['', 'trial', 'state', 'epochs', 'value', ...names], ...rows]) + more
}

const cell = (value: TrialResult['values'][string] | undefined): string =>
  typeof value === 'number'
    ? String(Number(value.toPrecision(4)))
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
