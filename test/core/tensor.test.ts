import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import * as nt from '../../lib/index.js'

describe('tensors', () => {
  it('take the dtype of their values', () => {
    const made: [nt.Tensor<any>, string, number[]][] = [
      [nt.tensor(3), 'float32', []],
      [
        nt.tensor([
          [1, 2],
          [3, 4]
        ]),
        'float32',
        [2, 2]
      ],
      [nt.tensor([true, false]), 'bool', [2]],
      [nt.tensor([1n, 2n]), 'int64', [2]],
      [nt.tensor(new Float64Array([1.5])), 'float32', [1]],
      [nt.tensor(new Int32Array([1, 2]), [2, 1]), 'int32', [2, 1]],
      [nt.tensor(new BigInt64Array(2)), 'int64', [2]],
      [nt.tensor(new Uint8Array(3)), 'uint8', [3]],
      [nt.tensor(new Uint8ClampedArray(3)), 'uint8', [3]],
      [nt.tensor([1, 0, 2], { dtype: 'bool' }), 'bool', [3]],
      [nt.tensor([1, 2], [1, 2], { dtype: 'float16' }), 'float16', [1, 2]],
      [nt.tensor([]), 'float32', [0]],
      [nt.tensor([[], []]), 'float32', [2, 0]]
    ]
    for (const [tensor, dtype, shape] of made) assert.deepEqual([tensor.dtype, [...tensor.shape]], [dtype, shape])
  })
  it('read as typed arrays, nested arrays, numbers and bytes', async () => {
    const reads: [nt.DType, new (n: number) => object, unknown][] = [
      [
        'float32',
        Float32Array,
        [
          [1, 0],
          [2, 3]
        ]
      ],
      [
        'bfloat16',
        Float32Array,
        [
          [1, 0],
          [2, 3]
        ]
      ],
      [
        'float16',
        Float32Array,
        [
          [1, 0],
          [2, 3]
        ]
      ],
      [
        'int32',
        Int32Array,
        [
          [1, 0],
          [2, 3]
        ]
      ],
      [
        'int64',
        BigInt64Array,
        [
          [1n, 0n],
          [2n, 3n]
        ]
      ],
      [
        'uint8',
        Uint8Array,
        [
          [1, 0],
          [2, 3]
        ]
      ],
      [
        'bool',
        Uint8Array,
        [
          [true, false],
          [true, true]
        ]
      ]
    ]
    for (const [dtype, ArrayType, nested] of reads) {
      const tensor: nt.Tensor<any> = nt.tensor(
        [
          [1, 0],
          [2, 3]
        ],
        { dtype }
      )
      assert((await tensor.data()) instanceof ArrayType, dtype)
      assert.deepEqual(await tensor.data(), tensor.dataSync())
      assert.deepEqual(await tensor.array(), nested)
      assert.deepEqual(tensor.arraySync(), nested)
      assert.deepEqual(nt.fromBytes(await tensor.bytes(), [2, 2], dtype).arraySync(), nested)
      assert.equal(await nt.tensor([2], { dtype }).item(), dtype === 'bool' ? 1 : 2)
    }
  })
  it('keep int64 exact', () => {
    const big = 2n ** 62n + 1n
    assert.equal(
      nt
        .tensor([big, -big])
        .add(nt.tensor([1n, 1n]))
        .dataSync()[0],
      big + 1n
    )
  })
  it('round to half precision to the nearest, ties to even', () => {
    const rounded = (values: number[], dtype: nt.FloatDType) => [...nt.tensor(values, { dtype }).dataSync()]
    assert.deepEqual(rounded([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20], 'bfloat16'), [
      1,
      1 + 2 ** -6,
      1 + 2 ** -7
    ])
    assert.deepEqual(rounded([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65520, 2 ** -24, 2 ** -26], 'float16'), [
      1,
      1 + 2 ** -9,
      65504,
      Infinity,
      2 ** -24,
      0
    ])
  })
  it('print readably', () => {
    assert.equal(String(nt.zeros([2, 3])), 'Tensor float32 [2, 3]')
    assert.equal(
      inspect(
        nt.tensor([
          [1, 2.5],
          [-3, 4]
        ])
      ),
      'Tensor float32 [2, 2]\n[[  1, 2.5],\n [ -3,   4]]'
    )
    assert.match(inspect(nt.tensor([true, false])), /true, false/)
    assert(inspect(nt.zeros([100, 100])).split('\n').length < 12)
    assert.match(inspect(nt.zeros([3, 0])), /Tensor float32 \[3, 0\]/)
    const gone = nt.zeros([1])
    gone.dispose()
    assert.equal(inspect(gone), 'Tensor (disposed)')
  })
  it('have shape, rank and size', () => {
    const tensor = nt.zeros([2, 3, 4])
    assert.deepEqual([tensor.rank, tensor.size, tensor.device], [3, 24, 'cpu'])
    assert.throws(() => (tensor.shape as number[]).push(1), TypeError)
  })

  const mistakes: [string, () => unknown, RegExp][] = [
    [
      'ragged arrays',
      () => nt.tensor([[1, 2], [3]]),
      /^Error: tensor: expected arrays of one length \(2\) at depth 1, got one of 1/
    ],
    ['numbers beside arrays', () => nt.tensor([1, [2]] as never), /^Error: tensor: expected /],
    ['strings', () => nt.tensor(['a'] as never), /^Error: tensor: expected numbers, booleans or bigints, got 'a'/],
    [
      'nothing',
      () => nt.tensor(undefined as never),
      /^Error: tensor: expected numbers, nested arrays or a typed array, got undefined/
    ],
    [
      'another number of values',
      () => nt.tensor([1, 2, 3], [2, 2]),
      /^Error: tensor: expected 4 values for the shape \[2, 2\], got 3/
    ],
    [
      'halves as integers',
      () => nt.tensor([1.5], { dtype: 'int32' }),
      /^Error: tensor: expected values that int32 can hold, got 1\.5/
    ],
    [
      'too large integers',
      () => nt.tensor([256], { dtype: 'uint8' }),
      /^Error: tensor: expected values that uint8 can hold, got 256/
    ],
    [
      'too deep nesting',
      () => nt.tensor([[[[[[[[[1]]]]]]]]]),
      /^Error: tensor: expected at most 8 levels of nesting, got more/
    ],
    [
      'an unknown dtype',
      () => nt.tensor([1], { dtype: 'float64' as never }),
      /^Error: tensor: expected a dtype of 'float32', .*got 'float64'/
    ],
    [
      'bytes of another length',
      () => nt.fromBytes(new Uint8Array(3), [1], 'float32'),
      /^Error: \w+: expected 4 bytes .*got 3 bytes/
    ],
    [
      'item of several',
      () => nt.zeros([2]).itemSync(),
      /^Error: item: expected a tensor of one element, got float32 \[2\]/
    ]
  ]
  for (const [name, mistake, message] of mistakes) it(`refuse ${name}`, () => assert.throws(mistake, message))
  it('refuse item of several, later too', async () => {
    await assert.rejects(nt.zeros([2]).item(), /^Error: item: expected a tensor of one element, got float32 \[2\]/)
  })
})

