// Runs the checks of some ops up to the first that fails, for scripts/mutate: `node --import tsx test/ops/run.ts OP …`.
// Exit code 0: all passed; 1: one failed, its message on stderr. With no ops: prints all their names.
import { composed, table } from './cases.js'
import { checksOf } from './checks.js'
import type { OpCases } from './case.js'

const rows: Record<string, OpCases> = { ...table, ...composed }
const ops = process.argv.slice(2)
if (ops.length === 0) console.log(Object.keys(rows).join('\n'))
try {
  for (const op of ops) for (const [, check] of checksOf(op, rows[op]!)) check()
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
