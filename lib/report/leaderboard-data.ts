// What the page of a sweep shows. Types alone.

export interface LeaderboardData {
  /** The sweep's folder. */
  name: string
  metric: string
  direction: 'maximize' | 'minimize'
  /** Epochs of a trial that trains to the end, and after which of them trials are compared. */
  epochs: number
  rungs: readonly number[]
  /** How many trials there are to be. */
  total: number
  dimensions: readonly DimensionData[]
  /** Those that have begun, the best first. */
  trials: readonly TrialData[]
}

/** What was varied: a range of numbers, or a choice among texts. */
export type DimensionData = { name: string } & (
  | { kind: 'range'; low: number; high: number; logarithmic: boolean; whole: boolean }
  | { kind: 'choice'; choices: readonly string[] }
)

export interface TrialData {
  number: number
  state: 'complete' | 'paused' | 'begun' | 'failed'
  /** One for each dimension: a number of a range, or the place of a choice. */
  values: readonly number[]
  epochs: number
  /** The metric; null where there is none. */
  value: number | null
  seconds: number
  /** Where its report is, seen from the page; null where there is none. */
  report: string | null
  error: string | null
}
