// Max and average pooling of images [n, h, w, c], and their gradients.
import * as nt from '../../../lib/index.js'
import { call } from '../../../lib/tensor.js'
import {
  cases,
  given,
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
import { hash } from '../values.js'
import type { DType } from '../../../lib/index.js'
import type { OpName } from '../../../lib/op-names.generated.js'

type Pair = [number, number]
interface Window {
  size: Pair
  stride?: Pair
  padding?: [Pair, Pair]
  countPadding?: boolean
}
const window = ({
  size,
  stride = size,
  padding = [
    [0, 0],
    [0, 0]
  ],
  countPadding = false
}: Window) => ({ size, stride, padding, countPadding })
/** The window as Python, and as the native ops take it. */
const python = (options: Window) => {
  const { size, stride, padding, countPadding } = window(options)
  return `${JSON.stringify(size)}, ${JSON.stringify(stride)}, ${JSON.stringify(padding)}${countPadding ? ', True' : ''}`
}
const numbers = (options: Window) => {
  const { size, stride, padding, countPadding } = window(options)
  return [0, 1].flatMap((i) => [size[i]!, stride[i]!, ...padding[i]!]).concat(Number(countPadding))
}
const places = (shape: number[], options: Window) => {
  const { size, stride, padding } = window(options)
  return [0, 1].map((i) => Math.floor((shape[1 + i]! + padding[i]![0] + padding[i]![1] - size[i]!) / stride[i]!) + 1)
}

const shapes: [number[], Window][] = [
  [[2, 4, 6, 3], { size: [2, 2] }],
  [[1, 5, 7, 1], { size: [2, 2] }],
  [[1, 5, 7, 17], { size: [3, 2], stride: [2, 1] }],
  [
    [1, 6, 6, 3],
    {
      size: [3, 3],
      stride: [1, 1],
      padding: [
        [1, 1],
        [1, 1]
      ]
    }
  ],
  [
    [1, 5, 5, 2],
    {
      size: [2, 3],
      stride: [2, 2],
      padding: [
        [1, 0],
        [0, 2]
      ]
    }
  ],
  [[2, 7, 8, 1], { size: [2, 2], stride: [3, 3] }],
  [[1, 6, 4, 3], { size: [1, 1], stride: [2, 2] }],
  [[1, 4, 4, 3], { size: [4, 4] }],
  [[1, 1, 1, 1], { size: [1, 1] }],
  [
    [1, 1, 6, 2],
    {
      size: [1, 3],
      stride: [1, 2],
      padding: [
        [0, 0],
        [1, 1]
      ]
    }
  ],
  [[0, 4, 4, 2], { size: [2, 2] }],
  [[1, 12, 12, 33], { size: [2, 2] }]
]
const named = (name: string, row: Case): Case => ({ ...row, name })
const title = (shape: number[], options: Window, dtype: DType = 'float32') =>
  `${dtype} [${shape.join(', ')}] ${JSON.stringify(options)}`
const steps = { step: 2 ** -10, tolerance: 4 }

/** Cases over all windows, and a few for the other floating dtypes. */
const over = (make: (shape: number[], options: Window, dtype: DType) => Case | Case[]) => [
  shapes.map(([shape, options]) => make(shape, options, 'float32')),
  (['bfloat16', 'float16'] as const).map((dtype) =>
    shapes.slice(0, 5).map(([shape, options]) => make(shape, options, dtype))
  )
]

const images = () => nt.zeros([1, 4, 4, 2])
const plain = [2, 2, 0, 0, 2, 2, 0, 0, 0]
const but = (index: number, value: number, ...own: number[]) => [
  ...plain.map((one, i) => (i === index ? value : one)),
  ...own
]

/** What all poolings refuse; `inputs` are right for a 2 x 2 window and `own`. */
const windowErrors = (op: OpName, inputs: () => AnyTensor[], own: number[] = []): ErrorCase[] => [
  ...raw(
    op,
    ['a window of 0', inputs, but(0, 0, ...own), /a window size.* got 0/],
    ['half a window', inputs, but(4, 1.5, ...own), /a window size.* got 1\.5/],
    ['a stride of 0', inputs, but(1, 0, ...own), /a stride.* got 0/],
    ['a negative padding', inputs, but(2, -1, ...own), /a padding.* got -1/],
    ['half a padding behind', inputs, but(7, 0.5, ...own), /a padding.* got 0\.5/],
    ['a padding as large as the window', inputs, but(2, 2, ...own), /a padding less than the window's 2, got 2/],
    ['a padding as large as the window behind', inputs, but(7, 2, ...own), /a padding less than the window's 2, got 2/],
    ['a flag that is none', inputs, but(8, 2, ...own), /a flag.* got 2/],
    [
      'images of rank 3',
      () => [nt.zeros([4, 4, 2]), ...inputs().slice(1)],
      [...plain, ...own],
      /rank 4 .*got \[4, 4, 2\]/
    ],
    ['integers', () => [inputs()[0]!.astype('int32'), ...inputs().slice(1)], [...plain, ...own], /got int32/]
  ),
  ...counts(op, inputs().length, [...plain, ...own])
]
const gone: ErrorCase['message'] = /got .*\[1, 0, 4, 2\]/
const large: ErrorCase['message'] = /got /

/** Positions h * width + w of winners: an element of each window. */
function positions(shape: number[], options: Window): Input {
  const { size, stride, padding } = window(options)
  const [h, w] = places(shape, options) as Pair
  const [n, channels] = [shape[0]!, shape[3]!]
  const along = (axis: 0 | 1, place: number, h: number) => {
    const at = place * stride[axis] - padding[axis][0] + (h % size[axis])
    return Math.min(Math.max(at, 0), shape[1 + axis]! - 1)
  }
  const values = Array.from({ length: n * h * w * channels }, (_, i) => {
    const place = Math.floor(i / channels) % (h * w)
    const chosen = hash(5, i)
    return along(0, Math.floor(place / w), chosen) * shape[2]! + along(1, place % w, chosen >>> 8)
  })
  return given(values, 'int32', [n, h, w, channels])
}
const pooledShape = (shape: number[], options: Window) => [shape[0]!, ...places(shape, options), shape[3]!]

const maxPool = (x: AnyTensor, options: Window) => {
  const { size, stride, padding } = window(options)
  return nt.maxPool2d(x, size, { stride, padding })
}
const avgPool = (x: AnyTensor, options: Window) => {
  const { size, stride, padding, countPadding } = window(options)
  return nt.avgPool2d(x, size, { stride, padding, countPadding })
}

export const pools = rows({
  maxPool2d: {
    cases: cases(
      ...over((shape, options, dtype) =>
        named(
          title(shape, options, dtype),
          test([input(shape, dtype)], (x) => maxPool(x, options), `pooled('max', a, ${python(options)})`, steps)
        )
      ),
      named(
        'same',
        test(
          [input([1, 5, 6, 2])],
          (x) => nt.maxPool2d(x, 3, { stride: 2, padding: 'same' }),
          "pooled('max', a, (3, 3), (2, 2), ((1, 1), (0, 1)))",
          steps
        )
      ),
      named(
        'by a number',
        test(
          [input([1, 4, 4, 2])],
          (x) => nt.maxPool2d(x, 2),
          "pooled('max', a, (2, 2), (2, 2), ((0, 0), (0, 0)))",
          steps
        )
      ),
      named(
        'equal values',
        test(
          [given([1, 1, 1, 1, 2, 2, 0, 2], 'float32', [1, 2, 4, 1])],
          (x) => nt.maxPool2d(x, 2),
          "pooled('max', a, (2, 2), (2, 2), ((0, 0), (0, 0)))",
          { differences: false }
        )
      ),
      named(
        'special values',
        test(
          [given([NaN, 1, -Infinity, -Infinity, 2, 3, -Infinity, -Infinity], 'float32', [1, 2, 4, 1])],
          (x) => nt.maxPool2d(x, 2),
          "pooled('max', a, (2, 2), (2, 2), ((0, 0), (0, 0)))",
          { gradients: [] }
        )
      )
    ),
    errors: [
      ...windowErrors('maxPool2d', () => [images()]),
      ...raw(
        'maxPool2d',
        ['images without height', () => [nt.zeros([1, 0, 4, 2])], plain, gone],
        ['a window larger than the image', () => [nt.zeros([1, 1, 4, 2])], plain, large]
      ),
      { name: 'a window that is none', call: () => nt.maxPool2d(images(), 'large' as never), message: /got .*large/ },
      { name: 'three sizes', call: () => nt.maxPool2d(images(), [1, 2, 3] as never), message: /got \[1, 2, 3\]/ },
      { name: 'an array', call: () => nt.maxPool2d([1] as never, 2), message: /a tensor, got \[1\]/ }
    ]
  },
  avgPool2d: {
    cases: cases(
      ...over((shape, options, dtype) =>
        [
          named(
            title(shape, options, dtype),
            test([input(shape, dtype)], (x) => avgPool(x, options), `pooled('avg', a, ${python(options)})`, {
              tolerance: 4
            })
          ),
          options.padding
            ? named(
                `${title(shape, options, dtype)} counting`,
                test(
                  [input(shape, dtype)],
                  (x) => avgPool(x, { ...options, countPadding: true }),
                  `pooled('avg', a, ${python({ ...options, countPadding: true })})`,
                  { tolerance: 4 }
                )
              )
            : []
        ].flat()
      ),
      named(
        'same',
        test(
          [input([1, 5, 6, 2])],
          (x) => nt.avgPool2d(x, [3, 2], { stride: 2, padding: 'same' }),
          "pooled('avg', a, (3, 2), (2, 2), ((1, 1), (0, 0)))",
          { tolerance: 4 }
        )
      )
    ),
    errors: [
      ...windowErrors('avgPool2d', () => [images()]),
      ...raw('avgPool2d', ['images without height', () => [nt.zeros([1, 0, 4, 2])], plain, gone]),
      {
        name: 'countPadding that is none',
        call: () => nt.avgPool2d(images(), 2, { countPadding: 1 as never }),
        message: /got 1/
      }
    ]
  },
  maxPoolGradient: {
    cases: cases(
      ...over((shape, options, dtype) =>
        named(
          title(shape, options, dtype),
          test(
            [input(pooledShape(shape, options), dtype), positions(shape, options)],
            (g, p) => call('maxPoolGradient', [g, p], [...numbers(options), shape[1]!, shape[2]!]),
            `scattered(planes(b), planes(a), ${shape[1]! * shape[2]!}, 1, True).reshape(${JSON.stringify(shape)})`,
            { tolerance: 4 }
          )
        )
      )
    ),
    errors: [
      ...windowErrors(
        'maxPoolGradient',
        () => [nt.zeros([1, 2, 2, 2]), nt.zeros([1, 2, 2, 2], { dtype: 'int32' })],
        [4, 4]
      ),
      ...raw(
        'maxPoolGradient',
        [
          'positions that are floats',
          () => [nt.zeros([1, 2, 2, 2]), nt.zeros([1, 2, 2, 2])],
          [...plain, 4, 4],
          /positions int32 \[1, 2, 2, 2\], got float32/
        ],
        [
          'positions of another shape',
          () => [nt.zeros([1, 2, 2, 2]), nt.zeros([1, 2, 2, 1], { dtype: 'int32' })],
          [...plain, 4, 4],
          /positions int32 \[1, 2, 2, 2\], got int32 \[1, 2, 2, 1\]/
        ],
        [
          'a height of 0',
          () => [nt.zeros([1, 2, 2, 2]), nt.zeros([1, 2, 2, 2], { dtype: 'int32' })],
          [...plain, 0, 4],
          /a height.* got 0/
        ],
        [
          'a width that does not fit',
          () => [nt.zeros([1, 2, 2, 2]), nt.zeros([1, 2, 2, 2], { dtype: 'int32' })],
          [...plain, 4, 6],
          /a gradient \[1, 2, 3, 2\], got \[1, 2, 2, 2\]/
        ]
      )
    ]
  },
  maxPoolTake: {
    cases: cases(
      ...over((shape, options, dtype) =>
        named(
          title(shape, options, dtype),
          test(
            [input(shape, dtype), positions(shape, options)],
            (x, p) => call('maxPoolTake', [x, p], numbers(options)),
            `torch.gather(planes(a), 1, planes(b).long()).reshape(${JSON.stringify(pooledShape(shape, options))})`,
            { tolerance: 4 }
          )
        )
      )
    ),
    errors: [
      ...windowErrors('maxPoolTake', () => [images(), nt.zeros([1, 2, 2, 2], { dtype: 'int32' })]),
      ...raw('maxPoolTake', [
        'positions of another shape',
        () => [images(), nt.zeros([1, 2, 1, 2], { dtype: 'int32' })],
        plain,
        /positions int32 \[1, 2, 2, 2\], got int32 \[1, 2, 1, 2\]/
      ])
    ]
  },
  avgPoolGradient: {
    cases: cases(
      ...over((shape, options, dtype) =>
        [false, true].map((countPadding) =>
          named(
            `${title(shape, options, dtype)}${countPadding ? ' counting' : ''}`,
            test(
              [input(pooledShape(shape, options), dtype)],
              (g) => call('avgPoolGradient', [g], [...numbers({ ...options, countPadding }), shape[1]!, shape[2]!]),
              `pool_gradient('avg', a, torch.zeros(${JSON.stringify(shape)}, dtype=torch.float64), ${python({ ...options, countPadding })})`,
              { tolerance: 4 }
            )
          )
        )
      )
    ),
    errors: [
      ...windowErrors('avgPoolGradient', () => [nt.zeros([1, 2, 2, 2])], [4, 4]),
      ...raw(
        'avgPoolGradient',
        ['a width of 0', () => [nt.zeros([1, 2, 2, 2])], [...plain, 4, 0], /a width.* got 0/],
        [
          'a height that does not fit',
          () => [nt.zeros([1, 2, 2, 2])],
          [...plain, 7, 4],
          /a gradient \[1, 3, 2, 2\], got \[1, 2, 2, 2\]/
        ]
      )
    ]
  }
})

/** Functions made of these ops. */
export const pools1d = {
  maxPool1d: {
    cases: [
      named(
        'windows',
        test(
          [input([2, 7, 3])],
          (x) => nt.maxPool1d(x, 3, { stride: 2, padding: 1 }),
          'nhwc(F.max_pool1d(nchw(a), 3, 2, 1))',
          steps
        )
      )
    ],
    errors: [{ name: 'images', call: () => nt.maxPool1d(images(), 2), message: /rank 3/ }]
  },
  avgPool1d: {
    cases: [
      named(
        'windows',
        test(
          [input([2, 7, 3])],
          (x) => nt.avgPool1d(x, 3, { stride: 2, padding: 1, countPadding: true }),
          'nhwc(F.avg_pool1d(nchw(a), 3, 2, 1))',
          { tolerance: 4 }
        )
      )
    ],
    errors: []
  },
  globalAvgPool2d: {
    cases: [
      named(
        'images',
        test([input([2, 3, 4, 5])], (x) => nt.globalAvgPool2d(x), 'a.mean((1, 2))', { tolerance: 4 })
      )
    ],
    errors: [{ name: 'a matrix', call: () => nt.globalAvgPool2d(nt.zeros([2, 3])), message: /rank 4/ }]
  }
} satisfies Record<string, OpCases>
