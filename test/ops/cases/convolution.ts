// Convolutions: images [n, h, w, c], weights [o, kh, kw, c / groups]. PyTorch sees them as [n, c, h, w] and [o, c / groups, kh, kw].
import * as nt from '../../../lib/index.js'
import { callMany } from '../../../lib/tensor.js'
import { cases, input, rows, test, type AnyTensor, type Case, type ErrorCase, type OpCases } from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'
import type { OpName } from '../../../lib/op-names.generated.js'

type Pair = number | [number, number]
type Padding = 'same' | 'valid' | number | [[number, number], [number, number]]
interface Convolution {
  bias?: boolean
  stride?: Pair
  padding?: Padding
  dilation?: Pair
  groups?: number
  activation?: 'relu'
  dtype?: DType
}

const pair = (value: Pair): [number, number] => (typeof value === 'number' ? [value, value] : value)

/** The images padded as Python: zeros are laid around them before a convolution without padding. */
function padded(padding: Padding, kernel: Pair, stride: Pair, dilation: Pair): string {
  if (padding === 'valid') return 'nchw(a)'
  if (padding === 'same')
    return `same(nchw(a), ${JSON.stringify(pair(kernel))}, ${JSON.stringify(pair(stride))}, ${JSON.stringify(pair(dilation))})`
  const [h, w] = typeof padding === 'number' ? [pair(padding), pair(padding)] : padding
  return `F.pad(nchw(a), (${w.join(', ')}, ${h.join(', ')}))`
}

function conv2d(x: number[], w: number[], options: Convolution = {}): Case {
  const {
    bias = false,
    stride = 1,
    padding = 'valid',
    dilation = 1,
    groups = 1,
    activation,
    dtype = 'float32'
  } = options
  const values = padded(padding, [w[1]!, w[2]!], stride, dilation)
  const python = `nhwc(F.conv2d(${values}, oihw(b), ${bias ? 'c' : 'None'}, stride=${JSON.stringify(stride)}, dilation=${JSON.stringify(dilation)}, groups=${groups}))`
  const inputs = [input(x, dtype), input(w, dtype, [-1, 1])]
  if (bias) inputs.push(input([w[0]!], dtype, [-1, 1]))
  const said = Object.entries(options).filter(([key]) => key !== 'dtype')
  return {
    ...test(
      inputs,
      (a, b, c) =>
        nt.conv2d(a, b, {
          stride,
          padding,
          dilation,
          groups,
          ...(c ? { bias: c } : {}),
          ...(activation ? { activation } : {})
        }),
      activation ? `relu(${python})` : python,
      { tolerance: w[1]! * w[2]! * w[3]! > 200 ? 16 : 4, differences: activation === undefined }
    ),
    name: `${dtype} [${x.join(', ')}] with [${w.join(', ')}] ${said.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ')}`.trim()
  }
}

const conv2dCases: Case[] = cases(
  // channels 1, 3, 17
  [1, 3, 17].flatMap((c) => [1, 3, 17].map((o) => conv2d([2, 5, 6, c], [o, 3, 3, c], { bias: true, padding: 'same' }))),
  conv2d([1, 4, 4, 1], [1, 1, 1, 1]),
  conv2d([2, 6, 5, 3], [4, 2, 3, 3]),
  conv2d([1, 1, 1, 3], [2, 1, 1, 3], { bias: true }),
  conv2d([1, 1, 7, 2], [3, 1, 3, 2], { padding: 'same' }),
  conv2d([1, 7, 7, 16], [32, 5, 5, 16], { padding: 2 }),
  // strides, also past the kernel
  conv2d([2, 7, 8, 3], [4, 3, 3, 3], { stride: 2, padding: 'same', bias: true }),
  conv2d([2, 7, 8, 3], [4, 3, 3, 3], { stride: [2, 1], padding: 1 }),
  conv2d([1, 9, 9, 3], [4, 2, 2, 3], { stride: 3 }),
  conv2d([1, 9, 8, 17], [5, 1, 1, 17], { stride: 2, bias: true }),
  // paddings
  conv2d([1, 4, 5, 3], [2, 3, 3, 3], {
    padding: [
      [1, 2],
      [0, 1]
    ]
  }),
  conv2d([1, 3, 3, 2], [2, 3, 3, 2], { padding: 2 }),
  conv2d([1, 5, 5, 3], [2, 4, 4, 3], { padding: 'same' }),
  // dilation
  conv2d([1, 9, 8, 3], [4, 3, 3, 3], { dilation: 2 }),
  conv2d([1, 9, 8, 3], [4, 3, 2, 3], { dilation: [2, 3], padding: 'same', bias: true }),
  conv2d([1, 9, 9, 2], [2, 3, 3, 2], { dilation: 2, stride: 2, padding: 1 }),
  // groups, also as many as channels
  conv2d([2, 5, 5, 4], [6, 3, 3, 2], { groups: 2, padding: 1, bias: true }),
  ...[1, 3, 17].map((c) => conv2d([2, 5, 5, c], [c, 3, 3, 1], { groups: c, padding: 'same', bias: true })),
  conv2d([1, 6, 6, 3], [6, 3, 3, 1], { groups: 3, stride: 2 }),
  conv2d([1, 8, 8, 3], [3, 3, 3, 1], { groups: 3, dilation: 2 }),
  conv2d([2, 5, 5, 3], [4, 3, 3, 3], { activation: 'relu', bias: true, padding: 'same' }),
  // nothing in it
  conv2d([0, 5, 5, 3], [4, 3, 3, 3], { bias: true }),
  (['bfloat16', 'float16'] as const).map((dtype) => [
    conv2d([2, 5, 5, 3], [4, 3, 3, 3], { dtype, padding: 'same', bias: true }),
    conv2d([1, 6, 6, 17], [5, 3, 3, 17], { dtype, stride: 2 }),
    conv2d([1, 5, 5, 4], [4, 3, 3, 1], { dtype, groups: 4, padding: 1 })
  ])
)

