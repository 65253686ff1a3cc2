// What a row of the table of op cases is, and short ways to write one.
import * as nt from '../../lib/index.js'
import type { DType, Tensor } from '../../lib/index.js'
import { isFloat, type Input } from './values.js'

export type { Input }

export type AnyTensor = Tensor<any>
export type Run = (...inputs: AnyTensor[]) => AnyTensor | AnyTensor[]

export interface Case {
  name: string
  inputs: Input[]
  run: Run
  /** The same in PyTorch (NumPy as np, torch.nn.functional as F): a, b, c, … are the inputs; a tensor or a tuple. */
  torch: string
  /** Which inputs have a gradient to compare with PyTorch's and with finite differences. */
  gradients: number[]
  /** Gradients that finite differences cannot see (a rounding, a tie) are compared with PyTorch alone. */
  differences: boolean
  /** The step of finite differences. */
  step: number
  /** Allowed relative error, in units of the dtype's precision (see tolerance.ts). */
  tolerance: number
}

export interface ErrorCase {
  name: string
  /** The function that the message names, where it is not the op. */
  by?: string
  call: () => unknown
  /** What stands between 'expected' and 'got', or the whole message. */
  message: string | RegExp
}

export interface OpCases {
  cases: Case[]
  errors: ErrorCase[]
}

export const floats = ['float32', 'bfloat16', 'float16'] as const
export const integers = ['int32', 'int64', 'uint8'] as const
export const numbers = [...floats, ...integers] as const
export const every = [...numbers, 'bool'] as const
export const dtypes = { floats, numbers, any: every, bools: ['bool'] } satisfies Record<string, readonly DType[]>
export type DTypes = keyof typeof dtypes

/** A domain that a dtype can hold. */
function held(dtype: DType, [low, high]: [number, number]): [number, number] {
  if (isFloat(dtype)) return [low, high]
  const [first, last] = [Math.ceil(low * 3), Math.floor(high * 3)]
  return dtype === 'uint8' ? [Math.max(first, 0), Math.max(last, 0)] : [first, last]
}

/** An input with values of its own. */
export function input(shape: number[], dtype: DType = 'float32', domain: [number, number] = [-3, 3], seed = 0): Input {
  return { shape, dtype, domain: held(dtype, domain), seed }
}
export const given = (values: number[], dtype: DType = 'float32', shape = [values.length]): Input => ({
  shape,
  dtype,
  domain: [0, 0],
  seed: 0,
  values
})
/** Indices in [0, size). */
export const indices = (shape: number[], size: number, dtype: DType = 'int32', seed = 7): Input => ({
  shape,
  dtype,
  domain: [0, size - 1],
  seed
})

type Options = Partial<Omit<Case, 'run' | 'inputs' | 'torch'>>

/** One case; inputs without a seed get one by their place. */
export function test(inputs: Input[], run: Run, torch: string, options: Options = {}): Case {
  const seeded = inputs.map((one, i) => ({ ...one, seed: one.seed || i + 1 }))
  const float = inputs.flatMap(({ dtype }, i) => (isFloat(dtype) ? [i] : []))
  return {
    name: seeded.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', '),
    gradients: float,
    differences: true,
    step: 2 ** -7,
    tolerance: 1,
    ...options,
    inputs: seeded,
    run,
    torch
  }
}

type Nested = Case | Nested[]
const flat = (rows: Nested): Case[] => (Array.isArray(rows) ? rows.flatMap(flat) : [rows])

/** Gives each case a name of its own. */
export function cases(...rows: Nested[]): Case[] {
  const seen = new Map<string, number>()
  return flat(rows).map((row) => {
    const count = (seen.get(row.name) ?? 0) + 1
    seen.set(row.name, count)
    return count === 1 ? row : { ...row, name: `${row.name} #${count}` }
  })
}

// camelCase to torch.snake_case
const snake = (op: string) => op.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const functions = nt as unknown as Record<string, (...args: unknown[]) => AnyTensor>
const method = (tensor: AnyTensor, op: string, ...args: unknown[]) =>
  (tensor as unknown as Record<string, (...args: unknown[]) => AnyTensor>)[op]!(...args)

interface Elementwise {
  torch?: string
  domain?: [number, number]
  gradient?: boolean
  /** What follows the tensors in the call. */
  args?: unknown[]
  differences?: boolean
  tolerance?: number
}
/** A row before it knows its op's name. */
export type Row = (op: string) => OpCases

// where derivatives jump
const kinks = [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3]
const special = [0, -0, Infinity, -Infinity, NaN, 1, -1, 0.5, -2.5, 1e30, -1e30, 100]

/** The row of an elementwise op of one tensor. */
export function unary(accepts: DTypes, options: Elementwise = {}): Row {
  return (op) => {
    const { torch = `${snake(op)}(a)`, domain = [-3, 3], gradient = true, args = [], ...rest } = options
    const run: Run = (a) => functions[op]!(a, ...args)
    const asMethod: Run = (a) => method(a!, op, ...args)
    const row = (dtype: DType, shape: number[], how: Run = run) => {
      const one = test([input(shape, dtype, domain)], how, torch, rest)
      return gradient ? one : { ...one, gradients: [] }
    }
    const accepted: readonly DType[] = dtypes[accepts]
    return {
      cases: cases(
        accepted.map((dtype) => [row(dtype, [3, 7]), row(dtype, [2, 1, 3], asMethod), row(dtype, [2, 0])]),
        row(accepted[0]!, []),
        // long enough for vector loops and their remainders
        row(accepted[0]!, [1, 133]),
        row(accepted[0]!, [1, 1, 2, 1, 1, 3, 1, 1]),
        accepted[0] === 'float32'
          ? [
              test([given(special)], run, torch, { ...rest, name: 'special values', gradients: [] }),
              test([given(kinks.filter((x) => x >= domain[0] && x <= domain[1]))], run, torch, {
                ...rest,
                name: 'kinks',
                differences: false,
                gradients: gradient ? [0] : []
              })
            ]
          : []
      ),
      errors: [
        ...every
          .filter((dtype) => !accepted.includes(dtype))
          .map((dtype) => ({
            name: dtype,
            call: () => functions[op]!(nt.zeros([2, 3], { dtype }), ...args),
            message: new RegExp(`got ${dtype}`)
          })),
        { name: 'a string', call: () => functions[op]!('tensor', ...args), message: /got .*(string|'tensor')/ },
        { name: 'nothing', call: () => functions[op]!(), message: /got undefined/ }
      ]
    }
  }
}

