// What lays values out anew: reshape, permute, slice, pad, concat, broadcasting; casts, ranges, assignment.
import * as nt from '../../../lib/index.js'
import { native } from '../../../lib/native.js'
import { call } from '../../../lib/tensor.js'
import { cases, every, given, input, rows, test, type Case, type OpCases } from '../case.js'
import { counts, raw } from '../raw.js'
import { isFloat } from '../values.js'
import type { DType, Selector } from '../../../lib/index.js'

const python = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? null : item
  ).replaceAll('null', 'None')

const named = (name: string, row: Case): Case => ({ ...row, name })

const reshape = (from: number[], to: number[], dtype: DType = 'float32') =>
  named(
    `${dtype} [${from.join(', ')}] to [${to.join(', ')}]`,
    test([input(from, dtype)], (x) => nt.reshape(x, to), `a.reshape(${python(to)})`)
  )
const permute = (shape: number[], order: number[], dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] by ${order.join(', ')}`,
    test([input(shape, dtype)], (x) => nt.permute(x, order), `a.permute(${python(order)})`)
  )

type Range = [start?: number | null, stop?: number | null, step?: number]
const get = (shape: number[], selectors: (Selector | Range)[], as: string, dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] ${as}`,
    test([input(shape, dtype)], (x) => nt.get(x, ...(selectors as Selector[])), `indexed(a, '${as}')`)
  )

type Laid = [low: number, high: number, interior: number]
const pad = (shape: number[], padding: Laid[], value: number, dtype: DType = 'float32') =>
  named(
    `${dtype} [${shape.join(', ')}] by ${python(padding)} with ${value}`,
    test(
      [input(shape, dtype)],
      (x) => call('pad', [x], [value, ...padding.flat()]),
      `laid(a, ${python(padding)}, ${Number.isFinite(value) ? value : '-math.inf'})`,
      Number.isFinite(value) ? {} : { gradients: [] }
    )
  )
const concat = (shapes: number[][], axis: number, dtype: DType = 'float32') =>
  named(
    `${dtype} ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')} axis ${axis}`,
    test(
      shapes.map((shape) => input(shape, dtype)),
      (...some) => nt.concat(some, axis),
      `cat([${shapes.map((_, i) => 'abcdefgh'[i]).join(', ')}], ${axis})`
    )
  )
const broadcastTo = (from: number[], to: number[], dtype: DType = 'float32') =>
  named(
    `${dtype} [${from.join(', ')}] to [${to.join(', ')}]`,
    test([input(from, dtype)], (x) => nt.broadcastTo(x, to), `broadcast_to(a, ${python(to)})`)
  )
const assign = (target: number[], value: number[], dtype: DType = 'float32') =>
  test(
    [input(target, dtype), input(value, dtype)],
    (t, v) =>
      nt.assign(
        nt.noGrad(() => t.copy()),
        v
      ),
    'broadcast_to(b, a.shape)',
    { gradients: [] }
  )

const integerSpecial = [0, 1, -1, 255, 256, 300, -200, 2 ** 31 - 1, -(2 ** 31)]
const floatSpecial = [
  0,
  -0,
  0.5,
  -0.5,
  1.5,
  -2.75,
  255.9,
  300,
  -7,
  3e9,
  -3e9,
  1e20,
  -1e20,
  NaN,
  Infinity,
  -Infinity,
  65504,
  70000
]

