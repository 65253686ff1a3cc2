// What picks by indices or makes them: gather, scatterAdd, sort, topK, and what is made of these.
import * as nt from '../../../lib/index.js'
import { cases, every, floats, given, indices, input, numbers, rows, test, type Case, type OpCases } from '../case.js'
import { counts, raw } from '../raw.js'
import { isFloat } from '../values.js'
import type { DType, IndexTensor, Tensor } from '../../../lib/index.js'

type Index = 'int32' | 'int64'
const named = (name: string, row: Case): Case => ({ ...row, name })
const text = (shape: number[]) => `[${shape.join(', ')}]`
const replaced = (shape: number[], axis: number, size: number) =>
  shape.map((d, i) => (i === (axis < 0 ? axis + shape.length : axis) ? size : d))
const at = (tensor: Tensor<never>) => tensor as unknown as IndexTensor

const gather = (x: number[], index: number[], axis: number, dtype: DType = 'float32', by: Index = 'int32') =>
  named(
    `${dtype} ${text(x)} at ${by} ${text(index)} axis ${axis}`,
    test(
      [input(x, dtype), indices(index, x.at(axis)!, by)],
      (a, b) => nt.gather(a, at(b as never), axis),
      `a.index_select(${axis}, b.reshape(-1).long()).unflatten(${axis}, b.shape) if b.dim() else a.select(${axis}, b.item())`,
      { gradients: isFloat(dtype) ? [0] : [] }
    )
  )
const gatherAlong = (x: number[], count: number, axis: number, dtype: DType = 'float32', by: Index = 'int32') => {
  const shape = replaced(x, axis, count)
  return named(
    `${dtype} ${text(x)} along ${by} ${text(shape)} axis ${axis}`,
    test(
      [input(x, dtype), indices(shape, x.at(axis)!, by)],
      (a, b) => nt.gatherAlong(a, at(b as never), axis),
      `a.gather(${axis}, b.long())`,
      { gradients: isFloat(dtype) ? [0] : [] }
    )
  )
}
/** updates has the shape of the indices in place of the result's axis. */
const scatterAdd = (result: number[], index: number[], axis: number, dtype: DType = 'float32', by: Index = 'int32') => {
  const place = axis < 0 ? axis + result.length : axis
  const size = result[place]!
  const updates = [...result.slice(0, place), ...index, ...result.slice(place + 1)]
  const count = index.reduce((n, d) => n * d, 1)
  return named(
    `${dtype} ${text(updates)} at ${by} ${text(index)} into ${text(result)} axis ${axis}`,
    test(
      [indices(index, Math.max(size, 1), by), input(updates, dtype)],
      (a, b) => nt.scatterAdd(at(a as never), b, size, axis),
      `zeros(${text(result)}, dtype=b.dtype).index_add(${place}, a.reshape(-1).long(), b.reshape(${text(replaced(result, place, count))}))`,
      { gradients: isFloat(dtype) ? [1] : [], tolerance: 2 }
    )
  )
}
const scatterAddAlong = (result: number[], count: number, axis: number, dtype: DType = 'float32') => {
  const shape = replaced(result, axis, count)
  return named(
    `${dtype} ${text(shape)} along into ${text(result)} axis ${axis}`,
    test(
      [indices(shape, result.at(axis)!), input(shape, dtype)],
      (a, b) => nt.scatterAddAlong(at(a as never), b, result.at(axis)!, axis),
      `zeros(${text(result)}, dtype=b.dtype).scatter_add(${axis}, a.long(), b)`,
      { gradients: isFloat(dtype) ? [1] : [], tolerance: 2 }
    )
  )
}

// wide enough that finite differences leave the order as it is
const apart: [number, number] = [-20, 20]
// PyTorch's sort of booleans needs another dtype.
const plain = '(a.to(torch.uint8) if a.dtype == torch.bool else a)'
const sort = (x: number[], axis: number, descending = false, dtype: DType = 'float32') =>
  named(
    `${dtype} ${text(x)} axis ${axis}${descending ? ' descending' : ''}`,
    test(
      [input(x, dtype, apart)],
      (a) => Object.values(nt.sort(a, axis, { descending })) as Tensor<never>[],
      `(lambda y: (y[0].to(a.dtype), y[1]))(torch.sort(${plain}, dim=${axis}, descending=${descending ? 'True' : 'False'}, stable=True))`,
      { gradients: isFloat(dtype) ? [0] : [] }
    )
  )
