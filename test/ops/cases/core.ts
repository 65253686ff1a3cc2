// The ops of the core that are no elementwise rows: where, matmul, and what moves values.
import * as nt from '../../../lib/index.js'
import { call } from '../../../lib/tensor.js'
import { cases, every, floats, given, input, rows, test, type Case } from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'

const where = (c: number[], a: number[], b: number[], dtype: DType = 'float32') =>
  test([input(c, 'bool'), input(a, dtype), input(b, dtype)], (x, y, z) => nt.where(x, y, z), 'where(a, b, c)')

interface Matmul {
  transposeA?: boolean
  transposeB?: boolean
  bias?: boolean
  activation?: 'relu'
  dtype?: DType
}
function matmul(a: number[], b: number[], options: Matmul = {}): Case {
  const { transposeA, transposeB, bias, activation, dtype = 'float32' } = options
  const columns = b[b.length - (transposeB ? 2 : 1)]!
  const product = `matmul(a${transposeA ? '.mT' : ''}, b${transposeB ? '.mT' : ''})${bias ? ' + c' : ''}`
  const said = Object.keys(options).filter((key) => key !== 'dtype')
  const one = test(
    [input(a, dtype, [-2, 2]), input(b, dtype, [-2, 2]), ...(bias ? [input([columns], dtype)] : [])],
    (x, y, z) => nt.matmul(x, y, { ...options, ...(z ? { bias: z } : {}) } as nt.MatmulOptions),
    activation ? `relu(${product})` : product,
    { tolerance: 4, differences: !activation }
  )
  return { ...one, name: [one.name, ...said].join(' ') }
}

