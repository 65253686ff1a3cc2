// Whole networks on a device, in every precision, beside the CPU's float32: outputs, gradients, and a few steps of training.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { models, nn, optim, type Compute, type Tensor } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { distance } from '../support/distance.js'
import { computeAsAsked } from '../support/precision.js'

/**
 * How far a network may be from float32 on the CPU (see `distance`): outputs; gradients, which the rounding of all layers goes into; and the
 * losses of a few steps. TF32 has 10 bits behind the point as float16 has, bfloat16 has 7.
 */
const tolerances: Record<Compute, { outputs: number; gradients: number; losses: number }> = {
  float32: { outputs: 1e-5, gradients: 1e-4, losses: 1e-4 },
  tf32: { outputs: 2e-3, gradients: 5e-2, losses: 1e-3 },
  float16: { outputs: 2e-3, gradients: 5e-2, losses: 1e-3 },
  bfloat16: { outputs: 1e-2, gradients: 1.5e-1, losses: 2e-3 }
}

/** By Winograd's algorithm bfloat16 is rounded more than by sums, about twice as much in whole gradients: the CPU's 3x3 convolutions. */
const byWinograd = { outputs: 2e-2, gradients: 4e-1, losses: 4e-3 }

const bird = () =>
  new nn.Sequential(
    new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(512, { activation: 'relu' }),
    new nn.Linear(2)
  )

/** The network, and what it takes a batch of. */
const networks: Record<string, [() => nn.Module, number[]]> = {
  'the bird network': [bird, [2, 32, 32, 3]],
  LeNet: [() => models.lenet(), [8, 28, 28, 1]],
  'a residual network': [() => models.resnet({ blocks: [1, 1], width: 16, classes: 10, stem: 'small' }), [4, 16, 16, 3]]
}
const STEPS = 3

async function run(make: () => nn.Module, [count, ...size]: number[], device: string, compute: Compute) {
  // The same weights and pictures everywhere: drawn on the CPU.
  nt.random.seed(11)
  const network = nt.withDevice('cpu', () => make().build([1, ...size])).to(device)
  const x = nt.random.normal([count!, ...size], { seed: 1, device })
  const y = nt.random.integers([count!], 0, 2, { seed: 2, device })
  const first = nt.withCompute(compute, () => {
    const outputs = network.forward(x) as Tensor
    const parameters = network.parameters()
    return { outputs, gradients: nt.backward(nt.crossEntropy(outputs, y), parameters) }
  })
  const optimizer = new optim.SGD({ learningRate: 0.02, momentum: 0.9 })
  const step = nt.compile(
    (x: Tensor, y: Tensor<'int32'>) => {
      const loss = nt.crossEntropy(network.forward(x) as Tensor, y)
      optimizer.minimize(loss, network)
      return loss
    },
    { compute }
  )
  const losses: number[] = []
  for (let i = 0; i < STEPS; i++) losses.push(await step(x, y).item())
  return {
    outputs: await first.outputs.astype('float32').data(),
    gradients: await Promise.all(first.gradients.map((gradient) => gradient.data() as Promise<Float32Array>)),
    losses
  }
}

onEachDevice('networks', (device) => {
  computeAsAsked()
  for (const [name, [make, size]] of Object.entries(networks)) {
    let reference: ReturnType<typeof run> | undefined
    for (const compute of Object.keys(tolerances) as Compute[]) {
      const allowed = compute === 'bfloat16' && device === 'cpu' ? byWinograd : tolerances[compute]
      it(`${name} in ${compute} is near the CPU's float32`, async () => {
        const want = await (reference ??= run(make, size, 'cpu', 'float32'))
        const got = await run(make, size, device, compute)
        const far = {
          outputs: distance([got.outputs], [want.outputs]),
          gradients: distance(got.gradients, want.gradients),
          losses: distance([got.losses], [want.losses])
        }
        for (const what of ['outputs', 'gradients', 'losses'] as const) {
          assert.ok(far[what] <= allowed[what], `${what}: ${far[what]} of their length, ${allowed[what]} allowed`)
        }
      })
    }
  }

  // A cuDNN that refuses every graph would leave all to the backend's own kernels: right, and ten times slower.
  if (device.startsWith('cuda')) {
    it("the bird network's convolutions are cuDNN's", async () => {
      await run(bird, [8, 32, 32, 3], device, 'bfloat16')
      const own = Object.entries(nt.plans()).filter(([call, plan]) => call.includes('[8, ') && plan === 'own kernels')
      assert.deepEqual(own, [])
    })
  }
})
