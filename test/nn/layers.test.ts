// Every layer against PyTorch: test/nn/golden.safetensors is made by scripts/golden-nn.py.
import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { temporaryFolder } from '../support/temporary.js'
import { onEachDevice } from '../support/devices.js'

const { nn } = nt

/** The layers of golden.safetensors; 'use' is the mode without training. */
const layers: Record<string, () => nt.nn.Module> = {
  linear: () => new nn.Linear(5),
  'linear without bias': () => new nn.Linear(5, { bias: false }),
  'linear relu': () => new nn.Linear(5, { activation: 'relu' }),
  'linear tanh': () => new nn.Linear(5, { activation: 'tanh' }),
  conv2d: () => new nn.Conv2d(4, 3),
  'conv2d same relu': () => new nn.Conv2d(4, 3, { padding: 'same', activation: 'relu' }),
  'conv2d stride dilation': () => new nn.Conv2d(4, [3, 2], { stride: [2, 1], padding: [2, 1], dilation: [2, 1] }),
  'conv2d groups': () => new nn.Conv2d(6, 3, { groups: 2, bias: false }),
  'conv2d silu': () => new nn.Conv2d(4, 1, { activation: 'silu' }),
  conv1d: () => new nn.Conv1d(4, 3, { stride: 2, padding: 1 }),
  convTranspose2d: () => new nn.ConvTranspose2d(4, 3, { stride: 2, padding: 1 }),
  maxPool2d: () => new nn.MaxPool2d(2),
  'maxPool2d stride': () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  avgPool2d: () => new nn.AvgPool2d(3, { stride: 2, padding: 1 }),
  'avgPool2d padding': () => new nn.AvgPool2d([3, 2], { stride: 2, padding: 1, countPadding: true }),
  maxPool1d: () => new nn.MaxPool1d(3, { stride: 2, padding: 1 }),
  avgPool1d: () => new nn.AvgPool1d(2),
  globalAvgPool2d: () => new nn.GlobalAvgPool2d(),
  globalMaxPool2d: () => new nn.GlobalMaxPool2d(),
  'adaptiveAvgPool2d even': () => new nn.AdaptiveAvgPool2d([2, 4]),
  'adaptiveAvgPool2d uneven': () => new nn.AdaptiveAvgPool2d([3, 5]),
  'adaptiveAvgPool2d larger': () => new nn.AdaptiveAvgPool2d(6),
  'adaptiveAvgPool2d one': () => new nn.AdaptiveAvgPool2d(1),
  'adaptiveMaxPool2d even': () => new nn.AdaptiveMaxPool2d([2, 4]),
  'adaptiveMaxPool2d uneven': () => new nn.AdaptiveMaxPool2d([3, 5]),
  'adaptiveMaxPool2d larger': () => new nn.AdaptiveMaxPool2d(6),
  'batchNorm training': () => new nn.BatchNorm({ momentum: 0.3 }),
  batchNorm: () => new nn.BatchNorm().eval(),
  'batchNorm flat': () => new nn.BatchNorm({ epsilon: 1e-3 }),
  layerNorm: () => new nn.LayerNorm(),
  'layerNorm axes': () => new nn.LayerNorm({ axes: 2 }),
  groupNorm: () => new nn.GroupNorm(2),
  instanceNorm: () => new nn.InstanceNorm(),
  rmsNorm: () => new nn.RMSNorm(),
  flatten: () => new nn.Flatten(),
  relu: () => new nn.ReLU(),
  gelu: () => new nn.GELU(),
  sigmoid: () => new nn.Sigmoid(),
  tanh: () => new nn.Tanh(),
  silu: () => new nn.SiLU(),
  softplus: () => new nn.Softplus(),
  elu: () => new nn.ELU(0.7),
  leakyRelu: () => new nn.LeakyReLU(0.2),
  relu6: () => new nn.ReLU6(),
  hardSigmoid: () => new nn.HardSigmoid(),
  hardSwish: () => new nn.HardSwish(),
  mish: () => new nn.Mish(),
  selu: () => new nn.SELU(),
  prelu: () => new nn.PReLU(),
  softmax: () => new nn.Softmax(),
  logSoftmax: () => new nn.LogSoftmax(),
  embedding: () => new nn.Embedding(7, 3),
  residual: () =>
    new nn.Residual(new nn.Conv2d(4, 3, { padding: 'same' }), new nn.Conv2d(4, 1), { activation: 'relu' }),
  network: () =>
    new nn.Sequential(
      new nn.Conv2d(4, 3, { padding: 'same', activation: 'relu' }),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(8, { activation: 'relu' }),
      new nn.Linear(2)
    )
}

type Golden = Map<string, nt.Tensor<nt.DType>>

