// How far numbers are from those wanted, all together.
import assert from 'node:assert/strict'

/** The distance of two lists, in parts of the second's length: of all values together, as rounding puts some ReLUs to the other side. */
export function distance(got: ArrayLike<number>[], want: ArrayLike<number>[]): number {
  let [difference, length] = [0, 0]
  for (const [k, list] of want.entries()) {
    assert.equal(got[k]!.length, list.length)
    for (let i = 0; i < list.length; i++) {
      difference += (got[k]![i]! - list[i]!) ** 2
      length += list[i]! ** 2
    }
  }
  return Math.sqrt(difference / length)
}