// the first k of a stable sort
const topK = (x: number[], k: number, axis: number, largest = true, dtype: DType = 'float32') =>
  named(
    `${dtype} ${text(x)} ${k} ${largest ? 'largest' : 'smallest'} axis ${axis}`,
    test(
      [input(x, dtype, apart)],
      (a) => Object.values(nt.topK(a, k, { axis, largest })) as Tensor<never>[],
      `(lambda y: (y[0].narrow(${axis}, 0, ${k}).to(a.dtype), y[1].narrow(${axis}, 0, ${k})))(torch.sort(${plain}, dim=${axis}, descending=${largest ? 'True' : 'False'}, stable=True))`,
      { gradients: isFloat(dtype) ? [0] : [] }
    )
  )
const awkward = [3, NaN, 1, -0, 0, 2, Infinity, 0, -Infinity, NaN, -1, 1e-40, -1e-40]
const order = (name: string, values: number[], descending: boolean, dtype: DType = 'float32') =>
  named(
    `${name}${descending ? ' descending' : ''}`,
    test(
      [given(values, dtype)],
      (a) => Object.values(nt.sort(a, 0, { descending })) as Tensor<never>[],
      `torch.sort(a, dim=0, descending=${descending ? 'True' : 'False'}, stable=True)`,
      { gradients: [] }
    )
  )

const x = () => nt.zeros([2, 3])
const i32 = (...values: number[]) => nt.tensor(Int32Array.from(values))

