// Reductions over axes, running sums and products, and the recurrence behind their derivatives.
import * as nt from '../../../lib/index.js'
import {
  cases,
  every,
  floats,
  given,
  input,
  rows,
  test,
  type AnyTensor,
  type Case,
  type ErrorCase,
  type OpCases
} from '../case.js'
import { counts } from '../raw.js'
import type { DType } from '../../../lib/index.js'
import type { OpName } from '../../../lib/op-names.generated.js'

type Axes = number | number[] | undefined
type Reduce = (x: AnyTensor, axis?: Axes, options?: { keepDims?: boolean }) => AnyTensor

// Python literals
const python = (value: unknown) =>
  JSON.stringify(value ?? null)
    .replace('null', 'None')
    .replace('true', 'True')
    .replace('false', 'False')

interface Options {
  domain?: [number, number]
  dtypes: readonly DType[]
  step?: number
  /** What an axis without elements gives; false: it is an error. */
  empty?: boolean
  gradient?: boolean
  /** Cases of the op's own. */
  more?: (one: (values: number[], shape: number[], axis?: Axes) => Case) => Case[]
}

/** A reduction's row; PyTorch's function of (x, dim) reduces the last axis after the reduced ones were joined there. */
function reduction(
  op: OpName,
  f: Reduce,
  torch: string,
  { domain = [-3, 3], dtypes, empty = true, gradient = true, step = 2 ** -7, more = () => [] }: Options
): OpCases {
  const over = (axis: Axes, keepDims = false) => `reduced(lambda x: ${torch}, a, ${python(axis)}, ${python(keepDims)})`
  const options = { tolerance: 4, step, ...(gradient ? {} : { gradients: [] }) }
  const one = (shape: number[], axis?: Axes, keepDims?: boolean, dtype: DType = dtypes[0]!) => {
    const row = test(
      [input(shape, dtype, domain)],
      (x) => f(x, axis, keepDims ? { keepDims } : {}),
      over(axis, keepDims),
      options
    )
    return { ...row, name: `${row.name} axis ${python(axis)}${keepDims ? ' kept' : ''}` }
  }
  const own = (values: number[], shape: number[], axis?: Axes) => {
    const row = test([given(values, dtypes[0], shape)], (x) => f(x, axis), over(axis), {
      ...options,
      differences: false
    })
    return { ...row, name: `${values.slice(0, 6).join(', ')} [${shape.join(', ')}] axis ${python(axis)}` }
  }
  return {
    cases: cases(
      one([3, 4]),
      one([3, 4], 0),
      one([3, 4], -1),
      one([2, 3, 4], [0, 2], true),
      one([2, 3, 4], 1, true),
      one([2, 3, 4], [-1, 1]),
      one([2, 3, 4], [0, 1, 2]),
      one([2, 3], []),
      one([]),
      one([1, 1], 1),
      one([4, 1], 1),
      one([1, 5], 0, true),
      one([1, 2, 1, 2, 1, 2, 1, 3], [1, 3, 7]),
      one([5, 130], 1),
      one([130, 5], 0),
      one([3, 17, 5], 1),
      one([67]),
      empty ? [one([0, 3], 0), one([2, 0]), one([2, 0, 3], [1], true)] : [],
      one([0, 3], 1),
      dtypes
        .slice(1)
        .map((dtype) => [
          one([3, 4], 1, false, dtype),
          one([2, 3, 4], [0, 2], true, dtype),
          one([33], undefined, false, dtype),
          one([0, 3], 1, false, dtype)
        ]),
      more(own)
    ),
    errors: [
      {
        name: 'an axis outside',
        call: () => f(nt.zeros([2, 3]), 2),
        message: /an axis in \[-2, 2\), got 2\. .*float32 \[2, 3\]/
      },
      { name: 'an axis far outside', call: () => f(nt.zeros([2, 3]), -3), message: /an axis in \[-2, 2\), got -3/ },
      { name: 'half an axis', call: () => f(nt.zeros([2, 3]), 0.5), message: /got 0\.5/ },
      { name: 'an axis that is NaN', call: () => f(nt.zeros([2, 3]), NaN), message: /got (-?nan|NaN)/ },
      { name: 'an axis of a scalar', call: () => f(nt.zeros([]), 0), message: /no axis .*got 0/ },
      { name: 'an axis twice', call: () => f(nt.zeros([2, 3]), [1, -1]), message: /each axis once, got axis 1 twice/ },
      { name: 'a word for an axis', call: () => f(nt.zeros([2, 3]), 'all' as never), message: /got 'all'/ },
      { name: 'options that are none', call: () => f(nt.zeros([2, 3]), 0, true as never), message: /got true/ },
      { name: 'an array', call: () => f([1, 2] as never), message: /a tensor, got \[1, 2\]/ },
      ...every
        .filter((dtype) => !dtypes.includes(dtype))
        .map((dtype) => ({
          name: dtype,
          call: () => f(nt.zeros([2, 3], { dtype })),
          message: new RegExp(`got ${dtype} \\[2, 3\\]`)
        })),
      ...(empty
        ? []
        : [
            {
              name: 'no elements',
              call: () => f(nt.zeros([2, 0]), 1),
              message: /at least one element along the ax[ei]s, got float32 \[2, 0\]/
            },
            {
              name: 'no elements at all',
              call: () => f(nt.zeros([0])),
              message: /at least one element along the ax[ei]s, got float32 \[0\]/
            }
          ]),
      ...counts(op, 1, [0, 1])
    ]
  }
}

