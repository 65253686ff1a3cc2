// Random numbers: PyTorch has others; the golden values come from Philox 4x32-10 as scripts/golden.py writes it down.
import * as nt from '../../../lib/index.js'
import { callMany } from '../../../lib/tensor.js'
import { cases, floats, given, rows, test, type AnyTensor, type Case } from '../case.js'
import { raw } from '../raw.js'

const { random } = nt
const row = (name: string, run: () => AnyTensor, torch: string): Case => ({ ...test([], run, torch), name })

/** Numbers from a state, and the state afterwards. */
const fromState = (
  name: string,
  distribution: number,
  a: number,
  b: number,
  dtype: number,
  n: number,
  torch: string,
  blocks: number
): Case => ({
  ...test(
    [given([123, 5], 'int64')],
    (state) => {
      const own = nt.noGrad(() => state.copy())
      const [numbers] = callMany('random', [own], [distribution, 0, 0, a, b, dtype, n])
      return [numbers!, own.copy()]
    },
    `(${torch}, a + torch.tensor([0, ${blocks}]))`
  ),
  name
})

const state = () => nt.tensor(new BigInt64Array([1n, 0n]))
const numbers = { bits: 0, uniform: 1, normal: 2, integers: 3, bernoulli: 4, permutation: 5 }
const seeded = (kind: keyof typeof numbers, a: number, b: number, dtype: number, ...shape: number[]) => [
  numbers[kind],
  1,
  7,
  a,
  b,
  dtype,
  ...shape
]

