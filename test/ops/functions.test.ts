// The functions that kernels compute by polynomials of their own, over the whole range of float32, beside JavaScript's.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const magnitudes = Array.from({ length: 2400 }, (_, i) => 2 ** ((i - 1500) / 10))
const edges = [0, 88.7, 88.8, 103.9, 104.1, 1, Math.SQRT2, Math.SQRT1_2, 0.625, 3.4e38, 1e-45, Infinity]
const values = Float32Array.from([...magnitudes, ...edges].flatMap((v) => [v, -v]).concat(NaN))

/** By its series, or, where that cancels, by its continued fraction. */
function erf(x: number): number {
  const a = Math.abs(x)
  if (!(a < 3)) return a > 6 || Number.isNaN(a) ? Math.sign(x) : Math.sign(x) * (1 - tail(a))
  let [term, sum] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
function tail(a: number): number {
  let rest = 0
  for (let k = 60; k > 0; k--) rest = k / 2 / (a + rest)
  return Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + rest)
}

const functions: Record<string, { f: (x: nt.Tensor) => nt.Tensor; want: (x: number) => number }> = {
  exp: { f: (x) => x.exp(), want: Math.exp },
  log: { f: (x) => x.log(), want: Math.log },
  tanh: { f: (x) => x.tanh(), want: Math.tanh },
  erf: { f: (x) => x.erf(), want: erf }
}
const TINY = 2 ** -126 // below it numbers have fewer digits, and some devices none

onEachDevice('functions of the whole range', () => {
  for (const [name, { f, want }] of Object.entries(functions))
    it(name, () => {
      const got = f(nt.tensor([...values])).dataSync()
      values.forEach((x, i) => {
        const [y, wanted] = [got[i] as number, Math.fround(want(x))]
        if (Object.is(y, wanted) || (y === 0 && wanted === 0)) return
        const error = Math.abs(y - wanted)
        const isNear = error <= Math.max(Math.abs(wanted) * 2 ** -22, TINY)
        assert.ok(isNear, `${name}(${x}): wanted ${wanted}, got ${y}`)
      })
    })
})
