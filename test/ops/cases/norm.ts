// Batch, layer and group normalisation.
import * as nt from '../../../lib/index.js'
import { callMany } from '../../../lib/tensor.js'
import {
  cases,
  floats,
  input,
  rows,
  test,
  type AnyTensor,
  type Case,
  type ErrorCase,
  type Input,
  type OpCases
} from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'

const named = (name: string, row: Case): Case => ({ ...row, name })
const channelsOf = (shape: number[]) => shape.at(-1)!
const positive: [number, number] = [0.5, 2]

/** x, scale, offset, running mean, running variance; scale and offset may be float32 where x isn't. */
const inputsOf = (shape: number[], dtype: DType, affine = dtype): Input[] => {
  const c = [channelsOf(shape)]
  return [input(shape, dtype), input(c, affine, positive), input(c, affine), input(c), input(c, 'float32', positive)]
}
const both = (dtype: DType, affine: DType) => (affine === dtype ? dtype : `${dtype} with ${affine}`)
type Run = (x: AnyTensor, options: nt.BatchNormOptions) => AnyTensor
const options = (scale: AnyTensor, offset: AnyTensor, mean: AnyTensor, variance: AnyTensor) =>
  nt.noGrad(() => ({ scale, offset, runningMean: mean.copy(), runningVariance: variance.copy() }))
const batchNorm: Run = nt.batchNorm

function training(shape: number[], dtype: DType = 'float32', epsilon = 1e-5, affine = dtype): Case {
  return named(
    `${both(dtype, affine)} [${shape.join(', ')}] epsilon ${epsilon}`,
    test(
      inputsOf(shape, dtype, affine),
      (x, s, o, m, v) => batchNorm(x, { ...options(s, o, m, v), training: true, epsilon }),
      `batch_norm(a, b, c, d, e, True, 0.1, ${epsilon})[0]`,
      { gradients: [0, 1, 2], tolerance: 8 }
    )
  )
}
const statistics = (shape: number[], momentum: number, dtype: DType = 'float32') =>
  named(
    `running statistics ${dtype} [${shape.join(', ')}] momentum ${momentum}`,
    test(
      inputsOf(shape, dtype),
      (x, s, o, m, v) => {
        const own = options(s, o, m, v)
        const y = batchNorm(x, { ...own, training: true, momentum })
        return [y, own.runningMean.copy(), own.runningVariance.copy()]
      },
      `batch_norm(a, b, c, d, e, True, ${momentum}, 1e-5)`,
      { gradients: [], tolerance: 8 }
    )
  )
const use = (shape: number[], dtype: DType = 'float32', epsilon = 1e-5, affine = dtype) =>
  named(
    `${both(dtype, affine)} [${shape.join(', ')}] epsilon ${epsilon}`,
    test(
      inputsOf(shape, dtype, affine),
      (x, s, o, m, v) => batchNorm(x, { scale: s, offset: o, runningMean: m, runningVariance: v, epsilon }),
      `batch_norm(a, b, c, d, e, False, 0.1, ${epsilon})[0]`,
      { gradients: [0, 1, 2], tolerance: 8 }
    )
  )
/** gradient, x, scale, mean, inverse deviation. */
const batchGradient = (shape: number[], dtype: DType = 'float32', affine = dtype) =>
  named(
    `${both(dtype, affine)} [${shape.join(', ')}]`,
    test(
      [
        input(shape, dtype),
        ...inputsOf(shape, dtype, affine).slice(0, 2),
        input([channelsOf(shape)]),
        input([channelsOf(shape)], 'float32', positive)
      ],
      (...inputs) => callMany('batchNormGradient', inputs, [1e-5, 0.1]),
      'norm_gradient(a, b, c, d, e, range(a.dim() - 1))',
      { gradients: [], tolerance: 16 }
    )
  )

