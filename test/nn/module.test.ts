import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import { inspect } from 'node:util'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const { nn } = nt

class Block extends nn.Module {
  scale = nn.parameter(nt.ones([3]))
  steps = nn.buffer(nt.zeros([], { dtype: 'int32' }))
  cache = nt.ones([5])
  inner = new nn.Linear(3, { inputs: 3 })
  branches = [new nn.Linear(3, { inputs: 3, bias: false }), new nn.ReLU()]
  label = 'block'

  forward(x: nt.Tensor): nt.Tensor {
    let y = this.inner.forward(x).mul(this.scale)
    for (const branch of this.branches) y = branch.forward(y)
    return y
  }
}

const names = (network: nt.nn.Module) => [...network.namedParameters().keys()]
const trainable = (network: nt.nn.Module) =>
  [...network.namedParameters()].filter(([, { requiresGradient }]) => requiresGradient).map(([name]) => name)

onEachDevice('Module', () => {
  it('finds parameters, buffers and modules in its fields, in their order', () => {
    const block = new Block()
    deepStrictEqual(names(block), ['scale', 'inner.weight', 'inner.bias', 'branches.0.weight'])
    deepStrictEqual([...block.namedBuffers().keys()], ['steps'])
    deepStrictEqual([...block.namedModules().keys()], ['', 'inner', 'branches.0', 'branches.1'])
    deepStrictEqual(block.modules()[0], block)
    strictEqual(block.parameterCount, 3 + 12 + 9)
    ok(block.parameters().every(({ requiresGradient }) => requiresGradient))
    ok([...block.namedBuffers().values()].every(({ requiresGradient }) => !requiresGradient))
  })

  it('counts what is shared once, under its first name, and bears a circle', () => {
    class Tied extends nn.Module {
      first = new nn.Linear(2, { inputs: 2 })
      second = this.first
      weight = this.first.weight
      self: nt.nn.Module = this
      forward(x: nt.Tensor) {
        return this.second.forward(this.first.forward(x))
      }
    }
    deepStrictEqual(names(new Tied()), ['weight', 'first.bias'])
    strictEqual(new Tied().modules().length, 2)
  })

  it('a module has its own parameters before those of its members, a subclass the fields of its parent first', () => {
    class Larger extends Block {
      tail = nn.parameter(nt.ones([1]))
    }
    deepStrictEqual(names(new Larger()), ['scale', 'tail', 'inner.weight', 'inner.bias', 'branches.0.weight'])
  })

  it('puts all in it in training mode or in the mode for use', () => {
    const block = new Block()
    const modes = () => [...new Set(block.modules().map(({ training }) => training))]
    deepStrictEqual(modes(), [true])
    strictEqual(block.eval(), block)
    deepStrictEqual(modes(), [false])
    block.inner.train()
    deepStrictEqual([block.training, block.inner.training], [false, true])
    deepStrictEqual([block.train() && modes(), block.train(false) && modes()], [[true], [false]])
  })

  it('freezes and unfreezes', () => {
    const block = new Block()
    block.inner.freeze()
    deepStrictEqual(trainable(block), ['scale', 'branches.0.weight'])
    block.freeze()
    deepStrictEqual(trainable(block), [])
    block.inner.unfreeze()
    deepStrictEqual(trainable(block), ['inner.weight', 'inner.bias'])
    deepStrictEqual(trainable(block.unfreeze()), names(block))
  })

  it('what is frozen before it is made is made frozen', () => {
    const layer = new nn.Linear(2).freeze()
    layer.forward(nt.ones([1, 3]))
    deepStrictEqual(trainable(layer), [])
    deepStrictEqual(trainable(layer.unfreeze()), ['weight', 'bias'])
  })

  it('frozen parameters are left alone by optimizers', async () => {
    const network = new nn.Sequential(new nn.Linear(2, { inputs: 2 }), new nn.Linear(1, { inputs: 2 }))
    network.layers[0].freeze()
    const before = await Promise.all(network.parameters().map((tensor) => tensor.data()))
    const optimizer = new nt.optim.SGD({ learningRate: 0.1 })
    optimizer.minimize(
      network
        .forward(nt.ones([4, 2]))
        .square()
        .sum(),
      network
    )
    const after = await Promise.all(network.parameters().map((tensor) => tensor.data()))
    deepStrictEqual(after.slice(0, 2), before.slice(0, 2))
    ok(after[3]![0] !== before[3]![0])
  })

  it('builds itself from a shape, leaving modes and statistics as they were', async () => {
    const network = new nn.Sequential(new nn.Conv2d(4, 3), new nn.BatchNorm(), new nn.Flatten(), new nn.Linear(2))
    network.layers[1].eval()
    strictEqual(network.built, false)
    strictEqual(network.build([1, 5, 5, 3]), network)
    strictEqual(network.built, true)
    deepStrictEqual(
      network.parameters().map(({ shape }) => shape),
      [[4, 3, 3, 3], [4], [4], [4], [2, 36], [2]]
    )
    deepStrictEqual([network.training, network.layers[1].training], [true, false])
    deepStrictEqual(await network.layers[1].runningMean.array(), [0, 0, 0, 0])
  })

  it('parameters that are made in a scope outlive it', async () => {
    const layer = new nn.Linear(2)
    nt.tidy(() => void layer.forward(nt.ones([1, 3])))
    strictEqual((await layer.weight.data()).length, 6)
    const scaled = nt.tidy(() => ({ module: new Block() }).module)
    deepStrictEqual(await scaled.scale.array(), [1, 1, 1])
  })

  it('parameters that are made under noGrad still learn', async () => {
    const layer = new nn.Linear(1)
    nt.noGrad(() => layer.forward(nt.ones([1, 2])))
    const before = await layer.weight.array()
    new nt.optim.SGD({ learningRate: 0.5 }).minimize(layer.forward(nt.ones([1, 2])).sum(), layer)
    const after = (await layer.weight.array()) as number[][]
    deepStrictEqual(
      after,
      (before as number[][]).map((row) => row.map((w) => Math.fround(w - 0.5)))
    )
  })

  it('may give something else than a tensor', () => {
    class Halves extends nn.Module<[nt.Tensor, nt.Tensor]> {
      linear = new nn.Linear(2, { inputs: 2 })
      forward(x: nt.Tensor): [nt.Tensor, nt.Tensor] {
        return [this.linear.forward(x), x]
      }
    }
    strictEqual(new Halves().forward(nt.ones([1, 2])).length, 2)
    deepStrictEqual([...new Halves().namedParameters().keys()], ['linear.weight', 'linear.bias'])
  })

  it('a mode or a freeze that changes makes a compiled function record anew', async () => {
    const network = new nn.Sequential(new nn.Linear(8, { inputs: 8 }), new nn.Dropout(0.5))
    const forward = nt.compile((x: nt.Tensor) => network.forward(x))
    const x = nt.ones([16, 8])
    const zeros = async () => (await forward(x).data()).filter((value) => value === 0).length
    for (let i = 0; i < 4; i++) ok((await zeros()) > 0, `call ${i} in training`)
    network.eval()
    for (let i = 0; i < 4; i++) strictEqual(await zeros(), 0, `call ${i} in use`)
    network.train()
    for (let i = 0; i < 4; i++) ok((await zeros()) > 0, `call ${i} in training again`)

    const optimizer = new nt.optim.SGD({ learningRate: 0.1 })
    const step = nt.compile((x: nt.Tensor) => {
      const loss = network.forward(x).square().sum()
      optimizer.minimize(loss, network)
      return loss
    })
    for (let i = 0; i < 4; i++) step(x)
    const weight = network.layers[0].weight
    const before = await weight.data()
    network.layers[0].freeze()
    nt.requireGradient(network.layers[0].bias!)
    for (let i = 0; i < 4; i++) step(x)
    deepStrictEqual(await weight.data(), before)
  })
})

