// What feeds, moves and watches a training loop: the batch op, the optimizers' updates, and counts.
import * as nt from '../../../lib/index.js'
import { call, callMany } from '../../../lib/tensor.js'
import { cases, floats, indices, input, rows, test, type AnyTensor, type Case } from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'

interface Batch {
  flip?: number
  shift?: number
  seed?: number
  epoch?: number
}
function batch(shape: number[], count: number, options: Batch = {}): Case {
  const { flip = 0, shift = 0, seed = 0, epoch = 0 } = options
  const channels = shape[3]!
  const mean = [0.5, 0.25, 0.125].slice(0, channels)
  const std = [0.25, 0.5, 1].slice(0, channels)
  return {
    ...test(
      [{ ...input(shape, 'uint8'), domain: [0, 255] }, indices([count], shape[0]!)],
      (images, rows) => nt.batchImages(images, rows, { mean, std, fill: 'black', ...options }),
      `batch_images(a, b, ${JSON.stringify(mean)}, ${JSON.stringify(std)}, ${flip}, ${shift}, ${seed}, ${epoch})`,
      { tolerance: 2 }
    ),
    name: `uint8 [${shape.join(', ')}] ${count} ${JSON.stringify(options)}`
  }
}

type Kind = 'sgd' | 'adam' | 'adamw'
interface Rule {
  momentum?: number
  nesterov?: boolean
  weightDecay?: number
  beta1?: number
  beta2?: number
  epsilon?: number
}
const kinds = { sgd: 0, adam: 1, adamw: 2 }
const constructors = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW' }
const slotsOf = (kind: Kind, rule: Rule) => (kind === 'sgd' ? (rule.momentum ? 1 : 0) : 2)
const parametersOf = (
  kind: Kind,
  count: number,
  { momentum = 0, nesterov = false, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: Rule
) => [kinds[kind], count, momentum, beta1, beta2, epsilon, weightDecay, Number(nesterov)]

/** Three steps with the same gradients from zero state; the learning rate is 0.1. */
function optimizer(kind: Kind, shapes: number[][], rule: Rule = {}, dtype: DType = 'float32'): Case {
  const steps = 3
  const { momentum = 0, nesterov = false, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = rule
  const names = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  const python =
    kind === 'sgd'
      ? `lr=0.1, momentum=${momentum}, nesterov=${nesterov ? 'True' : 'False'}, weight_decay=${weightDecay}`
      : `lr=0.1, betas=(${beta1}, ${beta2}), eps=${epsilon}, weight_decay=${weightDecay}`
  const list = (offset: number) => `[${shapes.map((_, i) => names[2 * i + offset]).join(', ')}]`
  return {
    ...test(
      shapes.flatMap((shape) => [input(shape, dtype), input(shape, dtype, [-1, 1])]),
      (...inputs) =>
        nt.noGrad(() => {
          const rate = nt.tensor(0.1)
          const parameters = shapes.map((_, i) => inputs[2 * i]!.copy())
          const slots = shapes.map((shape) => Array.from({ length: slotsOf(kind, rule) }, () => nt.zeros(shape)))
          for (let step = 1; step <= steps; step++) {
            const all = shapes.flatMap((_, i) => [parameters[i]!, inputs[2 * i + 1]!, ...slots[i]!])
            callMany(
              'optimizer',
              [rate, nt.tensor(step), nt.tensor(1), ...all],
              parametersOf(kind, shapes.length, rule)
            )
          }
          return parameters.map((parameter) => parameter.copy())
        }),
      `trained(lambda p: optim.${constructors[kind]}(p, ${python}), ${list(0)}, ${list(1)}, ${steps})`,
      { gradients: [], tolerance: dtype === 'float32' ? 4 : 8 }
    ),
    name: `${kind} ${dtype} ${JSON.stringify(shapes)} ${JSON.stringify(rule)}`.slice(0, 100)
  }
}

const scalar = () => nt.tensor(1)
const wrong = (
  kind: Kind,
  rule: Rule,
  what: RegExp,
  inputs = () =>
    [
      scalar(),
      scalar(),
      scalar(),
      nt.zeros([2]),
      nt.zeros([2]),
      ...Array.from({ length: slotsOf(kind, rule) }, () => nt.zeros([2]))
    ] as AnyTensor[]
) =>
  [JSON.stringify([kind, rule, String(what)]), inputs, parametersOf(kind, 1, rule), what] as [
    string,
    () => AnyTensor[],
    number[],
    RegExp
  ]

const ints = (values: number[]) => nt.tensor(Int32Array.from(values))
const images = () => nt.zeros([2, 2, 2, 3], { dtype: 'uint8' })
const three = () => nt.ones([3])

/** The batch op's numbers where nothing is changed, in the order of Batch in native/params.h. */
const plain = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
/** Mistakes in one of them. */
const wrongNumbers: [name: string, at: number, value: number, message: RegExp][] = [
  ['half a seed', 0, 0.5, /a seed and an epoch .*got 0\.5 and 0/],
  ['a negative epoch', 1, -1, /a seed and an epoch .*got 0 and -1/],
  ['a fill that is none', 2, 4, /a fill in \[0, 3\], got 4/],
  ['a flip above 1', 3, 1.5, /a probability of flipping in \[0, 1\], got 1\.5/],
  ['a vertical flip below 0', 4, -1, /a probability of flipping top to bottom in \[0, 1\], got -1/],
  ['half a shift', 5, 0.5, /a shift of whole pixels in \[0, 1000000\], got 0\.5/],
  ['a shift above 1', 6, 2, /a probability of shifting in \[0, 1\], got 2/],
  ['a rotation beyond 180 degrees', 7, 181, /a rotation of degrees in \[0, 180\], got 181/],
  ['a rotation with no probability', 8, NaN, /a probability of rotating in \[0, 1\], got /],
  ['a scale of 0', 9, 0, /a smallest scale in \[0\.01, 100\], got 0/],
  ['a scale of 101', 10, 101, /a largest scale in \[0\.01, 100\], got 101/],
  ['scales in the wrong order', 9, 1.5, /a smallest scale of at most the largest, got 1\.5 and 1/],
  ['a scale above 1', 11, 1.1, /a probability of scaling in \[0, 1\], got 1\.1/],
  ['a crop of nothing', 12, 0, /a crop of a part of the area in \[0\.01, 1\], got 0/],
  ['a crop above 1', 13, 3, /a probability of cropping in \[0, 1\], got 3/],
  ['a negative blur', 14, -1, /a blur of pixels in \[0, 100\], got -1/],
  ['a blur above 1', 15, -0.5, /a probability of blurring in \[0, 1\], got -0\.5/],
  ['a negative noise', 16, -1, /a noise of a deviation in \[0, 100\], got -1/],
  ['a noise above 1', 17, 4, /a probability of noise in \[0, 1\], got 4/],
  ['half a cutout', 18, 0.5, /a cutout of whole pixels in \[0, 1000000\], got 0\.5/],
  ['a cutout above 1', 19, Infinity, /a probability of cutting out in \[0, 1\], got inf/],
  ['a number of indices without a place', 20, 1, /a number of the indices in \[0, 0\], got 1/]
]

export const train = rows({
  batch: {
    cases: cases(
      batch([3, 4, 5, 3], 6),
      batch([3, 4, 5, 3], 6, { flip: 1 }),
      batch([5, 3, 6, 3], 9, { flip: 0.5, seed: 11 }),
      batch([5, 4, 4, 1], 9, { shift: 1, seed: 3, epoch: 4 }),
      batch([4, 5, 7, 3], 8, { flip: 0.5, shift: 2, seed: 2 ** 40 + 1, epoch: 7 }),
      batch([2, 2, 3, 3], 4, { shift: 5, seed: 1 }),
      batch([1, 1, 1, 1], 1),
      batch([2, 3, 3, 3], 0)
    ),
    errors: [
      {
        name: 'no options',
        by: 'batchImages',
        call: () => nt.batchImages(images(), ints([0]), undefined as never),
        message: /got undefined/
      },
      {
        name: 'a deviation of 0',
        by: 'batchImages',
        call: () => nt.batchImages(images(), ints([0]), { mean: [0, 0, 0], std: [1, 0, 1] }),
        message: /std .*got \[1, 0, 1\]/
      },
      {
        name: 'a mean that is none',
        by: 'batchImages',
        call: () => nt.batchImages(images(), ints([0]), { mean: 0 as never, std: [1, 1, 1] }),
        message: /mean .*got 0/
      },
      ...raw(
        'batch',
        [
          'images of floats',
          () => [nt.zeros([2, 2, 2, 3]), ints([0]), three(), three()],
          plain,
          /images uint8 .*got float32/
        ],
        [
          'images of rank 3',
          () => [nt.zeros([2, 2, 3], { dtype: 'uint8' }), ints([0]), three(), three()],
          plain,
          /got uint8 \[2, 2, 3\]/
        ],
        [
          'indices that are floats',
          () => [images(), nt.zeros([1]), three(), three()],
          plain,
          /indices int32 \[batch\], got float32/
        ],
        [
          'means for other channels',
          () => [images(), ints([0]), nt.ones([2]), three()],
          plain,
          /means float32 \[3\].*got float32 \[2\]/
        ],
        [
          'deviations for other channels',
          () => [images(), ints([0]), three(), nt.ones([1])],
          plain,
          /deviations float32 \[3\].*got float32 \[1\]/
        ]
      ),
      ...raw(
        'batch',
        [
          'an epoch that is a float',
          () => [images(), ints([0]), three(), three(), nt.zeros([]), nt.zeros([], { dtype: 'int32' })],
          plain,
          /the epoch as int32 \[\], got float32/
        ],
        [
          'a list of first indices',
          () => [images(), ints([0]), three(), three(), nt.zeros([], { dtype: 'int32' }), ints([0])],
          plain,
          /the first of the indices as int32 \[\], got int32 \[1\]/
        ],
        ['an epoch alone', () => [images(), ints([0]), three(), three(), ints([0])], plain, /6 tensors, got 5/]
      ),
      ...raw(
        'batch',
        ...wrongNumbers.map(
          ([name, at, value, message]) =>
            [
              name,
              () => [images(), ints([0]), three(), three()],
              plain.map((usual, i) => (i === at ? value : usual)),
              message
            ] as [string, () => AnyTensor[], number[], RegExp]
        )
      ),
      ...counts('batch', 4, plain)
    ]
  },
  count: {
    cases: cases(
      [3, 1, 10].map((classes) =>
        test(
          [
            indices([40], classes, 'int32', 3),
            indices([40], classes, 'int32', 4),
            { ...input([classes, classes], 'int32'), domain: [0, 9] as [number, number] }
          ],
          (predictions, labels, kept) => {
            const own = kept.copy()
            call('count', [predictions, labels, own])
            return own.copy()
          },
          'counted(a, b, c)'
        )
      ),
      test(
        [indices([0], 3), indices([0], 3), input([3, 3], 'int32')],
        (predictions, labels, kept) => {
          const own = kept.copy()
          call('count', [predictions, labels, own])
          return own.copy()
        },
        'c'
      )
    ),
    errors: [
      ...raw(
        'count',
        [
          'predictions that are floats',
          () => [nt.zeros([2]), ints([0, 1]), nt.zeros([2, 2], { dtype: 'int32' })],
          [],
          /predictions int32 \[n\], got float32 \[2\]/
        ],
        [
          'labels of rank 2',
          () => [ints([0, 1]), nt.zeros([1, 2], { dtype: 'int32' }), nt.zeros([2, 2], { dtype: 'int32' })],
          [],
          /labels int32 \[n\], got int32 \[1, 2\]/
        ],
        [
          'another number of labels',
          () => [ints([0, 1]), ints([0]), nt.zeros([2, 2], { dtype: 'int32' })],
          [],
          /as many labels as predictions, got \[1\] and \[2\]/
        ],
        [
          'counts that are no square',
          () => [ints([0]), ints([0]), nt.zeros([2, 3], { dtype: 'int32' })],
          [],
          /counts int32 \[classes, classes\], got int32 \[2, 3\]/
        ],
        ['counts that are floats', () => [ints([0]), ints([0]), nt.zeros([2, 2])], [], /got float32 \[2, 2\]/]
      ),
      {
        name: 'counts in the memory of the predictions',
        call: () => {
          const memory = nt.zeros([1], { dtype: 'int32' })
          return call('count', [memory, ints([0]), memory.reshape([1, 1])])
        },
        message: /memory of their own, got /
      },
      ...counts('count', 3)
    ]
  },
  optimizer: {
    cases: cases(
      optimizer('sgd', [[3, 4], [5]]),
      optimizer('sgd', [[3, 4]], { momentum: 0.9 }),
      optimizer('sgd', [[130]], { momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
      optimizer('sgd', [[2, 2]], { weightDecay: 0.1 }),
      optimizer('adam', [[3, 4], [5], []]),
      optimizer('adam', [[131]], { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 }),
      optimizer('adamw', [[3, 4]], { weightDecay: 0.1 }),
      optimizer('adamw', [[1, 1], [0]], {}),
      optimizer('sgd', [[0, 3]], { momentum: 0.5 }),
      optimizer(
        'adam',
        Array.from({ length: 23 }, (_, i) => [1 + i])
      ),
      floats
        .slice(1)
        .map((dtype) => [
          optimizer('sgd', [[3, 4]], { momentum: 0.9 }, dtype),
          optimizer('adam', [[5]], {}, dtype),
          optimizer('adamw', [[5]], { weightDecay: 0.1 }, dtype)
        ])
    ),
    errors: raw(
      'optimizer',
      [
        'a kind that is none',
        () => [scalar(), scalar(), scalar()],
        [3, 0, 0, 0.9, 0.999, 1e-8, 0, 0],
        /an optimizer, got 3/
      ],
      [
        'half a count',
        () => [scalar(), scalar(), scalar()],
        [0, 0.5, 0, 0.9, 0.999, 1e-8, 0, 0],
        /a count of parameters, got 0\.5/
      ],
      wrong('sgd', { momentum: -1 }, /a momentum of at least 0, got -1/),
      wrong('adam', { beta1: 1 }, /beta1 in \[0, 1\), got 1/),
      wrong('adam', { beta2: NaN }, /beta2 in \[0, 1\), got /),
      wrong('adam', { epsilon: -1 }, /an epsilon of at least 0, got -1/),
      wrong('adam', { weightDecay: Infinity }, /a weight decay of at least 0, got inf/),
      wrong('sgd', { nesterov: true }, /a momentum above 0 with nesterov, got 0/),
      wrong('sgd', {}, /5 tensors, got 4/, () => [scalar(), scalar(), scalar(), nt.zeros([2])]),
      [
        'an input that is nothing',
        () => [scalar(), scalar(), scalar(), nt.zeros([2]), undefined],
        parametersOf('sgd', 1, {}),
        /tensors, got nothing/
      ],
      wrong('sgd', {}, /a learning rate float32 \[\], got float32 \[1\]/, () => [
        nt.zeros([1]),
        scalar(),
        scalar(),
        nt.zeros([2]),
        nt.zeros([2])
      ]),
      wrong('sgd', {}, /a step float32 \[\], got int32 \[\]/, () => [
        scalar(),
        nt.zeros([], { dtype: 'int32' }),
        scalar(),
        nt.zeros([2]),
        nt.zeros([2])
      ]),
      wrong('sgd', {}, /a factor float32 \[\], got float32 \[1\]/, () => [
        scalar(),
        scalar(),
        nt.zeros([1]),
        nt.zeros([2]),
        nt.zeros([2])
      ]),
      wrong('sgd', {}, /got int32 \[2\]/, () => [
        scalar(),
        scalar(),
        scalar(),
        nt.zeros([2], { dtype: 'int32' }),
        nt.zeros([2], { dtype: 'int32' })
      ]),
      wrong('sgd', {}, /a gradient float32 \[2\] for parameter 0, got float32 \[3\]/, () => [
        scalar(),
        scalar(),
        scalar(),
        nt.zeros([2]),
        nt.zeros([3])
      ]),
      wrong('sgd', { momentum: 0.9 }, /a state float32 \[2\] for parameter 0, got float32 \[1\]/, () => [
        scalar(),
        scalar(),
        scalar(),
        nt.zeros([2]),
        nt.zeros([2]),
        nt.zeros([1])
      ]),
      [
        'one memory twice',
        () => {
          const p = nt.zeros([2])
          return [scalar(), scalar(), scalar(), p, nt.zeros([2]), p.reshape([2]), nt.zeros([2])]
        },
        parametersOf('sgd', 2, {}),
        /parameters of their own memory, got the same memory twice/
      ]
    )
  }
})
