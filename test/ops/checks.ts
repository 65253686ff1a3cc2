// What is asked of every case of the table.
import * as nt from '../../lib/index.js'
import type { DType } from '../../lib/index.js'
import { asAsked } from '../support/precision.js'
import { every, type AnyTensor, type Case, type ErrorCase, type OpCases } from './case.js'
import { golden, type Values } from './golden.js'
import { difference } from './tolerance.js'
import { elements, hash, isFloat, valuesOf, weightsOf, type Input } from './values.js'

function make(values: ArrayLike<number>, { shape, dtype }: Input): AnyTensor {
  const list = Array.from(values)
  return dtype === 'int64'
    ? nt.tensor(BigInt64Array.from(list.map(BigInt)), shape)
    : nt.tensor(isFloat(dtype) ? Float32Array.from(list) : Float64Array.from(list), shape, { dtype })
}
export const read = (tensor: AnyTensor): number[] => Array.from(tensor.dataSync() as ArrayLike<number | bigint>, Number)
const text = (shape: readonly number[]) => `[${shape.join(', ')}]`

const several = (result: AnyTensor | AnyTensor[]) => (Array.isArray(result) ? result : [result])
const inputsOf = (row: Case, seed = 0) =>
  row.inputs.map((input) => make(valuesOf(input.values ? input : { ...input, seed: input.seed + seed }), input))

/** All floating outputs, each weighted by fixed numbers, as one number. */
const scalarOf = (outputs: AnyTensor[]) =>
  outputs.reduce((sum, output, i) => {
    if (!isFloat(output.dtype)) return sum
    const weights = weightsOf(i, elements([...output.shape]))
    return read(output).reduce((partial, value, j) => partial + value * weights[j]!, sum)
  }, 0)

/** `inputs` with the i-th replaced. */
const replaced = <T>(inputs: T[], i: number, one: T) => inputs.map((input, j) => (i === j ? one : input))

const seedsOf = (outputs: AnyTensor[]) =>
  outputs.map((output, i) => {
    const shape = [...output.shape]
    return make(weightsOf(i, elements(shape)), { shape, dtype: output.dtype, domain: [0, 0], seed: 0 })
  })

/** The gradients of the weighted outputs with respect to some inputs; with `createGraph`, they can be differentiated in turn. */
function gradientsOf(row: Case, inputs: AnyTensor[], wanted: number[], createGraph = false): AnyTensor[] {
  const leaves = inputs.map((input, i) =>
    wanted.includes(i) ? nt.requireGradient(createGraph ? input : input.detach()) : input
  )
  const outputs = several(row.run(...leaves)).filter(({ dtype }) => isFloat(dtype))
  const targets = wanted.map((i) => leaves[i]!)
  const seeds = seedsOf(outputs)
  return outputs
    .map((output, i) =>
      nt.backward(output, targets, { seed: seeds[i]!, createGraph, keepGraph: i < outputs.length - 1 })
    )
    .reduce((sums, some) => sums.map((sum, i) => nt.add(sum, some[i]!)))
}

function compare(what: string, got: AnyTensor, want: Values, kind: 'value' | 'gradient', factor: number) {
  if (text(got.shape) !== text(want.shape))
    throw new Error(`${what}: shape ${text(want.shape)} wanted, got ${text(got.shape)}`)
  const wrong = difference(read(got), want.values, got.dtype, kind, factor)
  if (wrong) throw new Error(`${what}: ${wrong}`)
}

/** Results and first gradients are PyTorch's. */
export function matchesPyTorch(op: string, row: Case) {
  const wanted = golden(op, row)
  const inputs = inputsOf(row)
  const outputs = several(row.run(...inputs))
  if (outputs.length !== wanted.outputs.length)
    throw new Error(`${wanted.outputs.length} results wanted, got ${outputs.length}`)
  outputs.forEach((output, i) => compare(`result ${i}`, output, wanted.outputs[i]!, 'value', row.tolerance))
  if (row.gradients.length === 0) return
  // Without a graph of their own gradients come from fused kernels, with one from the ops that make up the derivative.
  for (const graph of [false, true]) {
    const gradients = gradientsOf(row, inputsOf(row), row.gradients, graph)
    for (const [k, i] of row.gradients.entries()) {
      const got = gradients[k]!
      const what = `gradient ${i}${graph ? ' with a graph' : ''}`
      if (got.dtype !== inputs[i]!.dtype) throw new Error(`${what}: ${inputs[i]!.dtype} wanted, got ${got.dtype}`)
      compare(what, got, wanted.gradients[i]!, 'gradient', row.tolerance)
    }
  }
}

