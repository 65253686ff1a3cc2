// Networks as data and back, and what is refused of data that comes from anywhere.
import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const { nn } = nt

const network = () =>
  new nn.Sequential({
    stem: new nn.Conv2d(4, 3, { padding: 'same', activation: 'relu', bias: undefined }),
    block: new nn.Residual(
      new nn.Sequential(new nn.BatchNorm({ inputs: 4 }), new nn.Conv2d(4, [3, 1], { padding: [1, 0] }))
    ),
    pool: new nn.AdaptiveAvgPool2d(2),
    flat: new nn.Flatten(),
    drop: new nn.Dropout(0.3),
    head: new nn.Linear(3, {
      initializer: nn.init.xavierNormal,
      biasInitializer: { name: 'constant', value: 2 },
      seed: 5
    }),
    groups: new nn.ClassGroups([0, 1, 0])
  })

const data = {
  type: 'Sequential',
  arguments: [
    {
      stem: { type: 'Conv2d', arguments: [4, [3, 3], { padding: 'same', activation: 'relu' }] },
      block: {
        type: 'Residual',
        arguments: [
          {
            type: 'Sequential',
            arguments: [
              { type: 'BatchNorm', arguments: [{ inputs: 4 }] },
              { type: 'Conv2d', arguments: [4, [3, 1], { padding: [1, 0] }] }
            ]
          }
        ]
      },
      pool: { type: 'AdaptiveAvgPool2d', arguments: [2] },
      flat: { type: 'Flatten', arguments: [1] },
      drop: { type: 'Dropout', arguments: [0.3] },
      head: {
        type: 'Linear',
        arguments: [3, { initializer: 'xavierNormal', biasInitializer: { name: 'constant', value: 2 }, seed: 5 }]
      },
      groups: { type: 'ClassGroups', arguments: [[0, 1, 0]] }
    }
  ]
}

/** Objects as the reader of files of unknown origin gives them. */
const asMaps = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(asMaps)
  if (typeof value !== 'object' || value === null) return value
  return new Map(Object.entries(value).map(([name, item]) => [name, asMaps(item)]))
}

