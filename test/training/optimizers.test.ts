// Optimizers and schedules against PyTorch, eager and compiled, and what they refuse.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { optim, type Tensor } from '../../lib/index.js'
import { floats, golden, near, numbers } from './support.js'
import { onEachDevice } from '../support/devices.js'

const shapes = [[3, 4], [5], []]

// Options as in scripts/golden-training.py.
const makers: Record<string, () => optim.Optimizer> = {
  SGD: () => new optim.SGD({ learningRate: 0.1 }),
  'SGD momentum': () => new optim.SGD({ learningRate: 0.1, momentum: 0.9 }),
  'SGD momentum decay': () => new optim.SGD({ learningRate: 0.1, momentum: 0.8, weightDecay: 0.05 }),
  'SGD nesterov decay': () => new optim.SGD({ learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  Adam: () => new optim.Adam({ learningRate: 0.01 }),
  'Adam betas decay': () => new optim.Adam({ learningRate: 0.05, betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.1 }),
  AdamW: () => new optim.AdamW({ learningRate: 0.01, weightDecay: 0.01 }),
  'SGD decay of weights': () =>
    new optim.SGD({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.05, decay: 'weights' }),
  'AdamW decay of weights': () => new optim.AdamW({ learningRate: 0.05, weightDecay: 0.3, decay: 'weights' }),
  'AdamW decay': () => new optim.AdamW({ learningRate: 0.05, betas: [0.7, 0.9], weightDecay: 0.3 })
}

const parametersOf = (): Tensor[] => shapes.map((shape, i) => nt.requireGradient(numbers(10 + i, shape)))
const gradientsOf = (step: number): Tensor[] => shapes.map((shape, i) => numbers(100 + 10 * step + i, shape))

type Steps = Record<string, string[]>

onEachDevice('optimizers', () => {
  const wanted = golden<Record<string, Steps>>('optimizers')

  for (const [name, make] of Object.entries(makers)) {
    for (const compiled of [false, true]) {
      it(`${name} takes PyTorch's steps, ${compiled ? 'compiled' : 'eager'}`, async () => {
        const parameters = parametersOf()
        const optimizer = make()
        // The gradient of sum(p * g) is g.
        const body = (...gradients: Tensor[]): Tensor => {
          const loss = parameters.map((p, i) => p.mul(gradients[i]!).sum()).reduce((a, b) => a.add(b))
          optimizer.minimize(loss, parameters)
          return loss
        }
        const step = compiled ? nt.compile(body) : body
        for (let i = 1; i <= 10; i++) {
          step(...gradientsOf(i))
          const after = wanted[name]![i]
          for (const [k, text] of after?.entries() ?? []) {
            near(await parameters[k]!.data(), floats(text), 2e-6, `${name}, parameter ${k} after step ${i}`)
          }
        }
        assert.equal(await optimizer.steps(), 10)
      })
    }
  }

  for (const compiled of [false, true]) {
    it(`takes the mean of accumulated gradients, ${compiled ? 'compiled' : 'eager'}`, async () => {
      const parameters = parametersOf()
      const optimizer = new optim.SGD({ learningRate: 0.1, momentum: 0.9 })
      const lossOf = (gradients: Tensor[]): Tensor =>
        parameters.map((p, i) => p.mul(gradients[i]!).sum()).reduce((a, b) => a.add(b))
      const add = (...gradients: Tensor[]): void => optimizer.accumulate(lossOf(gradients), parameters)
      const last = (...gradients: Tensor[]): void => optimizer.minimize(lossOf(gradients), parameters)
      const [accumulate, minimize] = compiled ? [nt.compile(add), nt.compile(last)] : [add, last]
      const others = (from: number, step: number): Tensor[] =>
        shapes.map((shape, i) => numbers(from + 10 * step + i, shape))
      for (let i = 1; i <= 10; i++) {
        accumulate(...gradientsOf(i))
        accumulate(...others(300, i))
        minimize(...others(500, i))
        for (const [k, text] of wanted['accumulated']![i]?.entries() ?? []) {
          near(await parameters[k]!.data(), floats(text), 2e-6, `parameter ${k} after step ${i}`)
        }
      }
      assert.equal(await optimizer.steps(), 10)
    })
  }

  it('minimizes as before where nothing waits, also after accumulation began', async () => {
    const [p, optimizer] = [nt.requireGradient(nt.ones([])), new optim.SGD({ learningRate: 1 })]
    const minimize = nt.compile((g: Tensor) => optimizer.minimize(p.mul(g), [p]))
    for (let i = 0; i < 3; i++) minimize(nt.tensor(1))
    optimizer.accumulate(p.mul(5), [p])
    minimize(nt.tensor(1)) // the mean of 5 and 1
    for (let i = 0; i < 3; i++) minimize(nt.tensor(1))
    assert.equal(await p.item(), 1 - 3 - 3 - 3)
  })

  it('scales gradients down to the norm of clipNorm', async () => {
    const parameters = parametersOf()
    const tight = new optim.SGD({ learningRate: 0.1, momentum: 0.9, clipNorm: 0.5 })
    const wide = new optim.SGD({ learningRate: 0.1, momentum: 0.9, clipNorm: 100 })
    for (let i = 1; i <= 10; i++) {
      const optimizer = i % 2 ? tight : wide
      if (i > 1) optimizer.loadState((i % 2 ? wide : tight).state(), parameters)
      optimizer.step(gradientsOf(i), parameters)
      for (const [k, text] of wanted['clipped']![i]?.entries() ?? []) {
        near(await parameters[k]!.data(), floats(text), 2e-6, `parameter ${k} after step ${i}`)
      }
    }
  })

  it('goes on from a saved state', async () => {
    for (const [name, make] of Object.entries(makers)) {
      const [straight, broken] = [parametersOf(), parametersOf()]
      const [one, before, after] = [make(), make(), make()]
      for (let i = 1; i <= 4; i++) one.step(gradientsOf(i), straight)
      for (let i = 1; i <= 2; i++) before.step(gradientsOf(i), broken)
      after.loadState(before.state(), broken)
      for (let i = 3; i <= 4; i++) after.step(gradientsOf(i), broken)
      for (const [i, p] of straight.entries()) assert.deepEqual(await broken[i]!.data(), await p.data(), name)
    }
  })

  it('goes on from a state saved amid accumulation, bit for bit', async () => {
    const make = () => new optim.Adam({ learningRate: 0.1 })
    const run = async (broken: boolean) => {
      const parameters = parametersOf()
      let optimizer = make()
      for (let i = 1; i <= 9; i++) {
        const loss = parameters.map((p, k) => p.mul(gradientsOf(i)[k]!).sum()).reduce((a, b) => a.add(b))
        if (i % 3 === 0) optimizer.minimize(loss, parameters)
        else optimizer.accumulate(loss, parameters)
        if (broken && [4, 5, 6].includes(i)) {
          const state = optimizer.state()
          assert.equal(await state['accumulated']!.item(), i % 3)
          optimizer = make()
          optimizer.loadState(state, parameters)
        }
      }
      return Promise.all(parameters.map((p) => p.data()))
    }
    assert.deepEqual(await run(true), await run(false))
  })

  it('forgets what it had accumulated where another state is loaded', async () => {
    const [p, optimizer] = [nt.requireGradient(nt.ones([])), new optim.SGD({ learningRate: 1 })]
    optimizer.accumulate(p.mul(100), [p])
    optimizer.loadState({ steps: nt.tensor(7) }, [p])
    optimizer.minimize(p.mul(1), [p])
    assert.equal(await p.item(), 0)
    assert.equal(await optimizer.steps(), 8)
  })

  it('names the state by the place in the model, whatever was frozen when', async () => {
    const [first, second] = [nt.requireGradient(nt.zeros([2])), nt.requireGradient(nt.zeros([2]))]
    const make = () => new optim.SGD({ learningRate: 1, momentum: 0.5 })
    const one = make()
    const gradient = (...values: number[]) => values.map((value) => nt.full([2], value))
    nt.requireGradient(first, false)
    one.step(gradient(2), [first, second])
    assert.deepEqual(Object.keys(one.state()), ['steps', '1.velocity'])
    const other = make()
    other.loadState(one.state(), [first, second])
    nt.requireGradient(first)
    for (const optimizer of [one, other]) optimizer.step(gradient(1, 2), [first, second])
    assert.deepEqual(Object.keys(one.state()).sort(), ['0.velocity', '1.velocity', 'steps'])
    for (const [name, tensor] of Object.entries(one.state())) {
      assert.deepEqual(await other.state()[name]!.data(), await tensor.data(), name)
    }
    assert.throws(() => make().loadState({ steps: nt.tensor(1) }, [first, second]), /a tensor '0.velocity'/)
  })

  it('tells its class and options as data', () => {
    const rate = optim.warmup(optim.cosine(0.5, { steps: 100 }), { steps: 10 })
    const sgd = new optim.SGD({ learningRate: rate, momentum: 0.9, decay: 'weights', clipNorm: 2 })
    const cosine = { kind: 'cosine', rate: 0.5, steps: 100, to: 0, warmup: 5 }
    assert.deepEqual(JSON.parse(JSON.stringify(sgd.describe())), {
      kind: 'SGD',
      learningRate: { kind: 'warmup', schedule: cosine, steps: 10, from: 0 },
      momentum: 0.9,
      nesterov: false,
      weightDecay: 0,
      decay: 'weights',
      clipNorm: 2
    })
    assert.deepEqual(new optim.AdamW({ betas: [0.8, 0.9] }).describe(), {
      kind: 'AdamW',
      learningRate: 0.001,
      betas: [0.8, 0.9],
      epsilon: 1e-8,
      weightDecay: 0.01,
      decay: 'all'
    })
  })

  it('updates half-precision parameters with a state in float32', async () => {
    for (const dtype of ['bfloat16', 'float16'] as const) {
      const p = nt.requireGradient(nt.ones([3], { dtype }))
      const optimizer = new optim.SGD({ learningRate: 0.5, momentum: 0.5 })
      for (let i = 0; i < 2; i++) optimizer.step([nt.full([3], 0.25, { dtype })], [p])
      assert.deepEqual([...(await p.data())], [0.6875, 0.6875, 0.6875])
      assert.equal(optimizer.state()['0.velocity']!.dtype, 'float32')
    }
  })

  it('trains many parameters in one step', async () => {
    const many = Array.from({ length: 37 }, (_, i) => nt.requireGradient(nt.full([i], i)))
    const optimizer = new optim.Adam({ learningRate: 0.5 })
    optimizer.step(
      many.map((p) => nt.onesLike(p)),
      many
    )
    for (const [i, p] of many.entries())
      near(await p.data(), new Array<number>(i).fill(i - 0.5), 1e-6, `parameter ${i}`)
  })

  it('follows a new learning rate, also where the step is compiled', async () => {
    const p = nt.requireGradient(nt.zeros([1]))
    const optimizer = new optim.SGD({ learningRate: 1 })
    const step = nt.compile((g: Tensor) => optimizer.step([g], [p]))
    for (const rate of [1, 1, 1, 10, 10, new optim.Schedule((t, m) => m.add(t, 100)), 0.5]) {
      optimizer.learningRate = rate
      step(nt.ones([1]))
    }
    assert.equal(await p.item(), -(3 + 20 + 105 + 0.5))
    assert.equal(optimizer.learningRate, 0.5)
  })

  it('leaves frozen parameters alone, and follows when that changes', async () => {
    for (const compiled of [false, true]) {
      const [a, b] = [nt.requireGradient(nt.zeros([])), nt.requireGradient(nt.zeros([]))]
      const optimizer = new optim.SGD({ learningRate: 1 })
      const body = (): void => optimizer.minimize(a.add(b), [a, b])
      const step = compiled ? nt.compile(body) : body
      for (let i = 0; i < 8; i++) {
        if (i === 4 || i === 7) nt.requireGradient(b, i === 7)
        step()
      }
      assert.deepEqual([await a.item(), await b.item()], [-8, -5])
    }
  })

  it('keeps memory flat', () => {
    const parameters = parametersOf()
    const optimizer = new optim.Adam({ clipNorm: 1, learningRate: optim.cosine(0.1, { steps: 10 }) })
    const gradients = gradientsOf(1)
    optimizer.step(gradients, parameters)
    const before = nt.memory().tensors
    for (let i = 0; i < 10; i++) optimizer.step(gradients, parameters)
    assert.equal(nt.memory().tensors, before)
  })

  const p = (): Tensor => nt.requireGradient(nt.ones([2]))
  const loss = (): Tensor => nt.ones([])
  const refused: [string, () => unknown, RegExp][] = [
    ['an unknown option', () => new optim.SGD({ lr: 1 } as never), /^SGD: expected options of learningRate.*got 'lr'/],
    ['options that are none', () => new optim.Adam(3 as never), /^Adam: expected an object of options, got 3/],
    ['a negative rate', () => new optim.SGD({ learningRate: -1 }), /^SGD: expected learningRate .*got -1/],
    ['a rate of NaN', () => new optim.AdamW({ learningRate: NaN }), /^AdamW: expected learningRate .*got NaN/],
    [
      'a rate that is a word',
      () => (new optim.SGD().learningRate = 'x' as never),
      /^SGD: expected learningRate .*got x/
    ],
    ['a negative momentum', () => new optim.SGD({ momentum: -0.1 }), /momentum to be .*got -0.1/],
    ['nesterov without momentum', () => new optim.SGD({ nesterov: true }), /momentum above 0 with nesterov, got 0/],
    ['a decay that is none', () => new optim.SGD({ weightDecay: Infinity }), /weightDecay to be .*got Infinity/],
    [
      'a decay of something else',
      () => new optim.SGD({ decay: 'bias' as never }),
      /a decay|decay of 'all', 'weights'.*got 'bias'/
    ],
    [
      'no loss to accumulate',
      () => new optim.SGD().accumulate(3 as never, [p()]),
      /^accumulate: expected a loss that is a tensor/
    ],
    ['a norm of 0', () => new optim.SGD({ clipNorm: 0 }), /clipNorm to be above 0, got 0/],
    ['one beta', () => new optim.Adam({ betas: [0.9] as never }), /betas to be two numbers, got \[0.9\]/],
    ['a beta of 1', () => new optim.Adam({ betas: [0.9, 1] }), /betas\[1\] to be a number in \[0, 1\), got 1/],
    ['a negative epsilon', () => new optim.Adam({ epsilon: -1 }), /epsilon to be .*got -1/],
    [
      'no loss',
      () => new optim.SGD().minimize(3 as never, [p()]),
      /^minimize: expected a loss that is a tensor, got 3/
    ],
    [
      'a loss without history',
      () => new optim.SGD().minimize(loss(), [p()]),
      /^minimize: expected a loss .*one without history/
    ],
    [
      'no model',
      () => new optim.SGD().minimize(loss(), undefined as never),
      /^minimize: expected a module or an array/
    ],
    [
      'one tensor',
      () => new optim.SGD().step([], p() as never),
      /^step: expected a module or an array.*Put it into an array/s
    ],
    ['no parameters', () => new optim.SGD().step([], []), /^step: expected at least one parameter/],
    ['frozen parameters alone', () => new optim.SGD().step([], [nt.ones([1])]), /got none of 1/],
    ['numbers as parameters', () => new optim.SGD().step([], [3 as never]), /parameters that are tensors, got 3/],
    ['too few gradients', () => new optim.SGD().step([], [p()]), /an array of 1 gradients.*got \[\]/],
    ['gradients that are none', () => new optim.SGD().step([1 as never], [p()]), /gradients that are tensors, got 1/],
    [
      'a gradient of another shape',
      () => new optim.SGD().step([nt.ones([3])], [p()]),
      /^optimizer: expected a gradient float32 \[2\]/
    ],
    [
      'a parameter twice',
      () => {
        const q = p()
        new optim.SGD().step([nt.ones([2]), nt.ones([2])], [q, q])
      },
      /memory twice/
    ],
    ['no state', () => new optim.Adam().loadState({}, [p()]), /^loadState: expected a tensor 'steps', got undefined/],
    ['a state of more', () => new optim.SGD().loadState({ steps: nt.zeros([]), x: p() }, [p()]), /'x' as well/],
    [
      'a state of another shape',
      () => new optim.SGD().loadState({ steps: nt.zeros([1]) }, [p()]),
      /'steps' as float32 \[\], got float32 \[1\]/
    ]
  ]
  for (const [name, call, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
})

onEachDevice('schedules', () => {
  const wanted = golden<Record<string, number[]>>('schedules')
  // Options as in scripts/golden-training.py.
  const schedules: Record<string, optim.Schedule> = {
    linear: optim.linear(0.5, { steps: 20, to: 0.05 }),
    cosine: optim.cosine(0.5, { steps: 20, to: 0.01, warmup: 0 }),
    step: optim.step(0.5, { every: 7, factor: 0.3 }),
    multiStep: optim.multiStep(0.5, { at: [3, 10, 11], factor: 0.3 }),
    exponential: optim.exponential(0.5, { factor: 0.9 }),
    oneCycle: optim.oneCycle(0.5, { steps: 31 }),
    warmup: optim.warmup(optim.cosine(0.5, { steps: 20, warmup: 0 }), { steps: 5, from: 0.05 })
  }
  for (const [name, schedule] of Object.entries(schedules)) {
    it(`${name} goes as PyTorch's`, async () => {
      const values = wanted[name]!
      near(
        values.map((_, t) => schedule.at(t)),
        values,
        1e-12,
        name
      )
      const tensors = values.map((_, t) => schedule.tensor(nt.tensor(t)))
      near(await nt.stack(tensors).data(), values, 1e-6, `${name}, from a tensor`)
    })
    it(`a compiled step follows ${name}`, async () => {
      const p = nt.requireGradient(nt.zeros([]))
      const optimizer = new optim.SGD({ learningRate: schedule })
      const step = nt.compile((g: Tensor) => {
        optimizer.step([g], [p])
        return p.mul(1)
      })
      const positions: number[] = [0]
      for (let t = 0; t < 12; t++) positions.push(await step(nt.ones([])).item())
      near(
        positions.slice(1).map((x, t) => positions[t]! - x),
        wanted[name]!.slice(0, 12),
        1e-5,
        name
      )
      near([await optimizer.currentLearningRate()], [wanted[name]![12]!], 1e-6, 'the next rate')
    })
  }

  it('cosine rises in its first steps', async () => {
    const schedule = optim.cosine(0.6, { steps: 100, to: 0.1 })
    const wave = (t: number): number => 0.1 + (0.5 * (1 + Math.cos((Math.PI * (t - 5)) / 95))) / 2
    const steps = [0, 1, 4, 5, 52.5, 99, 100, 200]
    const wanted = [0.1, 0.2, 0.5, 0.6, 0.35, wave(99), 0.1, 0.1]
    const rates = steps.map((t) => schedule.at(t))
    near(rates, wanted, 1e-12, 'rates')
    near(await nt.stack(steps.map((t) => schedule.tensor(nt.tensor(t)))).data(), wanted, 1e-6, 'rates from tensors')
    assert.equal(optim.cosine(1, { steps: 19 }).at(0), 1)
    assert.equal(optim.cosine(1, { steps: 100, warmup: 0 }).at(0), 1)
  })

  it('tell themselves as data', () => {
    const told = (schedule: optim.Schedule) => schedule.describe()
    assert.deepEqual(told(optim.linear(0.5, { steps: 9 })), { kind: 'linear', rate: 0.5, steps: 9, to: 0 })
    const milestones = { kind: 'multiStep', rate: 0.5, at: [3, 9], factor: 0.1 }
    assert.deepEqual(told(optim.multiStep(0.5, { at: [3, 9] })), milestones)
    const decaying = { kind: 'exponential', rate: 0.5, factor: 0.9 }
    assert.deepEqual(told(optim.exponential(0.5, { factor: 0.9 })), decaying)
    assert.deepEqual(told(optim.step(0.5, { every: 3 })), { kind: 'step', rate: 0.5, every: 3, factor: 0.1 })
    const { kind, steps, warmup } = told(optim.oneCycle(0.5, { steps: 9 }))
    assert.deepEqual([kind, steps, warmup], ['oneCycle', 9, 0.3])
    const constant = { kind: 'constant', rate: 0.25 }
    assert.deepEqual(told(optim.warmup(0.25, { steps: 4 })), { kind: 'warmup', schedule: constant, steps: 4, from: 0 })
    assert.deepEqual(told(new optim.Schedule((t) => t)), { kind: 'custom' })
  })

  it('stay at their end', () => {
    assert.equal(optim.linear(1, { steps: 4 }).at(9), 0)
    assert.equal(optim.cosine(1, { steps: 4, to: 0.5 }).at(100), 0.5)
    const rising = optim.cosine(1, { steps: 60 })
    assert.deepEqual(
      [0, 1, 2, 3].map((t) => rising.at(t)),
      [0.25, 0.5, 0.75, 1]
    )
    assert.equal(rising.at(60), 0)
    assert.equal(optim.warmup(0.25, { steps: 4 }).at(50), 0.25)
    assert.equal(optim.warmup(0.25, { steps: 4 }).at(1), 0.0625)
  })

  const refused: [string, () => unknown, RegExp][] = [
    [
      'no steps',
      () => optim.cosine(0.1, {} as never),
      /^optim.cosine: expected steps as a whole number from 1, got undefined/
    ],
    ['no options', () => optim.linear(0.1, undefined as never), /^optim.linear: expected an object of options/],
    [
      'a negative rate',
      () => optim.step(-1, { every: 3 }),
      /^optim.step: expected a learning rate of at least 0, got -1/
    ],
    ['a factor of 0', () => optim.step(1, { every: 3, factor: 0 }), /a factor above 0, got 0/],
    ['a number for places', () => optim.multiStep(1, { at: 3 as never }), /at as an array of numbers of steps, got 3/],
    ['a place before the first step', () => optim.multiStep(1, { at: [0] }), /at as a whole number from 1, got 0/],
    [
      'no factor',
      () => optim.exponential(1, {} as never),
      /^optim.exponential: expected a factor above 0, got undefined/
    ],
    ['half a step', () => optim.warmup(0.1, { steps: 0.5 }), /^optim.warmup: expected steps .*got 0.5/],
    ['a schedule that is none', () => optim.warmup('x' as never, { steps: 2 }), /a number or a schedule, got x/],
    ['a warm-up of everything', () => optim.oneCycle(1, { steps: 9, warmup: 1 }), /a warm-up in \(0, 1\), got 1/],
    ['a formula that is none', () => new optim.Schedule(3 as never), /^Schedule: expected a function, got 3/]
  ]
  for (const [name, call, message] of refused) {
    it(`refuse ${name}`, () => {
      assert.throws(call, (error: Error) => message.test(error.message) || assert.fail(error.message))
    })
  }
})
