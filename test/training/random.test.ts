// Random numbers: known answers, distributions, seeds, and the default generator.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { random, type Tensor } from '../../lib/index.js'
import { near } from './support.js'
import { onEachDevice } from '../support/devices.js'

const words = async (t: Tensor<'int32'>): Promise<string[]> =>
  Array.from(new Uint32Array((await t.data()).buffer), (word) => word.toString(16).padStart(8, '0'))

// Philox 4x32-10 in its simplest form, over BigInt.
function philox(key: bigint, block: bigint): number[] {
  const low = (x: bigint): bigint => x & 0xffffffffn
  let [c0, c1, c2, c3] = [low(block), block >> 32n, 0n, 0n]
  let [k0, k1] = [low(key), key >> 32n]
  for (let round = 0; round < 10; round++) {
    const [a, b] = [0xd2511f53n * c0, 0xcd9e8d57n * c2]
    ;[c0, c1, c2, c3] = [(b >> 32n) ^ c1 ^ k0, low(b), (a >> 32n) ^ c3 ^ k1, low(a)]
    ;[k0, k1] = [low(k0 + 0x9e3779b9n), low(k1 + 0xbb67ae85n)]
  }
  return [c0, c1, c2, c3].map(Number)
}
const stream = (seed: number, n: number): number[] =>
  Array.from({ length: Math.ceil(n / 4) }, (_, i) => philox(BigInt(seed), BigInt(i)))
    .flat()
    .slice(0, n)

const moments = (x: ArrayLike<number>) => {
  const mean = (f: (v: number) => number): number =>
    (Array.prototype.reduce.call(x, (s: unknown, v: unknown) => (s as number) + f(v as number), 0) as number) / x.length
  const m = mean((v) => v)
  const deviation = Math.sqrt(mean((v) => (v - m) ** 2))
  return { m, deviation, skew: mean((v) => ((v - m) / deviation) ** 3), tails: mean((v) => ((v - m) / deviation) ** 4) }
}

