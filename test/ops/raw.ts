// Calls of native ops as they are: for what no public function lets through, which must be an error all the same.
import * as nt from '../../lib/index.js'
import { callMany } from '../../lib/tensor.js'
import type { OpName } from '../../lib/op-names.generated.js'
import type { AnyTensor, ErrorCase } from './case.js'

type Wrong = [name: string, inputs: () => (AnyTensor | undefined)[], parameters: number[], message: RegExp]

/** Mistakes in a native call. */
export const raw = (op: OpName, ...mistakes: Wrong[]): ErrorCase[] =>
  mistakes.map(([name, inputs, parameters, message]) => ({
    name,
    call: () => callMany(op, inputs(), parameters),
    message
  }))

/** Wrong numbers of inputs, for an op that takes `count` tensors. */
export const counts = (op: OpName, count: number, parameters: number[] = []): ErrorCase[] =>
  raw(
    op,
    ['no inputs', () => [], parameters, /got /],
    ['too many inputs', () => Array.from({ length: count + 8 }, () => nt.zeros([2, 2])), parameters, /got /],
    ['an input that is nothing', () => Array.from({ length: count }, () => undefined), parameters, /got /]
  ).slice(count === 0 ? 1 : 0, count === 0 ? 2 : 3)
