// Plans one network's training step and inference on a GPU that is only described, in one precision, and prints what was planned as
// JSON: how each call with a choice is computed. Run by plans.ts, once for each described GPU.
import * as nt from '../../lib/index.js'
import { articleNetwork } from '../../lib/cli/recipes/network.js'
import { native } from '../../lib/native.js'

const { models } = nt

const networks: Record<string, { batch: number; size: number; make: () => nt.nn.Module }> = {
  birds: {
    batch: 96,
    size: 32,
    make: articleNetwork
  },
  alexnet: { batch: 128, size: 224, make: () => models.alexnet() },
  vgg16: { batch: 64, size: 224, make: () => models.vgg16() },
  resnet18: { batch: 256, size: 224, make: () => models.resnet18() },
  resnet50: { batch: 256, size: 224, make: () => models.resnet50() }
}

nt.device('cuda:0')
for (const name of process.argv.slice(2)) {
  const { batch, size, make } = networks[name]!
  for (const compute of ['float32', 'tf32', 'bfloat16', 'float16'] as const) {
    const network = make()
    const optimizer = new nt.optim.Adam()
    const x = nt.zeros([batch, size, size, 3])
    const labels = nt.zeros([batch], { dtype: 'int32' })
    const train = nt.compile(
      (x: nt.Tensor, labels: nt.Tensor<'int32'>) => {
        const loss = nt.crossEntropy(network.forward(x), labels)
        optimizer.minimize(loss, network)
        return loss
      },
      { compute }
    )
    for (let i = 0; i < 3; i++) train(x, labels).dispose()
    network.eval()
    const infer = nt.compile((x: nt.Tensor) => nt.noGrad(() => network.forward(x)), { compute })
    for (let i = 0; i < 3; i++) infer(x).dispose()
  }
}
console.log(native.cudaPlans())
