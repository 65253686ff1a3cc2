// Prints the table as JSON, one case a line, for scripts/golden.py. Arguments: ops (none: all).
import { composed, table } from './cases.js'
import { exported, fingerprint } from './golden.js'
import { weightsOf } from './values.js'
import type { OpCases } from './case.js'

const wanted = process.argv.slice(2)
for (const [op, { cases }] of Object.entries<OpCases>({ ...table, ...composed })) {
  if (wanted.length > 0 && !wanted.includes(op)) continue
  for (const row of cases) console.log(`{"op":"${op}","of":"${fingerprint(row)}","case":${exported(row)}}`)
}
// What a check of both generators against each other compares.
if (wanted.length === 0) console.log(JSON.stringify({ weights: weightsOf(0, 8) }))