const differentiable = ({ differences, gradients, inputs }: Case) =>
  differences && gradients.length > 0 && inputs.every(({ dtype }) => !isFloat(dtype) || dtype === 'float32')

/** A direction in the space of an input: multiples of 1/4 between -1 and 1. */
const direction = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => ((hash(seed, i) % 9) - 4) / 4)

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0
  let size = 0
  for (let i = 0; i < a.length; i++) {
    sum += a[i]! * b[i]!
    size += Math.abs(a[i]! * b[i]!)
  }
  return { sum, size }
}

/** d/dt of `value` at input `i` moved by t * along, by central differences. */
function slope(row: Case, i: number, along: number[], value: (inputs: AnyTensor[]) => number): number {
  const at = (t: number) => {
    const moved = valuesOf(row.inputs[i]!).map((x, j) => x + t * along[j]!)
    return value(replaced(inputsOf(row), i, make(moved, row.inputs[i]!)))
  }
  return (at(row.step) - at(-row.step)) / (2 * row.step)
}

/** The first gradients are the slopes of the results. */
export function matchesDifferences(_op: string, row: Case) {
  if (!differentiable(row)) return
  const inputs = inputsOf(row)
  for (const i of row.gradients) {
    const got = read(gradientsOf(row, inputs, [i])[0]!)
    for (const seed of [11, 12]) {
      const along = direction(got.length, seed)
      const { sum, size } = dot(got, along)
      if (got.length === 0) continue
      const wanted = slope(row, i, along, (moved) => scalarOf(several(row.run(...moved))))
      const allowed = row.tolerance * (2e-3 + 2e-3 * size)
      if (!(Math.abs(sum - wanted) <= allowed))
        throw new Error(
          `gradient ${i} along a direction: slope ${wanted}, got ${sum} (allowed difference ${allowed.toPrecision(3)})`
        )
    }
  }
}

/** The gradients of gradients are the slopes of the first ones: all pairs of inputs. */
export function secondMatchesDifferences(_op: string, row: Case) {
  if (!differentiable(row)) return
  for (const i of row.gradients) {
    const across = direction(elements(row.inputs[i]!.shape), 21)
    const leaves = inputsOf(row)
    const [first] = gradientsOf(row, leaves, [i, ...row.gradients.filter((j) => j !== i)], true)
    const second = nt.backward(
      first!,
      row.gradients.map((j) => leaves[j]!),
      { seed: make(across, row.inputs[i]!) }
    )
    for (const [k, j] of row.gradients.entries()) {
      const got = read(second[k]!)
      const along = direction(got.length, 22)
      const { sum, size } = dot(got, along)
      const wanted = slope(row, j, along, (moved) => dot(read(gradientsOf(row, moved, [i])[0]!), across).sum)
      const allowed = row.tolerance * (5e-3 + 5e-3 * size)
      if (!(Math.abs(sum - wanted) <= allowed))
        throw new Error(
          `second gradient ${i}, ${j}: slope ${wanted}, got ${sum} (allowed difference ${allowed.toPrecision(3)})`
        )
    }
  }
}

/** A compiled function gives what an eager one gives, to the bit, also for other values than those it was recorded with. */
export function compiledEqualsEager(_op: string, row: Case) {
  const all = (...inputs: AnyTensor[]) => [
    ...several(row.run(...inputs)),
    ...(row.gradients.length > 0 ? gradientsOf(row, inputs, row.gradients) : [])
  ]
  const compiled = nt.compile(all)
  for (const seed of [0, 0, 0, 50]) {
    const inputs = inputsOf(row, seed)
    const eager = all(...inputs)
    const replayed = compiled(...inputs)
    eager.forEach((want, i) => {
      const got = replayed[i]!
      if (got.dtype !== want.dtype || text(got.shape) !== text(want.shape))
        throw new Error(
          `compiled result ${i}: ${want.dtype} ${text(want.shape)} wanted, got ${got.dtype} ${text(got.shape)}`
        )
      const [gotValues, wantValues] = [read(got), read(want)]
      const at = wantValues.findIndex((value, k) => !Object.is(value, gotValues[k]))
      if (at >= 0)
        throw new Error(`compiled result ${i}, element ${at}: ${wantValues[at]} wanted, got ${gotValues[at]}`)
    })
  }
}

