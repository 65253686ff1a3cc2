// What a compiled function keeps of its weights from one call to the next: whatever changes them, the next call sees it.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { computeAsAsked } from '../support/precision.js'
import { temporaryFolder } from '../support/temporary.js'

const { nn, optim } = nt

/** Convolutions of which one packs its weights where a library does so, a norm, and a matrix product. */
const makeNetwork = (seed: number) => {
  nt.random.seed(seed)
  return new nn.Sequential(
    new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new nn.BatchNorm(),
    new nn.Conv2d(32, 3, { stride: 2, activation: 'relu' }),
    new nn.Flatten(),
    new nn.Linear(4)
  ).build([1, 8, 8, 16])
}
type Network = ReturnType<typeof makeNetwork>

const picture = (seed: number) => nt.random.uniform([2, 8, 8, 16], { seed })
const step = (network: Network, optimizer: nt.optim.Optimizer) => (x: nt.Tensor) => {
  const loss = network.forward(x).square().mean()
  optimizer.minimize(loss, network)
  return loss
}

/** A step that has been recorded: all that it does from now on are replays. */
const recordedStep = (network: Network, compute: 'float32' | 'bfloat16') => {
  const compiled = nt.compile(step(network.train(), new optim.Adam({ learningRate: 0.1 })), { compute })
  for (let i = 0; i < 3; i++) compiled(picture(i))
  return () => {
    network.train()
    compiled(picture(7))
  }
}

/** Ways to change a network that a compiled function knows; `other` has other weights, at `path` in a file, too. */
const changes: { name: string; make: (network: Network, other: Network, path: string) => () => unknown }[] = [
  { name: 'assign', make: (network) => () => network.parameters().forEach((p) => nt.assign(p, p.detach().mul(0.5))) },
  { name: 'load', make: (network, _, path) => () => network.load(path) },
  {
    name: 'a step of an optimizer',
    make: (network) => () => step(network.train(), new optim.Adam({ learningRate: 0.1 }))(picture(7))
  },
  { name: 'the replay of a step', make: (network) => recordedStep(network, 'float32') },
  { name: 'the replay of a step in half precision', make: (network) => recordedStep(network, 'bfloat16') },
  { name: 'running statistics alone', make: (network) => () => void network.train().forward(picture(8).mul(3)) },
  {
    name: 'a move to another device and back',
    make: (network, other) => () => {
      const home = network.device
      network
        .to('cpu')
        .parameters()
        .forEach((p, i) => nt.assign(p, other.parameters()[i]!.detach().to('cpu')))
      network.to(home)
    }
  },
  { name: 'nothing', make: () => () => undefined }
]

onEachDevice('what is kept of weights', (device) => {
  computeAsAsked()
  const path = temporaryFolder()

  for (const compute of ['float32', 'bfloat16'] as const) {
    for (const { name, make } of changes) {
      it(`follows ${name} in ${compute}`, async () => {
        const [network, other] = [makeNetwork(1), makeNetwork(2)]
        const file = path(`${device}-${compute}.safetensors`)
        await other.save(file)
        const change = make(network, other, file)
        const use = (x: nt.Tensor) => nt.noGrad(() => network.forward(x).astype('float32'))
        const programs = [nt.compile(use, { compute }), nt.compile(use, { compute, verify: 2 })]
        const check = (when: string) => {
          network.eval()
          const x = picture(3)
          const want = [...nt.withCompute(compute, () => use(x)).dataSync()]
          for (const program of programs)
            for (let i = 0; i < 3; i++) assert.deepEqual([...program(x).dataSync()], want, `${when}, call ${i + 1}`)
          return want
        }
        const before = check('before')
        for (let round = 0; round < 2; round++) {
          await change()
          const after = check(`after change ${round + 1}`)
          if (round === 0) assert.equal(String(before) === String(after), name === 'nothing')
        }
      })
    }
  }

  for (const [name, options] of [
    ['', {}],
    ['beside the function itself', { verify: 2 }]
  ] as const) {
    it(`follows what else changes weights that a step in half precision trains ${name}`, () => {
      const losses = [true, false].map((isCompiled) => {
        const network = makeNetwork(1)
        const optimizer = new optim.AdamW({ learningRate: 0.01, clipNorm: 1 })
        const train = step(network, optimizer)
        const run = isCompiled
          ? nt.compile(train, { compute: 'bfloat16', ...options })
          : (x: nt.Tensor) => nt.withCompute('bfloat16', () => train(x))
        return Array.from({ length: 12 }, (_, i) => {
          const [bias] = network.parameters().slice(-1)
          if (i % 4 === 0) nt.assign(bias!, bias!.detach().add(0.5))
          if (i === 6) network.parameters().forEach((p) => nt.assign(p, p.detach().mul(0.9)))
          // A step with infinite gradients changes nothing.
          return run(i === 8 ? picture(i).mul(1e30) : picture(i)).itemSync()
        })
      })
      assert.deepEqual(losses[0], losses[1])
    })
  }

  it('is made once, for each program that needs it', () => {
    const w = nt.random.uniform([64, 64], { seed: 1 })
    const f = nt.compile((x: nt.Tensor) => nt.matmul(x, w.exp().transpose()))
    const x = nt.ones([2, 64])
    for (let i = 0; i < 3; i++) f(x)
    assert.match(String(f.programs[0]), /^kept: .*exp.*\nkept: .*permute.*\n[^\n]*matmul.*\n1 steps/)
  })

  it('takes no memory of its own where it is only on the way to something kept', () => {
    const w = nt.random.uniform([256, 256], { seed: 1 })
    const f = nt.compile((x: nt.Tensor) => x.mul(w.exp().tanh().sqrt()).add(1).mean())
    for (let i = 0; i < 3; i++) f(nt.ones([256, 256]))
    const text = String(f.programs[0])
    const [, planned] = /(\d+) bytes planned/.exec(text)!
    // The argument, what is kept, and what is made of both; beside these only scalars.
    assert(Number(planned) < 3.5 * w.size * 4, text)
    assert.match(text, /3 kept/)
  })

  it('is right after a call that failed', () => {
    const [table, w] = [nt.ones([4, 3]), nt.ones([3])]
    const f = nt.compile((at: nt.Tensor<'int32'>) => nt.gather(table, at).mul(w.exp()))
    const good = nt.tensor([1], { dtype: 'int32' })
    for (let i = 0; i < 3; i++) f(good)
    nt.assign(w, 0)
    assert.throws(() => f(nt.gather(good, nt.tensor([9], { dtype: 'int32' }))).dataSync())
    assert.deepEqual([...f(good).dataSync()], [1, 1, 1])
  })

  it('is an error to differentiate through what a replay has changed', () => {
    const w = nt.requireGradient(nt.ones([3]))
    const change = nt.compile((x: nt.Tensor) => nt.noGrad(() => void nt.assign(w, w.add(x))))
    const x = nt.ones([3])
    for (let i = 0; i < 2; i++) change(x)
    const loss = w.square().sum()
    change(x)
    assert.throws(() => nt.backward(loss, [w]), /changed in place since/)
  })
})