onEachDevice('layers give what PyTorch gives', () => {
  const path = temporaryFolder()
  let golden: Golden

  before(async () => {
    const file = await nt.io.readSafetensors(join(import.meta.dirname, 'golden.safetensors'))
    golden = file.tensors
  })

  /** The tensors under `<name>/<part>/`. */
  const part = (name: string, part: string) => {
    const prefix = `${name}/${part}/`
    return [...golden]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value] as const)
  }

  async function close(actual: nt.Tensor<nt.DType>, wanted: nt.Tensor<nt.DType>, what: string) {
    deepStrictEqual(actual.shape, wanted.shape, what)
    const [a, b] = await Promise.all([actual.data(), wanted.data()])
    b.forEach((value: number | bigint, i: number) => {
      const error = Math.abs(Number(a[i]) - Number(value))
      ok(error <= 1e-5 * (1 + Math.abs(Number(value))), `${what}[${i}]: ${a[i]}, in PyTorch ${value}`)
    })
  }

  for (const [name, make] of Object.entries(layers)) {
    it(name, async () => {
      const state = part(name, 'state')
      const layer = make()
      const x = golden.get(`${name}/input`)!
      await nt.io.writeSafetensors(path('state'), state, { 'layout.convolution': 'OHWI', 'layout.linear': 'out,in' })
      await layer.load(path('state'))
      await close(layer.forward(x), golden.get(`${name}/output`)!, 'output')
      const after = part(name, 'after')
      strictEqual(after.length, layer instanceof nn.BatchNorm && layer.training ? 2 : 0)
      for (const [key, value] of after) await close(layer.namedBuffers().get(key)!, value, key)
    })

    it(`${name}: built by its first input instead of by the file`, async () => {
      const layer = make()
      const x = golden.get(`${name}/input`)!
      const result = layer.forward(x)
      deepStrictEqual(result.shape, golden.get(`${name}/output`)!.shape)
      const made = [...layer.namedParameters(), ...layer.namedBuffers()].map(([key, { shape }]) => [key, shape])
      const stored = part(name, 'state').map(([key, { shape }]) => [key, shape])
      deepStrictEqual(Object.fromEntries(made), Object.fromEntries(stored))
    })
  }

  for (const [name, make] of Object.entries(layers)) {
    it(`${name}: made anew from its config`, async () => {
      const layer = make()
      const config = nn.toConfig(layer)
      const again = nn.fromConfig(JSON.parse(JSON.stringify(config))).train(layer.training)
      deepStrictEqual(nn.toConfig(again), config)
      const state = part(name, 'state')
      await nt.io.writeSafetensors(path('state'), state, { 'layout.convolution': 'OHWI', 'layout.linear': 'out,in' })
      await again.load(path('state'))
      await close(again.forward(golden.get(`${name}/input`)!), golden.get(`${name}/output`)!, 'output')
    })
  }

  it('has a row for each layer of the file', () => {
    deepStrictEqual([...new Set([...golden.keys()].map((key) => key.split('/')[0]))].sort(), Object.keys(layers).sort())
  })
})

onEachDevice('dropout', () => {
  const x = nt.ones([100, 100])

  it('in training keeps the mean', async () => {
    nt.random.seed(3)
    const values = (await new nn.Dropout(0.25).forward(x).data()) as Float32Array
    const kept = values.filter((value) => value !== 0)
    ok(kept.every((value) => Math.abs(value - 4 / 3) < 1e-6))
    ok(Math.abs(kept.length / values.length - 0.75) < 0.02, `${kept.length} kept`)
  })

  it('differs from call to call', async () => {
    const layer = new nn.Dropout()
    const [a, b] = await Promise.all([layer.forward(x).data(), layer.forward(x).data()])
    ok(a.some((value, i) => value !== b[i]))
  })

  it('of channels drops whole ones, each sample its own', async () => {
    nt.random.seed(4)
    const y = (await new nn.ChannelDropout(0.5).forward(nt.ones([8, 3, 2, 16])).array()) as number[][][][]
    for (const sample of y) {
      for (const place of sample.flat()) deepStrictEqual(place, sample[0]![0])
    }
    const kept = new Set(y.map((sample) => sample[0]![0]!.join()))
    ok(kept.size === 8 && [...kept].join().replaceAll(',', '').replaceAll('0', '').replaceAll('2', '') === '')
    strictEqual(new nn.ChannelDropout(0.5).eval().forward(x), x)
    throws(() => new nn.ChannelDropout().forward(nt.ones([3])), /an input of at least 2 axes, got \[3\]/)
  })

  it('in use, and at rate 0, passes its input on', () => {
    strictEqual(new nn.Dropout(0.5).eval().forward(x), x)
    strictEqual(new nn.Dropout(0).forward(x), x)
  })
})