export const core = rows({
  where: {
    cases: cases(
      every.map((dtype) => [
        where([2, 3], [2, 3], [2, 3], dtype),
        where([3], [2, 1], [1], dtype),
        where([2, 0], [1], [2, 1], dtype)
      ]),
      where([], [2], [1, 2]),
      where([4, 1, 3], [2, 1], [4, 1, 1]),
      where([1, 1], [1], []),
      where([131], [131], [131]),
      test([input([2, 3], 'bool'), input([2, 3])], (c, a) => nt.where(c, a, 0.5), 'where(a, b, full_like(b, 0.5))', {
        name: 'a number on the right'
      }),
      test([input([2, 3], 'bool'), input([3], 'int32')], (c, b) => nt.where(c, 7, b), 'where(a, full_like(b, 7), b)', {
        name: 'a number on the left'
      })
    ),
    errors: [
      {
        name: 'a condition of numbers',
        call: () => nt.where(nt.zeros([2]) as never, nt.zeros([2]), 1),
        message: /expected a bool condition, got float32 \[2\]/
      },
      {
        name: 'two dtypes',
        call: () =>
          nt.where(nt.zeros([2], { dtype: 'bool' }), nt.zeros([2]), nt.zeros([2], { dtype: 'int32' }) as never),
        message: /one dtype, got float32 and int32/
      },
      {
        name: 'shapes that do not broadcast',
        call: () => nt.where(nt.zeros([2], { dtype: 'bool' }), nt.zeros([3]), nt.zeros([3])),
        message: /got \[2\] and \[3\]/
      },
      { name: 'no tensor', call: () => nt.where(nt.zeros([2], { dtype: 'bool' }), 1, 2), message: /got 1/ },
      { name: 'nothing', call: () => (nt.where as () => unknown)(), message: /got undefined/ },
      ...counts('where', 3)
    ]
  },
  matmul: {
    cases: cases(
      matmul([2, 3], [3, 4]),
      matmul([1, 1], [1, 1]),
      matmul([1, 7], [7, 1]),
      matmul([17, 33], [33, 19]),
      matmul([3, 2], [3, 4], { transposeA: true }),
      matmul([2, 3], [4, 3], { transposeB: true }),
      matmul([3, 2], [4, 3], { transposeA: true, transposeB: true }),
      matmul([2, 3], [3, 4], { bias: true }),
      matmul([5, 3], [3, 4], { bias: true, activation: 'relu' }),
      matmul([3, 5], [4, 3], { transposeA: true, transposeB: true, bias: true }),
      // batches, broadcast on both sides
      matmul([2, 3, 4], [2, 4, 5]),
      matmul([2, 1, 3, 4], [5, 4, 2]),
      matmul([3, 4], [2, 4, 5]),
      matmul([2, 3, 4], [4, 5], { bias: true }),
      matmul([2, 4, 3], [1, 5, 4], { transposeA: true, transposeB: true }),
      // nothing in them
      matmul([0, 3], [3, 4]),
      matmul([2, 0], [0, 4]),
      matmul([2, 3], [3, 0]),
      matmul([0, 2, 3], [3, 2], { bias: true }),
      floats
        .slice(1)
        .map((dtype) => [
          matmul([3, 5], [5, 4], { dtype }),
          matmul([2, 3, 5], [4, 5], { dtype, transposeB: true, bias: true }),
          matmul([5, 3], [5, 4], { dtype, transposeA: true })
        ])
    ),
    errors: [
      {
        name: 'inner sizes that differ',
        call: () => nt.matmul(nt.ones([2, 2]), nt.ones([3, 2])),
        message: /got \[2, 2\] and \[3, 2\]\. k is 2 on the left and 3 on the right/
      },
      {
        name: 'a vector',
        call: () => nt.matmul(nt.ones([2]), nt.ones([2, 3])),
        message: /rank 2 or more, got \[2\] and \[2, 3\]/
      },
      {
        name: 'a vector on the right',
        call: () => nt.matmul(nt.ones([3, 2]), nt.ones([2])),
        message: /rank 2 or more, got \[3, 2\] and \[2\]/
      },
      {
        name: 'batches that do not broadcast',
        call: () => nt.matmul(nt.ones([2, 1, 1]), nt.ones([3, 1, 1])),
        message: /got \[2, 1, 1\] and \[3, 1, 1\]/
      },
      {
        name: 'two dtypes',
        call: () => nt.matmul(nt.ones([1, 1]), nt.ones([1, 1], { dtype: 'float16' }) as never),
        message: /got float32 and float16/
      },
      {
        name: 'integers',
        call: () =>
          nt.matmul(nt.ones([1, 1], { dtype: 'int32' }) as never, nt.ones([1, 1], { dtype: 'int32' }) as never),
        message: /got int32/
      },
      {
        name: 'a bias of another size',
        call: () => nt.matmul(nt.ones([2, 2]), nt.ones([2, 3]), { bias: nt.ones([2]) }),
        message: /a bias of float32 \[3\], got float32 \[2\]/
      },
      {
        name: 'a bias of another dtype',
        call: () => nt.matmul(nt.ones([2, 2]), nt.ones([2, 3]), { bias: nt.ones([3], { dtype: 'float16' }) }),
        message: /a bias of float32 \[3\], got float16 \[3\]/
      },
      {
        name: 'an unknown activation',
        call: () => nt.matmul(nt.ones([2, 2]), nt.ones([2, 3]), { activation: 'swish' as never }),
        message: /got .*swish/
      },
      { name: 'a string', call: () => nt.matmul('a' as never, nt.ones([2, 3])), message: /got 'a'/ },
      ...counts('matmul', 2)
    ]
  },
  identity: {
    cases: cases(
      every.map((dtype) =>
        [[2, 3], [], [1, 4], [2, 0]].map((shape) =>
          test([input(shape, dtype)], (x) => call('identity', [x]), 'a * 1 if a.dtype != torch.bool else a')
        )
      )
    ),
    errors: counts('identity', 1)
  },
  copy: {
    cases: cases(
      every.map((dtype) =>
        [[2, 3], [], [1, 77], [2, 0]].map((shape) => test([input(shape, dtype)], (x) => call('copy', [x]), 'a.clone()'))
      )
    ),
    errors: counts('copy', 1)
  },
  fill: {
    cases: cases(
      every.map((dtype) => [
        {
          ...test(
            [],
            () => nt.full([2, 3], 1, { dtype }),
            `full((2, 3), 1, dtype=DTYPES.get('${dtype}', torch.float64))`
          ),
          name: `${dtype} [2, 3]`
        },
        {
          ...test(
            [],
            () => nt.zeros([2, 0, 3], { dtype }),
            `zeros((2, 0, 3), dtype=DTYPES.get('${dtype}', torch.float64))`
          ),
          name: `${dtype} [2, 0, 3]`
        }
      ]),
      { ...test([], () => nt.full([], -2.5), 'full((), -2.5)'), name: 'a scalar' },
      { ...test([], () => nt.full([1, 35], Infinity), 'full((1, 35), math.inf)'), name: 'infinity' },
      { ...test([given([1, 2])], (x) => nt.onesLike(x), 'ones_like(a)', { gradients: [] }), name: 'like another' }
    ),
    errors: [
      {
        name: 'an unknown dtype',
        by: 'full',
        call: () => nt.full([2], 1, { dtype: 'float64' as never }),
        message: /got 'float64'/
      },
      { name: 'a shape that is none', by: 'full', call: () => nt.full(3 as never, 1), message: /got 3/ },
      { name: 'a negative size', by: 'full', call: () => nt.full([-1], 1), message: /got -1/ },
      {
        name: 'too many axes',
        by: 'full',
        call: () => nt.full([1, 1, 1, 1, 1, 1, 1, 1, 1], 1),
        message: /at most 8 axes, got 9/
      },
      { name: 'a value that is none', by: 'full', call: () => nt.full([2], 'x' as never), message: /got 'x'/ },
      { name: 'more than memory can hold', call: () => nt.full([2 ** 40, 2 ** 40], 1), message: /got .*1099511627776/ },
      ...raw(
        'fill',
        ['a dtype that is none', () => [], [1, 99, 2], /a dtype, got 99/],
        ['a dtype that is not a number', () => [], [1, NaN, 2], /a dtype, got /],
        ['nine axes', () => [], [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], /8 axes, got 9/],
        ['half a size', () => [], [1, 0, 1.5], /whole numbers from 0, got 1\.5/]
      )
    ]
  }
})