onEachDevice('Sequential', () => {
  it('is indexed, counted and walked', () => {
    const [flatten, linear] = [new nn.Flatten(), new nn.Linear(2)]
    const network = new nn.Sequential(flatten, linear)
    strictEqual(network[1], linear)
    strictEqual(network.layers[1].outputs, 2)
    deepStrictEqual([...network], [flatten, linear])
    strictEqual(network.length, 2)
    strictEqual(network.get('0'), flatten)
    deepStrictEqual(names(network.build([1, 2, 2])), ['1.weight', '1.bias'])
  })

  it('has names where they are given', () => {
    const network = new nn.Sequential({ flat: new nn.Flatten(), head: new nn.Linear(2) })
    network.build([1, 2, 2])
    deepStrictEqual(names(network), ['head.weight', 'head.bias'])
    strictEqual(network.get('head'), network[1])
  })

  it('of nothing passes its input on', () => {
    const x = nt.ones([2])
    strictEqual(new nn.Sequential().forward(x), x)
  })

  it('nests, and takes a class of its own', () => {
    class Head extends nn.Sequential {
      temperature = nn.parameter(nt.ones([]))
    }
    const network = new nn.Sequential(new nn.Flatten(), new Head(new nn.Linear(2, { inputs: 3 })))
    deepStrictEqual(names(network), ['1.temperature', '1.0.weight', '1.0.bias'])
  })
})

