// How many pictures one array holds.
import { constants } from 'node:buffer'
import { expected } from '../errors.js'

/** The number of bytes of `length` pictures of `shape`; throws when they are too many for one array. */
export function checkBytes(op: string, length: number, shape: readonly number[]): number {
  const picture = shape.reduce((product, size) => product * size, 1)
  const most = Math.floor(constants.MAX_LENGTH / picture)
  if (length <= most) return length * picture
  throw expected(op, `at most ${most} pictures of [${shape.join(', ')}]`, `${length}`, 'Choose a smaller size.')
}
