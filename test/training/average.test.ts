// The moving average of weights, against PyTorch's and in a training step.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { nn, optim, type Tensor } from '../../lib/index.js'
import { floats, golden, near, numbers } from './support.js'
import { onEachDevice } from '../support/devices.js'

class Values extends nn.Module {
  weight = nn.parameter(numbers(1, [3, 4]))
  mean = nn.buffer(numbers(2, [5]))
  count = nn.buffer(nt.tensor(new Int32Array([7])))
  forward(x: Tensor): Tensor {
    return x
  }
}
const set = (module: Values, step: number): void => {
  nt.noGrad(() => {
    nt.assign(module.weight, numbers(10 + step, [3, 4]))
    nt.assign(module.mean, numbers(30 + step, [5]))
    nt.assign(module.count, step)
  })
}

const network = () =>
  new nn.Sequential(
    new nn.Linear(4, { inputs: 3, seed: 1 }),
    new nn.BatchNorm({ inputs: 4 }),
    new nn.Linear(2, { inputs: 4, seed: 2 })
  )
const data = (i: number) => numbers(50 + i, [8, 3])
const labels = () => nt.tensor(new Int32Array([0, 1, 1, 0, 1, 0, 0, 1]))

/** A training step with everything that has a state. */
function trainer() {
  const model = network()
  const optimizer = new optim.SGD({ learningRate: optim.cosine(0.1, { steps: 20 }), momentum: 0.9 })
  const average = new optim.WeightAverage(model, { decay: 0.9 })
  const truth = labels()
  const step = nt.compile((x: Tensor) => {
    const loss = nt.crossEntropy(model.forward(x), truth)
    optimizer.minimize(loss, model)
    average.update()
    return loss
  })
  return { model, optimizer, average, step }
}
const floatsOf = (tensor: Tensor): Promise<Float32Array> => tensor.data()
const valuesOf = async (tensors: Iterable<[string, Tensor<any>]>) =>
  Promise.all([...tensors].map(async ([name, tensor]) => [name, [...(await tensor.data())].map(Number)] as const))

