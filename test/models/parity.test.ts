// The networks of `models` against torchvision's own: scripts/golden-models.py computed outputs, gradients and ten losses from weights,
// pictures and labels that a formula gives here and there. The weights come from a file of PyTorch's names and layout.
import { ok, strictEqual } from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import * as nt from '../../lib/index.js'
import { models, nn, optim, type Tensor } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { distance } from '../support/distance.js'
import { temporaryFolder } from '../support/temporary.js'
import { count, hash, near } from '../training/support.js'

const golden = nt.io.readSafetensors(fileURLToPath(new URL('golden.safetensors', import.meta.url)), { device: 'cpu' })

interface Network {
  make: (classes: number) => nt.nn.Sequential
  /** The dense layer that sees flattened pictures, and their channels. */
  flat?: [name: string, channels: number]
  /** How far gradients may be (see `distance`), and losses in parts of theirs. */
  allowed?: { gradients: number; losses: number }
  /** Whether the kernels that are compiled to run on the processor take too long for it. */
  large?: boolean
}
const CLOSE = { gradients: 1e-4, losses: 1e-4 }
/**
 * A ReLU whose input is almost 0 falls to the other side: of the few values of the last stages each weighs a hundredth. PyTorch's own
 * gradients in float32 are as far from these in float64.
 */
const DEEP = { gradients: 5e-2, losses: 1e-3 }

const networks: Record<string, Network> = {
  lenet: { make: (classes) => models.lenet({ classes }), flat: ['5.weight', 16] },
  alexnet: {
    make: (classes) => models.alexnet({ classes, dropout: 0 }),
    flat: ['classifier.1.weight', 256],
    large: true
  },
  vgg16: { make: (classes) => models.vgg16({ classes, dropout: 0 }), flat: ['classifier.0.weight', 512], large: true },
  resnet18: { make: (classes) => models.resnet18({ classes }), allowed: DEEP },
  resnet50: { make: (classes) => models.resnet50({ classes }), allowed: DEEP, large: true }
}

/** What scripts/golden-models.py keeps of a network beside the numbers. */
interface Facts {
  /** Names and shapes in PyTorch, in the order of its modules. */
  state: Record<string, number[]>
  /** [n, channels, height, width] */
  batch: [number, number, number, number]
  rate: number
  classes: number
  /** Height and width of the picture that the multiply-adds are of. */
  size: number
  multiplyAdds: number
}

/** Multiples of 2^-7 in [-1, 1), times `scale`, plus `offset`. */
function formula(seed: number, size: number, scale = 1, offset = 0): Float32Array {
  const values = new Float32Array(size)
  for (let i = 0; i < size; i++) values[i] = ((hash(seed, i) >>> 24) / 128 - 1) * scale + offset
  return values
}

/** A tensor of PyTorch's state, by the formula of the script. */
function valuesOf(name: string, seed: number, shape: number[]): Float32Array {
  if (name.endsWith('running_var')) return formula(seed, count(shape), 1 / 2, 1)
  if (shape.length > 1) {
    const power = Math.round(Math.log2(Math.sqrt(6 / count(shape.slice(1)))))
    return formula(seed, count(shape), 2 ** power)
  }
  const scale = name.endsWith('weight') && /bn|downsample\.1/.test(name)
  return formula(seed, count(shape), 1 / 4, scale ? 1 / 4 : 0)
}

/** A file of the state that the formula gives; half precision holds its numbers exactly. */
async function writeState(path: string, { state }: Facts): Promise<void> {
  const tensors = Object.entries(state).map(([name, shape], i) => {
    using values = nt.tensor(valuesOf(name, i, shape), shape, { device: 'cpu' })
    return [name, values.astype('float16')] as const
  })
  await nt.io.writeSafetensors(path, tensors)
  for (const [, tensor] of tensors) tensor.dispose()
}

/** The batch of a step, in our layout, and its labels. */
function batchOf({ batch, classes }: Facts, step: number): [Tensor, Tensor<'int32'>] {
  const pictures = nt.tensor(formula(1000 + step, count(batch)), batch).permute([0, 2, 3, 1])
  return [pictures, nt.tensor(Int32Array.from({ length: batch[0] }, (_, i) => hash(2000 + step, i) % classes))]
}

