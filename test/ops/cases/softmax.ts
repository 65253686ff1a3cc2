// Softmax, its logarithm, and cross-entropy.
import * as nt from '../../../lib/index.js'
import { call } from '../../../lib/tensor.js'
import { cases, floats, given, indices, input, rows, test, type AnyTensor, type Case } from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'

const named = (name: string, row: Case): Case => ({ ...row, name })

function softmax(f: 'softmax' | 'logSoftmax', shape: number[], axis: number, dtype: DType = 'float32') {
  const row = test(
    [input(shape, dtype)],
    (x) => nt[f](x, axis),
    `${f === 'softmax' ? 'softmax' : 'log_softmax'}(a, ${axis})`,
    { tolerance: 4 }
  )
  return named(`${f} ${row.name} axis ${axis}`, row)
}
const both = (shape: number[], axis: number, dtype: DType = 'float32') => [
  softmax('softmax', shape, axis, dtype),
  softmax('logSoftmax', shape, axis, dtype)
]

const gradient = (shape: number[], axis: number, log: boolean, dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] axis ${axis}${log ? ' log' : ''}`,
    test(
      [input(shape, dtype), input(shape, dtype, log ? [-3, -0.1] : [0, 1])],
      (g, y) => call('softmaxGradient', [g, y], [Number(log), axis]),
      log ? `a - exp(b) * a.sum(${axis}, keepdim=True)` : `b * (a - (a * b).sum(${axis}, keepdim=True))`,
      { gradients: [], tolerance: 4 }
    )
  )

interface Entropy {
  weights?: boolean
  labelSmoothing?: number
  reduction?: 'mean' | 'sum' | 'none'
  dtype?: DType
  labels?: 'int32' | 'int64'
}
function entropy(n: number, classes: number, options: Entropy = {}): Case {
  const { weights = false, labelSmoothing = 0, reduction = 'none', dtype = 'float32', labels = 'int32' } = options
  const run = (x: AnyTensor, y: AnyTensor, w?: AnyTensor) =>
    nt.crossEntropy(x, y, { labelSmoothing, reduction, ...(w ? { weights: w } : {}) })
  const python = `cross_entropy(a, b.long(), ${weights ? 'c, ' : ''}label_smoothing=${labelSmoothing}, reduction='${reduction}')`
  const inputs = [input([n, classes], dtype), indices([n], classes, labels)]
  if (weights) inputs.push(input([classes], 'float32', [0.5, 3]))
  return named(
    `[${n}, ${classes}] ${JSON.stringify(options)}`,
    test(inputs, run, python, { gradients: [0], tolerance: 4 })
  )
}

const labelsOf = (values: number[]) => nt.tensor(Int32Array.from(values))

export const softmaxes = rows({
  softmax: {
    cases: cases(
      both([3, 5], 1),
      both([3, 5], 0),
      both([3, 5], -1),
      both([2, 3, 4], 1),
      both([1, 1], 0),
      both([1, 4], 0),
      both([4], 0),
      both([2, 131], 1),
      both([131, 2], 0),
      both([0, 3], 1),
      both([3, 0], 1),
      floats.slice(1).map((dtype) => [both([3, 5], 1, dtype), both([2, 3, 2], 1, dtype), both([0, 3], 0, dtype)]),
      (['softmax', 'logSoftmax'] as const).map((f) =>
        named(
          `${f} of large values`,
          test(
            [given([1000, 1001, -1000, 0, 0, 0], 'float32', [2, 3])],
            (x) => nt[f](x),
            `${f === 'softmax' ? 'softmax' : 'log_softmax'}(a, -1)`,
            { differences: false }
          )
        )
      ),
      named(
        'infinite values',
        test(
          [given([-Infinity, 0, 1, -Infinity, 2, -Infinity], 'float32', [2, 3])],
          (x) => x.softmax(),
          'softmax(a, -1)',
          { gradients: [] }
        )
      ),
      named(
        'values that are NaN',
        test([given([NaN, 0, 1, 2, 3, 4], 'float32', [2, 3])], (x) => x.logSoftmax(), 'log_softmax(a, -1)', {
          gradients: []
        })
      )
    ),
    errors: [
      {
        name: 'integers',
        call: () => nt.softmax(nt.zeros([2], { dtype: 'int32' }) as never),
        message: /got int32 \[2\]/
      },
      { name: 'an axis outside', call: () => nt.softmax(nt.zeros([2, 3]), 2), message: /got 2/ },
      { name: 'a scalar', call: () => nt.softmax(nt.zeros([])), message: /got (float32 \[\]|-1)/ },
      { name: 'half an axis', call: () => nt.softmax(nt.zeros([2]), 0.5), message: /got 0\.5/ },
      { name: 'an array', call: () => nt.softmax([1, 2] as never), message: /got \[1, 2\]/ },
      ...raw(
        'softmax',
        ['an axis outside, natively', () => [nt.zeros([2, 3])], [0, 2], /got 2/],
        ['half an axis, natively', () => [nt.zeros([2, 3])], [0, 0.5], /got 0\.5/],
        ['a scalar, natively', () => [nt.zeros([])], [0, 0], /no axis .*float32 \[\]/]
      ),
      ...counts('softmax', 1, [0, 0])
    ]
  },
  softmaxGradient: {
    cases: cases(
      gradient([3, 5], 1, false),
      gradient([3, 5], 1, true),
      gradient([2, 3, 4], 1, false),
      gradient([3, 1], 0, true),
      gradient([1, 1], 1, false),
      gradient([0, 3], 1, true),
      gradient([2, 100], 1, false),
      floats.slice(1).map((dtype) => [gradient([3, 5], 1, false, dtype), gradient([3, 5], 0, true, dtype)])
    ),
    errors: [
      ...raw(
        'softmaxGradient',
        ['two shapes', () => [nt.zeros([2, 3]), nt.zeros([3, 2])], [0, 0], /got float32 \[2, 3\] and float32 \[3, 2\]/],
        ['integers', () => [nt.zeros([2], { dtype: 'int32' }), nt.zeros([2], { dtype: 'int32' })], [0, 0], /got int32/],
        ['an axis outside', () => [nt.zeros([2]), nt.zeros([2])], [0, 1], /got 1/]
      ),
      ...counts('softmaxGradient', 2, [0, 0])
    ]
  },
  softmaxCrossEntropy: {
    cases: cases(
      entropy(4, 5),
      entropy(4, 5, { labels: 'int64' }),
      entropy(4, 5, { labelSmoothing: 0.1 }),
      entropy(4, 5, { labelSmoothing: 1 }),
      entropy(4, 5, { weights: true }),
      entropy(4, 5, { weights: true, labelSmoothing: 0.2 }),
      entropy(4, 5, { reduction: 'mean' }),
      entropy(4, 5, { reduction: 'sum' }),
      entropy(4, 5, { reduction: 'mean', weights: true }),
      entropy(4, 5, { reduction: 'sum', weights: true, labelSmoothing: 0.3 }),
      entropy(4, 5, { reduction: 'mean', labelSmoothing: 0.3 }),
      entropy(1, 1),
      entropy(0, 3),
      entropy(3, 100),
      floats
        .slice(1)
        .map((dtype) => [entropy(4, 5, { dtype }), entropy(3, 4, { dtype, weights: true, labelSmoothing: 0.1 })]),
      named(
        'more axes',
        test(
          [input([2, 3, 4]), indices([2, 3], 4)],
          (x, y) => nt.crossEntropy(x, y),
          'cross_entropy(a.reshape(6, 4), b.reshape(6).long())',
          { tolerance: 4 }
        )
      ),
      named(
        'large values',
        test(
          [given([1000, -1000, 0, 0], 'float32', [2, 2]), given([1, 0], 'int32')],
          (x, y) => nt.crossEntropy(x, y, { reduction: 'none' }),
          "cross_entropy(a, b.long(), reduction='none')",
          { differences: false }
        )
      )
    ),
    errors: [
      {
        name: 'integers',
        call: () => nt.crossEntropy(nt.zeros([2, 3], { dtype: 'int32' }), labelsOf([0, 1])),
        message: /got int32 \[2, 3\]/
      },
      {
        name: 'labels that are floats',
        call: () => nt.crossEntropy(nt.zeros([2, 3]), nt.zeros([2])),
        message: /labels int32 or int64 \[2\], got float32 \[2\]/
      },
      {
        name: 'another number of labels',
        call: () => nt.crossEntropy(nt.zeros([2, 3]), labelsOf([0])),
        message: /labels int32 or int64 \[2\], got int32 \[1\]/
      },
      {
        name: 'another number of weights',
        call: () => nt.crossEntropy(nt.zeros([2, 3]), labelsOf([0, 1]), { weights: nt.ones([2]) }),
        message: /weights float32 \[3\].*got float32 \[2\]/
      },
      {
        name: 'weights of another dtype',
        call: () =>
          nt.crossEntropy(nt.zeros([2, 3]), labelsOf([0, 1]), { weights: nt.ones([3], { dtype: 'float16' }) as never }),
        message: /got float16 \[3\]/
      },
      {
        name: 'a smoothing above 1',
        call: () => nt.crossEntropy(nt.zeros([2, 3]), labelsOf([0, 1]), { labelSmoothing: 1.5 }),
        message: /\[0, 1\], got 1\.5/
      },
      {
        name: 'a smoothing below 0',
        call: () => nt.crossEntropy(nt.zeros([2, 3]), labelsOf([0, 1]), { labelSmoothing: -0.5 }),
        message: /\[0, 1\], got -0\.5/
      },
      ...raw(
        'softmaxCrossEntropy',
        ['a smoothing that is NaN', () => [nt.zeros([2, 3]), labelsOf([0, 1])], [NaN, 0], /\[0, 1\], got /],
        [
          'weights that are not announced',
          () => [nt.zeros([2, 3]), labelsOf([0, 1]), nt.ones([3])],
          [0, 0],
          /2 tensors, got 3/
        ]
      ),
      ...counts('softmaxCrossEntropy', 2, [0, 0])
    ].map((error) => ({ by: '(crossEntropy|softmaxCrossEntropy)', ...error }))
  },
  softmaxCrossEntropyGradient: {
    cases: cases(
      ...([[], [0.2]] as const).map(([smoothing = 0]) =>
        [false, true].map((weighted) =>
          floats.map((dtype) =>
            named(
              `${dtype} smoothing ${smoothing}${weighted ? ' weighted' : ''}`,
              test(
                [
                  input([4]),
                  input([4, 5], dtype),
                  indices([4], 5),
                  ...(weighted ? [input([5], 'float32', [0.5, 2])] : [])
                ],
                (...inputs) => call('softmaxCrossEntropyGradient', inputs, [smoothing, Number(weighted)]),
                `autograd.grad((a * cross_entropy(leaf(b), c.long(), ${weighted ? 'd, ' : ''}label_smoothing=${smoothing}, reduction='none')).sum(), LEAVES)[0]`,
                { gradients: [], tolerance: 4 }
              )
            )
          )
        )
      ),
      named(
        'one class',
        test(
          [input([1]), input([1, 1]), indices([1], 1)],
          (...inputs) => call('softmaxCrossEntropyGradient', inputs, [0, 0]),
          'b * 0',
          { gradients: [] }
        )
      ),
      named(
        'nothing',
        test(
          [input([0]), input([0, 5]), indices([0], 5)],
          (...inputs) => call('softmaxCrossEntropyGradient', inputs, [0, 0]),
          'b * 1',
          { gradients: [] }
        )
      )
    ),
    errors: [
      ...raw(
        'softmaxCrossEntropyGradient',
        [
          'another number of gradients',
          () => [nt.zeros([3]), nt.zeros([2, 3]), labelsOf([0, 1])],
          [0, 0],
          /a gradient float32 \[2\], got float32 \[3\]/
        ],
        [
          'labels that are floats',
          () => [nt.zeros([2]), nt.zeros([2, 3]), nt.zeros([2])],
          [0, 0],
          /labels int32 or int64 \[2\], got float32/
        ]
      ),
      ...counts('softmaxCrossEntropyGradient', 3, [0, 0])
    ]
  }
})