// What a product's rounded inputs do to results and gradients, in parts of the largest.
const mixed = { bfloat16: 2 ** -6, float16: 2 ** -9 }

/** In mixed precision, results and gradients are near PyTorch's exact ones, and gradients of float32 inputs are float32. */
export function isNearInMixedPrecision(op: string, row: Case) {
  if (!row.inputs.every(({ dtype }) => dtype === 'float32' || !isFloat(dtype))) return
  const { outputs, gradients } = golden(op, row)
  const near = (what: string, got: AnyTensor, { values }: Values, allowed: number) => {
    const wanted = Array.from(values)
    const largest = wanted.reduce((most, x) => Math.max(most, Number.isFinite(x) ? Math.abs(x) : 0), 0)
    const wrong = read(got).findIndex((x, i) => {
      const exact = wanted[i]!
      return !Object.is(x, exact) && x !== exact && !(Math.abs(x - exact) <= allowed * row.tolerance * largest)
    })
    if (wrong >= 0) throw new Error(`${what}, element ${wrong}: ${wanted[wrong]} wanted, got ${read(got)[wrong]}`)
  }
  for (const [half, allowed] of Object.entries(mixed) as [keyof typeof mixed, number][]) {
    asAsked(() =>
      nt.withCompute(half, () => {
        several(row.run(...inputsOf(row))).forEach((y, i) => near(`${half} result ${i}`, y, outputs[i]!, allowed))
        if (row.gradients.length === 0) return
        const got = gradientsOf(row, inputsOf(row), row.gradients)
        for (const [k, i] of row.gradients.entries()) {
          if (got[k]!.dtype !== 'float32')
            throw new Error(`${half} gradient ${i}: float32 wanted, got ${got[k]!.dtype}`)
          near(`${half} gradient ${i}`, got[k]!, gradients[i]!, allowed)
        }
      })
    )
  }
}

/** The dtypes that an op takes in place of float32 although no case has them. */
export function untestedDTypes({ cases }: OpCases): DType[] {
  const sample = cases.find(({ inputs }) =>
    inputs.some(({ dtype, shape }) => dtype === 'float32' && elements(shape) > 0)
  )
  if (!sample) return []
  const tested = new Set(cases.flatMap(({ inputs }) => inputs.map(({ dtype }) => dtype)))
  return every.filter((dtype) => {
    if (tested.has(dtype)) return false
    const inputs = sample.inputs.map((one) =>
      make(valuesOf(one), one).astype(one.dtype === 'float32' ? dtype : one.dtype)
    )
    try {
      several(sample.run(...inputs)).forEach((output) => output.dataSync())
      return true
    } catch {
      return false
    }
  })
}

/** A mistake is an error at its call, in the one form. */
export function refuses(op: string, { by = op, call, message }: ErrorCase) {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (!new RegExp(`^${by}: expected .+, got .+\\.`, 's').test(text))
      throw new Error(`'${by}: expected …, got ….' wanted, got '${text}'`, { cause: error })
    if (typeof message === 'string' ? text !== message : !message.test(text))
      throw new Error(`${String(message)} wanted, got '${text}'`, { cause: error })
    return
  }
  throw new Error(`an error wanted, got ${String(result)}`)
}

export const checks: Record<string, (op: string, row: Case) => void> = {
  "PyTorch's results and gradients": matchesPyTorch,
  'gradients are slopes': matchesDifferences,
  'gradients of gradients are slopes': secondMatchesDifferences,
  'compiled equals eager': compiledEqualsEager,
  'mixed precision is near': isNearInMixedPrecision
}

/** All checks of an op, by title. */
export function checksOf(op: string, { cases, errors }: OpCases): [string, () => void][] {
  const named = (name: string, check: () => void) => {
    try {
      check()
    } catch (error) {
      throw new Error(`${op} (${name}): ${(error as Error).message}`, { cause: error })
    }
  }
  return [
    ['refuses mistakes', () => errors.forEach((error) => named(error.name, () => refuses(op, error)))],
    ...Object.entries(checks).map(([title, check]): [string, () => void] => [
      title,
      () => cases.forEach((row) => named(row.name, () => check(op, row)))
    ])
  ]
}
