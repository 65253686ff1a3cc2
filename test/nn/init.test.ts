import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const { nn } = nt
const { init } = nn

async function moments(tensor: nt.Tensor) {
  const values = await tensor.data()
  let [low, high, sum, squares] = [Infinity, -Infinity, 0, 0]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
    sum += value
    squares += value * value
  }
  const mean = sum / values.length
  return { low, high, mean, std: Math.sqrt(squares / values.length - mean ** 2) }
}

interface Row {
  name: string
  make: () => nt.Tensor
  /** The largest absolute value, where there is one that values come close to. */
  bound?: number
  std: number
  mean?: number
}

// Weights [64, 3, 5, 32]: fanIn 480, fanOut 960.
const shape = [64, 3, 5, 32]
const rows: Row[] = [
  {
    name: 'kaimingUniform',
    make: () => init.kaimingUniform(shape),
    bound: Math.sqrt(6 / 480),
    std: Math.sqrt(2 / 480)
  },
  {
    name: 'kaimingUniform, fanOut, relu',
    make: () => init.kaimingUniform(shape, { mode: 'fanOut', nonlinearity: 'relu' }),
    bound: Math.sqrt(6 / 960),
    std: Math.sqrt(2 / 960)
  },
  {
    name: 'kaimingUniform, slope sqrt(5)',
    make: () => init.kaimingUniform(shape, { slope: Math.sqrt(5) }),
    bound: 1 / Math.sqrt(480),
    std: 1 / Math.sqrt(3 * 480)
  },
  { name: 'kaimingNormal', make: () => init.kaimingNormal(shape), std: Math.sqrt(2 / 480) },
  {
    name: 'kaimingNormal, tanh',
    make: () => init.kaimingNormal(shape, { nonlinearity: 'tanh' }),
    std: 5 / 3 / Math.sqrt(480)
  },
  {
    name: 'xavierUniform',
    make: () => init.xavierUniform(shape),
    bound: Math.sqrt(6 / 1440),
    std: Math.sqrt(2 / 1440)
  },
  {
    name: 'lecunUniform',
    make: () => init.lecunUniform(shape),
    bound: Math.sqrt(3 / 480),
    std: Math.sqrt(1 / 480)
  },
  { name: 'lecunNormal', make: () => init.lecunNormal(shape), std: Math.sqrt(1 / 480) },
  { name: 'orthogonal, gain 2', make: () => init.orthogonal(shape, { gain: 2 }), std: 2 / Math.sqrt(480) },
  {
    name: 'an initialiser by its name and options',
    make: () =>
      new nn.Conv2d(64, [3, 5], {
        inputs: 32,
        initializer: { name: 'kaimingNormal', mode: 'fanOut', nonlinearity: 'relu' }
      }).weight,
    std: Math.sqrt(2 / 960)
  },
  {
    name: 'a bias by name',
    make: () => new nn.Linear(9, { inputs: 2, biasInitializer: { name: 'constant', value: 3 } }).bias!,
    mean: 3,
    std: 0
  },
  { name: 'xavierNormal, gain 3', make: () => init.xavierNormal(shape, { gain: 3 }), std: 3 * Math.sqrt(2 / 1440) },
  { name: 'uniform', make: () => init.uniform(shape, { low: -2, high: 2 }), bound: 2, std: 2 / Math.sqrt(3) },
  { name: 'normal', make: () => init.normal(shape, { mean: 5, std: 2 }), mean: 5, std: 2 },
  // The deviation of a normal distribution that is cut at two deviations is 0.8796 of its own.
  { name: 'truncatedNormal', make: () => init.truncatedNormal(shape, { std: 0.02 }), bound: 0.04, std: 0.02 * 0.8796 },
  { name: 'zeros', make: () => init.zeros(shape), std: 0 },
  { name: 'ones', make: () => init.ones(shape), mean: 1, std: 0 },
  { name: 'constant', make: () => init.constant(3)(shape), mean: 3, std: 0 },
  {
    name: 'the weight of Linear, as in PyTorch',
    make: () => new nn.Linear(200, { inputs: 150 }).weight,
    bound: 1 / Math.sqrt(150),
    std: 1 / Math.sqrt(3 * 150)
  },
  {
    name: 'the bias of Linear, as in PyTorch',
    make: () => new nn.Linear(20_000, { inputs: 3 }).bias!,
    bound: 1 / Math.sqrt(3),
    std: 1 / 3
  },
  {
    name: 'the weight of Conv2d, as in PyTorch',
    make: () => new nn.Conv2d(64, 3, { inputs: 64, groups: 2 }).weight,
    bound: 1 / Math.sqrt(288),
    std: 1 / Math.sqrt(3 * 288)
  },
  {
    name: 'the bias of Conv2d, as in PyTorch',
    make: () => new nn.Conv2d(20_000, 3, { inputs: 1 }).bias!,
    bound: 1 / 3,
    std: 1 / 3 / Math.sqrt(3)
  },
  {
    name: 'the weight of ConvTranspose2d, as in PyTorch',
    make: () => new nn.ConvTranspose2d(64, 3, { inputs: 32 }).weight,
    bound: 1 / Math.sqrt(64 * 9),
    std: 1 / Math.sqrt(3 * 64 * 9)
  },
  { name: 'the weight of Embedding, as in PyTorch', make: () => new nn.Embedding(300, 100).weight, std: 1 }
]

