// Tensors, modules and what goes with them on a device that is not the default one.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { run } from '../support/child.js'
import { needsOtherDevice, otherDevice as other, packed } from '../support/devices.js'
import { temporaryFolder } from '../support/temporary.js'

const { nn, optim } = nt

describe('devices', () => {
  needsOtherDevice()
  const path = temporaryFolder()

  describe('the default device', () => {
    it('is the CPU, unless another is chosen', () => {
      assert.equal(nt.device(), 'cpu')
      assert.ok(nt.devices().includes('cpu') && nt.devices().includes(other))
      assert.equal(nt.device(other), other)
      assert.deepEqual([nt.zeros([1]).device, nt.tensor(1).device, nt.memory().device], [other, other, other])
      assert.equal(nt.device('cpu'), 'cpu')
    })

    it('can be another within a function, whatever that does', () => {
      assert.equal(
        nt.withDevice(other, () => nt.ones([2]).device),
        other
      )
      assert.throws(() => nt.withDevice(other, () => assert.fail('out')), /out/)
      assert.equal(nt.device(), 'cpu')
      assert.throws(() => nt.withDevice(other, () => Promise.resolve(1)), /^Error: withDevice: .* an async one/)
      assert.throws(() => nt.withDevice(other, 1 as never), /^Error: withDevice: expected a function, got 1/)
    })

    it('belongs to the thread', async function () {
      if (packed) this.skip()
      const { output, errors } = await run(
        `nt.device(${JSON.stringify(other)})
        console.log(await message(start()), nt.device())`,
        { worker: 'parentPort.postMessage(nt.device())' }
      )
      assert.equal(output, `cpu ${other}`, errors)
    })

    for (const [name, message] of [
      ['gpu', /^Error: device: expected .*cpu.*, got 'gpu'/],
      ['', /^Error: device: expected/],
      [7, /^Error: device: expected the name of a device, as 'cpu' or 'cuda:0', got 7/]
    ] as [any, RegExp][]) {
      it(`is not ${JSON.stringify(name)}`, () => {
        assert.throws(() => nt.device(name), message)
        assert.equal(nt.device(), 'cpu')
      })
    }
  })

  const makers: Record<string, (device: string) => nt.Tensor<any>> = {
    tensor: (device) => nt.tensor([1, 2], { device }),
    'tensor of a shape': (device) => nt.tensor([1, 2], [2, 1], { device }),
    'tensor of a dtype': (device) => nt.tensor([1, 2], { dtype: 'bfloat16', device }),
    fromBytes: (device) => nt.fromBytes(new Uint8Array(4), [4], 'uint8', { device }),
    zeros: (device) => nt.zeros([2], { device }),
    ones: (device) => nt.ones([2], { dtype: 'int32', device }),
    full: (device) => nt.full([2], 3, { device }),
    zerosLike: (device) => nt.zerosLike(nt.ones([2], { device })),
    onesLike: (device) => nt.onesLike(nt.ones([2], { device })),
    arange: (device) => nt.arange(0, 4, 1, { dtype: 'int32', device }),
    linspace: (device) => nt.linspace(0, 1, 4, { dtype: 'float32', device }),
    uniform: (device) => nt.random.uniform([3], { device }),
    normal: (device) => nt.random.normal([3], { seed: 1, device }),
    integers: (device) => nt.random.integers([3], 0, 5, { device }),
    bernoulli: (device) => nt.random.bernoulli([3], 0.5, { device }),
    permutation: (device) => nt.random.permutation(3, { device }),
    bits: (device) => nt.random.bits([3], { seed: 4, device })
  }
  // Ops that make tensors of their own beside their inputs.
  const followers: Record<string, (x: nt.Tensor) => nt.Tensor<any>> = {
    where: (x) => nt.where(x.greater(1), x, 0),
    dropout: (x) => nt.dropout(x, 0.5),
    'layerNorm with an offset alone': (x) => nt.layerNorm(x, { offset: nt.ones([2], { device: x.device }) }),
    'batchNorm without running statistics': (x) => nt.batchNorm(x, { training: true }),
    oneHot: (x) => nt.oneHot(x.astype('int32').clip(0, 3), 4),
    'a gradient': (x) => nt.grad((y: nt.Tensor) => y.mul(y).sum())(x),
    'a gradient of a gradient': (x) =>
      nt.grad((y: nt.Tensor) =>
        nt
          .grad((z: nt.Tensor) => z.exp().sum())(y)
          .sum()
      )(x),
    'a gradient that is 0': (x) => nt.grads((y: nt.Tensor, z: nt.Tensor) => y.sum().add(z.sum().mul(0)))(x, x)[1]!,
    AdaptiveAvgPool2d: (x) => new nn.AdaptiveAvgPool2d([1, 2]).forward(x.reshape([1, 2, 3, 1])),
    ClassGroups: (x) => new nn.ClassGroups([0, 1]).eval().forward(x),
    ChannelDropout: (x) => new nn.ChannelDropout(0.5).forward(x),
    'a layer that is made then': (x) => new nn.Linear(3).forward(x)
  }

  describe('a tensor is', () => {
    for (const [name, make] of Object.entries(makers)) {
      it(`where it is asked to be made: ${name}`, async () => {
        const there = make(other)
        assert.deepEqual([there.device, make('cpu').device, nt.device()], [other, 'cpu', 'cpu'])
        assert.equal((await there.data()).length, there.size)
      })
    }
    for (const [name, follow] of Object.entries(followers)) {
      it(`where the input is: ${name}`, async () => {
        const y = follow(nt.tensor([0.5, 1, 2, 1.5, 3, 0], [3, 2], { device: other }))
        assert.equal(y.device, other)
        assert.ok((await y.data()).length > 0)
      })
    }
  })

  describe('to', () => {
    for (const dtype of ['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const) {
      it(`brings ${dtype} there and back`, async () => {
        const x = nt.tensor([0, 1, 1], { dtype })
        const there = x.to(other)
        assert.deepEqual([x.device, there.device, there.dtype, there.shape], ['cpu', other, dtype, [3]])
        assert.deepEqual(await there.data(), await x.data())
        assert.deepEqual(await nt.to(there, 'cpu').data(), await x.data())
      })
    }

    it('gives the tensor itself where it is there already', () => {
      const x = nt.tensor(1)
      assert.equal(x.to('cpu'), x)
    })

    it('takes an empty tensor, and a result that is not ready', async () => {
      assert.deepEqual(await nt.zeros([0, 3]).to(other).array(), [])
      let x = nt.ones([200, 200])
      for (let i = 0; i < 10; i++) x = x.matmul(x).mul(1 / 200)
      assert.equal(await x.to(other).mean().item(), 1)
    })

    it('lets a gradient through, both ways', async () => {
      const f = (x: nt.Tensor) => x.mul(3).to(other).square().to('cpu').sum()
      const gradient = nt.grad(f)(nt.tensor([1, -2]))
      assert.deepEqual([gradient.device, await gradient.array()], ['cpu', [18, -36]])
    })

    it('is not for a compiled function', () => {
      const f = nt.compile((x: nt.Tensor) => x.to(other))
      f(nt.tensor(1))
      assert.throws(() => f(nt.tensor(1)), /^Error: to: expected no copy between devices inside a compiled function/)
    })

    it('refuses what is no device, and what is no tensor', () => {
      assert.throws(() => nt.tensor(1).to('gpu'), /'gpu'/)
      assert.throws(() => nt.to(1 as never, 'cpu'), /^Error: to: expected a tensor, got 1/)
    })
  })

  it('two devices in one op are an error that says what helps', () => {
    const [x, y] = [nt.ones([2]), nt.ones([2], { device: other })]
    assert.throws(
      () => x.add(y),
      new RegExp(`^Error: add: expected tensors on one device, got cpu and ${other}\\..*to\\(`)
    )
    const network = new nn.Linear(2, { inputs: 2 })
    assert.throws(() => network.forward(y.reshape([1, 2])), /^Error: matmul: expected tensors on one device/)
  })

  it('memory, limits and waiting are a matter of one device', async () => {
    const before = nt.memory(other)
    const x = nt.zeros([1000], { device: other })
    assert.deepEqual([before.device, nt.memory(other).bytes - before.bytes >= 4000], [other, true])
    const [cpu, there] = [nt.memory().limitBytes, nt.memory(other).limitBytes]
    nt.setMemoryLimit(2 ** 30, other)
    assert.deepEqual([nt.memory(other).limitBytes, nt.memory().limitBytes], [2 ** 30, cpu])
    nt.setMemoryLimit(there, other)
    nt.resetPeakMemory(other)
    x.add(1).dispose()
    await nt.synchronize(other)
    nt.synchronizeSync(other)
  })

  describe('random numbers', () => {
    it('without a seed of their own come from a generator a device, which begin alike', async () => {
      nt.random.seed(3)
      const draws: number[][] = []
      for (const device of ['cpu', other, other, 'cpu'])
        draws.push((await nt.random.uniform([4], { device }).array()) as number[])
      assert.deepEqual([draws[1], draws[3]], [draws[0], draws[2]])
      assert.notDeepEqual(draws[0], draws[3])
    })
  })

  describe('a compiled function', () => {
    it('has a recording for each device', async () => {
      const f = nt.compile((x: nt.Tensor) => x.add(nt.ones([2], { device: x.device })))
      for (let i = 0; i < 3; i++) {
        for (const device of ['cpu', other]) {
          const y = f(nt.tensor([i, i], { device }))
          assert.deepEqual([y.device, await y.array()], [device, [i + 1, i + 1]])
        }
      }
      assert.equal(f.programs.length, 2)
    })

    it('goes by the default device where it has no inputs', () => {
      const f = nt.compile(() => nt.ones([1]))
      const devices = ['cpu', other, 'cpu', other, 'cpu', other].map((device) => nt.withDevice(device, f).device)
      assert.deepEqual(devices, ['cpu', other, 'cpu', other, 'cpu', other])
    })

    it('follows a module that goes to another device and back', async () => {
      const network = new nn.Linear(1, { inputs: 1, bias: false, initializer: nn.init.ones })
      const f = nt.compile((x: nt.Tensor) => network.forward(x))
      const ask = (device: string) => f(nt.ones([1, 1], { device })).item()
      for (let i = 0; i < 3; i++) assert.equal(await ask('cpu'), 1)
      network.to(other)
      nt.assign(network.weight, 2)
      for (let i = 0; i < 3; i++) assert.equal(await ask(other), 2)
      network.to('cpu')
      nt.assign(network.weight, 3)
      for (let i = 0; i < 3; i++) assert.equal(await ask('cpu'), 3)
      assert.equal(f.programs.length, 1) // of the others the memory is gone
    })
  })

  describe('a module', () => {
    it('goes with all it has, in place', async () => {
      const network = new nn.Sequential(new nn.Linear(3, { inputs: 2 }), new nn.BatchNorm({ inputs: 3 }))
      const [before, values] = [network.parameters(), await network.parameters()[0]!.data()]
      assert.deepEqual([network.device, network.to(other), network.device], ['cpu', network, other])
      assert.ok(before.every((tensor, i) => tensor === network.parameters()[i] && tensor.requiresGradient))
      for (const tensor of [...before, ...network.namedBuffers().values()]) assert.equal(tensor.device, other)
      assert.deepEqual(await before[0]!.data(), values)
      assert.equal(network.forward(nt.zeros([4, 2], { device: other })).device, other)
    })

    it('that is not built yet will be built where it was put', () => {
      const network = new nn.Sequential(new nn.Linear(3)).to(other)
      assert.equal(network.device, other)
      assert.throws(() => network.forward(nt.zeros([1, 2])), /expected tensors on one device/)
      assert.equal(network.parameters()[0]!.device, other)
      assert.equal(new nn.Sequential(new nn.Linear(3)).to(other).build([1, 2]).parameters()[1]!.device, other)
    })

    it('takes an initialiser that makes tensors elsewhere', () => {
      const initializer = (shape: readonly number[]) => nt.full(shape, 2, { device: 'cpu' })
      const layer = new nn.Linear(3, { initializer }).to(other).build([1, 2])
      assert.equal(layer.weight.device, other)
    })

    it('cannot be moved between its forward and its gradient', () => {
      const network = new nn.Sequential(new nn.Linear(3, { inputs: 2 }), new nn.Linear(1, { inputs: 3 }))
      const loss = network.forward(nt.ones([1, 2])).sum()
      network.to(other)
      assert.throws(() => nt.backward(loss, network.parameters()), /^Error: matmul: expected the values saved/)
    })

    it('refuses what is no device', () => {
      assert.throws(() => new nn.Linear(1, { inputs: 1 }).to('cdua'), /'cdua'/)
    })
  })

  describe('a training', () => {
    const task = (device: string) => ({
      x: nt.random.normal([16, 5], { seed: 1, device }),
      y: nt.random.integers([16], 0, 3, { seed: 2, device })
    })
    const optimizers: Record<string, () => nt.optim.Optimizer> = {
      'SGD with momentum and a schedule': () =>
        new optim.SGD({ learningRate: optim.cosine(0.1, { steps: 12 }), momentum: 0.9 }),
      'Adam with clipping': () => new optim.Adam({ learningRate: 0.01, clipNorm: 1 })
    }
    for (const [name, make] of Object.entries(optimizers)) {
      for (const compiled of [false, true]) {
        it(`goes on on another device and back, ${name}, ${compiled ? 'compiled' : 'eager'}`, async () => {
          // Each time the same training, at each step on the device named.
          const losses = async (devices: string[]) => {
            nt.random.seed(7)
            const network = new nn.Sequential(
              new nn.Linear(6, { inputs: 5, activation: 'relu', seed: 3 }),
              new nn.BatchNorm({ inputs: 6 }),
              new nn.Linear(3, { inputs: 6, seed: 4 })
            )
            const [optimizer, average] = [make(), new optim.WeightAverage(network, { decay: 0.5 })]
            const [mean, accuracy] = [new nt.metrics.Mean(), new nt.metrics.Accuracy()]
            const step = (x: nt.Tensor, y: nt.Tensor<'int32'>, last: boolean) => {
              const outputs = network.forward(x)
              const loss = nt.crossEntropy(outputs, y)
              if (last) optimizer.minimize(loss, network)
              else optimizer.accumulate(loss, network)
              average.update()
              mean.update(loss.detach())
              accuracy.update(outputs.detach(), y)
              return loss.detach()
            }
            const run = compiled ? nt.compile(step) : step
            const found: number[] = []
            for (const [i, device] of devices.entries()) {
              network.to(device)
              const { x, y } = task(device)
              found.push(await run(x, y, i % 2 === 1).item())
            }
            average.swap()
            const { x, y } = task(devices.at(-1)!)
            found.push(await nt.crossEntropy(network.forward(x), y).item())
            return [...found, await mean.value(), await accuracy.value()]
          }
          const [here, mixed] = [
            await losses(Array.from({ length: 12 }, () => 'cpu')),
            await losses(Array.from({ length: 12 }, (_, i) => (i >= 4 && i < 9 ? other : 'cpu')))
          ]
          for (const [i, loss] of here.entries()) {
            assert.ok(Math.abs(mixed[i]! - loss) < 2e-4 * Math.max(1, loss), `${i}: ${loss}, ${mixed[i]}`)
          }
        })
      }
    }
  })

  it('states of optimizers, averages and metrics go between devices', async () => {
    const network = new nn.Linear(2, { inputs: 2, seed: 1 }).to(other)
    const optimizer = new optim.Adam()
    const [average, confusion] = [new optim.WeightAverage(network), new nt.metrics.Confusion(2)]
    const labels = nt.tensor(Int32Array.of(0, 1), { device: other })
    optimizer.minimize(nt.crossEntropy(network.forward(nt.ones([2, 2], { device: other })), labels), network)
    average.update()
    confusion.update(labels, labels)
    const copy = new nn.Linear(2, { inputs: 2 })
    const [second, secondAverage, counts] = [
      new optim.Adam(),
      new optim.WeightAverage(copy),
      new nt.metrics.Confusion(2)
    ]
    second.loadState(optimizer.state(), copy)
    secondAverage.loadState(average.state())
    counts.loadState(confusion.state())
    for (const [from, to] of [
      [optimizer.state(), second.state()],
      [average.state(), secondAverage.state()],
      [confusion.state(), counts.state()]
    ] as const) {
      for (const [name, tensor] of Object.entries(to)) {
        assert.deepEqual([tensor.device, await tensor.data()], ['cpu', await from[name]!.data()], name)
      }
    }
  })

  it('scores are kept where the last came from', async () => {
    const scores = new nt.metrics.Scores()
    for (const device of ['cpu', other])
      scores.update(nt.tensor([0.1, 0.9], { device }), nt.tensor([false, true], { device }))
    assert.deepEqual([scores.state()['scores']!.device, await scores.averagePrecision(), scores.size], [other, 1, 4])
  })

  it('weights go between devices in a file', async () => {
    const layer = new nn.Linear(3, { inputs: 2 }).to(other)
    await layer.save(path('layer'))
    const copies = [new nn.Linear(3, { inputs: 2 }), new nn.Linear(3), new nn.Linear(3).to(other)]
    for (const copy of copies) {
      await copy.load(path('layer'))
      const where = copy === copies[2] ? other : 'cpu'
      assert.deepEqual([copy.device, await copy.weight.data()], [where, await layer.weight.data()])
    }
    const { tensors } = await nt.io.readSafetensors(path('layer'), { device: other })
    assert.equal(tensors.get('weight')!.device, other)
  })
})
