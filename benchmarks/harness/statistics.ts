// Medians, spreads, and comparisons that are paired round by round, so that a machine whose speed drifts does not decide.

/** The value below which a share `p` of the sorted values lies, linear between neighbours. NaN without values. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  if (sorted.length === 0) return NaN
  const position = p * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** A median with its spread: the middle 80 % of the values. */
export interface Summary {
  median: number
  low: number
  high: number
  count: number
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), low: quantile(values, 0.1), high: quantile(values, 0.9), count: values.length }
}

/** How two contenders compare: 'ratio' a / b, 'difference' a - b. */
export type Comparison = 'ratio' | 'difference'

/** Compares two contenders' turns round by round, by their medians or another quantile; rounds that one of them lacks are left out. */
export function compare(
  kind: Comparison,
  a: readonly (readonly number[])[],
  b: readonly (readonly number[])[],
  p = 0.5
): Summary {
  const pairs: number[] = []
  for (let round = 0; round < Math.min(a.length, b.length); round++) {
    const [x, y] = [quantile(a[round]!, p), quantile(b[round]!, p)]
    if (Number.isFinite(x) && Number.isFinite(y)) pairs.push(kind === 'ratio' ? x / y : x - y)
  }
  return summarize(pairs)
}