onEachDevice('modules as text', () => {
  const network = () =>
    new nn.Sequential(
      new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dropout(0.5),
      new nn.Linear(2)
    )

  it('a tree with the shapes of the parameters and their counts', () => {
    strictEqual(
      network().build([1, 4, 4, 3]).toString(),
      `Sequential
  0: Conv2d(32, 3x3, padding same, relu)  weight [32, 3, 3, 3], bias [32]  896
  1: MaxPool2d(2)
  2: Flatten
  3: Dropout(0.5)
  4: Linear(2)                            weight [2, 128], bias [2]        258
total                                                                      1,154`
    )
  })

  it('is what console.log shows', () => {
    const layer = new nn.Linear(2, { inputs: 1 })
    strictEqual(inspect(layer), layer.toString())
  })

  it('says what is not there yet, and what is frozen', () => {
    const one = network()
    ok(one.toString().includes('0: Conv2d(32, 3x3, padding same, relu)  weight, bias made at the first input'))
    ok(one.toString().endsWith('0 so far'))
    one.build([1, 4, 4, 3]).layers[0].freeze()
    ok(/896 \(frozen\)\n/.test(one.toString()), one.toString())
    ok(one.toString().endsWith('1,154, 258 trainable'))
  })

  it('a table with the shapes of the results', () => {
    const one = network()
    one.build([1, 4, 4, 3]).layers[0].freeze()
    strictEqual(
      one.summary([96, 4, 4, 3]),
      `layer  type                                 output shape      parameters  multiply-adds
       input                                [96, 4, 4, 3]
0      Conv2d(32, 3x3, padding same, relu)  [96, 4, 4, 32]  896 (frozen)      1,327,104
1      MaxPool2d(2)                         [96, 2, 2, 32]
2      Flatten                              [96, 128]
3      Dropout(0.5)                         [96, 128]
4      Linear(2)                            [96, 2]                  258         24,576
       Sequential                           [96, 2]                1,154      1,351,680

trainable      258
not trainable  896
buffers        0
memory         0.00462 MB of state, 0.296 MB of results`
    )
    strictEqual(Object.hasOwn(one, 'forward'), false)
  })

  class Twice extends nn.Module {
    inner = new nn.Linear(6)
    factor = nn.parameter(nt.ones([6, 4]))
    forward(x: nt.Tensor): nt.Tensor {
      return this.inner.forward(this.inner.forward(x)).matmul(this.factor)
    }
    override multiplyAdds(_: nt.Tensor, result: nt.Tensor): number {
      return result.size * 6
    }
  }
  const products: [string, nt.nn.Module, number[], number][] = [
    ['a convolution in groups', new nn.Conv2d(8, 3, { groups: 2, stride: 2 }), [1, 7, 7, 4], 9 * 8 * (9 * 2)],
    ['a transposed convolution', new nn.ConvTranspose2d(6, [2, 3], { stride: 2 }), [2, 5, 5, 4], 50 * 4 * (6 * 6)],
    ['a convolution along one axis', new nn.Conv1d(5, 3), [2, 6, 4], 2 * 4 * 5 * (3 * 4)],
    ['a dense layer over several axes', new nn.Linear(5), [2, 3, 4], 2 * 3 * 5 * 4],
    ['a module of ones own, and its member at each call', new Twice(), [3, 6], 2 * 3 * 6 * 6 + 3 * 4 * 6]
  ]
  for (const [name, module, shape, wanted] of products) {
    it(`the multiply-adds of ${name}`, () => {
      const text = module.summary(shape).split('\n\n')[0]!
      strictEqual(Number(/ ([\d,]+)$/.exec(text)![1]!.replaceAll(',', '')), wanted, text)
    })
  }

  it('the table of a network that fails leaves the network as it was', () => {
    const one = network()
    throws(() => one.summary([96, 4]), /an input of 4 axes/)
    strictEqual(Object.hasOwn(one[0]!, 'forward'), false)
    strictEqual(one.training, true)
  })
})