// Parameters as the native ops take them: stride, low, high, dilation of the height and of the width, groups; then the op's own.
const plain = [1, 0, 0, 1, 1, 0, 0, 1, 1]
const image = () => nt.zeros([1, 4, 4, 2])
const kernel = () => nt.zeros([3, 3, 3, 2])
const but = (index: number, value: number, ...own: number[]) => [
  ...plain.map((one, i) => (i === index ? value : one)),
  ...own
]

/** What the three convolutions refuse alike; `inputs` are right for `own`. */
const geometryErrors = (op: OpName, inputs: () => AnyTensor[], own: number[]): ErrorCase[] => [
  ...raw(
    op,
    ['a stride of 0', inputs, but(0, 0, ...own), /a stride.* got 0/],
    ['half a stride', inputs, but(4, 0.5, ...own), /a stride.* got 0\.5/],
    ['a stride that is NaN', inputs, but(0, NaN, ...own), /a stride.* got /],
    ['a negative padding', inputs, but(1, -1, ...own), /a padding.* got -1/],
    ['half a padding behind', inputs, but(6, 0.5, ...own), /a padding.* got 0\.5/],
    ['a dilation of 0', inputs, but(3, 0, ...own), /a dilation.* got 0/],
    ['no groups', inputs, but(8, 0, ...own), /a number of groups.* got 0/],
    ['groups that do not divide', inputs, but(8, 5, ...own), /got /],
    ['images of rank 3', () => [nt.zeros([4, 4, 2]), inputs()[1]!], [...plain, ...own], /rank 4 .*got \[4, 4, 2\]/],
    [
      'a second tensor of rank 3',
      () => [inputs()[0]!, nt.zeros([3, 3, 2])],
      [...plain, ...own],
      /rank 4 .*got \[3, 3, 2\]/
    ],
    ['integers', () => inputs().map((x) => x.astype('int32')), [...plain, ...own], /got int32/],
    ['two dtypes', () => [inputs()[0]!, inputs()[1]!.astype('float16')], [...plain, ...own], /got float32 and float16/]
  ),
  ...counts(op, 2, [...plain, ...own])
]

const data = (g: number[], w: number[], size: [number, number], options: Convolution = {}): Case => {
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = false, dtype = 'float32' } = options
  const [kh, kw] = [w[1]!, w[2]!]
  const [d, s, p] = [pair(dilation), pair(stride), pair(padding as Pair)]
  const least = [
    (g[1]! - 1) * s[0] + (kh - 1) * d[0] + 1 - 2 * p[0],
    (g[2]! - 1) * s[1] + (kw - 1) * d[1] + 1 - 2 * p[1]
  ]
  const outputPadding: [number, number] = [size[0] - least[0]!, size[1] - least[1]!]
  const python = `nhwc(F.conv_transpose2d(nchw(a), oihw(b), ${bias ? 'c' : 'None'}, stride=${JSON.stringify(s)}, padding=${JSON.stringify(p)}, output_padding=${JSON.stringify(outputPadding)}, groups=${groups}, dilation=${JSON.stringify(d)}))`
  const inputs = [input(g, dtype), input(w, dtype, [-1, 1])]
  if (bias) inputs.push(input([w[3]! * groups], dtype))
  const said = Object.entries(options).filter(([key]) => key !== 'dtype')
  return {
    ...test(
      inputs,
      (x, y, c) =>
        nt.convTranspose2d(x, y, {
          stride,
          padding: padding as Pair,
          dilation,
          groups,
          outputPadding,
          ...(c ? { bias: c } : {})
        }),
      python,
      { tolerance: 4 }
    ),
    name: `${dtype} [${g.join(', ')}] with [${w.join(', ')}] to ${size.join(' x ')} ${said.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ')}`.trim()
  }
}

