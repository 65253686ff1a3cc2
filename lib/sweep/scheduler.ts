// Which trial is to be trained next, and how far. It follows from what has begun and ended alone, so that a journal brings it back.

/** A trial is to be trained up to a rung; both count from 0. */
export interface Step {
  trial: number
  rung: number
}

/** @inline */
export type Direction = 'maximize' | 'minimize'

/** The order of values, the best first; what is not a number comes last. */
export function bestFirst(direction: Direction): (x: number, y: number) => number {
  const goodness = (value: number) => (Number.isNaN(value) ? -Infinity : direction === 'maximize' ? value : -value)
  return (x, y) => goodness(y) - goodness(x) || 0
}

interface Rung {
  readonly results: Map<number, number>
  /** Trials that have begun to go on from here. */
  readonly promoted: Set<number>
}

/**
 * Asynchronous successive halving: whoever asks gets the best trial that belongs to the best 1 / `reduction` of a rung, the highest
 * rung first, or where there is none a new trial. With one rung that is every trial, in order.
 */
export class Scheduler {
  readonly #trials: number
  readonly #rungs: readonly Rung[]
  readonly #reduction: number
  readonly #order: (x: number, y: number) => number
  /** Trials that have begun. */
  #begun = 0

  constructor(trials: number, rungs: number, reduction: number, direction: Direction) {
    this.#trials = trials
    this.#rungs = Array.from({ length: rungs }, () => ({ results: new Map(), promoted: new Set() }))
    this.#reduction = reduction
    this.#order = bestFirst(direction)
  }

  /** What to do next; undefined where everything has begun that what is known asks for. */
  next(): Step | undefined {
    for (let rung = this.#rungs.length - 2; rung >= 0; rung--) {
      const { results, promoted } = this.#rungs[rung]!
      const ranked = [...results].sort(([a, x], [b, y]) => this.#order(x, y) || a - b)
      const good = ranked.slice(0, Math.floor(results.size / this.#reduction))
      const found = good.find(([trial, value]) => !promoted.has(trial) && !Number.isNaN(value))
      if (found) return { trial: found[0], rung: rung + 1 }
    }
    return this.#begun < this.#trials ? { trial: this.#begun, rung: 0 } : undefined
  }

  begin({ trial, rung }: Step): void {
    if (rung === 0) this.#begun = Math.max(this.#begun, trial + 1)
    else this.#rungs[rung - 1]!.promoted.add(trial)
  }

  /** NaN for a trial that failed: it counts as the worst, and goes on no further. */
  end({ trial, rung }: Step, value: number): void {
    this.#rungs[rung]!.results.set(trial, value)
  }
}