export const shape = rows({
  reshape: {
    cases: cases(
      reshape([2, 3], [3, 2]),
      reshape([2, 3, 4], [-1, 4]),
      reshape([], [1, 1]),
      reshape([1], []),
      reshape([0, 3], [3, 0, 2]),
      reshape([0, 3], [-1, 3]),
      reshape([8], [2, 1, 2, 1, 2, 1, 1, 1]),
      every
        .slice(1)
        .map((dtype) => [reshape([2, 3], [6], dtype), reshape([1, 4], [2, 2], dtype), reshape([2, 0], [0], dtype)])
    ),
    errors: [
      {
        name: 'another number of elements',
        call: () => nt.reshape(nt.zeros([2, 3]), [4]),
        message: /a shape of 6 elements, got \[4\]\. .*float32 \[2, 3\]/
      },
      {
        name: 'what does not divide',
        call: () => nt.reshape(nt.zeros([2, 3]), [4, -1]),
        message: /a shape of 6 elements, got \[4, -1\]/
      },
      { name: 'two unknown sizes', call: () => nt.reshape(nt.zeros([2, 3]), [-1, -1]), message: /got -1/ },
      { name: 'an unknown size beside 0', call: () => nt.reshape(nt.zeros([0]), [0, -1]), message: /got \[0, -1\]/ },
      { name: 'half a size', call: () => nt.reshape(nt.zeros([2, 3]), [1.5, 4]), message: /got 1\.5/ },
      { name: 'a size that is NaN', call: () => nt.reshape(nt.zeros([2, 3]), [NaN, 6]), message: /got / },
      { name: 'a negative size', call: () => nt.reshape(nt.zeros([2, 3]), [-2, -3]), message: /got -2/ },
      {
        name: 'nine axes',
        call: () => nt.reshape(nt.zeros([1]), [1, 1, 1, 1, 1, 1, 1, 1, 1]),
        message: /at most 8 axes, got 9/
      },
      { name: 'a number', call: () => nt.reshape(nt.zeros([4]), 4 as never), message: /got 4/ },
      ...raw('reshape', [
        'nine axes, natively',
        () => [nt.zeros([1])],
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
        /at most 8 axes, got 9/
      ]),
      ...counts('reshape', 1, [4])
    ]
  },
  permute: {
    cases: cases(
      permute([2, 3], [1, 0]),
      permute([2, 3], [0, 1]),
      permute([2, 3, 4], [2, 0, 1]),
      permute([2, 3, 4], [1, 0, 2]),
      permute([2, 3, 4], [-1, 1, 0]),
      permute([17, 33], [1, 0]),
      permute([2, 3, 4, 5], [0, 3, 1, 2]),
      permute([2, 3, 4, 5], [0, 2, 3, 1]),
      permute([], []),
      permute([1, 1, 4], [2, 1, 0]),
      permute([2, 0, 3], [2, 0, 1]),
      permute([1, 2, 1, 3, 1, 2, 1, 2], [7, 6, 5, 4, 3, 2, 1, 0]),
      every
        .slice(1)
        .map((dtype) => [
          permute([2, 3, 4], [2, 1, 0], dtype),
          permute([5, 9], [1, 0], dtype),
          permute([0, 3], [1, 0], dtype)
        ]),
      named(
        'transpose',
        test([input([2, 3, 4])], (x) => nt.transpose(x), 'a.mT')
      ),
      named(
        'transpose as a method',
        test([input([2, 3, 4])], (x) => x.transpose(0, -1), 'a.transpose(0, 2)')
      )
    ),
    errors: [
      { name: 'too few axes', call: () => nt.permute(nt.zeros([2, 3]), [0]), message: /an order of 2 axes, got 1/ },
      {
        name: 'an axis twice',
        call: () => nt.permute(nt.zeros([2, 3]), [0, 0]),
        message: /each axis once, got axis 0 twice/
      },
      { name: 'an axis outside', call: () => nt.permute(nt.zeros([2, 3]), [0, 2]), message: /got 2/ },
      { name: 'half an axis', call: () => nt.permute(nt.zeros([2, 3]), [0, 0.5]), message: /got .*0\.5/ },
      { name: 'a word', call: () => nt.permute(nt.zeros([2, 3]), 'ab' as never), message: /got 'ab'/ },
      ...raw(
        'permute',
        ['too few axes, natively', () => [nt.zeros([2, 3])], [0], /an order of 2 axes, got 1/],
        ['half an axis, natively', () => [nt.zeros([2, 3])], [0, 0.5], /got 0\.5/]
      ),
      ...counts('permute', 1, [0, 1])
    ]
  },
  slice: {
    cases: cases(
      get([4, 5], [1], '1'),
      get([4, 5], [-1, -2], '-1, -2'),
      get([4, 5], [[1, 3]], '1:3'),
      get([4, 5], [null, [1, null]], ':, 1:'),
      get([4, 5], [[null, null, -1]], '::-1'),
      get(
        [4, 5],
        [
          [3, 0, -2],
          [null, null, 2]
        ],
        '3:0:-2, ::2'
      ),
      get([4, 5, 3], ['...', 0], '..., 0'),
      get([4, 5, 3], [2, '...', [-2, null]], '2, ..., -2:'),
      get(
        [4, 5],
        [
          [-100, 100],
          [2, 2]
        ],
        '-100:100, 2:2'
      ),
      get([4, 5], [[5, 2]], '5:2'),
      get([7], [[null, null, 3]], '::3'),
      get([7], [[null, null, -3]], '::-3'),
      get([7], [[5, null, -2]], '5::-2'),
      get([7], [[1, 2, 100]], '1:2:100'),
      get([1, 1], [0, [0, 1]], '0, 0:1'),
      get([0, 3], [null, 1], ':, 1'),
      get(
        [3, 130],
        [
          [1, null],
          [3, -3]
        ],
        '1:, 3:-3'
      ),
      every.slice(1).map((dtype) => [
        get(
          [4, 5],
          [
            [1, 3],
            [null, null, -2]
          ],
          '1:3, ::-2',
          dtype
        ),
        get([4, 5], [-1], '-1', dtype),
        get([0, 2], [[1, 5]], '1:5', dtype)
      ]),
      named(
        'slice',
        test([input([3, 6])], (x) => nt.slice(x, 1, -1, { axis: 1, step: 2 }), 'a[:, 1:-1:2]')
      ),
      named(
        'slice as a method',
        test([input([3, 6])], (x) => x.slice(1), 'a[1:]')
      ),
      named(
        'flip',
        test([input([3, 4])], (x) => nt.flip(x, 1), 'a.flip(1)')
      ),
      named(
        'flip all',
        test([input([3, 4])], (x) => x.flip(), 'a.flip(0, 1)')
      )
    ),
    errors: [
      ...raw(
        'slice',
        [
          'an index outside',
          () => [nt.zeros([2, 3])],
          [2, NaN, 0],
          /an index in \[-2, 2\) for axis 0, got 2\. .*float32 \[2, 3\]/
        ],
        [
          'an index below',
          () => [nt.zeros([2, 3])],
          [NaN, NaN, 1, -4, NaN, 0],
          /an index in \[-3, 3\) for axis 1, got -4/
        ],
        ['half a start', () => [nt.zeros([2, 3])], [0.5, 2, 1], /whole numbers in a range, got 0\.5/],
        ['half a stop', () => [nt.zeros([2, 3])], [0, 1.5, 1], /whole numbers in a range, got 1\.5/],
        ['half a step', () => [nt.zeros([2, 3])], [0, 2, 0.5], /a step that is a whole number, got 0\.5/],
        ['a step that is NaN', () => [nt.zeros([2, 3])], [0, 2, NaN], /a step that is a whole number, got /],
        ['a step past all bounds', () => [nt.zeros([2, 3])], [0, 2, Infinity], /a step that is a whole number, got /],
        ['too many selectors', () => [nt.zeros([2])], [0, 1, 1, 0, 1, 1], /at most 1 selectors, got 2/],
        ['numbers that are no selectors', () => [nt.zeros([2])], [0, 1], /selectors, got /]
      ),
      { name: 'get past the end', by: '(get|slice)', call: () => nt.get(nt.zeros([2]), 2), message: /got 2/ },
      {
        name: 'get with too many selectors',
        by: '(get|slice)',
        call: () => nt.get(nt.zeros([2]), 0, 0),
        message: /got 2/
      },
      {
        name: 'get with a word',
        by: 'get',
        call: () => nt.get(nt.zeros([2]), 'first' as never),
        message: /got .*first/
      },
      { name: 'an axis outside', call: () => nt.slice(nt.zeros([2]), 0, 1, { axis: 1 }), message: /got 1/ },
      ...counts('slice', 1, [])
    ]
  },
  pad: {
    cases: cases(
      pad(
        [2, 3],
        [
          [1, 2, 0],
          [0, 1, 0]
        ],
        0.5
      ),
      pad(
        [2, 3],
        [
          [0, 0, 0],
          [-1, 2, 0]
        ],
        7
      ),
      pad(
        [4, 4],
        [
          [-1, -1, 0],
          [-2, 0, 0]
        ],
        0
      ),
      pad([3], [[1, 1, 2]], -1),
      pad(
        [3, 2],
        [
          [-1, 0, 1],
          [2, -1, 3]
        ],
        0
      ),
      pad([5], [[-3, 2, 2]], 0),
      pad([], [], 0),
      pad(
        [1, 1],
        [
          [2, 0, 0],
          [0, 2, 5]
        ],
        3
      ),
      pad(
        [0, 2],
        [
          [1, 1, 0],
          [0, 1, 0]
        ],
        4
      ),
      pad(
        [2, 2],
        [
          [0, 0, 0],
          [-1, -1, 0]
        ],
        0
      ),
      pad([2], [[1, 1, 0]], -Infinity),
      every.slice(1).map((dtype) => [
        pad(
          [2, 3],
          [
            [1, 0, 0],
            [0, 2, 1]
          ],
          1,
          dtype
        ),
        pad([3], [[-1, 1, 0]], 0, dtype),
        pad([0], [[1, 1, 0]], 1, dtype)
      ]),
      named(
        'by a number',
        test([input([2, 3])], (x) => nt.pad(x, 1), 'F.pad(a, (1, 1, 1, 1))')
      ),
      named(
        'by numbers and pairs',
        test([input([2, 3])], (x) => x.pad([1, [0, 2]], { value: 5 }), 'F.pad(a, (0, 2, 1, 1), value=5)')
      ),
      named(
        'reflect',
        test(
          [input([4, 3])],
          (x) =>
            nt.pad(
              x,
              [
                [3, 2],
                [0, 2]
              ],
              { mode: 'reflect' }
            ),
          "mirrored(a, [(3, 2), (0, 2)], 'reflect')"
        )
      ),
      named(
        'replicate',
        test(
          [input([2, 1])],
          (x) =>
            nt.pad(
              x,
              [
                [3, 2],
                [0, 2]
              ],
              { mode: 'replicate' }
            ),
          "mirrored(a, [(3, 2), (0, 2)], 'edge')"
        )
      )
    ),
    errors: [
      ...raw(
        'pad',
        ['padding for another rank', () => [nt.zeros([2])], [0, 1, 1, 0, 1, 1, 0], /padding for 1 axes, got 2/],
        ['half a padding', () => [nt.zeros([2])], [0, 0.5, 1, 0], /padding in .*got 0\.5/],
        ['half a padding behind', () => [nt.zeros([2])], [0, 1, 0.5, 0], /padding in .*got 0\.5/],
        ['a negative interior', () => [nt.zeros([2])], [0, 1, 1, -1], /interior padding in .*got -1/],
        ['more cut than there is', () => [nt.zeros([2])], [0, -2, -1, 0], /a size of 0 or more on axis 0, got -1/],
        [
          'a value that the dtype cannot hold',
          () => [nt.zeros([2], { dtype: 'uint8' })],
          [300, 1, 1, 0],
          /uint8 can hold, got 300/
        ],
        ['half a value', () => [nt.zeros([2], { dtype: 'int32' })], [0.5, 1, 1, 0], /int32 can hold, got 0\.5/],
        ['a size past all bounds', () => [nt.zeros([2])], [0, 2 ** 46, 2 ** 46, 0], /got /]
      ),
      {
        name: 'an unknown mode',
        call: () => nt.pad(nt.zeros([2]), 1, { mode: 'wrap' as never }),
        message: /got 'wrap'/
      },
      {
        name: 'padding for another rank, publicly',
        call: () => nt.pad(nt.zeros([2]), [1, 1]),
        message: /padding for 1 axes, got 2/
      },
      {
        name: 'more to reflect than there is',
        call: () => nt.pad(nt.zeros([2]), [[2, 0]], { mode: 'reflect' }),
        message: /got 2/
      },
      ...counts('pad', 1, [0, 0, 0, 0, 0, 0, 0])
    ]
  },
  concat: {
    cases: cases(
      concat(
        [
          [2, 3],
          [4, 3]
        ],
        0
      ),
      concat(
        [
          [2, 3],
          [2, 1]
        ],
        1
      ),
      concat(
        [
          [2, 3],
          [2, 1],
          [2, 4]
        ],
        -1
      ),
      concat(
        [
          [2, 2, 3],
          [2, 1, 3]
        ],
        1
      ),
      concat([[3]], 0),
      concat(
        [
          [0, 3],
          [2, 3],
          [0, 3]
        ],
        0
      ),
      concat([[0], [0]], 0),
      concat(
        [
          [1, 1],
          [1, 1]
        ],
        0
      ),
      concat([[1], [1], [1], [1], [1], [1], [1], [1]], 0),
      every.slice(1).map((dtype) => [
        concat(
          [
            [2, 3],
            [2, 2]
          ],
          1,
          dtype
        ),
        concat(
          [
            [1, 3],
            [2, 3]
          ],
          0,
          dtype
        ),
        concat([[0], [2]], 0, dtype)
      ]),
      named(
        'many',
        test(
          [input([2])],
          (x) => nt.concat(Array.from({ length: 40 }, (_, i) => x.mul(i + 1))),
          'cat([a * (i + 1) for i in range(40)])'
        )
      )
    ),
    errors: [
      {
        name: 'other sizes',
        call: () => nt.concat([nt.zeros([2, 3]), nt.zeros([2, 4])]),
        message: /but for axis 0, got float32 \[2, 3\] and float32 \[2, 4\]/
      },
      {
        name: 'another rank',
        call: () => nt.concat([nt.zeros([2, 3]), nt.zeros([2])]),
        message: /got float32 \[2, 3\] and float32 \[2\]/
      },
      {
        name: 'two dtypes',
        call: () => nt.concat([nt.zeros([2]), nt.zeros([2], { dtype: 'int32' }) as never]),
        message: /got float32 \[2\] and int32 \[2\]/
      },
      { name: 'scalars', call: () => nt.concat([nt.zeros([])]), message: /rank 1 or more, got float32 \[\]/ },
      { name: 'an axis outside', call: () => nt.concat([nt.zeros([2])], 1), message: /got 1/ },
      { name: 'an empty list', call: () => nt.concat([]), message: /at least one tensor, got / },
      { name: 'a tensor for a list', call: () => nt.concat(nt.zeros([2]) as never), message: /got / },
      { name: 'a list of others', call: () => nt.concat([nt.zeros([2]), 3 as never]), message: /got 3/ },
      ...raw(
        'concat',
        ['no inputs', () => [], [0], /at least one tensor, got none/],
        ['an input that is nothing', () => [nt.zeros([1]), undefined], [0], /got nothing/]
      )
    ]
  },
  broadcastTo: {
    cases: cases(
      broadcastTo([3], [2, 3]),
      broadcastTo([2, 1], [2, 3]),
      broadcastTo([1], [4]),
      broadcastTo([], [2, 2]),
      broadcastTo([2, 1, 3], [4, 2, 5, 3]),
      broadcastTo([2, 3], [2, 3]),
      broadcastTo([1, 3], [0, 3]),
      broadcastTo([0, 1], [0, 3]),
      broadcastTo([1, 1, 1, 1, 1, 1, 1, 2], [2, 1, 2, 1, 2, 1, 2, 2]),
      broadcastTo([1, 65], [3, 65]),
      every
        .slice(1)
        .map((dtype) => [
          broadcastTo([2, 1], [2, 3], dtype),
          broadcastTo([3], [2, 3], dtype),
          broadcastTo([1], [0], dtype)
        ])
    ),
    errors: [
      {
        name: 'sizes that do not stretch',
        call: () => nt.broadcastTo(nt.zeros([2]), [3]),
        message: /\[2\] broadcasts to .*got \[3\]/
      },
      { name: 'fewer axes', call: () => nt.broadcastTo(nt.zeros([1, 2]), [2]), message: /got \[2\]/ },
      { name: 'a shape that is none', call: () => nt.broadcastTo(nt.zeros([2]), 2 as never), message: /got 2/ },
      ...raw(
        'broadcastTo',
        ['nine axes', () => [nt.zeros([1])], [1, 1, 1, 1, 1, 1, 1, 1, 1], /8 axes, got 9/],
        ['half a size', () => [nt.zeros([1])], [1.5], /whole numbers from 0, got 1\.5/],
        ['more than memory can hold', () => [nt.zeros([1])], [2 ** 40, 2 ** 40], /2\^46 elements, got /]
      ),
      ...counts('broadcastTo', 1, [2, 2])
    ]
  },
  assign: {
    cases: cases(
      assign([2, 3], [2, 3]),
      assign([2, 3], [3]),
      assign([2, 3], []),
      assign([2, 0], [1]),
      assign([1, 1], [1]),
      every.slice(1).map((dtype) => [assign([2, 3], [2, 1], dtype), assign([4], [4], dtype)]),
      named(
        'a number',
        test(
          [input([2, 3])],
          (t) =>
            nt.assign(
              nt.noGrad(() => t.copy()),
              2.5
            ),
          'full_like(a, 2.5)',
          { gradients: [] }
        )
      ),
      named(
        'part of what is seen through a view',
        test(
          [input([2, 3]), input([6])],
          (t, v) => {
            const target = nt.noGrad(() => t.copy())
            nt.assign(target.reshape([6]), v)
            return target.copy()
          },
          'b.reshape(2, 3)',
          { gradients: [] }
        )
      )
    ),
    errors: [
      {
        name: 'a value of another shape',
        call: () => nt.assign(nt.zeros([2, 3]), nt.zeros([2])),
        message: /broadcasts to float32 \[2, 3\], got float32 \[2\]/
      },
      {
        name: 'a value of more axes',
        call: () => nt.assign(nt.zeros([2]), nt.zeros([1, 2])),
        message: /got float32 \[1, 2\]/
      },
      {
        name: 'a value of another dtype',
        call: () => nt.assign(nt.zeros([2]), nt.zeros([2], { dtype: 'int32' }) as never),
        message: /got int32 \[2\]/
      },
      {
        name: 'a result as target',
        call: () => nt.assign(nt.requireGradient(nt.zeros([2])).add(1), nt.zeros([2])),
        message: /without history, got /
      },
      {
        name: 'a value with history',
        call: () => nt.assign(nt.zeros([2]), nt.requireGradient(nt.zeros([2])).mul(2)),
        message: /without history, got /
      },
      { name: 'nothing', call: () => nt.assign(nt.zeros([2]), undefined as never), message: /got (undefined|nothing)/ },
      {
        name: 'a number as target',
        call: () => native.binaryNumber(native.ops.indexOf('assign'), nt.zeros([2]).handle, 3, true),
        message: /a tensor to assign to, got a number/
      },
      ...counts('assign', 2)
    ]
  },
  cast: {
    cases: cases(
      every.flatMap((from) =>
        every.map((to) => [
          named(
            `${from} to ${to}`,
            test([input([2, 5], from)], (x) => nt.astype(x, to), `cast(a, '${to}')`, {
              gradients: isFloat(from) && isFloat(to) ? [0] : [],
              differences: to === 'float32'
            })
          ),
          from === 'bool'
            ? []
            : named(
                `${from} to ${to}, special values`,
                test(
                  [
                    isFloat(from)
                      ? given(floatSpecial, from)
                      : given(from === 'uint8' ? [0, 1, 127, 128, 255] : integerSpecial, from)
                  ],
                  (x) => x.astype(to),
                  `cast(a, '${to}')`,
                  { gradients: [] }
                )
              ),
          named(
            `${from} to ${to}, nothing`,
            test([input([0, 3], from)], (x) => x.astype(to), `cast(a, '${to}')`, { gradients: [] })
          )
        ])
      ),
      named(
        'long',
        test([input([1, 131])], (x) => x.astype('bfloat16').astype('float32'), "cast(a, 'bfloat16')", {
          differences: false
        })
      ),
      named(
        'a scalar',
        test([input([])], (x) => x.astype('int32'), "cast(a, 'int32')", { gradients: [] })
      )
    ),
    errors: [
      {
        name: 'an unknown dtype',
        by: 'astype',
        call: () => nt.zeros([2]).astype('float64' as never),
        message: /got 'float64'/
      },
      ...raw(
        'cast',
        ['a dtype that is none', () => [nt.zeros([2])], [7], /a dtype, got 7/],
        ['half a dtype', () => [nt.zeros([2])], [0.5], /a dtype, got 0\.5/],
        ['a dtype that is NaN', () => [nt.zeros([2])], [NaN], /a dtype, got /]
      ),
      ...counts('cast', 1, [0])
    ]
  },
  iota: {
    cases: cases(
      named(
        'to',
        test([], () => nt.arange(5), 'arange(5.)')
      ),
      named(
        'from and to',
        test([], () => nt.arange(2, 5), 'arange(2., 5.)')
      ),
      named(
        'by',
        test([], () => nt.arange(0, 1, 0.25), 'arange(0, 1, 0.25)')
      ),
      named(
        'back',
        test([], () => nt.arange(5, -3, -2), 'arange(5., -3., -2.)')
      ),
      named(
        'nothing',
        test([], () => nt.arange(3, 3), 'arange(3., 3.)')
      ),
      named(
        'long',
        test([], () => nt.arange(1000), 'arange(1000.)')
      ),
      (['bfloat16', 'float16'] as const).map((dtype) =>
        named(
          dtype,
          test([], () => nt.arange(0, 4, 0.5, { dtype }), 'arange(0, 4, 0.5)')
        )
      ),
      (['int32', 'int64', 'uint8'] as const).map((dtype) =>
        named(
          dtype,
          test([], () => nt.arange(1, 100, 7, { dtype }), 'arange(1, 100, 7)')
        )
      ),
      named(
        'linspace',
        test([], () => nt.linspace(-1, 2, 7), 'linspace(-1, 2, 7)')
      ),
      named(
        'linspace of one',
        test([], () => nt.linspace(3, 5, 1), 'linspace(3, 5, 1)')
      )
    ),
    errors: [
      { name: 'a step of 0', by: 'arange', call: () => nt.arange(0, 5, 0), message: /got 0/ },
      { name: 'a bound that is none', by: 'arange', call: () => nt.arange('5' as never), message: /got '5'/ },
      { name: 'an infinite bound', by: 'arange', call: () => nt.arange(Infinity), message: /got Infinity/ },
      ...raw(
        'iota',
        ['a dtype that is none', () => [], [9, 0, 1, 2], /a dtype, got 9/],
        ['bool', () => [], [6, 0, 1, 2], /a dtype of numbers, got bool/],
        ['half a count', () => [], [0, 0, 1, 1.5], /a count in .*got 1\.5/],
        ['a negative count', () => [], [0, 0, 1, -1], /a count in .*got -1/],
        ['a start that is NaN', () => [], [0, NaN, 1, 2], /finite numbers, got /],
        ['an infinite step', () => [], [0, 0, Infinity, 2], /finite numbers, got inf/],
        ['an end past all bounds', () => [], [0, 1e308, 1e308, 5], /finite numbers, got inf/],
        ['half a step of integers', () => [], [3, 0, 0.5, 3], /a step that is a whole number, got 0\.5/],
        ['a start that the dtype cannot hold', () => [], [5, -1, 1, 2], /uint8 can hold, got -1/],
        ['an end that the dtype cannot hold', () => [], [5, 250, 3, 3], /uint8 can hold, got 256/],
        ['an input', () => [nt.zeros([1])], [0, 0, 1, 2], /got 1/]
      )
    ]
  }
})