const weightsOf = (
  g: number[],
  x: number[],
  size: [number, number],
  parameters = plain,
  dtype: DType = 'float32',
  bias = false
): Case => {
  const [sh, lh, hh, dh, sw, lw, hw, dw, groups] = parameters as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number
  ]
  const shape = [g[3]!, size[0], size[1], x[3]! / groups]
  const python = `kernel_gradient(a, b, ${JSON.stringify(shape)}, ${JSON.stringify([lw, hw, lh, hh])}, ${JSON.stringify([sh, sw])}, ${JSON.stringify([dh, dw])}, ${groups})`
  return {
    ...test(
      [input(g, dtype, [-1, 1]), input(x, dtype)],
      (a, b) => callMany('convolutionWeights', [a, b], [...parameters, ...size, Number(bias)]),
      bias ? `(${python}, a.sum((0, 1, 2)))` : python,
      { tolerance: 8 }
    ),
    name: `${dtype} [${g.join(', ')}], [${x.join(', ')}] ${size.join(' x ')} ${parameters.join(' ')}${bias ? ' bias' : ''}`
  }
}

export const convolutions = rows({
  conv2d: {
    cases: conv2dCases,
    errors: [
      ...geometryErrors('conv2d', () => [image(), kernel()], [0]),
      ...raw(
        'conv2d',
        ['an activation that is none', () => [image(), kernel()], [...plain, 2], /an activation.* got 2/],
        [
          'a kernel of no height',
          () => [image(), nt.zeros([3, 0, 3, 2])],
          [...plain, 0],
          /a kernel of at least 1 x 1, got weights \[3, 0, 3, 2\]/
        ],
        [
          'weights for other channels',
          () => [image(), nt.zeros([3, 3, 3, 1])],
          [...plain, 0],
          /weights \[out, height, width, 2\] .*got \[3, 3, 3, 1\]/
        ],
        [
          'groups that do not divide the channels out',
          () => [image(), nt.zeros([3, 3, 3, 1])],
          but(8, 2, 0),
          /2 groups divide, got 2 channels in and 3 out/
        ],
        ['a bias of another size', () => [image(), kernel(), nt.zeros([2])], [...plain, 0], /a bias \[3\], got \[2\]/],
        [
          'a bias of another dtype',
          () => [image(), kernel(), nt.zeros([3], { dtype: 'float16' })],
          [...plain, 0],
          /got float32 and float16/
        ],
        [
          'a window larger than the image',
          () => [nt.zeros([1, 2, 4, 2]), kernel()],
          [...plain, 0],
          /height.* got 2|got .*2/
        ],
        [
          'a window wider than the image',
          () => [nt.zeros([1, 4, 2, 2]), kernel()],
          [...plain, 0],
          /width.* got 2|got .*2/
        ]
      ),
      {
        name: 'an unknown padding',
        call: () => nt.conv2d(image(), kernel(), { padding: 'full' as never }),
        message: /'same', 'valid', got 'full'/
      },
      {
        name: 'three paddings',
        call: () => nt.conv2d(image(), kernel(), { padding: [1, 2, 3] as never }),
        message: /got \[1, 2, 3\]/
      },
      {
        name: 'three strides',
        call: () => nt.conv2d(image(), kernel(), { stride: [1, 2, 3] as never }),
        message: /got \[1, 2, 3\]/
      },
      {
        name: 'an unknown activation',
        call: () => nt.conv2d(image(), kernel(), { activation: 'gelu' as never }),
        message: /got 'gelu'/
      },
      {
        name: 'a bias that is none',
        call: () => nt.conv2d(image(), kernel(), { bias: 3 as never }),
        message: /a bias .*got 3/
      },
      { name: 'a number', call: () => nt.conv2d(3 as never, kernel()), message: /a tensor, got 3/ }
    ]
  },
  convolutionData: {
    cases: cases(
      data([2, 3, 4, 3], [3, 3, 3, 4], [5, 6]),
      data([2, 3, 4, 3], [3, 3, 3, 4], [3, 4], { padding: 1, bias: true }),
      data([1, 3, 3, 4], [4, 3, 3, 2], [6, 5], { stride: 2, padding: 1, bias: true }),
      data([1, 2, 3, 1], [1, 2, 2, 1], [7, 8], { stride: 3 }),
      data([1, 3, 2, 17], [17, 1, 1, 5], [3, 2]),
      data([1, 3, 3, 2], [2, 3, 2, 3], [7, 5], { dilation: 2 }),
      data([1, 3, 3, 4], [4, 3, 3, 3], [5, 5], { groups: 2, bias: true }),
      data([1, 3, 3, 3], [3, 3, 3, 1], [5, 5], { groups: 3 }),
      data([1, 2, 2, 17], [17, 3, 3, 1], [5, 5], { groups: 17, stride: 2 }),
      data([1, 1, 1, 1], [1, 1, 1, 1], [1, 1]),
      data([0, 2, 2, 3], [3, 3, 3, 2], [4, 4]),
      (['bfloat16', 'float16'] as const).map((dtype) => [
        data([1, 3, 3, 3], [3, 3, 3, 4], [5, 5], { dtype, bias: true }),
        data([1, 2, 2, 4], [4, 3, 3, 1], [5, 5], { dtype, stride: 2, groups: 4 })
      ])
    ),
    errors: [
      ...geometryErrors('convolutionData', () => [image(), nt.zeros([2, 3, 3, 3])], [6, 6]),
      ...raw(
        'convolutionData',
        ['half a height', () => [image(), nt.zeros([2, 3, 3, 3])], [...plain, 6.5, 6], /a height.* got 6\.5/],
        ['a negative width', () => [image(), nt.zeros([2, 3, 3, 3])], [...plain, 6, -1], /a width.* got -1/],
        [
          'weights for other channels',
          () => [image(), nt.zeros([5, 3, 3, 3])],
          [...plain, 6, 6],
          /weights \[2, height, width, out \/ groups\] .*got \[5, 3, 3, 3\]/
        ],
        [
          'a size that is not convolved to this',
          () => [image(), nt.zeros([2, 3, 3, 3])],
          [...plain, 7, 6],
          /whose convolution is \[1, 4, 4, 2\], got \[1, 7, 6, 3\], whose convolution is \[1, 5, 4, 2\]/
        ],
        [
          'a kernel of no width',
          () => [image(), nt.zeros([2, 3, 0, 3])],
          [...plain, 6, 6],
          /a kernel of at least 1 x 1/
        ]
      ),
      {
        name: 'the padding same',
        by: 'convTranspose2d',
        call: () => nt.convTranspose2d(image(), nt.zeros([2, 3, 3, 3]), { padding: 'same' as never }),
        message: /got 'same'/
      },
      {
        name: 'an output padding as large as the stride',
        by: 'convTranspose2d',
        call: () => nt.convTranspose2d(image(), nt.zeros([2, 3, 3, 3]), { outputPadding: 1 }),
        message: /got 1/
      },
      {
        name: 'a padding larger than the result',
        by: 'convTranspose2d',
        call: () => nt.convTranspose2d(image(), nt.zeros([2, 1, 1, 3]), { padding: 3 }),
        message: /got /
      },
      {
        name: 'a bias of another size',
        by: 'convTranspose2d',
        call: () => nt.convTranspose2d(image(), nt.zeros([2, 3, 3, 3]), { bias: nt.zeros([2]) }),
        message: /a bias \[3\], got \[2\]/
      }
    ]
  },
  convolutionWeights: {
    cases: cases(
      weightsOf([2, 3, 4, 3], [2, 5, 6, 2], [3, 3]),
      weightsOf([2, 3, 4, 3], [2, 5, 6, 2], [3, 3], plain, 'float32', true),
      weightsOf([1, 3, 3, 4], [1, 6, 5, 3], [3, 3], [2, 1, 1, 1, 2, 1, 1, 1, 1]),
      weightsOf([1, 2, 2, 2], [1, 6, 6, 1], [2, 2], [3, 0, 0, 1, 3, 0, 0, 1, 1]),
      weightsOf([1, 3, 3, 4], [1, 7, 5, 4], [3, 2], [1, 0, 0, 2, 1, 0, 0, 2, 2]),
      weightsOf([2, 4, 4, 17], [2, 4, 4, 17], [3, 3], [1, 1, 1, 1, 1, 1, 1, 1, 17], 'float32', true),
      weightsOf([1, 1, 1, 1], [1, 1, 1, 1], [1, 1]),
      weightsOf([0, 2, 2, 3], [0, 4, 4, 2], [3, 3], plain, 'float32', true),
      (['bfloat16', 'float16'] as const).map((dtype) => [
        weightsOf([2, 3, 4, 3], [2, 5, 6, 2], [3, 3], plain, dtype, true),
        weightsOf([1, 4, 4, 3], [1, 4, 4, 3], [3, 3], [1, 1, 1, 1, 1, 1, 1, 1, 3], dtype)
      ])
    ),
    errors: [
      ...geometryErrors('convolutionWeights', () => [nt.zeros([1, 2, 2, 3]), image()], [3, 3, 0]),
      ...raw(
        'convolutionWeights',
        ['a height of 0', () => [nt.zeros([1, 2, 2, 3]), image()], [...plain, 0, 3, 0], /a height.* got 0/],
        ['half a width', () => [nt.zeros([1, 2, 2, 3]), image()], [...plain, 3, 2.5, 0], /a width.* got 2\.5/],
        ['a flag that is none', () => [nt.zeros([1, 2, 2, 3]), image()], [...plain, 3, 3, 2], /a flag.* got 2/],
        [
          'a gradient of another size',
          () => [nt.zeros([1, 3, 2, 3]), image()],
          [...plain, 3, 3, 0],
          /a gradient \[1, 2, 2, 3\], got \[1, 3, 2, 3\]/
        ],
        [
          'a gradient of other images',
          () => [nt.zeros([2, 2, 2, 3]), image()],
          [...plain, 3, 3, 0],
          /a gradient \[1, 2, 2, 3\], got \[2, 2, 2, 3\]/
        ]
      )
    ]
  }
})

