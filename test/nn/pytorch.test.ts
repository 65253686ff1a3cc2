// Weights in PyTorch's names and layout. Whole networks of torchvision's: test/models/parity.test.ts.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { nn, type DType, type Tensor } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { temporaryFolder } from '../support/temporary.js'

/** One of everything that has another name or another order of axes there. */
class Pictures extends nn.Module {
  stem = new nn.Sequential(
    new nn.Conv2d(4, [3, 2], { activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 1, { activation: 'gelu', bias: false }),
    new nn.BatchNorm()
  )
  block = new nn.Residual(
    new nn.Sequential({ conv: new nn.Conv2d(6, 3, { padding: 1 }), bn: new nn.BatchNorm() }),
    new nn.Sequential(new nn.Conv2d(6, 1)),
    { activation: 'relu' }
  )
  up = new nn.ConvTranspose2d(5, 2, { stride: 2 })
  drop = new nn.Dropout()
  dense = new nn.Sequential(new nn.Linear(3, { activation: 'tanh' }), new nn.Linear(2))

  forward(x: Tensor): Tensor {
    const pictures = this.up.forward(this.block.forward(this.stem.forward(x)))
    return this.dense.forward(this.drop.forward(pictures.flatten(1)))
  }
}
const inputShape = [1, 8, 7, 3]
/** Height, width and channels of what is flattened: the 6x6 of the first convolution, halved and doubled. */
const flat = [6, 6, 5] as const

/** Names there by names here. */
const names = {
  'stem.0.weight': 'stem.0.weight',
  'stem.0.bias': 'stem.0.bias',
  'stem.2.weight': 'stem.3.weight',
  'stem.3.weight': 'stem.5.weight',
  'stem.3.bias': 'stem.5.bias',
  'block.body.conv.weight': 'block.conv.weight',
  'block.body.conv.bias': 'block.conv.bias',
  'block.body.bn.weight': 'block.bn.weight',
  'block.body.bn.bias': 'block.bn.bias',
  'block.shortcut.0.weight': 'block.downsample.0.weight',
  'block.shortcut.0.bias': 'block.downsample.0.bias',
  'up.weight': 'up.weight',
  'up.bias': 'up.bias',
  'dense.0.weight': 'dense.0.weight',
  'dense.0.bias': 'dense.0.bias',
  'dense.1.weight': 'dense.2.weight',
  'dense.1.bias': 'dense.2.bias',
  'stem.3.runningMean': 'stem.5.running_mean',
  'stem.3.runningVariance': 'stem.5.running_var',
  'block.body.bn.runningMean': 'block.bn.running_mean',
  'block.body.bn.runningVariance': 'block.bn.running_var'
}

/** A network whose buffers, too, are other than at first. */
function trained(): Pictures {
  const network = new Pictures().build(inputShape)
  nt.noGrad(() => void network.forward(nt.random.normal([4, ...inputShape.slice(1)], { seed: 1 })))
  return network.eval()
}

/** The state as PyTorch has it. */
function stateThere(network: nt.nn.Module): Map<string, Tensor<DType>> {
  const state = new Map<string, Tensor<DType>>([...network.namedParameters(), ...network.namedBuffers()])
  const renamed = Object.entries(names).map(([here, there]): [string, Tensor<DType>] => {
    const tensor = state.get(here)!.detach()
    if (tensor.rank === 4) return [there, tensor.permute([0, 3, 1, 2])]
    if (here !== 'dense.0.weight') return [there, tensor]
    return [
      there,
      tensor
        .reshape([-1, ...flat])
        .permute([0, 3, 1, 2])
        .reshape(tensor.shape)
    ]
  })
  strictEqual(renamed.length, state.size)
  return new Map([...renamed, ['stem.5.num_batches_tracked', nt.tensor([1n]).reshape([])]])
}

onEachDevice("PyTorch's weights", (device) => {
  const file = temporaryFolder()
  const x = () => nt.random.normal(inputShape, { seed: 2 })

  for (const [how, prefix, load] of [
    ['into a new network', '', () => new Pictures()],
    ['into one that is built', '', () => trained().train()],
    ['from under a prefix', 'model.', () => new Pictures()]
  ] as const) {
    it(`are read ${how}`, async () => {
      const network = trained()
      const path = file('pictures.safetensors')
      await nt.io.writeSafetensors(
        path,
        [...stateThere(network)].map(([name, tensor]) => [`${prefix}${name}`, tensor] as const)
      )
      const read = await nn.loadPyTorch(load(), path, { inputShape, ...(prefix && { prefix }) })
      strictEqual(read.device, device)
      for (const what of ['namedParameters', 'namedBuffers'] as const) {
        for (const [name, tensor] of read[what]()) {
          deepStrictEqual(await tensor.data(), await network[what]().get(name)!.data(), name)
        }
      }
      deepStrictEqual(await read.eval().forward(x()).data(), await network.forward(x()).data())
    })
  }

  it('in half precision are widened', async () => {
    const layer = new nn.Linear(2).build([1, 3])
    const path = file('half.safetensors')
    await nt.io.writeSafetensors(path, {
      weight: layer.weight.detach().astype('float16'),
      bias: layer.bias!.detach().astype('bfloat16')
    })
    const read = await nn.loadPyTorch(new nn.Linear(2), path, { inputShape: [1, 3] })
    deepStrictEqual(await read.weight.data(), await layer.weight.detach().astype('float16').data())
  })

  it('that do not fit are listed by their names there, and change nothing', async () => {
    const network = trained()
    const state = stateThere(network)
    state.delete('block.downsample.0.bias')
    state.set('block.extra', nt.zeros([1]))
    state.set('dense.0.weight', nt.zeros([3, 4]))
    const path = file('unfit.safetensors')
    await nt.io.writeSafetensors(path, state)
    const before = await network.forward(x()).data()
    await rejects(nn.loadPyTorch(network, path, { inputShape }), (error: Error) => {
      ok(error.message.startsWith(`loadPyTorch: expected the tensors of Pictures in ${path}, got `), error.message)
      for (const part of [
        '1 missing: block.downsample.0.bias',
        '1 unexpected: block.extra',
        '1 of another shape: dense.0.weight (float32 [3, 4] in the file, float32 [3, 180] here)'
      ]) {
        ok(error.message.includes(part), error.message)
      }
      return true
    })
    deepStrictEqual(await network.forward(x()).data(), before)
  })

  const linear = () => new nn.Linear(2)
  const refused: [string, () => Promise<unknown>, RegExp][] = [
    ['no module', () => nn.loadPyTorch({} as never, 'x', { inputShape }), /^loadPyTorch: expected a module, got {}/],
    ['no options', () => nn.loadPyTorch(linear(), 'x', undefined as never), /expected an object of options/],
    ['no shape', () => nn.loadPyTorch(linear(), 'x', {} as never), /an inputShape with the batch axis, got undefined/],
    ['a prefix of none', () => nn.loadPyTorch(linear(), 'x', { inputShape, prefix: 1 as never }), /a prefix as text/],
    [
      'a mistyped option',
      () => nn.loadPyTorch(linear(), 'x', { inputshape: [1] } as never),
      /Did you mean 'inputShape'\?/
    ]
  ]
  for (const [name, call, message] of refused) it(`refuse ${name}`, () => rejects(call, { message }))
})