function arg(op: 'argmax' | 'argmin'): OpCases {
  const f = (x: AnyTensor, axis?: number, options?: { keepDims?: boolean }) => nt[op](x, axis, options)
  const { cases: some, errors } = reduction(op, f as Reduce, `np_${op}(x)`, {
    dtypes: every,
    empty: false,
    gradient: false,
    more: (own) => [
      own([1, 3, 3, 0], [4]),
      own([0, 0, 0, 0], [2, 2], 1),
      own([1, NaN, 5, NaN], [2, 2], 0),
      own([-Infinity, -Infinity], [2])
    ]
  })
  return {
    cases: some.filter(({ name }) => !/axis \[/.test(name)),
    errors: [
      ...errors.filter(({ name }) => !['an axis twice'].includes(name)),
      {
        name: 'more elements than int32 counts',
        call: () => f(nt.zeros([0, 2 ** 31]), 1),
        message: /at most 2\^31 - 1 elements along the axis, got float32 \[0, 2147483648\]/
      },
      { name: 'axes', call: () => f(nt.zeros([2, 3]), [0, 1] as never), message: /got \[0, 1\]/ }
    ]
  }
}

type Cumulate = (x: AnyTensor, axis?: number, options?: { exclusive?: boolean; reverse?: boolean }) => AnyTensor
function running(op: 'cumsum' | 'cumprod', neutral: number): OpCases {
  const f = nt[op] as Cumulate
  const one = (shape: number[], axis: number, options = {}, dtype: DType = 'float32', values?: number[]) => {
    const x = values ? given(values, dtype, shape) : input(shape, dtype, dtype === 'uint8' ? [0, 1] : [-1.5, 1.5])
    const { exclusive = false, reverse = false } = options as { exclusive?: boolean; reverse?: boolean }
    const row = test(
      [x],
      (a) => f(a, axis, options),
      `running(${op}, a, ${axis}, ${python(exclusive)}, ${python(reverse)}, ${neutral})`,
      { tolerance: 4 }
    )
    return {
      ...row,
      name: [row.name, `axis ${axis}`, ...Object.keys(options), values ? values.join(',') : ''].join(' ').trim()
    }
  }
  return {
    cases: cases(
      one([5], 0),
      one([3, 4], 0),
      one([3, 4], -1),
      one([2, 3, 4], 1),
      [{ exclusive: true }, { reverse: true }, { exclusive: true, reverse: true }].map((options) => [
        one([3, 4], 1, options),
        one([2, 5, 3], 1, options),
        one([0, 3], 1, options)
      ]),
      one([1, 1], 0),
      one([1, 4], 0),
      one([2, 0], 1),
      one([100], 0),
      [
        [0, 2, 3],
        [2, 0, 3, 0, 4],
        [0, 0]
      ].map((values) => [
        one([values.length], 0, {}, 'float32', values),
        one([values.length], 0, { exclusive: true, reverse: true }, 'float32', values)
      ]),
      every
        .slice(1)
        .map((dtype) => [one([3, 4], 1, {}, dtype), one([4, 2], 0, { reverse: true }, dtype), one([0], 0, {}, dtype)])
    ),
    errors: [
      { name: 'an axis outside', call: () => f(nt.zeros([2, 3]), 2), message: /an axis in \[-2, 2\), got 2/ },
      { name: 'a scalar', call: () => f(nt.zeros([]), 0), message: /no axis/ },
      { name: 'a word for an axis', call: () => f(nt.zeros([2]), 'first' as never), message: /got .*first/ },
      { name: 'options that are none', call: () => f(nt.zeros([2]), 0, 1 as never), message: /got 1/ },
      ...counts(op, 1, [0, 0, 0])
    ]
  }
}

const scan = (shape: number[], axis: number, reverse = false, dtype: DType = 'float32'): Case => {
  const row = test(
    [input(shape, dtype), input(shape, dtype, [-1, 1])],
    (x, f) => nt.linearScan(x, f, axis, { reverse }),
    `linear_scan(a, b, ${axis}, ${python(reverse)})`,
    { tolerance: 8 }
  )
  return { ...row, name: `${row.name} axis ${axis}${reverse ? ' reverse' : ''}` }
}
const scanErrors: ErrorCase[] = [
  {
    name: 'integers',
    call: () => nt.linearScan(nt.zeros([2], { dtype: 'int32' }) as never, nt.zeros([2], { dtype: 'int32' }) as never),
    message: /got int32 \[2\]/
  },
  {
    name: 'factors of another shape',
    call: () => nt.linearScan(nt.zeros([2]), nt.zeros([1])),
    message: /factors of float32 \[2\], got float32 \[1\]/
  },
  {
    name: 'an axis outside',
    call: () => nt.linearScan(nt.zeros([2]), nt.zeros([2]), 1),
    message: /an axis in \[-1, 1\), got 1/
  },
  ...counts('linearScan', 2, [0, 0])
]

export const reduce = rows({
  sum: reduction('sum', nt.sum, 'sum(x, -1)', {
    dtypes: every,
    more: (own) => [own([NaN, 1], [2]), own([Infinity, -Infinity], [2])]
  }),
  mean: reduction('mean', nt.mean as Reduce, 'mean(x, -1)', { dtypes: floats, more: (own) => [own([NaN, 1], [2])] }),
  prod: reduction('prod', nt.prod, 'prod(x, -1)', {
    dtypes: every,
    domain: [-1.3, 1.4],
    more: (own) => [
      own([0, 2, 3], [3]),
      own([0, 0, 3], [3]),
      own([2, 0, 3, 4], [2, 2], 1),
      own([1, 2, 0, 4, 0, 6], [2, 3], [0, 1])
    ]
  }),
  max: reduction('max', nt.max, 'amax(x, -1)', {
    step: 2 ** -10,
    dtypes: every,
    empty: false,
    more: (own) => [
      own([1, 3, 3, 2], [4]),
      own([5, 5, 5, 5], [2, 2], 1),
      own([NaN, 1, 2, 3], [2, 2], 1),
      own([-Infinity, -Infinity], [2])
    ]
  }),
  min: reduction('min', nt.min, 'amin(x, -1)', {
    step: 2 ** -10,
    dtypes: every,
    empty: false,
    more: (own) => [
      own([1, 0, 0, 2], [4]),
      own([5, 5, 5, 5], [2, 2], 0),
      own([1, NaN, 2, 3], [2, 2], 1),
      own([Infinity, Infinity], [2])
    ]
  }),
  any: reduction('any', nt.any as Reduce, 'any(x != 0, -1)', {
    dtypes: every,
    gradient: false,
    more: (own) => [own([0, 0, 0, 1], [2, 2], 1), own([NaN, 0], [2]), own([-0, 0], [2])]
  }),
  all: reduction('all', nt.all as Reduce, 'all(x != 0, -1)', {
    dtypes: every,
    gradient: false,
    more: (own) => [own([1, 2, 0, 1], [2, 2], 1), own([NaN, 1], [2]), own([-0, 1], [2])]
  }),
  argmax: arg('argmax'),
  argmin: arg('argmin'),
  cumsum: running('cumsum', 0),
  cumprod: running('cumprod', 1),
  linearScan: {
    cases: cases(
      scan([6], 0),
      scan([6], 0, true),
      scan([2, 3, 4], 1),
      scan([2, 3, 4], 1, true),
      scan([3, 4], -1),
      scan([1, 1], 0),
      scan([2, 0], 1),
      floats.slice(1).map((dtype) => [scan([2, 4], 1, false, dtype), scan([3, 2], 0, true, dtype)])
    ),
    errors: scanErrors
  }
})

const composed = (
  name: string,
  run: (x: AnyTensor) => AnyTensor,
  torch: string,
  shape = [3, 4],
  domain: [number, number] = [-2, 2],
  options = {}
) => ({
  ...test([input(shape, 'float32', domain)], run, torch, { tolerance: 8, ...options }),
  name
})

/** Functions made of these ops. */
export const reductions = {
  variance: {
    cases: [
      composed('all', (x) => nt.variance(x), 'var(a)'),
      composed(
        'an axis',
        (x) => nt.variance(x, 1, { correction: 0, keepDims: true }),
        'var(a, 1, correction=0, keepdim=True)'
      ),
      composed('two axes', (x) => nt.variance(x, [0, -1]), 'var(a, (0, 2))', [2, 3, 4]),
      composed('as a method', (x) => x.variance(0), 'var(a, 0)')
    ],
    errors: [
      { name: 'an axis outside', call: () => nt.variance(nt.zeros([2]), 1), message: /an axis in \[-1, 1\), got 1/ }
    ]
  },
  std: {
    cases: [
      composed('all', (x) => nt.std(x), 'std(a)'),
      composed('an axis', (x) => nt.std(x, -1, { keepDims: true }), 'std(a, -1, keepdim=True)'),
      { ...test([given([2, 2, 2])], (x) => nt.std(x), 'std(a)', { gradients: [] }), name: 'no deviation' }
    ],
    errors: []
  },
  logSumExp: {
    cases: [
      composed('all', (x) => nt.logSumExp(x), 'logsumexp(a, (0, 1))'),
      composed('an axis', (x) => nt.logSumExp(x, 0), 'logsumexp(a, 0)'),
      composed('kept', (x) => nt.logSumExp(x, 1, { keepDims: true }), 'logsumexp(a, 1, keepdim=True)'),
      {
        ...test([given([1000, 1001, -1000])], (x) => nt.logSumExp(x), 'logsumexp(a, 0)', { differences: false }),
        name: 'large values'
      },
      {
        ...test([given([-Infinity, -Infinity])], (x) => nt.logSumExp(x), 'logsumexp(a, 0)', { gradients: [] }),
        name: 'no probability'
      }
    ],
    errors: []
  },
  norm: {
    cases: [
      composed('Euclidean', (x) => nt.norm(x), 'linalg.vector_norm(a)'),
      composed('an axis', (x) => nt.norm(x, 1, { keepDims: true }), 'linalg.vector_norm(a, dim=1, keepdim=True)'),
      ...([1, 3, Infinity, -Infinity, 0] as const).map((order) =>
        composed(
          `order ${order}`,
          (x) => nt.norm(x, 0, { order }),
          `linalg.vector_norm(a, ${Number.isFinite(order) ? order : order > 0 ? 'math.inf' : '-math.inf'}, dim=0)`,
          [3, 4],
          [-2, 2],
          { differences: order !== 0, gradients: order === 0 ? [] : [0] }
        )
      )
    ],
    errors: []
  }
} satisfies Record<string, OpCases>
