// The table of op cases. Its type demands a row for every op of native/ops: a missing one does not compile.
import type { OpName } from '../../lib/op-names.generated.js'
import type { OpCases } from './case.js'
import { convolutions, convolutions1d } from './cases/convolution.js'
import { core } from './cases/core.js'
import { elementwise } from './cases/elementwise.js'
import { indexing, indexings } from './cases/indexing.js'
import { groupNorms, norms } from './cases/norm.js'
import { pools, pools1d } from './cases/pool.js'
import { randoms } from './cases/random.js'
import { reduce, reductions } from './cases/reduce.js'
import { resizes } from './cases/resize.js'
import { shape, shapes } from './cases/shape.js'
import { softmaxes } from './cases/softmax.js'
import { train } from './cases/train.js'

export const table: { [Op in OpName]: OpCases } = {
  ...elementwise,
  ...core,
  ...convolutions,
  ...indexing,
  ...norms,
  ...pools,
  ...randoms,
  ...reduce,
  ...resizes,
  ...shape,
  ...softmaxes,
  ...train
}

/** Functions that are made of ops, checked alike. */
export const composed: Record<string, OpCases> = {
  ...convolutions1d,
  ...groupNorms,
  ...indexings,
  ...pools1d,
  ...reductions,
  ...shapes
}
