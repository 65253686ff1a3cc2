import assert from 'node:assert/strict'
import { opNames } from '../../lib/op-names.generated.js'
import { composed, table } from './cases.js'
import { checksOf, untestedDTypes } from './checks.js'
import { onEachDevice } from '../support/devices.js'
import type { OpCases } from './case.js'

describe('ops', () => {
  it('every op has cases', () => {
    assert.deepEqual(Object.keys(table).sort(), [...opNames].sort())
    for (const [op, { cases }] of Object.entries<OpCases>(table)) assert(cases.length > 0, op)
  })
  it('every op has cases for each dtype that it accepts, for nothing, and for axes of size 1', () => {
    const missing: string[] = []
    for (const [op, row] of Object.entries<OpCases>(table)) {
      if (row.cases.some(({ inputs }) => inputs.length === 0)) continue // an op that makes tensors
      const shapes = row.cases.flatMap(({ inputs }) => inputs.map(({ shape }) => shape))
      missing.push(...untestedDTypes(row).map((dtype) => `${op}: ${dtype}`))
      if (!shapes.some((shape) => shape.includes(0))) missing.push(`${op}: an empty tensor`)
      if (!shapes.some((shape) => shape.includes(1))) missing.push(`${op}: an axis of size 1`)
    }
    assert.deepEqual(missing, [])
  })
})

onEachDevice('ops', () => {
  for (const [op, row] of Object.entries<OpCases>({ ...table, ...composed }))
    describe(op, () => {
      for (const [title, check] of checksOf(op, row)) it(title, check)
    })
})