const layerNorm = (shape: number[], axes: number, affine: boolean, dtype: DType = 'float32', epsilon = 1e-5) => {
  const inner = shape.slice(shape.length - axes)
  return named(
    `${dtype} [${shape.join(', ')}] ${axes} axes${affine ? ' affine' : ''} epsilon ${epsilon}`,
    test(
      [input(shape, dtype), ...(affine ? [input(inner, dtype, positive), input(inner, dtype)] : [])],
      (x, scale, offset) => nt.layerNorm(x, { axes, epsilon, ...(affine ? { scale, offset } : {}) }),
      `F.layer_norm(a, [${inner.join(', ')}], ${affine ? 'b, c' : 'None, None'}, ${epsilon})`,
      { tolerance: 8 }
    )
  )
}
/** gradient, x, mean, inverse deviation, (scale). */
const layerGradient = (shape: number[], axes: number, affine: boolean, dtype: DType = 'float32') => {
  const [outer, inner] = [shape.slice(0, shape.length - axes), shape.slice(shape.length - axes)]
  return named(
    `${dtype} [${shape.join(', ')}] ${axes} axes${affine ? ' affine' : ''}`,
    test(
      [
        input(shape, dtype),
        input(shape, dtype),
        input(outer),
        input(outer, 'float32', positive),
        ...(affine ? [input(inner, dtype, positive)] : [])
      ],
      (...inputs) => callMany('layerNormGradient', inputs, [axes, 1e-5]),
      `layer_gradient(a, b, c, d, ${affine ? 'e' : 'None'}, ${axes})`,
      { gradients: [], tolerance: 16 }
    )
  )
}

const x = () => nt.zeros([4, 3])
const c = (dtype: DType = 'float32') => nt.ones([3], { dtype })
const two = () => nt.ones([2])
const half = () => nt.zeros([4, 3], { dtype: 'float16' })

const batchErrors = (op: 'batchNorm' | 'batchNormInference'): ErrorCase[] => [
  ...raw(
    op,
    ['a vector', () => [nt.zeros([3]), c(), c(), c(), c()], [1e-5, 0.1], /rank 2 or more .*got \[3\]/],
    ['integers', () => [x().astype('int32'), c(), c(), c(), c()], [1e-5, 0.1], /got int32 \[4, 3\]/],
    [
      'a scale of another size',
      () => [x(), two(), c(), c(), c()],
      [1e-5, 0.1],
      /a scale float32 \[3\], got float32 \[2\]/
    ],
    [
      'an offset of another dtype',
      () => [half(), c('float16'), c(), c(), c()],
      [1e-5, 0.1],
      /an offset float16 \[3\], got float32 \[3\]/
    ],
    [
      'a running mean of another size',
      () => [x(), c(), c(), two(), c()],
      [1e-5, 0.1],
      /a running mean float32 \[3\], got float32 \[2\]/
    ],
    [
      'a running variance of another dtype',
      () => [half(), c('float16'), c('float16'), c(), c('float16')],
      [1e-5, 0.1],
      /a running variance float32 \[3\], got float16 \[3\]/
    ],
    ['a negative epsilon', () => [x(), c(), c(), c(), c()], [-1, 0.1], /an epsilon from 0, got -1/],
    ['an epsilon that is NaN', () => [x(), c(), c(), c(), c()], [NaN, 0.1], /an epsilon from 0, got /]
  ),
  ...counts(op, 5, [1e-5, 0.1])
]