export const indexing = rows({
  gather: {
    cases: cases(
      every.map((dtype) => [
        gather([4, 3], [5], 0, dtype),
        gather([2, 4, 3], [2, 3], 1, dtype),
        gatherAlong([3, 4], 6, 1, dtype)
      ]),
      gather([5], [7], 0, 'float32', 'int64'),
      gather([4, 3], [], 0),
      gather([4, 3], [2, 0], 1),
      gather([1, 3], [4], 0),
      gather([3, 1], [2], -2),
      gather([2, 3], [1, 1, 1, 1, 1, 1, 1], -1),
      gather([7, 130], [40], 0, 'float32', 'int64'),
      gather([3, 40], [70], 1),
      gather([0, 3], [0], 0),
      gather([3, 0], [2], 0),
      gatherAlong([5], 3, 0),
      gatherAlong([4, 3], 5, 0, 'float32', 'int64'),
      gatherAlong([2, 5, 3], 2, 1),
      gatherAlong([2, 1, 3], 3, -2),
      gatherAlong([2, 3], 0, 1),
      gatherAlong([40, 33], 2, 1)
    ),
    errors: [
      {
        name: 'indices of floats',
        call: () => nt.gather(x(), at(nt.zeros([2]) as never)),
        message: /indices of int32 or int64, got float32 \[2\]/
      },
      { name: 'an axis outside', call: () => nt.gather(x(), i32(0), 2), message: /an axis in \[-2, 2\), got 2/ },
      { name: 'a scalar', call: () => nt.gather(nt.zeros([]), i32(0)), message: /no axis .*, got 0/ },
      {
        name: 'nine axes',
        call: () => nt.gather(x(), i32(0).reshape([1, 1, 1, 1, 1, 1, 1, 1])),
        message: /at most 8 axes, got 9 axes/
      },
      {
        name: 'an index too large',
        call: () => nt.gather(x(), i32(0, 2)).dataSync(),
        message: /indices in \[0, 2\), got 2/
      },
      {
        name: 'a negative index',
        call: () => nt.gather(x(), i32(-1), 1).dataSync(),
        message: /indices in \[0, 3\), got -1/
      },
      {
        name: 'an index beyond int32',
        call: () => nt.gather(x(), nt.tensor([2n ** 40n])).dataSync(),
        message: /got 1099511627776/
      },
      {
        name: 'an index along an axis too large',
        call: () => nt.gatherAlong(x(), i32(0, 3).reshape([2, 1])).dataSync(),
        message: /\[0, 3\), got 3/
      },
      {
        name: 'indices along of another shape',
        call: () => nt.gatherAlong(x(), i32(0, 1, 2).reshape([3, 1])),
        message: /got float32 \[2, 3\] and int32 \[3, 1\]/
      },
      {
        name: 'indices along of another rank',
        call: () => nt.gatherAlong(x(), i32(0, 1)),
        message: /got float32 \[2, 3\] and int32 \[2\]/
      },
      { name: 'an axis that is none', call: () => nt.gather(x(), i32(0), 'x' as never), message: /numbers, got 'x'/ },
      ...raw(
        'gather',
        ['half an axis', () => [x(), i32(0)], [0.5, 0], /got 0\.5/],
        ['an axis that is not a number', () => [x(), i32(0)], [NaN, 0], /got nan/]
      ),
      ...counts('gather', 2, [0, 0])
    ]
  },
  scatterAdd: {
    cases: cases(
      numbers.map((dtype) => [
        scatterAdd([4, 3], [6], 0, dtype),
        scatterAdd([2, 4, 3], [2, 3], 1, dtype),
        scatterAddAlong([3, 4], 6, 1, dtype)
      ]),
      scatterAdd([3], [40], 0, 'float32', 'int64'),
      scatterAdd([1, 3], [1], 0),
      scatterAdd([4, 1], [2, 1], 0),
      scatterAdd([4, 3], [], 0),
      scatterAdd([4, 3], [0], 0),
      scatterAdd([3, 5], [2, 2], -1),
      scatterAdd([3, 0], [2], 0),
      scatterAdd([5, 34], [60], 0),
      scatterAdd([1, 2], [5], 0),
      scatterAddAlong([5], 9, 0),
      scatterAddAlong([4, 3], 5, 0),
      scatterAddAlong([2, 1, 3], 4, 1),
      scatterAddAlong([2, 3], 0, 1)
    ),
    errors: [
      {
        name: 'indices of floats',
        call: () => nt.scatterAdd(at(nt.zeros([2]) as never), x(), 2),
        message: /got float32 \[2\]/
      },
      {
        name: 'updates of booleans',
        call: () => nt.scatterAdd(i32(0), nt.zeros([1], { dtype: 'bool' }) as never, 2),
        message: /numbers, got bool \[1\]/
      },
      {
        name: 'updates of another shape',
        call: () => nt.scatterAdd(i32(0, 1, 1), x(), 2),
        message: /got int32 \[3\] and float32 \[2, 3\]/
      },
      {
        name: 'updates of a lower rank',
        call: () => nt.scatterAdd(i32(0, 1).reshape([1, 2]), nt.zeros([2]), 2),
        message: /got int32 \[1, 2\] and float32 \[2\]/
      },
      {
        name: 'updates along of another shape',
        call: () => nt.scatterAddAlong(i32(0, 1), x(), 2),
        message: /got int32 \[2\] and float32 \[2, 3\]/
      },
      {
        name: 'a negative size',
        call: () => nt.scatterAdd(i32(0, 1), x(), -1),
        message: /a size in \[0, \d+\], got -1/
      },
      {
        name: 'an axis outside',
        call: () => nt.scatterAdd(i32(0, 1), x(), 2, 3),
        message: /an axis in \[-2, 2\), got 3/
      },
      {
        name: 'an index too large',
        call: () => nt.scatterAdd(i32(0, 2), x(), 2).dataSync(),
        message: /indices in \[0, 2\), got 2/
      },
      {
        name: 'an index along too large',
        call: () => nt.scatterAddAlong(i32(5), nt.zeros([1]), 5).dataSync(),
        message: /\[0, 5\), got 5/
      },
      {
        name: 'an index with no place',
        call: () =>
          nt
            .scatterAdd(i32(0, 0), x(), 0)
            .sum()
            .add(nt.scatterAdd(i32(-1, 0), x(), 1).sum())
            .dataSync(),
        message: /\[0, 1\), got -1/
      },
      ...raw(
        'scatterAdd',
        ['half a size', () => [i32(0), nt.zeros([1])], [0, 0, 1.5], /got 1\.5/],
        ['a size that is not a number', () => [i32(0), nt.zeros([1])], [0, 0, NaN], /got nan/]
      ),
      ...counts('scatterAdd', 2, [0, 0, 2])
    ]
  },
  sort: {
    cases: cases(
      every.map((dtype) => [sort([5, 4], 0, false, dtype), sort([2, 7], -1, true, dtype)]),
      sort([1, 3], 0),
      sort([3, 1], 1),
      sort([0, 3], 0),
      sort([3, 0], 0),
      sort([1], 0),
      sort([2, 9, 3], 1, true),
      sort([700], 0),
      sort([2, 600], 1, true),
      ...(['bfloat16', 'int32', 'int64', 'uint8'] as const).map((dtype) => sort([600, 2], 0, true, dtype)),
      order('NaN, zeros and infinities', awkward, false),
      order('NaN, zeros and infinities', awkward, true),
      order('the ends of int32', [2 ** 31 - 128, -(2 ** 31), 0, -1, 1, -(2 ** 31)], false, 'int32'),
      order('the ends of int32', [2 ** 31 - 128, -(2 ** 31), 0, -1, 1, -(2 ** 31)], true, 'int64')
    ),
    errors: [
      { name: 'an axis outside', call: () => nt.sort(x(), 2), message: /an axis in \[-2, 2\), got 2/ },
      { name: 'a scalar', call: () => nt.sort(nt.zeros([])), message: /no axis .*, got -1/ },
      { name: 'options that are none', call: () => nt.sort(x(), 0, 3 as never), message: /got 3/ },
      { name: 'an axis that is none', call: () => nt.sort(x(), 'x' as never), message: /got 'x'/ },
      {
        name: 'more elements than int32 counts',
        call: () => nt.sort(nt.zeros([0, 2 ** 31]), 1),
        message: /at most 2\^31 - 1 elements along the axis, got float32 \[0, 2147483648\]/
      },
      ...raw('sort', ['half an axis', () => [x()], [0.5, 0], /got 0\.5/]),
      ...counts('sort', 1, [0, 0])
    ]
  },
  topK: {
    cases: cases(
      every.map((dtype) => [topK([5, 4], 2, 0, true, dtype), topK([2, 7], 3, -1, false, dtype)]),
      topK([6], 6, 0),
      topK([6], 0, 0),
      topK([1, 3], 1, 0),
      topK([0, 3], 2, 1),
      topK([2, 9, 3], 4, 1),
      topK([3, 200], 5, 1),
      topK([3, 200], 150, 1, false)
    ),
    errors: [
      { name: 'more than there are', call: () => nt.topK(x(), 4), message: /k in \[0, 3\], got 4/ },
      { name: 'less than none', call: () => nt.topK(x(), -1), message: /k in \[0, 3\], got -1/ },
      { name: 'half of one', call: () => nt.topK(x(), 0.5), message: /k in \[0, 3\], got 0\.5/ },
      { name: 'a k that is none', call: () => nt.topK(x(), undefined as never), message: /got undefined/ },
      { name: 'an axis outside', call: () => nt.topK(x(), 1, { axis: -3 }), message: /an axis in \[-2, 2\), got -3/ },
      { name: 'options that are none', call: () => nt.topK(x(), 1, null as never), message: /got null/ },
      ...counts('topK', 1, [0, 1, 1])
    ]
  }
})