export const randoms = rows({
  random: {
    cases: cases(
      row('bits', () => random.bits([3, 5], { seed: 7 }), 'random_bits(7, 15).reshape(3, 5)'),
      row('bits of a large seed', () => random.bits([4], { seed: 2 ** 52 + 3 }), 'random_bits(2**52 + 3, 4)'),
      row('bits of seed 0', () => random.bits([1], { seed: 0 }), 'random_bits(0, 1)'),
      row('many bits', () => random.bits([2500], { seed: 3 }), 'random_bits(3, 2500)'),
      floats.map((dtype) =>
        row(`uniform ${dtype}`, () => random.uniform([2, 9], { seed: 7, dtype }), 'random_uniform(7, 18).reshape(2, 9)')
      ),
      row(
        'uniform within bounds',
        () => random.uniform([70], { seed: 8, low: -2, high: 5 }),
        'random_uniform(8, 70, -2, 5)'
      ),
      row('uniform scalar', () => random.uniform([], { seed: 8 }), 'random_uniform(8, 1).reshape(())'),
      row('uniform nothing', () => random.uniform([0, 3], { seed: 8 }), 'random_uniform(8, 0).reshape(0, 3)'),
      floats.map((dtype) =>
        row(`normal ${dtype}`, () => random.normal([3, 7], { seed: 7, dtype }), 'random_normal(7, 21).reshape(3, 7)')
      ),
      row(
        'normal with mean and deviation',
        () => random.normal([1, 130], { seed: 9, mean: 3, std: 0.5 }),
        'random_normal(9, 130, 3, 0.5).reshape(1, 130)'
      ),
      (['int32', 'int64', 'uint8'] as const).map((dtype) =>
        row(
          `integers ${dtype}`,
          () => random.integers([3, 5], 0, 200, { seed: 7, dtype }),
          'random_integers(7, 15, 0, 200).reshape(3, 5)'
        )
      ),
      row(
        'integers below 0',
        () => random.integers([65], -1000000, 17, { seed: 1 }),
        'random_integers(1, 65, -1000000, 17)'
      ),
      row('bernoulli', () => random.bernoulli([4, 5], 0.3, { seed: 7 }), 'random_bernoulli(7, 20, 0.3).reshape(4, 5)'),
      row(
        'bernoulli with a value',
        () => random.bernoulli([40], 0.6, { seed: 2, value: 2.5 }),
        'random_bernoulli(2, 40, 0.6, 2.5)'
      ),
      (['bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const).map((dtype) =>
        row(
          `bernoulli ${dtype}`,
          () => random.bernoulli([19], 0.5, { seed: 7, dtype }),
          `cast(random_bernoulli(7, 19, 0.5), '${dtype}')`
        )
      ),
      row('bernoulli never', () => random.bernoulli([9], 0, { seed: 7 }), 'zeros(9)'),
      row('bernoulli always', () => random.bernoulli([9], 1, { seed: 7 }), 'ones(9)'),
      [0, 1, 2, 10, 100].map((n) =>
        row(`permutation of ${n}`, () => random.permutation(n, { seed: 7 }), `random_permutation(7, ${n})`)
      ),
      fromState('bits from a state', 0, 0, 0, 3, 7, 'random_bits(123, 7, 5)', 2),
      fromState('uniform from a state', 1, 0, 1, 0, 70, 'random_uniform(123, 70, first=5)', 18),
      fromState(
        'integers from a state',
        3,
        0,
        10,
        3,
        5,
        'torch.tensor([(a << 32 | b) * 10 >> 64 for a, b in zip(philox(123, 10, 5)[::2], philox(123, 10, 5)[1::2])])',
        3
      )
    ),
    errors: [
      {
        name: 'bounds the wrong way round',
        by: '(random|random.uniform)',
        call: () => random.uniform([2], { low: 1, high: 0 }),
        message: /the first below the second, got 1 and 0/
      },
      {
        name: 'an infinite bound',
        by: '(random|random.uniform)',
        call: () => random.uniform([2], { high: Infinity }),
        message: /finite bounds, .*got 0 and inf/
      },
      {
        name: 'bounds that float32 cannot tell apart',
        by: '(random|random.uniform)',
        call: () => random.uniform([2], { low: 1, high: 1 + 1e-12 }),
        message: /tell apart .*got 1 and 1/
      },
      {
        name: 'a negative deviation',
        by: '(random|random.normal)',
        call: () => random.normal([2], { std: -1 }),
        message: /got 0 and -1/
      },
      {
        name: 'an infinite mean',
        by: '(random|random.normal)',
        call: () => random.normal([2], { mean: Infinity }),
        message: /got inf and 1/
      },
      {
        name: 'no integers to choose from',
        by: '(random|random.integers)',
        call: () => random.integers([2], 3, 3),
        message: /the first below the second, got 3 and 3/
      },
      {
        name: 'integers that the dtype cannot hold',
        by: '(random|random.integers)',
        call: () => random.integers([2], 0, 300, { dtype: 'uint8' }),
        message: /got 0 and 300/
      },
      {
        name: 'a probability above 1',
        by: '(random|random.bernoulli)',
        call: () => random.bernoulli([2], 1.5),
        message: /a probability in \[0, 1\], got 1\.5/
      },
      {
        name: 'a value that the dtype cannot hold',
        by: '(random|random.bernoulli)',
        call: () => random.bernoulli([2], 0.5, { dtype: 'bool', value: 2 }),
        message: /bool can hold, got 2/
      },
      {
        name: 'an infinite value',
        by: '(random|random.bernoulli)',
        call: () => random.bernoulli([2], 0.5, { value: Infinity }),
        message: /float32 can hold, got inf/
      },
      {
        name: 'a seed that is no whole number',
        by: 'random.normal',
        call: () => random.normal([2], { seed: 0.5 }),
        message: /got 0\.5/
      },
      { name: 'a seed below 0', by: 'random.normal', call: () => random.normal([2], { seed: -1 }), message: /got -1/ },
      { name: 'a shape that is none', by: 'random.normal', call: () => random.normal(2 as never), message: /got 2/ },
      {
        name: 'integers as normal numbers',
        by: '(random|random.normal)',
        call: () => random.normal([2], { dtype: 'int32' as never }),
        message: /got int32/
      },
      ...raw(
        'random',
        ['no dtype', () => [], [1, 1, 7, 0, 1], /got /],
        ['nine axes', () => [], [...seeded('uniform', 0, 1, 0), 1, 1, 1, 1, 1, 1, 1, 1, 1], /8 axes, got 9/],
        ['a distribution that is none', () => [], [6, 1, 7, 0, 1, 0, 2], /a distribution, got 6/],
        ['a dtype that is none', () => [], seeded('uniform', 0, 1, 7, 2), /a dtype, got 7/],
        ['a seed and a state', () => [state()], seeded('uniform', 0, 1, 0, 2), /no inputs beside a seed, got 1/],
        ['half a seed', () => [], [1, 1, 0.5, 0, 1, 0, 2], /a seed .*got 0\.5/],
        ['no state', () => [], [1, 0, 0, 0, 1, 0, 2], /a generator state int64 \[2\], got nothing/],
        [
          'a state of another shape',
          () => [nt.tensor(new BigInt64Array([1n]))],
          [1, 0, 0, 0, 1, 0, 2],
          /got int64 \[1\]/
        ],
        ['half a size', () => [], seeded('uniform', 0, 1, 0, 1.5), /integers from 0, got 1\.5/],
        ['bits as floats', () => [], seeded('bits', 0, 0, 0, 2), /dtype int32, got float32/],
        ['uniform integers', () => [], seeded('uniform', 0, 1, 3, 2), /got int32/],
        ['integers as floats', () => [], seeded('integers', 0, 9, 0, 2), /got float32/],
        ['half an integer bound', () => [], seeded('integers', 0.5, 9, 3, 2), /got 0\.5 and 9/],
        ['a probability that is NaN', () => [], seeded('bernoulli', NaN, 1, 0, 2), /a probability in \[0, 1\], got /],
        ['a permutation of floats', () => [], seeded('permutation', 0, 0, 0, 2), /dtype int32, got float32/],
        ['a permutation of rows', () => [], seeded('permutation', 0, 0, 3, 2, 2), /got int32 \[2, 2\]/]
      )
    ]
  }
})
