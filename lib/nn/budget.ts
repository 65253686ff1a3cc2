// A bound on the parameters that are made, for networks whose description is of unknown origin.
import { expected } from '../errors.js'

let left = Infinity

/** Counts the elements of a tensor that a layer is about to make. Throws where the bound would be passed. */
export function spend(op: string, shape: readonly number[]): void {
  const elements = shape.reduce((a, b) => a * b, 1)
  if (elements > left) throw expected(op, `at most ${left} elements more`, `[${shape.join(', ')}]`)
  left -= elements
}

/** Runs `make`, in which layers may make so many elements. */
export function withBudget<T>(elements: number, make: () => T): T {
  const before = left
  left = Math.min(before, elements)
  try {
    return make()
  } finally {
    left = before
  }
}