/** Functions made of these ops. */
export const shapes = {
  flatten: {
    cases: [
      named(
        'all',
        test([input([2, 3, 4])], (x) => nt.flatten(x), 'a.flatten()')
      ),
      named(
        'from 1',
        test([input([2, 3, 4])], (x) => x.flatten(1), 'a.flatten(1)')
      ),
      named(
        'some',
        test([input([2, 3, 4, 5])], (x) => x.flatten(1, -2), 'a.flatten(1, -2)')
      ),
      named(
        'a scalar',
        test([input([])], (x) => x.flatten(), 'a.flatten()')
      )
    ],
    errors: []
  },
  squeeze: {
    cases: [
      named(
        'all',
        test([input([1, 3, 1])], (x) => nt.squeeze(x), 'a.squeeze()')
      ),
      named(
        'one',
        test([input([1, 3, 1])], (x) => x.squeeze(-1), 'a.squeeze(-1)')
      )
    ],
    errors: [{ name: 'an axis of another size', call: () => nt.squeeze(nt.zeros([2, 1]), 0), message: /got / }]
  },
  unsqueeze: {
    cases: [
      named(
        'first',
        test([input([2, 3])], (x) => nt.unsqueeze(x, 0), 'a.unsqueeze(0)')
      ),
      named(
        'last',
        test([input([2, 3])], (x) => x.unsqueeze(-1), 'a.unsqueeze(-1)')
      )
    ],
    errors: [{ name: 'an axis outside', call: () => nt.unsqueeze(nt.zeros([2]), 3), message: /got 3/ }]
  },
  stack: {
    cases: [
      named(
        'first',
        test([input([2, 3]), input([2, 3])], (a, b) => nt.stack([a, b]), 'stack([a, b])')
      ),
      named(
        'last',
        test([input([2, 3]), input([2, 3]), input([2, 3])], (...some) => nt.stack(some, -1), 'stack([a, b, c], -1)')
      ),
      named(
        'scalars',
        test([input([]), input([])], (a, b) => nt.stack([a, b]), 'stack([a, b])')
      )
    ],
    errors: [
      { name: 'two shapes', call: () => nt.stack([nt.zeros([2]), nt.zeros([3])]), message: /got \[2\] and \[3\]/ }
    ]
  },
  split: {
    cases: [
      named(
        'equal parts',
        test([input([6, 2])], (x) => nt.split(x, 3), 'a.split(2)')
      ),
      named(
        'sizes',
        test([input([2, 6])], (x) => x.split([1, 0, 5], -1), 'a.split([1, 0, 5], -1)')
      )
    ],
    errors: [
      { name: 'what does not divide', call: () => nt.split(nt.zeros([5]), 2), message: /got 2/ },
      { name: 'sizes that do not add up', call: () => nt.split(nt.zeros([5]), [2, 2]), message: /got \[2, 2\]/ }
    ]
  },
  tile: {
    cases: [
      named(
        'rows and columns',
        test([input([2, 3])], (x) => nt.tile(x, [2, 3]), 'a.tile(2, 3)')
      ),
      named(
        'no times',
        test([input([2, 3])], (x) => x.tile([1, 0]), 'a.tile(1, 0)')
      )
    ],
    errors: [{ name: 'too few repeats', call: () => nt.tile(nt.zeros([2, 3]), [2]), message: /got 1/ }]
  }
} satisfies Record<string, OpCases>