export const norms = rows({
  batchNorm: {
    cases: cases(
      training([5, 3]),
      training([2, 3, 4, 3]),
      training([2, 3, 17]),
      training([7, 1]),
      training([2, 5, 5, 1]),
      training([2, 1, 1, 4]),
      training([4, 3], 'float32', 0.1),
      training([40, 70]),
      training([0, 3]),
      floats
        .slice(1)
        .map((dtype) => [
          training([6, 3], dtype, 0.01),
          training([2, 3, 3, 2], dtype, 0.01),
          training([2, 3, 3, 17], dtype, 0.01, 'float32')
        ]),
      statistics([5, 3], 0.1),
      statistics([2, 3, 4, 3], 1),
      statistics([2, 3, 4, 3], 0),
      statistics([6, 3], 0.25, 'bfloat16'),
      statistics([6, 3], 0.25, 'float16'),
      named(
        'without scale and offset',
        test(
          [input([6, 3])],
          (a) => nt.batchNorm(a, { training: true }),
          'F.batch_norm(a, None, None, training=True)',
          { tolerance: 8 }
        )
      )
    ),
    errors: [
      ...batchErrors('batchNorm'),
      ...raw(
        'batchNorm',
        ['a momentum above 1', () => [x(), c(), c(), c(), c()], [1e-5, 1.5], /a momentum in \[0, 1\], got 1\.5/],
        [
          'a single value',
          () => [nt.zeros([1, 3]), c(), c(), c(), c()],
          [1e-5, 0.1],
          /more than one value per channel in training, got \[1, 3\]/
        ]
      ),
      { name: 'training that is none', call: () => nt.batchNorm(x(), { training: 1 as never }), message: /got 1/ },
      { name: 'no statistics', call: () => nt.batchNorm(x()), message: /runningMean and runningVariance, got none/ },
      { name: 'an array', call: () => nt.batchNorm([1] as never), message: /got \[1\]/ }
    ]
  },
  batchNormInference: {
    cases: cases(
      use([5, 3]),
      use([1, 3]),
      use([2, 3, 4, 17]),
      use([2, 3, 1]),
      use([0, 3]),
      use([3, 2], 'float32', 0.5),
      floats
        .slice(1)
        .map((dtype) => [use([5, 3], dtype), use([2, 2, 2, 3], dtype), use([2, 2, 2, 17], dtype, 1e-5, 'float32')])
    ),
    errors: batchErrors('batchNormInference')
  },
  batchNormGradient: {
    cases: cases(
      batchGradient([5, 3]),
      batchGradient([2, 3, 4, 17]),
      batchGradient([7, 1]),
      batchGradient([2, 1, 1, 2]),
      batchGradient([40, 70]),
      batchGradient([0, 3]),
      floats.slice(1).map((dtype) => [batchGradient([5, 3], dtype), batchGradient([2, 3, 17], dtype, 'float32')])
    ),
    errors: [
      ...raw(
        'batchNormGradient',
        ['a vector', () => [nt.zeros([3]), nt.zeros([3]), c(), c(), c()], [1e-5, 0.1], /rank 2 or more .*got \[3\]/],
        ['integers', () => [x().astype('int32'), x(), c(), c(), c()], [1e-5, 0.1], /got int32/],
        [
          'x of another shape',
          () => [x(), nt.zeros([3, 3]), c(), c(), c()],
          [1e-5, 0.1],
          /x float32 \[4, 3\], got float32 \[3, 3\]/
        ],
        [
          'a scale of another size',
          () => [x(), x(), two(), c(), c()],
          [1e-5, 0.1],
          /a scale float32 \[3\], got float32 \[2\]/
        ],
        [
          'a mean of another size',
          () => [x(), x(), c(), two(), c()],
          [1e-5, 0.1],
          /a mean float32 \[3\], got float32 \[2\]/
        ],
        [
          'a deviation of another size',
          () => [x(), x(), c(), c(), two()],
          [1e-5, 0.1],
          /an inverse deviation float32 \[3\], got float32 \[2\]/
        ]
      ),
      ...counts('batchNormGradient', 5, [1e-5, 0.1])
    ]
  },
  layerNorm: {
    cases: cases(
      layerNorm([3, 5], 1, true),
      layerNorm([3, 5], 1, false),
      layerNorm([2, 3, 4], 2, true),
      layerNorm([2, 3, 4], 3, false),
      layerNorm([2, 3, 4, 5], 1, true),
      layerNorm([6], 1, true),
      layerNorm([3, 1], 1, true),
      layerNorm([1, 4], 1, true),
      layerNorm([0, 4], 1, true),
      layerNorm([2, 3], 1, true, 'float32', 0.1),
      layerNorm([2, 150], 1, true),
      floats
        .slice(1)
        .map((dtype) => [layerNorm([3, 6], 1, true, dtype, 0.01), layerNorm([2, 3, 4], 2, false, dtype, 0.01)]),
      named(
        'with a scale alone',
        test([input([3, 4]), input([4])], (a, s) => nt.layerNorm(a, { scale: s }), 'F.layer_norm(a, [4], b)', {
          tolerance: 8
        })
      )
    ),
    errors: [
      ...raw(
        'layerNorm',
        ['two inputs', () => [x(), c()], [1, 1e-5], /x, or x, scale and offset, got 2 tensors/],
        ['an input that is nothing', () => [x(), undefined, undefined], [1, 1e-5], /a tensor, got nothing/],
        ['integers', () => [x().astype('int32')], [1, 1e-5], /got int32/],
        ['no axes', () => [x()], [0, 1e-5], /a number of axes in \[1, 2\], got 0/],
        ['half an axis', () => [x()], [1.5, 1e-5], /a number of axes in \[1, 2\], got 1\.5/],
        ['a scalar', () => [nt.zeros([])], [1, 1e-5], /rank 1 or more, got \[\]/],
        ['a negative epsilon', () => [x()], [1, -1], /an epsilon from 0, got -1/],
        ['a scale of another size', () => [x(), two(), c()], [1, 1e-5], /a scale float32 \[3\], got float32 \[2\]/],
        ['an offset of another size', () => [x(), c(), two()], [1, 1e-5], /an offset float32 \[3\], got float32 \[2\]/]
      ),
      {
        name: 'more axes than there are',
        call: () => nt.layerNorm(x(), { axes: 3 }),
        message: /axes in \[1, 2\], got 3/
      },
      { name: 'a scale that is none', call: () => nt.layerNorm(x(), { scale: 2 as never }), message: /a scale .*got 2/ }
    ]
  },
  layerNormGradient: {
    cases: cases(
      layerGradient([3, 5], 1, true),
      layerGradient([3, 5], 1, false),
      layerGradient([2, 3, 4], 2, true),
      layerGradient([6], 1, true),
      layerGradient([3, 1], 1, true),
      layerGradient([2, 150], 1, true),
      layerGradient([0, 4], 1, true),
      layerGradient([0, 4], 1, false),
      floats.slice(1).map((dtype) => layerGradient([3, 5], 1, true, dtype))
    ),
    errors: raw(
      'layerNormGradient',
      ['three inputs', () => [x(), x(), nt.zeros([4])], [1, 1e-5], /4 or 5 tensors, got 3/],
      ['an input that is nothing', () => [x(), x(), nt.zeros([4]), undefined], [1, 1e-5], /a tensor, got nothing/],
      ['integers', () => [x().astype('int32'), x(), nt.zeros([4]), nt.zeros([4])], [1, 1e-5], /got int32/],
      [
        'x of another shape',
        () => [x(), nt.zeros([3, 3]), nt.zeros([4]), nt.zeros([4])],
        [1, 1e-5],
        /x float32 \[4, 3\], got float32 \[3, 3\]/
      ],
      [
        'a mean of another size',
        () => [x(), x(), nt.zeros([3]), nt.zeros([4])],
        [1, 1e-5],
        /a mean float32 \[4\], got float32 \[3\]/
      ],
      [
        'a deviation of another size',
        () => [x(), x(), nt.zeros([4]), nt.zeros([3])],
        [1, 1e-5],
        /an inverse deviation float32 \[4\], got float32 \[3\]/
      ],
      [
        'a scale of another size',
        () => [x(), x(), nt.zeros([4]), nt.zeros([4]), two()],
        [1, 1e-5],
        /a scale float32 \[3\], got float32 \[2\]/
      ]
    )
  }
})

