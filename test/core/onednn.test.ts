// oneDNN's reference implementations are hundreds of times slower than any other: none may ever run.
import assert from 'node:assert/strict'
import { run } from '../support/child.js'

// The names of the implementations that ran, by oneDNN's own account.
async function implementations(source: string): Promise<string[]> {
  // oneDNN reads the variable when it is first used.
  const { code, signal, output, errors } = await run(`process.env.ONEDNN_VERBOSE = '1'\n${source}`)
  assert.deepEqual([code, signal, errors], [0, null, ''])
  return output
    .split('\n')
    .filter((line) => /^onednn_verbose,.*\bexec,/.test(line))
    .map((line) => line.split(',').slice(0, 9).join(' '))
}

function none(names: string[], pattern: RegExp): void {
  assert.deepEqual(
    names.filter((name) => pattern.test(name)),
    []
  )
}

describe('oneDNN', () => {
  it('runs no reference implementation in the bird network', async () => {
    const names = await implementations(`
      const { Conv2d, Flatten, Linear, MaxPool2d, Sequential } = nt.nn
      const same = { padding: 'same', activation: 'relu' } as const
      const net = new Sequential(new Conv2d(32, 3, same), new MaxPool2d(2), new Conv2d(64, 3, same), new Conv2d(64, 3, same),
        new MaxPool2d(2), new Flatten(), new Linear(512, { activation: 'relu' }), new Linear(2))
      const optimizer = new nt.optim.Adam()
      for (const batch of [1, 96]) {
        const x = nt.random.uniform([batch, 32, 32, 3])
        const loss = nt.crossEntropy(net.forward(x), nt.zeros([batch], { dtype: 'int32' }))
        optimizer.minimize(loss, net)
        nt.noGrad(() => net.forward(x)).dataSync()
      }
    `)
    none(names, /\bref\b/)
  })

  it('runs none in the networks of models', async () => {
    const names = await implementations(`
      const networks = [[nt.models.lenet, 28, 1], [nt.models.alexnet, 63, 3], [nt.models.vgg16, 32, 3],
        [nt.models.resnet18, 64, 3], [nt.models.resnet50, 64, 3]] as const
      for (const compute of ['float32', 'bfloat16'] as const)
        for (const [make, side, channels] of networks) {
          const net = make({ classes: 10 })
          const x = nt.random.uniform([2, side, side, channels])
          const loss = () => nt.crossEntropy(net.forward(x), nt.zeros([2], { dtype: 'int32' }))
          nt.withCompute(compute, () => nt.backward(loss(), net.parameters()))[0]!.dataSync()
        }
    `)
    assert.ok(names.length > 0, 'oneDNN was used at all')
    none(names, /\bref\b|simple:any/)
  })

  it('runs none in other convolutions', async () => {
    const names = await implementations(`
      // channels in, out, kernel, stride, padding, dilation, groups
      const shapes = [[1, 16, 3, 1, 1, 1, 1], [3, 32, 7, 2, 3, 1, 1], [17, 19, 3, 2, 1, 1, 1], [64, 64, 1, 1, 0, 1, 1],
        [32, 32, 3, 1, 1, 1, 32], [24, 48, 3, 1, 1, 1, 4], [16, 16, 3, 1, 2, 2, 1], [16, 16, 2, 3, 0, 1, 1]] as const
      for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
        for (const [inputs, outputs, kernel, stride, padding, dilation, groups] of shapes) {
          const x = nt.ones([8, 32, 32, inputs], { dtype })
          const w = nt.ones([outputs, kernel, kernel, inputs / groups], { dtype })
          const bias = nt.ones([outputs], { dtype })
          const f = (x: any, w: any, bias: any) => nt.conv2d(x, w, { bias, stride, padding, dilation, groups }).sum()
          for (const gradient of nt.grads(f)(x, w, bias)) gradient.dataSync()
        }
      }
    `)
    assert.ok(names.length > 0, 'oneDNN was used at all')
    none(names, /\bref\b|simple:any/)
  })
})