onEachDevice('initialisers', () => {
  before(() => nt.random.seed(5))

  for (const { name, make, bound, std, mean = 0 } of rows) {
    it(name, async () => {
      const got = await moments(make())
      ok(Math.abs(got.std - std) <= 0.03 * std, `deviation ${got.std}, not ${std}`)
      ok(Math.abs(got.mean - mean) <= 0.03 * std, `mean ${got.mean}, not ${mean}`)
      if (bound === undefined) return
      ok(got.high <= bound && got.low >= -bound, `values up to ${got.high}, ${got.low}`)
      ok(got.high > 0.99 * bound && got.low < -0.99 * bound, `values up to ${got.high}, ${got.low} only`)
    })
  }

  for (const size of [
    [6, 6],
    [3, 2, 2, 5],
    [40, 7]
  ]) {
    it(`orthogonal weights [${size.join(', ')}]`, async () => {
      const weight = init.orthogonal(size, { seed: 3 }).reshape([size[0]!, -1])
      const short = size[0]! > weight.shape[1]! ? weight.transpose() : weight
      const product = (await short.matmul(short.transpose()).array()) as number[][]
      product.forEach((row, i) =>
        row.forEach((value, j) => ok(Math.abs(value - (i === j ? 1 : 0)) < 1e-5, `${i}, ${j}: ${value}`))
      )
    })
  }

  const errors: [string, () => unknown, RegExp][] = [
    ['a weight of one axis', () => init.kaimingUniform([3]), /at least 2 axes, got \[3\]/],
    [
      'an unknown nonlinearity',
      () => init.kaimingNormal([3, 3], { nonlinearity: 'selu' as never }),
      /one of linear, .*got 'selu'/
    ],
    ['an unknown mode', () => init.kaimingNormal([3, 3], { mode: 'fan' as never }), /one of fanIn, fanOut, got 'fan'/]
  ]
  for (const [name, call, message] of errors) it(`refuse ${name}`, () => throws(call, message))
})

onEachDevice('seeds', () => {
  const layer = (seed?: number) => new nn.Linear(4, { inputs: 4, ...(seed === undefined ? {} : { seed }) })
  const values = (one: nt.nn.Linear) => Promise.all([one.weight.data(), one.bias!.data()])

  it('a layer of the same seed has the same weights', async () => {
    deepStrictEqual(await values(layer(7)), await values(layer(7)))
  })

  it('layers of neighbouring seeds, and weight and bias of one, share no values', async () => {
    const all = (await Promise.all([0, 1, 2].map((seed) => values(layer(seed))))).flat().flatMap((data) => [...data])
    strictEqual(new Set(all).size, all.length)
  })

  it('nt.random.seed decides all weights that follow', async () => {
    const draw = () => {
      nt.random.seed(11)
      return Promise.all([values(layer()), values(layer())])
    }
    const [a, b] = [await draw(), await draw()]
    deepStrictEqual(a, b)
    ok(a[0][0][0] !== a[1][0][0])
  })

  it('every initialiser takes one', async () => {
    const { kaimingUniform, kaimingNormal, xavierUniform, xavierNormal, lecunUniform, lecunNormal } = init
    const { uniform, normal, truncatedNormal, orthogonal } = init
    const scaled = [kaimingUniform, kaimingNormal, xavierUniform, xavierNormal, lecunUniform, lecunNormal, orthogonal]
    for (const one of [...scaled, uniform, normal, truncatedNormal]) {
      const [a, b, c] = await Promise.all([1, 1, 2].map((seed) => one([3, 4], { seed }).data()))
      deepStrictEqual(a, b)
      ok(a![0] !== c![0])
    }
  })
})
