import { deepStrictEqual, match, rejects, strictEqual } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { temporaryFolder } from '../support/temporary.js'
import { onEachDevice } from '../support/devices.js'

const { nn } = nt
const LAYOUT = { 'layout.convolution': 'OHWI', 'layout.linear': 'out,in' }

class Digits extends nn.Module {
  conv = new nn.Conv2d(4, 3)
  norm = new nn.BatchNorm()
  head = new nn.Linear(10)

  forward(x: nt.Tensor): nt.Tensor {
    return this.head.forward(nt.relu(this.norm.forward(this.conv.forward(x))).flatten(1))
  }
}

const input = () => nt.random.normal([2, 6, 6, 1], { seed: 1 })

async function state(module: nt.nn.Module) {
  const named = [...module.namedParameters(), ...module.namedBuffers()]
  return new Map(await Promise.all(named.map(async ([name, tensor]) => [name, await tensor.array()] as const)))
}

onEachDevice('save and load', () => {
  const path = temporaryFolder()
  let network: Digits

  before(async () => {
    network = new Digits()
    network.forward(input())
    await network.save(path('digits'), { metadata: { classes: 'ten' } })
  })

  it('a copy that has seen no input takes its sizes from the file', async () => {
    const copy = new Digits()
    strictEqual(await copy.load(path('digits')), copy)
    deepStrictEqual(await state(copy), await state(network))
    strictEqual(copy.parameters().length, 6)
    network.eval()
    deepStrictEqual(await copy.eval().forward(input()).data(), await network.forward(input()).data())
    network.train()
  })

  it('a copy that is built keeps its tensors and takes their values', async () => {
    const copy = new Digits().build([2, 6, 6, 1])
    const weight = copy.conv.weight
    await copy.load(path('digits'))
    strictEqual(copy.conv.weight, weight)
    deepStrictEqual(await state(copy), await state(network))
  })

  it('a copy that is loaded learns', async () => {
    const copy = await new Digits().load(path('digits'))
    new nt.optim.SGD({ learningRate: 0.1 }).minimize(copy.forward(input()).square().sum(), copy)
    const [before, after] = [await state(network), await state(copy)]
    for (const name of copy.namedParameters().keys()) {
      if (name !== 'conv.bias')
        strictEqual(JSON.stringify(before.get(name)) === JSON.stringify(after.get(name)), false, name)
    }
  })

  it('a compiled function sees what was loaded', async () => {
    const copy = new Digits().build([2, 6, 6, 1]).eval()
    const forward = nt.compile((x: nt.Tensor) => copy.forward(x))
    for (let i = 0; i < 3; i++) forward(input())
    await copy.load(path('digits'))
    network.eval()
    deepStrictEqual(await forward(input()).data(), await network.forward(input()).data())
    network.train()
  })

  it('the metadata name the format, the layouts, the version and what the user adds', async () => {
    const { tensors, metadata } = await nt.io.readSafetensors(path('digits'))
    match(metadata.get('version')!, /^\d+\.\d+\.\d+/)
    metadata.delete('version')
    deepStrictEqual(Object.fromEntries(metadata), { ...LAYOUT, format: 'needletail', classes: 'ten' })
    deepStrictEqual(
      [...tensors.keys()],
      [
        'conv.weight',
        'conv.bias',
        'norm.weight',
        'norm.bias',
        'head.weight',
        'head.bias',
        'norm.runningMean',
        'norm.runningVariance'
      ]
    )
  })

  it('half precision becomes what the layer has, and the other way round', async () => {
    const weight = nt.tensor([[1.5, -2]])
    await nt.io.writeSafetensors(path('half'), { weight: weight.astype('bfloat16') }, LAYOUT)
    const full = await new nn.Linear(1, { bias: false }).load(path('half'))
    deepStrictEqual([full.weight.dtype, await full.weight.array()], ['float32', [[1.5, -2]]])
    await nt.io.writeSafetensors(path('full'), { weight }, LAYOUT)
    const half = await new nn.Linear(1, { bias: false, dtype: 'float16' }).load(path('full'))
    deepStrictEqual([half.weight.dtype, await half.weight.array()], ['float16', [[1.5, -2]]])
  })

  it('takes what is under a prefix, and leaves the rest alone', async () => {
    const linear = { weight: nt.tensor([[3, 4]]), bias: nt.tensor([5]) }
    const under = (prefix: string) =>
      Object.entries(linear).map(([name, value]) => [`${prefix}${name}`, value] as const)
    await nt.io.writeSafetensors(path('checkpoint'), [...under('network.'), ['optimizer.step', nt.ones([3])]], LAYOUT)
    const copy = await new nn.Linear(1).load(path('checkpoint'), { prefix: 'network.' })
    deepStrictEqual(await copy.weight.array(), [[3, 4]])
    const problems = /2 missing: average\.weight, average\.bias\. Nothing was changed/
    await rejects(copy.load(path('checkpoint'), { prefix: 'average.' }), problems)
    await rejects(new nn.Linear(1).load(path('checkpoint')), /2 missing: weight, bias; 3 unexpected: network\.weight/)
    await rejects(copy.load(path('checkpoint'), { prefix: 7 as any }), /load: expected a prefix as text, got 7/)
  })

  it('frozen stays frozen, also when made by the file', async () => {
    const copy = await new Digits().freeze().load(path('digits'))
    deepStrictEqual(
      copy.parameters().filter(({ requiresGradient }) => requiresGradient),
      []
    )
  })

  it('what is saved are the values at the time of the call', async () => {
    const linear = new nn.Linear(1, { inputs: 1, bias: false })
    const before = await linear.weight.data()
    const saving = linear.save(path('snapshot'))
    new nt.optim.SGD({ learningRate: 1 }).minimize(linear.forward(nt.ones([1, 1])).sum(), linear)
    await saving
    deepStrictEqual(await (await nt.io.readSafetensors(path('snapshot'))).tensors.get('weight')!.data(), before)
  })

  it('what has no sizes yet is not saved', async () => {
    await rejects(async () => new Digits().save(path('early')), /save: expected layers that know their input size/)
  })

  describe('refuses, and changes nothing', () => {
    const conv = nt.ones([4, 3, 3, 1])
    const bias = nt.ones([4])
    const head = { 'head.weight': nt.ones([10, 64]), 'head.bias': nt.ones([10]) }
    const norm = { 'norm.weight': bias, 'norm.bias': bias, 'norm.runningMean': bias, 'norm.runningVariance': bias }
    const whole: Record<string, nt.Tensor<nt.DType>> = { 'conv.weight': conv, 'conv.bias': bias, ...norm, ...head }
    const without = (name: string) => Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name))
    const cases: [string, Record<string, nt.Tensor<nt.DType>>, Record<string, string>, RegExp][] = [
      ['a missing tensor', without('head.bias'), LAYOUT, /1 missing: head\.bias/],
      ['a missing buffer', without('norm.runningMean'), LAYOUT, /1 missing: norm\.runningMean/],
      ['an unexpected tensor', { ...whole, 'tail.x': bias }, LAYOUT, /1 unexpected: tail\.x/],
      [
        'another shape',
        { ...whole, 'head.bias': nt.ones([11]) },
        LAYOUT,
        /1 of another shape: head\.bias \(float32 \[11\] in the file, float32 \[10\] here\)/
      ],
      ['another rank', { ...whole, 'conv.weight': nt.ones([4, 9]) }, LAYOUT, /conv\.weight \(.*\[4, 9\] in the file/],
      [
        'integers for floats',
        { ...whole, 'head.bias': nt.ones([10], { dtype: 'int32' }) },
        LAYOUT,
        /int32 \[10\] in the file, float32/
      ],
      ['another layout', whole, { ...LAYOUT, 'layout.convolution': 'OIHW' }, /layout\.convolution OHWI .*got OIHW/],
      ['convolutions of an unknown layout', whole, { format: 'pt' }, /layout\.convolution OHWI .*got none \(pt\)/],
      [
        'all at once',
        { ...without('conv.bias'), 'head.bias': nt.ones([11]), y: bias },
        LAYOUT,
        /1 missing: conv\.bias; 1 unexpected: y; 1 of another shape: head\.bias/
      ]
    ]
    for (const [name, tensors, metadata, message] of cases) {
      it(name, async () => {
        await nt.io.writeSafetensors(path('bad'), tensors, metadata)
        const [built, early] = [new Digits().build([2, 6, 6, 1]), new Digits()]
        const before = await state(built)
        await rejects(built.load(path('bad')), message)
        deepStrictEqual(await state(built), before)
        await rejects(early.load(path('bad')), /load: expected/)
        deepStrictEqual(
          early.modules().map(({ ownBuilt }) => ownBuilt),
          [true, false, false, false]
        )
      })
    }

    it('but takes the file that these are broken versions of', async () => {
      await nt.io.writeSafetensors(path('whole'), whole, LAYOUT)
      deepStrictEqual(await (await new Digits().load(path('whole'))).head.bias!.array(), Array(10).fill(1))
    })

    it('a damaged file', async () => {
      const built = new Digits().build([2, 6, 6, 1])
      const before = await state(built)
      await rejects(built.load(import.meta.filename), /readSafetensors: expected/)
      deepStrictEqual(await state(built), before)
    })
  })
})