/** Functions made of the above. */
export const indexings: Record<string, OpCases> = rows({
  embedding: {
    cases: cases(
      floats.map((dtype) =>
        named(
          dtype,
          test(
            [input([7, 5], dtype), indices([2, 3], 7)],
            (a, b) => nt.embedding(a, at(b as never)),
            'F.embedding(b.long(), a)',
            {
              gradients: [0]
            }
          )
        )
      )
    ),
    errors: [
      {
        name: 'indices of floats',
        by: 'gather',
        call: () => nt.embedding(x(), at(x() as never)),
        message: /got float32 \[2, 3\]/
      }
    ]
  },
  oneHot: {
    cases: cases(
      every.map((dtype) =>
        named(
          dtype,
          test(
            [indices([2, 3], 4)],
            (a) => nt.oneHot(at(a as never), 4, { dtype }),
            `cast(F.one_hot(a.long(), 4), '${dtype}')`
          )
        )
      ),
      named(
        'no indices',
        test([indices([0], 4)], (a) => nt.oneHot(at(a as never), 4), 'zeros((0, 4), dtype=torch.float64)')
      ),
      named(
        'int64',
        test([indices([3], 4, 'int64')], (a) => nt.oneHot(at(a as never), 4), 'F.one_hot(a, 4).double()')
      )
    ),
    errors: [
      { name: 'floats', call: () => nt.oneHot(at(x() as never), 3), message: /int32 or int64, got float32/ },
      { name: 'half a class', call: () => nt.oneHot(i32(0), 1.5), message: /got 1\.5/ },
      {
        name: 'an unknown dtype',
        by: 'tensor|full|astype|oneHot',
        call: () => nt.oneHot(i32(0), 2, { dtype: 'float64' as never }),
        message: /got 'float64'/
      },
      {
        name: 'an index too large',
        by: 'scatterAdd',
        call: () => nt.oneHot(i32(3), 3).dataSync(),
        message: /\[0, 3\), got 3/
      }
    ]
  },
  argsort: {
    cases: cases(
      named(
        'float32',
        test([input([2, 7])], (a) => nt.argsort(a), 'argsort(a)', { gradients: [] })
      ),
      named(
        'descending',
        test([input([5, 2])], (a) => nt.argsort(a, 0, { descending: true }), 'argsort(a, 0, True)', { gradients: [] })
      )
    ),
    errors: []
  }
})
