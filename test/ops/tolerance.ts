// How close results must be.
import type { DType } from '../../lib/index.js'

interface Tolerance {
  relative: number
  absolute: number
}

// float32: a few units in the last place, more for sums. bfloat16 has 8 significant bits and float16 11, and every op rounds
// once; a gradient is several ops, each of which rounds.
const tolerances: Record<'value' | 'gradient', Partial<Record<DType, Tolerance>>> = {
  value: {
    float32: { relative: 1e-5, absolute: 2e-6 },
    bfloat16: { relative: 2 ** -7, absolute: 2 ** -8 },
    float16: { relative: 2 ** -10, absolute: 2 ** -11 }
  },
  gradient: {
    float32: { relative: 3e-5, absolute: 1e-5 },
    bfloat16: { relative: 2 ** -5, absolute: 2 ** -5 },
    float16: { relative: 2 ** -8, absolute: 2 ** -8 }
  }
}

/** The first element of `got` that is not close to `want`, in words; integers and bools must be equal. */
export function difference(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  dtype: DType,
  kind: 'value' | 'gradient',
  factor = 1
): string | undefined {
  const { relative, absolute } = tolerances[kind][dtype] ?? { relative: 0, absolute: 0 }
  if (got.length !== want.length) return `${want.length} elements wanted, got ${got.length}`
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!]
    if (Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue
    const allowed = factor * (absolute + relative * Math.abs(w))
    // A magnitude past what float16 holds is infinite there.
    if (dtype === 'float16' && Math.abs(w) > 65504 && g === Math.sign(w) * Infinity) continue
    if (!(Math.abs(g - w) <= allowed) || !Number.isFinite(g) || !Number.isFinite(w))
      return `element ${i}: wanted ${w}, got ${g} (allowed difference ${allowed.toPrecision(3)})`
  }
  return undefined
}