onEachDevice('WeightAverage', () => {
  for (const compiled of [false, true]) {
    it(`goes as PyTorch's, ${compiled ? 'compiled' : 'eager'}`, async () => {
      const module = new Values()
      const average = new optim.WeightAverage(module, { decay: 0.9, warmup: false })
      const update = compiled ? nt.compile(() => average.update()) : () => average.update()
      for (const [step, [weight, mean]] of Object.entries(golden<Record<string, [string, string]>>('averages'))) {
        set(module, Number(step))
        update()
        const state = average.state()
        near(await floatsOf(state['weights.weight']!), floats(weight), 2e-6, `weight after ${step}`)
        near(await floatsOf(state['weights.mean']!), floats(mean), 2e-6, `mean after ${step}`)
        assert.equal(await state['weights.count']!.item(), Number(step))
        assert.equal(await state['updates']!.item(), Number(step))
      }
    })
  }

  it('at first follows fast', async () => {
    const module = new Values()
    const average = new optim.WeightAverage(module)
    let wanted = [0]
    for (let t = 0; t < 5; t++) {
      set(module, t)
      average.update()
      const stays = t / (t + 9)
      const now = [...(await module.weight.data())]
      wanted = now.map((value, i) => stays * (wanted[i] ?? 0) + (1 - stays) * value)
    }
    near(await floatsOf(average.state()['weights.weight']!), wanted, 1e-6, 'weight')
  })

  it('swap gives the model the averages, which then stay as they are', async () => {
    const { model, average, step } = trainer()
    for (let i = 0; i < 5; i++) step(data(i))
    const averages = await valuesOf(Object.entries(average.state()))
    average.swap()
    assert.ok(average.swapped)
    const held = await valuesOf([...model.namedParameters(), ...model.namedBuffers()])
    assert.deepEqual(
      held.map(([name, values]) => [`weights.${name}`, values]),
      averages.slice(1)
    )
    assert.throws(() => average.update(), /^Error: update: expected a model with its own weights/)
    assert.throws(() => step(data(0)), /^Error: update: expected a model with its own weights/)
    assert.throws(() => average.loadState(average.state()), /^Error: loadState: expected a model with its own weights/)
    nt.noGrad(() => model.forward(data(9)))
    average.swap()
    assert.ok(!average.swapped)
  })

  it('swap takes itself back to the bit', async () => {
    const { model, average, step } = trainer()
    for (let i = 0; i < 4; i++) step(data(i))
    const own = await valuesOf([...model.namedParameters(), ...model.namedBuffers()])
    const before = nt.memory().tensors
    average.swap()
    average.swap()
    assert.equal(nt.memory().tensors, before)
    assert.deepEqual(await valuesOf([...model.namedParameters(), ...model.namedBuffers()]), own)
  })

  it('of half-precision weights is kept in float32', async () => {
    const model = new nn.Linear(2, { inputs: 2, dtype: 'bfloat16', bias: false, initializer: 'ones' })
    const average = new optim.WeightAverage(model, { decay: 0.75, warmup: false })
    average.update()
    nt.noGrad(() => nt.assign(model.weight, 1.0078125)) // the next bfloat16
    average.update()
    const { 'weights.weight': weight } = average.state()
    assert.equal(weight!.dtype, 'float32')
    assert.deepEqual([...(await weight!.data())], new Array(4).fill(1.001953125))
    average.swap()
    assert.deepEqual([...(await model.weight.data())], new Array(4).fill(1))
    average.swap()
    assert.deepEqual([...(await model.weight.data())], new Array(4).fill(1.0078125))
  })

  it('keeps memory flat', () => {
    const { step } = trainer()
    for (let i = 0; i < 4; i++) step(data(i)).dispose()
    const before = nt.memory().tensors
    for (let i = 0; i < 4; i++) step(data(i)).dispose()
    assert.equal(nt.memory().tensors - before, 4, 'the data alone')
  })

  it('a training goes on from states in fresh objects, bit for bit', async () => {
    const straight = trainer()
    for (let i = 0; i < 9; i++) straight.step(data(i))
    for (const k of [1, 2, 5]) {
      const broken = trainer()
      for (let i = 0; i < k; i++) broken.step(data(i))
      const fresh = trainer()
      nt.noGrad(() => {
        for (const which of ['namedParameters', 'namedBuffers'] as const) {
          const saved = broken.model[which]()
          for (const [name, tensor] of fresh.model[which]()) nt.assign(tensor, saved.get(name)!.detach() as Tensor)
        }
      })
      fresh.optimizer.loadState(broken.optimizer.state(), fresh.model)
      fresh.average.loadState(broken.average.state())
      for (let i = k; i < 9; i++) fresh.step(data(i))
      const all = ({ model, optimizer, average }: typeof fresh) =>
        valuesOf([
          ...model.namedParameters(),
          ...model.namedBuffers(),
          ...Object.entries(optimizer.state()),
          ...Object.entries(average.state())
        ])
      assert.deepEqual(await all(fresh), await all(straight), `broken after ${k}`)
    }
  })

  const loaded = (state: Record<string, Tensor<any>>) => () => new optim.WeightAverage(new Values()).loadState(state)
  const full = () => {
    const average = new optim.WeightAverage(new Values())
    average.update()
    return average.state()
  }
  const refused: [string, () => unknown, RegExp][] = [
    ['no module', () => new optim.WeightAverage([nt.ones([1])] as never), /^WeightAverage: expected a module, got/],
    [
      'a decay of 1',
      () => new optim.WeightAverage(new Values(), { decay: 1 }),
      /decay to be a number in \[0, 1\), got 1/
    ],
    [
      'an unknown option',
      () => new optim.WeightAverage(new Values(), { beta: 1 } as never),
      /options of decay, warmup, got 'beta'/
    ],
    [
      'a warm-up that is none',
      () => new optim.WeightAverage(new Values(), { warmup: 3 as never }),
      /warmup to be true or false, got 3/
    ],
    [
      'a swap before the first update',
      () => new optim.WeightAverage(new Values()).swap(),
      /^swap: expected an average, got none yet/
    ],
    ['an empty state', loaded({}), /^loadState: expected a tensor 'updates', got undefined/],
    [
      'another shape',
      () => loaded({ ...full(), 'weights.mean': nt.zeros([4]) })(),
      /'weights.mean' as float32 \[5\], got float32 \[4\]/
    ],
    [
      'another dtype',
      () => loaded({ ...full(), 'weights.count': nt.zeros([1]) })(),
      /'weights.count' as int32 \[1\], got float32/
    ],
    ['a state of more', () => loaded({ ...full(), more: nt.zeros([]) })(), /'more' as well/]
  ]
  for (const [name, call, message] of refused) it(`refuses ${name}`, () => assert.throws(call, { message }))

  it('before the first update has no state', () => assert.deepEqual(new optim.WeightAverage(new Values()).state(), {}))
})