onEachDevice('what layers refuse', () => {
  const image = nt.ones([2, 8, 8, 3])
  const cases: [string, () => unknown, RegExp][] = [
    ['no filters', () => new nn.Conv2d(0, 3), /^Conv2d: expected filters from 1, got 0/],
    ['filters as text', () => new nn.Conv2d('32' as never, 3), /^Conv2d: expected filters from 1, got '32'/],
    ['half a kernel', () => new nn.Conv2d(4, 1.5), /^Conv2d: expected a kernel from 1, got 1.5/],
    [
      'a kernel of three sizes',
      () => new nn.Conv2d(4, [3, 3, 3] as never),
      /a kernel from 1 as a number or \[height, width\], got \[3, 3, 3\]/
    ],
    ['a stride of 0', () => new nn.Conv2d(4, 3, { stride: 0 }), /^Conv2d: expected a stride from 1, got 0/],
    [
      'another padding',
      () => new nn.Conv2d(4, 3, { padding: 'full' as never }),
      /a padding of 'same', 'valid', got 'full'/
    ],
    ['a negative padding', () => new nn.Conv2d(4, 3, { padding: -1 }), /^Conv2d: expected a padding from 0, got -1/],
    ['groups that split no filters', () => new nn.Conv2d(4, 3, { groups: 3 }), /filters that 3 groups divide, got 4/],
    [
      'groups that split no channels',
      () => new nn.Conv2d(4, 3, { groups: 2 }).forward(image),
      /input channels that 2 groups divide, got 3/
    ],
    [
      'a mistyped option',
      () => new nn.Conv2d(4, 3, { activaton: 'relu' } as never),
      /options of .*got 'activaton'. Did you mean 'activation'/
    ],
    [
      'an unknown activation',
      () => new nn.Linear(4, { activation: 'rulu' as never }),
      /activation as one of relu, .*got 'rulu'/
    ],
    ['an activation off the prototype', () => new nn.Linear(4, { activation: 'toString' as never }), /got 'toString'/],
    ['null as options', () => new nn.Linear(4, null as never), /an object of options, got null/],
    [
      'an initialiser that is none',
      () => new nn.Linear(4, { initializer: 'zero' as never }),
      /^Linear: expected a function as initializer, or one of .*got 'zero'/
    ],
    [
      'an initialiser of another shape',
      () => new nn.Linear(4, { inputs: 2, initializer: () => nt.ones([2, 4]) }),
      /^Linear\.weight: expected float32 \[4, 2\] from the initializer, got float32 \[2, 4\]/
    ],
    [
      'an initialiser of nothing',
      () => new nn.Linear(4, { inputs: 2, initializer: () => undefined as never }),
      /^Linear\.weight: .*got undefined/
    ],
    ['a negative seed', () => new nn.Linear(4, { seed: -1 }), /^Linear: expected a seed/],
    [
      'a flat input to a convolution',
      () => new nn.Conv2d(4, 3).forward(nt.ones([2, 8])),
      /an input of 4 axes, got \[2, 8\]/
    ],
    [
      'a scalar to a linear layer',
      () => new nn.Linear(4).forward(nt.tensor(1)),
      /an input of at least 1 axes, got \[\]/
    ],
    [
      'one axis to a batch norm',
      () => new nn.BatchNorm().forward(nt.ones([3])),
      /^BatchNorm: expected an input of at least 2 axes, got \[3\]/
    ],
    ['a number to a linear layer', () => new nn.Linear(4).forward(3 as never), /^Linear: expected a tensor, got 3/],
    ['other channels than at first', () => new nn.Conv2d(4, 3, { inputs: 1 }).forward(image), /conv2d: expected/],
    ['a rate above 1', () => new nn.Dropout(1.5), /^Dropout: expected rate in \[0, 1\], got 1.5/],
    [
      'groups that split no channels in a norm',
      () => new nn.GroupNorm(2).forward(image),
      /channels in 2 groups of one size, got 3/
    ],
    ['no groups', () => new nn.GroupNorm(0), /^GroupNorm: expected groups from 1, got 0/],
    ['a pool of 0', () => new nn.MaxPool2d(0), /^MaxPool2d: expected a window size from 1, got 0/],
    ['no embedding', () => new nn.Embedding(0, 3), /^Embedding: expected count from 1, got 0/],
    [
      'a weight before the first input',
      () => new nn.Linear(4).weight,
      /^Linear\.weight: expected a layer that knows its input size/
    ],
    [
      'parameters before the first input',
      () => new nn.Sequential(new nn.Linear(4)).parameters(),
      /got Linear 0 before its first input. Call forward, build/
    ],
    [
      'something in Sequential that is no module',
      () => new nn.Sequential(3 as never),
      /^Sequential: expected a module as 0, got 3/
    ],
    [
      'a name with a dot in Sequential',
      () => new nn.Sequential({ 'a.b': new nn.ReLU() }),
      /names without dots, got 'a.b'/
    ],
    ['a name that Sequential has not', () => new nn.Sequential({ a: new nn.ReLU() }).get('b'), /one of a, got 'b'/],
    [
      'something that is no tensor as a parameter',
      () => nn.parameter([1] as never),
      /^parameter: expected a tensor, got \[1\]/
    ]
  ]
  for (const [name, call, message] of cases) it(name, () => throws(call, { message }))

  it('a wrong input leaves a layer that a right one can still build', () => {
    const layer = new nn.Conv2d(4, 3)
    throws(() => layer.forward(nt.ones([2, 8])))
    strictEqual(layer.built, false)
    deepStrictEqual(layer.forward(image).shape, [2, 6, 6, 4])
  })
})
