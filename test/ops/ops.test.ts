import assert from 'node:assert/strict'
import { opNames } from '../../lib/op-names.generated.js'
import { composed, table } from './cases.js'
import { checksOf } from './checks.js'
import type { OpCases } from './case.js'

describe('ops', () => {
  it('every op has cases', () => {
    assert.deepEqual(Object.keys(table).sort(), [...opNames].sort())
    for (const [op, { cases }] of Object.entries<OpCases>(table)) assert(cases.length > 0, op)
  })
  for (const [op, row] of Object.entries<OpCases>({ ...table, ...composed }))
    describe(op, () => {
      for (const [title, check] of checksOf(op, row)) it(title, check)
    })
})