describe('device settings', () => {
  it('threads', () => {
    const before = nt.threads()
    nt.setThreads(1)
    assert.equal(nt.threads(), 1)
    assert.deepEqual(
      [
        ...nt
          .ones([300, 300])
          .matmul(nt.ones([300, 300]))
          .sum()
          .dataSync()
      ],
      [300 ** 3]
    )
    nt.setThreads(before)
    for (const count of [0, 1.5, -1, NaN, 'two', 1e9])
      assert.throws(
        () => nt.setThreads(count as never),
        /^Error: setThreads: expected a whole number from 1 to 1024, got /
      )
  })
  it('the memory limit', () => {
    const { limitBytes } = nt.memory()
    assert(limitBytes > 0)
    for (const bytes of [0, -1, NaN, 'all'])
      assert.throws(
        () => nt.setMemoryLimit(bytes as never),
        /^Error: setMemoryLimit: expected a positive number of bytes, got /
      )
    assert.equal(nt.memory().limitBytes, limitBytes)
  })
  it('synchronize waits, and reports the first failure that nobody has seen', async () => {
    await nt.synchronize()
    nt.crossEntropy(nt.zeros([1, 2]), nt.tensor(Int32Array.of(5)))
    await assert.rejects(nt.synchronize(), /softmaxCrossEntropy: expected labels in \[0, 2\), got 5/)
    await nt.synchronize()
    nt.crossEntropy(nt.zeros([1, 2]), nt.tensor(Int32Array.of(6)))
    assert.throws(() => nt.synchronizeSync(), /got 6/)
    nt.synchronizeSync()
  })
})
