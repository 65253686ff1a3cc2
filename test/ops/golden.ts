// Reads what scripts/golden.py stored of PyTorch's results: one file per op, its cases by name.
import { existsSync, readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { Case } from './case.js'

interface Stored {
  shape: number[]
  /** Base64, little-endian: float32 for floats; for integers and bools int32, or float64 where that is too narrow. */
  floats?: string
  integers?: string
  wide?: string
}
interface StoredCase {
  of: string
  outputs: Stored[]
  gradients: (Stored | null)[]
}
export interface Values {
  shape: number[]
  values: ArrayLike<number>
}
export interface Golden {
  outputs: Values[]
  /** By input; nothing where there is none. */
  gradients: (Values | undefined)[]
}

/** What PyTorch needs to know of a case. */
export function exported({ name, inputs, torch, gradients }: Case): string {
  const plain = (value: unknown) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
      ? Object.is(value, -0)
        ? '-0'
        : String(value)
      : value
  return JSON.stringify({ name, inputs, torch, gradients }, (_, value: unknown) => plain(value))
}
export const fingerprint = (row: Case) => createHash('sha256').update(exported(row)).digest('hex').slice(0, 12)

function decode({ shape, floats, integers, wide }: Stored): Values {
  const bytes = Uint8Array.from(Buffer.from(floats ?? integers ?? wide ?? '', 'base64'))
  const ArrayType = floats !== undefined ? Float32Array : integers !== undefined ? Int32Array : Float64Array
  return { shape, values: new ArrayType(bytes.buffer) }
}

const files = new Map<string, Record<string, StoredCase>>()
export function golden(op: string, row: Case): Golden {
  let file = files.get(op)
  if (!file) {
    const path = new URL(`golden/${op}.json`, import.meta.url)
    file = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, StoredCase>) : {}
    files.set(op, file)
  }
  const stored = file[row.name]
  if (stored?.of !== fingerprint(row))
    throw new Error(
      `${op} (${row.name}): golden values are ${stored ? 'of another case' : 'missing'}. Run scripts/golden.py ${op}`
    )
  return {
    outputs: stored.outputs.map(decode),
    gradients: stored.gradients.map((one) => (one ? decode(one) : undefined))
  }
}