const one = (
  name: string,
  inputs: ReturnType<typeof input>[],
  run: Parameters<typeof test>[1],
  torch: string
): Case => ({ ...test(inputs, run, torch, { tolerance: 4 }), name })

/** Functions made of these ops. */
export const convolutions1d = {
  conv1d: {
    cases: [
      one('valid', [input([2, 7, 3]), input([4, 3, 3])], (x, w) => nt.conv1d(x, w), 'nhwc(F.conv1d(nchw(a), oihw(b)))'),
      one(
        'same, with bias',
        [input([2, 7, 3]), input([4, 4, 3]), input([4])],
        (x, w, bias) => nt.conv1d(x, w, { bias, padding: 'same', activation: undefined }),
        'nhwc(F.conv1d(F.pad(nchw(a), (1, 2)), oihw(b), c))'
      ),
      one(
        'strides, dilation and groups',
        [input([1, 9, 4]), input([4, 3, 2])],
        (x, w) => nt.conv1d(x, w, { stride: 2, dilation: 2, groups: 2, padding: [1, 0] }),
        'nhwc(F.conv1d(F.pad(nchw(a), (1, 0)), oihw(b), stride=2, dilation=2, groups=2))'
      )
    ],
    errors: [
      { name: 'images', call: () => nt.conv1d(image(), kernel()), message: /rank 3 .*got \[1, 4, 4, 2\]/ },
      {
        name: 'two strides',
        call: () => nt.conv1d(nt.zeros([1, 4, 2]), nt.zeros([3, 3, 2]), { stride: [1, 1] as never }),
        message: /got \[1, 1\]/
      },
      {
        name: 'three paddings',
        call: () => nt.conv1d(nt.zeros([1, 4, 2]), nt.zeros([3, 3, 2]), { padding: [1, 1, 1] as never }),
        message: /got \[1, 1, 1\]/
      }
    ]
  },
  convTranspose1d: {
    cases: [
      one(
        'strided',
        [input([2, 4, 3]), input([3, 3, 2]), input([2])],
        (x, w, bias) => nt.convTranspose1d(x, w, { bias, stride: 2, padding: 1, outputPadding: 1 }),
        'nhwc(F.conv_transpose1d(nchw(a), oihw(b), c, stride=2, padding=1, output_padding=1))'
      )
    ],
    errors: [
      { name: 'images', call: () => nt.convTranspose1d(image(), kernel()), message: /rank 3 .*got \[1, 4, 4, 2\]/ }
    ]
  }
} satisfies Record<string, OpCases>
