// Which epoch was the best so far, and whether it is long ago. It follows from the position alone, so that a resumed training
// decides as an uninterrupted one.
import type { Position } from './checkpoint.js'
import type { EarlyStopping } from './options.js'

export class Best {
  readonly #column: string
  readonly #lower: boolean
  readonly #position: Position
  readonly #stopping: Required<EarlyStopping> | undefined

  constructor(monitor: string, position: Position, stopping: Required<EarlyStopping> | undefined) {
    this.#column = `validation.${monitor}`
    this.#lower = monitor === 'loss'
    this.#position = position
    this.#stopping = stopping
  }

  /** Looks at the figures of an epoch. The answer: whether it is the best so far, the first of equals. */
  take(epoch: number, figures: Readonly<Record<string, number>>): boolean {
    const value = figures[this.#column]!
    const { bestValue, bestEpoch } = this.#position
    const gain = this.#lower ? bestValue - value : value - bestValue
    if (bestEpoch > 0 && !(gain > (this.#stopping?.minDelta ?? 0))) return false
    Object.assign(this.#position, { bestEpoch: epoch, bestValue: value })
    return true
  }

  /** Whether so many epochs went by without a better one that training should end. */
  get isWaitedFor(): boolean {
    const { epoch, bestEpoch } = this.#position
    return this.#stopping !== undefined && bestEpoch > 0 && epoch - bestEpoch >= this.#stopping.patience
  }
}
