// Ten steps of the article's bird network from PyTorch's initial weights, without dropout, against PyTorch.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as nt from '../../lib/index.js'
import { nn, optim, type Tensor } from '../../lib/index.js'
import { floats, golden, hash, near } from './support.js'
import { layer, MersenneTwister } from './pytorch-weights.js'
import { onEachDevice } from '../support/devices.js'

interface Run {
  losses: number[]
  sums: [string, string][]
  sample: string[]
}
const wanted = golden<{ initial: string; SGD: Run; Adam: Run }>('birds')

// [out, in, height, width] of the weights in PyTorch, bias by bias.
const shapes = [
  [32, 3, 3, 3],
  [64, 32, 3, 3],
  [64, 64, 3, 3],
  [512, 64, 8, 8],
  [2, 512, 1, 1]
] as const
const steps = 10
const batch = 16

let initial: Float32Array[] | undefined
function pytorchParameters(): Float32Array[] {
  const twister = new MersenneTwister(1)
  initial ??= shapes.flatMap(([out, ...rest]) => layer(twister, out, rest[0] * rest[1] * rest[2]))
  return initial
}

function network(): nn.Sequential {
  const made = new nn.Sequential(
    new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(512, { activation: 'relu' }),
    new nn.Linear(2)
  )
  made.build([1, 32, 32, 3])
  const values = pytorchParameters()
  made.parameters().forEach((parameter, i) => {
    const [out, channels, height, width] = shapes[i >> 1]!
    const given = nt.tensor(values[i]!)
    const value = i % 2 ? given : given.reshape([out, channels, height, width]).permute([0, 2, 3, 1])
    parameter.assign(value.reshape(parameter.shape))
  })
  return made
}

// A parameter as PyTorch has it, flat.
function inPytorchOrder(parameter: Tensor, i: number): Tensor {
  if (i % 2) return parameter.detach()
  const [out, channels, height, width] = shapes[i >> 1]!
  return parameter.detach().reshape([out, height, width, channels]).permute([0, 3, 1, 2]).reshape([parameter.size])
}

const size = batch * 32 * 32 * 3
const images = (step: number) => {
  const pixels = Float32Array.from({ length: size }, (_, i) => ((hash(1, step * size + i) >>> 24) / 255 - 0.5) / 0.25)
  return nt.tensor(pixels, [batch, 32, 32, 3])
}
const labels = (step: number) =>
  nt.tensor(Int32Array.from({ length: batch }, (_, i) => Number(hash(2, step * batch + i) % 3 === 0)))

async function train(
  optimizer: optim.Optimizer,
  compiled: boolean
): Promise<{ losses: number[]; parameters: Tensor[] }> {
  const model = network()
  const body = (x: Tensor, y: Tensor<'int32'>): Tensor => {
    const loss = nt.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss, model)
    return loss
  }
  const step = compiled ? nt.compile(body) : body
  const losses: number[] = []
  for (let i = 0; i < steps; i++) losses.push(await step(images(i), labels(i)).item())
  return { losses, parameters: model.parameters() }
}

onEachDevice('the bird network', () => {
  it("starts from PyTorch's weights, to the bit", () => {
    const digest = createHash('sha256')
    for (const values of pytorchParameters()) digest.update(new Uint8Array(values.buffer))
    assert.equal(digest.digest('hex'), wanted.initial)
    assert.equal(network().parameterCount, 2_155_010)
  })

  for (const compiled of [false, true]) {
    const how = compiled ? 'compiled' : 'eager'
    it(`takes ten steps of SGD as PyTorch does, ${how}`, async () => {
      const { losses, parameters } = await train(new optim.SGD({ learningRate: 0.01, momentum: 0.9 }), compiled)
      near(losses.slice(0, 1), wanted.SGD.losses.slice(0, 1), 1e-5, 'first loss')
      near(losses, wanted.SGD.losses, 1e-4, 'losses')
      for (const [i, parameter] of parameters.entries()) {
        const flat = inPytorchOrder(parameter, i)
        const values = await flat.data()
        const sample = Float32Array.from({ length: 500 }, (_, k) => values[hash(3, k) % values.length]!)
        near(sample, floats(wanted.SGD.sample[i]!), 1e-4, `parameter ${i}`)
        // Every element is in a sum: one wrong by 1e-3 shows.
        const rows = flat.reshape([parameter.shape[0]!, -1])
        const [sum, squares] = wanted.SGD.sums[i]!
        near(await rows.sum(1).data(), floats(sum), 1e-3, `sums of parameter ${i}`)
        near(await rows.square().sum(1).data(), floats(squares), 1e-4, `squares of parameter ${i}`)
      }
    })

    it(`takes ten steps of Adam as PyTorch does, ${how}`, async () => {
      const { losses } = await train(new optim.Adam({ learningRate: 0.001 }), compiled)
      near(losses.slice(0, 1), wanted.Adam.losses.slice(0, 1), 1e-5, 'first loss')
      near(losses, wanted.Adam.losses, 2e-3, 'losses', 0)
    })
  }
})
