// What commands print, and how they say that something is wrong.

/** A command line that can't be: told in one line, with exit code 2. */
export class UsageError extends Error {}

export const oneLine = (text: string): string =>
  text
    .trim()
    .split(/\s*\n\s*/)
    .join(' ')

export const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Tells of a failure after which the command goes on; its exit code will be 1. */
export function complain(error: unknown): void {
  process.exitCode = 1
  const { message, stack } = error as Error
  process.stderr.write(process.env['NEEDLETAIL_DEBUG'] ? `${stack}\n` : `needletail: ${oneLine(message)}\n`)
}

/** Rows whose columns stand below each other; numbers, like the words above them, end at the same place. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)))
  const widths = texts[0]!.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)))
  const right = widths.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  return texts
    .map((row) =>
      row
        .map((cell, column) => (right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

export const megabytes = (bytes: number): string =>
  `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 0 })} MB`
export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
