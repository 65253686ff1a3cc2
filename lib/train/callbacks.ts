// The user's functions that a training calls.
import { checkOptions, describe, expected } from '../errors.js'
import type { Tensor } from '../tensor.js'
import type { Run } from './run.js'

/** The figures of one epoch: 'loss', the metrics, and those of the validation set as 'validation.loss' and so on. */
export type EpochFigures = Readonly<Record<string, number>>

/** Called in turn and waited for. What one throws ends the training. */
export interface Callbacks {
  /** Before the first batch. */
  onStart?(run: Run): void | Promise<void>
  /** After each batch; `loss` is a tensor that nobody has waited for yet. */
  onBatchEnd?(batch: { epoch: number; batch: number; loss: Tensor<'float32'> }): void | Promise<void>
  /** After each epoch, when its files are written; with `false` as the answer the training ends. */
  onEpochEnd?(epoch: number, figures: EpochFigures): void | boolean | Promise<void | boolean>
  /** After the last epoch; not after an error or an interruption. */
  onEnd?(run: Run): void | Promise<void>
}

const NAMES = ['onStart', 'onBatchEnd', 'onEpochEnd', 'onEnd'] as const satisfies readonly (keyof Callbacks)[]

export function checkCallbacks(op: string, given: Callbacks | readonly Callbacks[] | undefined): readonly Callbacks[] {
  const list = given === undefined ? [] : Array.isArray(given) ? (given as Callbacks[]) : [given as Callbacks]
  for (const callbacks of list) {
    const names = NAMES.filter((name) => callbacks?.[name] !== undefined)
    if (names.length === 0) checkOptions(op, callbacks, NAMES)
    for (const name of names) {
      if (typeof callbacks[name] !== 'function')
        throw expected(op, `${name} to be a function`, describe(callbacks[name]))
    }
  }
  return list
}