onEachDevice('random numbers', () => {
  it("are Random123's Philox 4x32-10", async () => {
    // kat_vectors of Random123: counter 0, key 0.
    assert.deepEqual(await words(random.bits([4], { seed: 0 })), ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8'])
    for (const seed of [1, 2 ** 32, 2 ** 53 - 1]) {
      for (const n of [1, 63, 64, 65, 5000]) {
        const got = new Uint32Array((await random.bits([n], { seed }).data()).buffer)
        assert.deepEqual([...got], stream(seed, n), `${n} words of seed ${seed}`)
      }
    }
  })

  it('uniform takes 24 bits of each word', async () => {
    const got = await random.uniform([7, 100], { seed: 5 }).data()
    assert.deepEqual(
      [...got],
      stream(5, 700).map((word) => (word >>> 8) / 2 ** 24)
    )
    const scaled = await random.uniform([1000], { seed: 5, low: -2, high: 6 }).data()
    near(
      scaled,
      stream(5, 1000).map((word) => ((word >>> 8) / 2 ** 24) * 8 - 2),
      1e-6,
      'in [-2, 6)'
    )
  })

  it('uniform never reaches its upper bound, in any dtype', async () => {
    for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
      for (const [low, high] of [
        [0, 1],
        [-3, -2.5],
        [0.999, 1]
      ] as const) {
        const data = await random.uniform([20000], { seed: 1, low, high, dtype }).data()
        assert.ok(
          data.every((v) => v < high),
          `${dtype} [${low}, ${high})`
        )
        assert.ok(data.some((v) => v > low + 0.9 * (high - low)) || dtype !== 'float32', `${dtype} up to ${high}`)
      }
    }
  })

  it('normal is the transform of Box and Muller', async () => {
    const n = 4096
    const got = await random.normal([n], { seed: 9 }).data()
    const wanted: number[] = []
    const w = stream(9, n)
    for (let i = 0; i < n; i += 2) {
      const radius = Math.sqrt(-2 * Math.log((w[i]! + 0.5) / 2 ** 32))
      const quarter = w[i + 1]! >>> 30
      const angle = ((w[i + 1]! << 2) >> 8) / 2 ** 24 + quarter // in quarters of the circle
      wanted.push(radius * Math.cos((angle * Math.PI) / 2), radius * Math.sin((angle * Math.PI) / 2))
    }
    near(got, wanted, 2e-6, 'normal')
  })

  it('normal has the mean, deviation and tails asked for', async () => {
    const { m, deviation, skew, tails } = moments(
      await random.normal([200, 1000], { seed: 2, mean: 3, std: 0.5 }).data()
    )
    near([m, deviation, skew, tails], [3, 0.5, 0, 3], 0.02, 'moments')
    for (const dtype of ['bfloat16', 'float16'] as const) {
      const half = moments(await random.normal([50_000], { seed: 2, dtype }).data())
      near([half.m, half.deviation], [0, 1], 0.02, dtype)
    }
    assert.deepEqual([...(await random.normal([3], { std: 0, mean: 2 }).data())], [2, 2, 2])
  })

  it('integers are spread evenly over [low, high)', async () => {
    const counts = new Map<number, number>()
    for (const v of await random.integers([60_000], -2, 4, { seed: 3 }).data()) counts.set(v, (counts.get(v) ?? 0) + 1)
    assert.deepEqual(
      [...counts.keys()].sort((a, b) => a - b),
      [-2, -1, 0, 1, 2, 3]
    )
    for (const [value, count] of counts) near([count], [10_000], 0.04, `count of ${value}`)
    const wide = await random.integers([1000], 0, 2 ** 53, { seed: 3, dtype: 'int64' }).data()
    assert.ok(wide.some((v) => v > 2n ** 52n) && wide.every((v) => v >= 0n && v < 2n ** 53n))
    const bytes = await random.integers([5000], 0, 256, { seed: 3, dtype: 'uint8' }).data()
    assert.equal(new Set(bytes).size, 256)
    assert.deepEqual([...(await random.integers([3], -7, -6).data())], [-7, -7, -7])
  })

  it('bernoulli gives its value with its probability', async () => {
    const data = await random.bernoulli([100_000], 0.3, { seed: 4, value: 2.5 }).data()
    assert.deepEqual([...new Set(data)].sort(), [0, 2.5])
    near([data.filter((v) => v > 0).length], [30_000], 0.02, 'how many')
    assert.ok((await random.bernoulli([1000], 1, { dtype: 'bool' }).data()).every((v) => v === 1))
    assert.ok((await random.bernoulli([1000], 0, { dtype: 'int32' }).data()).every((v) => v === 0))
  })

  it('permutations hold each number once, and differ', async () => {
    for (const n of [0, 1, 2, 1000, 50_000]) {
      const data = await random.permutation(n, { seed: 6 }).data()
      assert.deepEqual(
        [...data].sort((a, b) => a - b),
        Array.from({ length: n }, (_, i) => i)
      )
    }
    const first = new Map<string, number>()
    for (let seed = 0; seed < 1200; seed++) {
      const order = String(await random.permutation(3, { seed }).data())
      first.set(order, (first.get(order) ?? 0) + 1)
    }
    assert.equal(first.size, 6)
    for (const [order, count] of first) near([count], [200], 0.25, order)
  })

  it('do not depend on the number of threads', async () => {
    const threads = nt.threads()
    const draw = async (): Promise<unknown[]> =>
      Promise.all([random.normal([100_003], { seed: 1 }), random.uniform([100_003], { seed: 1 })].map((t) => t.data()))
    const before = await draw()
    try {
      nt.setThreads(threads === 1 ? 3 : 1)
      assert.deepEqual(await draw(), before)
    } finally {
      nt.setThreads(threads)
    }
  })

  it('go on without a seed, and start anew from random.seed', async () => {
    const draw = async (): Promise<number[][]> => [
      [...(await random.normal([5]).data())],
      [...(await random.uniform([3]).data())],
      [...(await random.integers([3], 0, 1000).data())],
      [...(await random.permutation(9).data())]
    ]
    random.seed(11)
    const [first, second] = [await draw(), await draw()]
    random.seed(11)
    assert.deepEqual([await draw(), await draw()], [first, second])
    assert.notDeepEqual(first, second)
    random.seed(12)
    assert.notDeepEqual(await draw(), first)
  })

  it('differ between replays, and equal those of eager calls', async () => {
    const body = (x: Tensor): Tensor => nt.dropout(x.add(random.normal([100])), 0.5)
    const run = async (f: (x: Tensor) => Tensor): Promise<number[][]> => {
      random.seed(5)
      const results: number[][] = []
      for (let i = 0; i < 4; i++) results.push([...(await f(nt.ones([100])).data())])
      return results
    }
    const eager = await run(body)
    assert.deepEqual(await run(nt.compile(body)), eager)
    assert.equal(new Set(eager.map(String)).size, 4)
  })

  it('empty shapes give empty tensors', async () => {
    for (const t of [random.normal([0]), random.uniform([2, 0]), random.integers([0, 3], 0, 1), random.bits([0])]) {
      assert.equal((await t.data()).length, 0)
    }
  })

  const refused: [string, () => unknown, RegExp][] = [
    ['a negative seed', () => random.normal([2], { seed: -1 }), /^random.normal: expected a seed .*got -1/],
    ['half a seed', () => random.bits([2], { seed: 0.5 }), /^random.bits: expected a seed .*got 0.5/],
    ['no shape', () => random.uniform(3 as never), /^random.uniform: expected a shape .*got 3/],
    ['options that are none', () => random.uniform([3], 1 as never), /an object of options, got 1/],
    ['bounds in the wrong order', () => random.uniform([3], { low: 1, high: 1 }), /^random: expected .*got 1 and 1/],
    ['an infinite bound', () => random.uniform([3], { high: Infinity }), /^random: expected finite bounds/],
    [
      'bounds that are equal in float32',
      () => random.uniform([3], { low: 1, high: 1 + 1e-9 }),
      /float32 can tell apart/
    ],
    ['a negative deviation', () => random.normal([3], { std: -1 }), /a deviation of at least 0, got 0 and -1/],
    ['a mean of NaN', () => random.normal([3], { mean: NaN }), /^random.normal: expected a number as mean, got NaN/],
    ['integers of floats', () => random.integers([3], 0, 5, { dtype: 'float32' as never }), /int32, int64 or uint8/],
    [
      'floats of integers',
      () => random.normal([3], { dtype: 'int32' as never }),
      /float32, bfloat16 or float16, got int32/
    ],
    ['a bound outside of the dtype', () => random.integers([3], 0, 257, { dtype: 'uint8' }), /bounds of uint8/],
    ['integers of nothing', () => random.integers([3], 5, 5), /the first below the second, got 5 and 5/],
    ['a probability above 1', () => random.bernoulli([3], 1.5), /a probability in \[0, 1\], got 1.5/],
    [
      'a value that the dtype cannot hold',
      () => random.bernoulli([3], 0.5, { dtype: 'bool', value: 2 }),
      /bool can hold, got 2/
    ],
    ['a negative permutation', () => random.permutation(-1), /^random.permutation: expected a whole number from 0/],
    ['a permutation too long', () => random.permutation(2 ** 31), /fewer than 2\^31/],
    ['an unknown dtype', () => random.normal([3], { dtype: 'float64' as never }), /got 'float64'/],
    ['a seed that is none', () => random.seed('x' as never), /^random.seed: expected a whole number/]
  ]
  for (const [name, call, message] of refused) {
    it(`refuse ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
})

onEachDevice('dropout', () => {
  it('keeps the mean, and its gradient passes where the value did', async () => {
    const x = nt.requireGradient(nt.ones([10_000]))
    const y = nt.dropout(x, 0.2, { seed: 1 })
    const values = await y.data()
    assert.deepEqual([...new Set(values)].sort(), [0, 1.25])
    near([values.reduce((a, b) => a + b) / values.length], [1], 0.02, 'mean')
    const [gradient] = nt.backward(y.sum(), [x])
    assert.deepEqual(await gradient!.data(), values)
  })

  it('passes everything in use, nothing at 1', async () => {
    const x = nt.ones([4])
    assert.equal(nt.dropout(x, 0.5, { training: false }), x)
    assert.equal(x.dropout(0), x)
    assert.deepEqual([...(await x.dropout(1).data())], [0, 0, 0, 0])
  })

  it('refuses what is no probability', () => {
    assert.throws(() => nt.dropout(nt.ones([2]), 1.1), /^Error: dropout: expected a probability in \[0, 1\], got 1.1/)
    assert.throws(() => nt.dropout(3 as never), /^Error: dropout: expected a tensor, got 3/)
  })
})