/** Where in our layout the i-th element of PyTorch's tensor is. */
function placeOf(i: number, shape: readonly number[], channels: number | undefined): number {
  const split = (middle: number, inner: number) =>
    [Math.floor(i / (middle * inner)), Math.floor(i / inner) % middle, i % inner] as const
  if (shape.length === 4) {
    const [, inputs, height, width] = shape as [number, number, number, number]
    const [out, input, place] = split(inputs, height * width)
    return (out * height * width + place) * inputs + input
  }
  if (channels === undefined) return i
  const [out, channel, place] = split(channels, shape[1]! / channels)
  return out * shape[1]! + place * channels + channel
}

/** The elements of a gradient that scripts/golden-models.py keeps: all, or 1,000. */
function sample(gradient: Tensor, shape: readonly number[], channels: number | undefined): Promise<Float32Array> {
  const { size } = gradient
  const places = Int32Array.from({ length: Math.min(1000, size) }, (_, k) => (size <= 1000 ? k : hash(3, k) % size))
  const picked = nt.tensor(places.map((place) => placeOf(place, shape, channels)))
  return gradient.reshape([-1]).gather(picked).data() as Promise<Float32Array>
}

onEachDevice('the networks of torchvision', function (device) {
  this.timeout(300_000)
  const file = temporaryFolder()

  for (const [name, { make, flat, allowed = CLOSE, large = false }] of Object.entries(networks)) {
    it(`${name}: outputs, gradients and ten losses`, async function () {
      if (large && device === 'emulated') return this.skip()
      const { tensors, metadata } = await golden
      const facts = JSON.parse(metadata.get(name)!) as Facts
      const wanted = (what: string) => tensors.get(`${name}/${what}`)!.data() as Promise<Float32Array>
      const path = file(`${name}.safetensors`)
      await writeState(path, facts)
      const network = await nn.loadPyTorch(make(facts.classes), path, { inputShape: batchOf(facts, 0)[0].shape })
      const loss = (x: Tensor, y: Tensor<'int32'>) => nt.crossEntropy(network.forward(x), y)

      const outputs = nt.noGrad(() => network.eval().forward(batchOf(facts, 0)[0]) as Tensor)
      const far = distance([await outputs.data()], [await wanted('outputs')])
      ok(far <= 1e-5, `outputs: ${far} of their length`)

      const named = [...network.train().namedParameters()]
      const shapes = Object.entries(facts.state).filter(([name]) => !name.includes('running_'))
      const [norms, samples] = [await wanted('norms'), await wanted('samples')]
      const gradients = nt.backward(
        loss(...batchOf(facts, 0)),
        named.map(([, parameter]) => parameter)
      )
      let at = 0
      for (const [i, [parameter]] of named.entries()) {
        using gradient = gradients[i]! as Tensor
        const got = await sample(gradient, shapes[i]![1], flat?.[0] === parameter ? flat[1] : undefined)
        const far = distance([got], [samples.subarray(at, (at += got.length))])
        ok(far <= allowed.gradients, `gradient of ${parameter}: ${far} of its length, ${allowed.gradients} allowed`)
        const norm = await gradient.square().sum().sqrt().item()
        near([norm], [norms[i]!], allowed.gradients, `norm of the gradient of ${parameter}`, 0)
      }
      strictEqual(at, samples.length)

      const optimizer = new optim.SGD({ learningRate: facts.rate, momentum: 0.9 })
      const step = nt.compile((x: Tensor, y: Tensor<'int32'>) => {
        const value = loss(x, y)
        optimizer.minimize(value, network)
        return value
      })
      const goldenLosses = await wanted('losses')
      const losses: number[] = []
      for (const i of goldenLosses.keys()) losses.push(await step(...batchOf(facts, i)).item())
      near(losses, goldenLosses, allowed.losses, 'losses', 0)
    })
  }
})

describe('the multiply-adds of the networks', () => {
  for (const [name, { make }] of Object.entries(networks)) {
    it(`${name} has those that PyTorch counts`, async () => {
      const { size, classes, batch, multiplyAdds } = JSON.parse((await golden).metadata.get(name)!) as Facts
      const [table] = make(classes).summary([1, size, size, batch[1]]).split('\n\n')
      strictEqual(Number(/ ([\d,]+)$/.exec(table!)![1]!.replaceAll(',', '')), multiplyAdds)
    })
  }
})
