// Resizing images [n, h, w, c], and its gradient.
import * as nt from '../../../lib/index.js'
import { call } from '../../../lib/tensor.js'
import { cases, every, floats, input, rows, test, type Case, type ErrorCase } from '../case.js'
import { counts, raw } from '../raw.js'
import type { DType } from '../../../lib/index.js'
import type { OpName } from '../../../lib/op-names.generated.js'

type Method = 'bilinear' | 'nearest'
type Size = [number, number]
const named = (name: string, row: Case): Case => ({ ...row, name })

const resize = (shape: number[], size: Size, method: Method, alignCorners = false, dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] to ${size.join(' x ')} ${method}${alignCorners ? ' corners' : ''}`,
    test(
      [input(shape, dtype)],
      (x) => nt.resize(x, size, { method, alignCorners }),
      `resized(a, ${JSON.stringify(size)}, '${method}', ${alignCorners ? 'True' : 'False'})`,
      { tolerance: 4 }
    )
  )
const gradient = (shape: number[], size: Size, method: Method, alignCorners = false, dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] from ${size.join(' x ')} ${method}${alignCorners ? ' corners' : ''}`,
    test(
      [input(shape, dtype)],
      (g) => call('resizeGradient', [g], [...size, method === 'bilinear' ? 1 : 0, Number(alignCorners)]),
      `resize_gradient(a, ${JSON.stringify([shape[0], ...size, shape[3]])}, '${method}', ${alignCorners ? 'True' : 'False'})`,
      { tolerance: 4 }
    )
  )
const over = (make: typeof resize) => [
  ([false, true] as const).flatMap((corners) => [
    make([2, 3, 4, 3], [6, 9], 'bilinear', corners),
    make([1, 7, 5, 1], [3, 2], 'bilinear', corners),
    make([1, 4, 4, 17], [6, 3], 'bilinear', corners),
    make([1, 1, 1, 2], [3, 4], 'bilinear', corners),
    make([1, 4, 6, 2], [1, 1], 'bilinear', corners),
    make([1, 4, 6, 2], [6, 4], 'nearest', corners),
    make([1, 3, 3, 1], [3, 3], 'nearest', corners)
  ]),
  make([1, 2, 3, 3], [5, 7], 'nearest'),
  make([2, 7, 5, 1], [3, 2], 'nearest'),
  make([0, 3, 3, 2], [2, 2], 'bilinear'),
  floats
    .slice(1)
    .map((dtype) => [
      make([1, 3, 4, 2], [5, 6], 'bilinear', false, dtype),
      make([1, 3, 4, 2], [5, 3], 'nearest', false, dtype)
    ])
]

const images = () => nt.zeros([1, 2, 2, 1])
const errorsOf = (op: OpName): ErrorCase[] => [
  ...raw(
    op,
    ['a matrix', () => [nt.zeros([2, 2])], [3, 3, 1, 0], /rank 4 .*got \[2, 2\]/],
    ['no height', () => [nt.zeros([1, 0, 2, 1])], [3, 3, 1, 0], /at least 1 x 1, got \[1, 0, 2, 1\]/],
    ['no width', () => [nt.zeros([1, 2, 0, 1])], [3, 3, 1, 0], /at least 1 x 1, got \[1, 2, 0, 1\]/],
    ['a height of 0', () => [images()], [0, 3, 1, 0], /a height in .*got 0/],
    ['half a width', () => [images()], [3, 2.5, 1, 0], /a width in .*got 2\.5/],
    ['a method that is none', () => [images()], [3, 3, 2, 0], /a method in .*got 2/],
    ['a flag that is none', () => [images()], [3, 3, 1, 2], /a flag in .*got 2/],
    ['integers, bilinear', () => [images().astype('uint8')], [3, 3, 1, 0], /got uint8 \[1, 2, 2, 1\]/]
  ),
  ...counts(op, 1, [3, 3, 1, 0])
]

export const resizes = rows({
  resize: {
    cases: cases(
      ...over(resize),
      every
        .slice(3)
        .map((dtype) => [
          resize([1, 3, 4, 2], [5, 3], 'nearest', false, dtype),
          resize([0, 2, 2, 1], [3, 3], 'nearest', false, dtype)
        ]),
      named(
        'by a number',
        test([input([1, 2, 2, 1])], (x) => nt.resize(x, 3), "resized(a, [3, 3], 'bilinear', False)", { tolerance: 4 })
      )
    ),
    errors: [
      ...errorsOf('resize'),
      {
        name: 'an unknown method',
        call: () => nt.resize(images(), 3, { method: 'cubic' as never }),
        message: /got 'cubic'/
      },
      {
        name: 'alignCorners that is none',
        call: () => nt.resize(images(), 3, { alignCorners: 1 as never }),
        message: /got 1/
      }
    ]
  },
  resizeGradient: {
    cases: cases(...over(gradient)),
    errors: [
      ...errorsOf('resizeGradient'),
      ...raw('resizeGradient', ['integers, nearest', () => [images().astype('int32')], [3, 3, 0, 0], /got int32/])
    ]
  }
})