onEachDevice('configs', () => {
  it('tell a network by the arguments of its modules', () => deepStrictEqual(nn.toConfig(network()), data))

  for (const [name, of] of [
    ['objects', data],
    ['JSON', JSON.parse(JSON.stringify(data))],
    ['maps', asMaps(data)]
  ] as const) {
    it(`make it anew from ${name}`, async () => {
      const [first, again] = [network(), nn.fromConfig(of)]
      deepStrictEqual(nn.toConfig(again), data)
      const input = [1, 5, 5, 3]
      strictEqual(again.summary(input), first.summary(input))
      // The seed and the initialisers came along.
      for (const key of ['head.weight', 'head.bias']) {
        deepStrictEqual(await again.namedParameters().get(key)!.data(), await first.namedParameters().get(key)!.data())
      }
    })
  }

  it('of modules in use and in training are the same', () => {
    deepStrictEqual(nn.toConfig(network().eval().freeze()), data)
    ok(nn.fromConfig(data).training)
  })

  it('keep what was given when options are changed afterwards', () => {
    const options: nt.nn.LinearOptions = { bias: false }
    const layer = new nn.Linear(2, options)
    options.bias = true
    deepStrictEqual(nn.toConfig(layer), { type: 'Linear', arguments: [2, { bias: false }] })
  })

  class Mine extends nn.Linear {}
  const shared = new nn.Linear(2)
  const untold: Record<string, nt.nn.Module> = {
    'a class of its own': new nn.Sequential(new nn.ReLU(), new Mine(2)),
    'a module in two places': new nn.Sequential(shared, new nn.ReLU(), shared),
    'an initialiser of its own': new nn.Linear(2, { initializer: (shape) => nt.ones(shape) })
  }
  for (const [name, module] of Object.entries(untold)) {
    it(`don't tell ${name}`, () => strictEqual(nn.toConfig(module), undefined))
  }

  const linear = (...args: unknown[]) => ({ type: 'Linear', arguments: args })
  const deep = Array.from({ length: 80 }).reduce<unknown>(
    (inner) => ({ type: 'Sequential', arguments: [inner] }),
    linear(1)
  )
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  const refused: [string, unknown, RegExp][] = [
    ['nothing', undefined, /a module \(\{ type, arguments \}\) at config, got undefined/],
    ['a text', JSON.stringify(data), /a module .* at config, got '\{/],
    ['no type', { arguments: [] }, /a module .* at config/],
    ['a class that is none of the library', { type: 'Evil' }, /a type of Conv1d, .* at config, got 'Evil'/],
    ['a name of Object', { type: 'constructor' }, /got 'constructor'/],
    ['a name of Map', { type: 'get' }, /got 'get'/],
    ['a module that is none of the layers', { type: 'Module' }, /got 'Module'/],
    ['arguments that are no array', { type: 'Linear', arguments: { 0: 3 } }, /an array at config.arguments/],
    [
      'more than type and arguments',
      { type: 'ReLU', arguments: [], code: '1' },
      /type and arguments alone .*got 'code'/
    ],
    [
      '__proto__',
      JSON.parse('{"type": "Linear", "arguments": [2, {"__proto__": {"bias": false}}]}'),
      /got '__proto__'/
    ],
    ['constructor as an option', linear(2, { constructor: 1 }), /got 'constructor'/],
    ['an unknown option', linear(2, { biass: true }), /fromConfig: Linear: expected options of .*at config/],
    [
      'a size below 1, deep inside',
      { type: 'Sequential', arguments: [linear(2), linear(0)] },
      /outputs from 1, got 0.*at config.arguments\[1\]/
    ],
    [
      'a function',
      linear(2, { initializer: () => nt.ones([1]) }),
      /a value of JSON at config.arguments\[1\].initializer/
    ],
    ['an unknown initialiser', linear(2, { initializer: 'toString' }), /got 'toString'/],
    ['an initialiser without a name', linear(2, { initializer: {} }), /a function as initializer/],
    ['a tensor', linear(nt.ones([2])), /a value of JSON at/],
    ['a date', linear(new Date(0)), /a value of JSON at/],
    ['too many levels', deep, /at most 64 levels/],
    ['a circle', linear(cyclic), /at most 64 levels/],
    ['too many values', linear(new Array(200_000).fill(0)), /at most 100000 values/],
    [
      'more weights than allowed',
      linear(2 ** 20, { inputs: 2 ** 20 }),
      /Linear: expected at most 268435456 elements more/
    ],
    ['more vectors than allowed', { type: 'Embedding', arguments: [2 ** 30, 2 ** 20] }, /Embedding: expected at most/],
    ['something that is no module in a block', { type: 'Residual', arguments: [3] }, /a module as body, got 3/]
  ]
  for (const [name, config, message] of refused) {
    it(`refuse ${name}`, () => throws(() => nn.fromConfig(config), { message }))
  }

  it('bound the weights of all layers together', () => {
    const two = { type: 'Sequential', arguments: [linear(10, { inputs: 9, bias: false }), linear(1, { inputs: 10 })] }
    strictEqual(nn.fromConfig(two, { maxParameters: 101 }).parameterCount, 101)
    throws(() => nn.fromConfig(two, { maxParameters: 100 }), /at most 0 elements more/)
    throws(() => nn.fromConfig(two, { maxParameters: -1 }), /maxParameters from 0, got -1/)
    strictEqual(new nn.Linear(200, { inputs: 200 }).parameterCount, 40_200)
  })

  it('toConfig takes modules alone', () => throws(() => nn.toConfig(3 as never), /toConfig: expected a module, got 3/))
})

onEachDevice('FlipAverage', () => {
  const classifier = () => new nn.Sequential(new nn.Flatten(), new nn.Linear(3, { seed: 1 }))
  const x = nt.random.normal([2, 4, 5, 3], { seed: 2 })

  it('in training is the module itself', async () => {
    const inner = classifier()
    deepStrictEqual(await new nn.FlipAverage(inner).forward(x).data(), await inner.forward(x).data())
  })

  it('in use gives the logarithm of the mean of both softmaxes', async () => {
    const inner = classifier()
    const got = await new nn.FlipAverage(inner).eval().forward(x).exp().data()
    const both = nt.softmax(inner.forward(x)).add(nt.softmax(inner.forward(nt.flip(x, 2))))
    const wanted = await both.mul(0.5).data()
    wanted.forEach((value, i) => ok(Math.abs(got[i]! - value) < 1e-6))
    ok(Math.abs(got[0]! - (await nt.softmax(inner.forward(x)).data())[0]!) > 1e-3)
  })
})

onEachDevice('ClassGroups', () => {
  const scores = nt.tensor([
    [1, 2, 3, 4],
    [0, 200, 0, -200]
  ])

  it('in training passes the fine scores on', () =>
    strictEqual(new nn.ClassGroups([0, 1, 0, 0]).forward(scores), scores))

  it('in use gives the logarithm of the summed probabilities, also of tiny ones', async () => {
    const got = await new nn.ClassGroups([2, 1, 0, 0]).eval().forward(scores).data()
    const total = [1, 2, 3, 4].reduce((sum, score) => sum + Math.exp(score), 0)
    const first = [Math.exp(3) + Math.exp(4), Math.exp(2), Math.exp(1)].map((value) => Math.log(value / total))
    const wanted = [...first, -200, 0, -200]
    wanted.forEach((value, i) => ok(Math.abs(got[i]! - value) < 1e-5 * Math.max(1, Math.abs(value)), `${i}: ${got[i]}`))
  })

  it('says how many it puts together', () =>
    strictEqual(new nn.ClassGroups([0, 1, 1]).toString().split('\n')[0], 'ClassGroups(3 to 2)'))

  const refused: [string, () => unknown, RegExp][] = [
    ['no groups', () => new nn.ClassGroups([]), /an array of class numbers, got \[\]/],
    ['half a class', () => new nn.ClassGroups([0, 0.5]), /classes in \[0, 2\), got 0.5/],
    ['a class without members', () => new nn.ClassGroups([0, 2, 2]), /a fine class for each of 3, got none for 1/],
    ['other scores', () => new nn.ClassGroups([0, 1]).forward(scores), /scores \[n, ..., 2\], got \[2, 4\]/]
  ]
  for (const [name, call, message] of refused) it(`refuses ${name}`, () => throws(call, { message }))
})

onEachDevice('adaptive pools', () => {
  it('work in compiled functions that make their windows', async () => {
    const pool = new nn.AdaptiveAvgPool2d(3)
    const x = nt.random.uniform([1, 7, 5, 2], { seed: 1 })
    const step = nt.compile((input: nt.Tensor) => pool.forward(input))
    const wanted = await new nn.AdaptiveAvgPool2d(3).forward(x).data()
    for (let i = 0; i < 3; i++) deepStrictEqual(await step(x).data(), wanted)
    const later = new nn.AdaptiveMaxPool2d(2)
    let first = true
    const inside = nt.compile((input: nt.Tensor) => {
      if (first) return ((first = false), input.mul(1))
      return later.forward(input) // its windows are made while recording
    })
    inside(x)
    for (let i = 0; i < 2; i++) {
      deepStrictEqual(await inside(x).data(), await new nn.AdaptiveMaxPool2d(2).forward(x).data())
    }
    deepStrictEqual(await later.forward(x).data(), await new nn.AdaptiveMaxPool2d(2).forward(x).data())
  })

  it('pass the gradient to the places of each window', async () => {
    const x = nt.requireGradient(nt.random.uniform([1, 3, 3, 1], { seed: 1 }))
    const [gradient] = nt.backward(new nn.AdaptiveAvgPool2d(2).forward(x).sum(), [x])
    deepStrictEqual(await gradient!.array(), [
      [
        [[0.25], [0.5], [0.25]],
        [[0.5], [1], [0.5]],
        [[0.25], [0.5], [0.25]]
      ]
    ])
  })

  it('refuse images without pixels, and other ranks', () => {
    throws(() => new nn.AdaptiveAvgPool2d(2).forward(nt.zeros([1, 0, 3, 1])), /images with pixels, got \[1, 0, 3, 1\]/)
    throws(
      () => new nn.AdaptiveMaxPool2d(2).forward(nt.zeros([3, 3])),
      /AdaptiveMaxPool2d: expected a tensor of rank 4/
    )
    throws(() => new nn.AdaptiveAvgPool2d(0), /AdaptiveAvgPool2d: expected a size from 1, got 0/)
  })
})