const broadcasts: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3]
  ],
  [[3], [2, 3]],
  [[2, 3], [1]],
  [
    [2, 1, 3],
    [4, 1]
  ],
  [[], [2, 3]],
  [
    [2, 2, 1, 1, 3],
    [2, 1, 5, 1]
  ],
  [
    [5, 1],
    [1, 33]
  ],
  [
    [0, 3],
    [1, 3]
  ],
  [[1], [2, 0]],
  [[], []],
  [
    [1, 1],
    [1, 1]
  ],
  [[131], [131]]
]

/** The row of an elementwise op of two tensors. */
export function binary(accepts: DTypes, options: Elementwise & { second?: [number, number] } = {}): Row {
  return (op) => {
    const { torch = `${snake(op)}(a, b)`, domain = [-3, 3], second = domain, gradient = true, ...rest } = options
    const run: Run = (a, b) => functions[op]!(a, b)
    const pair = (dtype: DType, [left, right]: [number[], number[]], how: Run = run) => {
      const inputs = [input(left, dtype, domain, 1), input(right, dtype, second, 2)]
      const one = test(inputs, how, torch, rest)
      return gradient ? one : { ...one, gradients: [] }
    }
    const accepted: readonly DType[] = dtypes[accepts]
    const first = accepted[0]!
    const withNumber = (shape: Input, name: string, how: Run, python: string) =>
      test([shape], how, python, { ...rest, name, ...(gradient ? {} : { gradients: [] }) })
    const numbers =
      first === 'bool'
        ? []
        : [
            withNumber(
              input([2, 3], first, domain),
              'a tensor and a number',
              (a) => functions[op]!(a, 2),
              torch.replace(/\bb\b/g, 'full_like(a, 2)')
            ),
            withNumber(
              input([2, 3], first, second),
              'a number and a tensor',
              (b) => functions[op]!(0.75, b),
              `(lambda a, b: ${torch})(full_like(a, 0.75), a)`
            )
          ]
    const ties = kinks.filter((x) => x >= Math.max(domain[0], second[0]) && x <= Math.min(domain[1], second[1]))
    const left = special.flatMap((value) => special.map(() => value))
    const right = special.flatMap(() => special)
    const errors = [
      {
        name: 'shapes that do not broadcast',
        call: () => functions[op]!(nt.zeros([2, 3], { dtype: first }), nt.zeros([4], { dtype: first })),
        message: /got .*\[2, 3\] and .*\[4\]/
      },
      ...every
        .filter((dtype) => !accepted.includes(dtype))
        .map((dtype) => ({
          name: dtype,
          call: () => functions[op]!(nt.zeros([2], { dtype }), nt.zeros([2], { dtype })),
          message: new RegExp(`got ${dtype}`)
        })),
      { name: 'nothing', call: () => functions[op]!(), message: /got undefined/ },
      { name: 'one tensor', call: () => functions[op]!(nt.zeros([2], { dtype: first })), message: /got undefined/ },
      { name: 'an object', call: () => functions[op]!(nt.zeros([2], { dtype: first }), {}), message: /got / }
    ]
    if (accepted.includes('int32'))
      errors.push({
        name: 'half a number and integers',
        call: () => functions[op]!(nt.zeros([2], { dtype: 'int32' }), 0.5),
        message: /a number that int32 can hold, got 0\.5/
      })
    if (accepted.includes('uint8'))
      errors.push({
        name: 'a number too large',
        call: () => functions[op]!(256, nt.zeros([2], { dtype: 'uint8' })),
        message: /a number that uint8 can hold, got 256/
      })
    if (accepted.length > 1)
      errors.push({
        name: 'two dtypes',
        call: () => functions[op]!(nt.zeros([2]), nt.zeros([2], { dtype: 'float16' })),
        message: /got float32 .*float16/
      })
    return {
      cases: cases(
        broadcasts.map((shapes) => pair(first, shapes)),
        accepted.slice(1).map((dtype) => [
          pair(
            dtype,
            [
              [3, 5],
              [3, 5]
            ],
            (a, b) => method(a!, op, b)
          ),
          pair(dtype, [
            [2, 1, 3],
            [4, 1]
          ]),
          pair(dtype, [[1], [2, 3]]),
          pair(dtype, [[2, 0], [1]])
        ]),
        numbers,
        first === 'float32'
          ? [
              test([given(left), given(right)], run, torch, { ...rest, name: 'special values', gradients: [] }),
              test([given(ties), given(ties)], run, torch, {
                ...rest,
                name: 'equal values',
                differences: false,
                gradients: gradient ? [0, 1] : []
              })
            ]
          : []
      ),
      errors
    }
  }
}

/** A family's rows, each told its name. */
export function rows<Op extends string>(table: Record<Op, Row | OpCases>): Record<Op, OpCases> {
  const told = Object.entries<Row | OpCases>(table).map(([op, row]) => [op, typeof row === 'function' ? row(op) : row])
  return Object.fromEntries(told) as Record<Op, OpCases>
}