const groupNorm = (shape: number[], groups: number, affine: boolean) =>
  named(
    `[${shape.join(', ')}] ${groups} groups${affine ? ' affine' : ''}`,
    test(
      [input(shape), ...(affine ? [input([channelsOf(shape)]), input([channelsOf(shape)])] : [])],
      (a, scale, offset) => nt.groupNorm(a, groups, affine ? { scale, offset } : {}),
      `nhwc(F.group_norm(nchw(a), ${groups}${affine ? ', b, c' : ''}))`,
      { tolerance: 8 }
    )
  )

/** Functions made of these ops. */
export const groupNorms = {
  groupNorm: {
    cases: [
      groupNorm([2, 3, 3, 4], 2, true),
      groupNorm([2, 5, 6], 3, false),
      groupNorm([2, 4], 1, true),
      groupNorm([2, 2, 2, 3], 3, true)
    ],
    errors: [
      { name: 'groups that do not divide', call: () => nt.groupNorm(nt.zeros([2, 3]), 2), message: /got 3/ },
      { name: 'no groups', call: () => nt.groupNorm(nt.zeros([2, 3]), 0), message: /got 0/ },
      { name: 'a vector', call: () => nt.groupNorm(nt.zeros([3]), 1), message: /rank 2 or more/ },
      {
        name: 'a scale of another size',
        call: () => nt.groupNorm(nt.zeros([2, 4]), 2, { scale: nt.ones([2]) }),
        message: /a scale \[4\], got \[2\]/
      }
    ]
  }
} satisfies Record<string, OpCases>
