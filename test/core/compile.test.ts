import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { native } from '../../lib/native.js'
import { onEachDevice } from '../support/devices.js'

const { nn, optim } = nt

onEachDevice('compile', () => {
  it('runs the body twice in 100 steps; a replay is one crossing and allocates its results alone', () => {
    const network = new nn.Sequential(new nn.Linear(8, { activation: 'relu' }), new nn.Linear(3))
    const optimizer = new optim.Adam({ learningRate: 0.01 })
    let runs = 0
    const step = nt.compile((x: nt.Tensor, y: nt.Tensor<'int32'>) => {
      runs++
      const loss = nt.crossEntropy(network.forward(x), y)
      optimizer.minimize(loss, network)
      return loss
    })
    const x = nt.random.normal([16, 5], { seed: 1 })
    const y = nt.random.integers([16], 0, 3, { seed: 2 })
    for (let i = 0; i < 3; i++) step(x, y)
    const before = native.counters()
    const losses = Array.from({ length: 97 }, () => step(x, y))
    const after = native.counters()
    assert.equal(runs, 2)
    assert.equal(after.prepared, before.prepared)
    assert.equal(after.allocations - before.allocations, 97)
    // One for each step, one for each block of 64 results, one for counting.
    assert(after.crossings - before.crossings <= 97 + 3, String(after.crossings - before.crossings))
    const values = losses.map((loss) => loss.dataSync()[0]!)
    assert(
      values.every((value, i) => i === 0 || value < values[i - 1]!),
      'every loss is a value of its own, and smaller'
    )
  })

  it('trains as the eager function does, to the bit', () => {
    const losses = [false, true].map((compiled) => {
      nt.random.seed(5)
      const network = new nn.Sequential(
        new nn.Linear(6, { activation: 'relu' }),
        new nn.BatchNorm(),
        new nn.Dropout(0.5),
        new nn.Linear(2)
      )
      const optimizer = new optim.SGD({ learningRate: optim.cosine(0.1, { steps: 12 }), momentum: 0.9 })
      const step = (x: nt.Tensor, y: nt.Tensor<'int32'>) => {
        const loss = nt.crossEntropy(network.forward(x), y)
        optimizer.minimize(loss, network)
        return loss
      }
      const run = compiled ? nt.compile(step) : step
      return Array.from({ length: 12 }, (_, i) =>
        run(nt.random.normal([10, 4], { seed: i }), nt.random.integers([10], 0, 2, { seed: i })).itemSync()
      )
    })
    assert.deepEqual(losses[1], losses[0])
  })

  it('records each signature: shapes, dtypes, other arguments', () => {
    let runs = 0
    const f = nt.compile((x: nt.Tensor, { scale }: { scale: number }) => {
      runs++
      return x.mul(scale)
    })
    const calls: [number[], number][] = [
      [[2], 2],
      [[3], 2],
      [[2], 5]
    ]
    for (let i = 0; i < 4; i++)
      for (const [shape, scale] of calls) assert.equal(f(nt.full(shape, 3), { scale }).dataSync()[0], 3 * scale)
    assert.equal(runs, 6)
    assert.equal(f.programs.length, 3)
  })

  it('records anew when a dependency has changed', () => {
    const network = new nn.Dropout(0.5)
    let runs = 0
    const f = nt.compile((x: nt.Tensor) => {
      runs++
      return network.forward(x)
    })
    const x = nt.ones([64])
    for (let i = 0; i < 3; i++) assert(f(x).dataSync().includes(0))
    network.eval()
    for (let i = 0; i < 3; i++) assert(!f(x).dataSync().includes(0))
    network.train()
    for (let i = 0; i < 3; i++) assert(f(x).dataSync().includes(0))
    assert.equal(runs, 4)
  })

  it('gives results of any shape, each a value of its own', () => {
    const f = nt.compile((x: nt.Tensor) => ({ double: x.mul(2), list: [x.add(1), [x.sum(), x]], nothing: undefined }))
    const results = [1, 2, 3, 4].map((value) => f(nt.tensor([value, value])))
    results.forEach(({ double, list: [more, [sum, same]], nothing }: any, i) => {
      assert.deepEqual([...double.dataSync()], [2 * (i + 1), 2 * (i + 1)])
      assert.deepEqual([...more.dataSync()], [i + 2, i + 2])
      assert.equal(sum.itemSync(), 2 * (i + 1))
      assert.deepEqual([...same.dataSync()], [i + 1, i + 1])
      assert.equal(nothing, undefined)
    })
  })

  it('plans less memory than all intermediate values take', () => {
    const f = nt.compile((x: nt.Tensor) => {
      let y = x
      for (let i = 0; i < 20; i++) y = nt.cumsum(y).mul(0.01)
      return y.sum()
    })
    for (let i = 0; i < 2; i++) f(nt.ones([1000]))
    const text = String(f.programs[0])
    assert.match(text, /cumsum/)
    const [, planned, all] = /(\d+) bytes planned for (\d+) bytes/.exec(text)!
    assert(Number(planned) * 4 < Number(all), text.split('\n').at(-2))
  })

  it('profiles a recording: one more call of it, timed kernel by kernel', () => {
    const total = nt.zeros([])
    const f = nt.compile((x: nt.Tensor, { w }: { w: nt.Tensor }) => {
      const y = nt.matmul(x, w).relu().sum()
      nt.assign(total, total.add(y))
      return y
    })
    const [x, w] = [nt.ones([4, 8]), nt.ones([8, 2])]
    for (let i = 0; i < 3; i++) f(x, { w })
    const program = f.programs[0]!
    const profile = program.profile(x, { w })
    assert.equal(total.itemSync(), 4 * 64)

    const { calls } = profile
    const steps = String(program)
      .split('\n')
      .filter((line) => line.includes(' = '))
    assert.equal(calls.length, steps.length + 2)
    assert.deepEqual([calls[0]!.op, calls.at(-1)!.op], ['arguments', 'results'])
    for (const [i, { op, call }] of calls.slice(1, -1).entries()) assert(steps[i]!.includes(`= ${op}.${call} <-`), op)
    const product = calls.find(({ kernel }) => kernel === 'matmul')!
    assert.deepEqual(product.inputs, ['float32 [4, 8]', 'float32 [8, 2]'])
    assert.deepEqual(product.outputs, ['float32 [4, 2]'])
    assert.equal(product.bytes, 4 * (4 * 8 + 8 * 2 + 4 * 2))
    assert.equal(product.operations, 2 * 4 * 8 * 2)
    let end = 0
    for (const { start, ms } of calls) {
      assert(start >= end - 1e-9 && ms >= 0, `${start} ${ms} after ${end}`)
      end = start + ms
    }
    assert.equal(profile.ms, end)

    const [header, ...rows] = String(profile).split('\n')
    assert.match(header!, /^ *ms +share +MB +GB\/s +GFLOP\/s +call$/)
    const ms = rows.slice(0, -1).map((row) => Number.parseFloat(row))
    assert.deepEqual(
      ms,
      [...ms].sort((a, b) => b - a)
    )
    assert.match(String(profile), / matmul {2}float32 \[4, 8\], \[8, 2\] -> \[4, 2\]\n/)
    assert.match(rows.at(-1)!, new RegExp(`ms in ${calls.length} calls, 0.00 MB$`))

    interface Event {
      name: string
      ph: string
      ts: number
      dur: number
    }
    const { traceEvents } = JSON.parse(profile.trace()) as { traceEvents: Event[] }
    assert.deepEqual(
      traceEvents.map(({ ph, ts, dur }) => [ph, ts, dur]),
      calls.map(({ start, ms }) => ['X', start * 1000, ms * 1000])
    )
    assert(traceEvents.some(({ name }) => name === 'matmul'))

    assert.throws(() => program.profile(x), /^Error: profile: expected 2 tensors, as recorded, got 1\.$/)
    assert.throws(() => program.profile(w, x), /profile: expected float32 \[4, 8\], as recorded, got float32 \[8, 2\]/)
  })

  it('counts the operations of convolutions in a profile, and passes on what a call fails with', () => {
    const f = nt.compile((x: nt.Tensor, w: nt.Tensor, at: nt.Tensor<'int32'>) =>
      nt.gather(nt.conv2d(x, w, { padding: 'same' }), at, 3)
    )
    const index = (i: number) => nt.tensor([i], { dtype: 'int32' })
    const args = [nt.ones([2, 6, 6, 4]), nt.ones([8, 3, 3, 4])] as const
    for (let i = 0; i < 2; i++) f(...args, index(1))
    const program = f.programs[0]!
    const convolution = program.profile(...args, index(1)).calls.find((c) => c.kernel === 'convolution')!
    assert.equal(convolution.operations, 2 * (2 * 6 * 6) * 8 * (3 * 3 * 4))
    assert.throws(() => program.profile(...args, index(8)), /expected indices in \[0, 8\), got 8/)
  })

  it('draws new random numbers in each replay', () => {
    nt.random.seed(1)
    const f = nt.compile(() => nt.random.uniform([4]))
    const draws = Array.from({ length: 5 }, () => String(f().dataSync()))
    assert.equal(new Set(draws).size, 5)
    nt.random.seed(1)
    assert.deepEqual(
      Array.from({ length: 5 }, () => String(nt.random.uniform([4]).dataSync())),
      draws
    )
  })

  it('verify finds what has changed in JavaScript', () => {
    let factor = 2
    const f = nt.compile((x: nt.Tensor) => x.mul(factor), { verify: 3 })
    const x = nt.tensor([1])
    for (let i = 0; i < 4; i++) f(x)
    factor = 3
    assert.throws(() => {
      for (let i = 0; i < 3; i++) f(x)
    }, /^Error: compile: expected the same results from the function and from its recording, got others\./)
  })

  it('verify keeps the state of a training step', () => {
    const values = [{}, { verify: 2 }].map((options) => {
      const weight = nt.requireGradient(nt.tensor([1, 2]))
      const optimizer = new optim.SGD({ learningRate: 0.1, momentum: 0.5 })
      const step = nt.compile((x: nt.Tensor) => {
        const loss = weight.mul(x).square().sum()
        optimizer.minimize(loss, [weight])
        return loss
      }, options)
      return Array.from({ length: 8 }, () => step(nt.tensor([1, -1])).itemSync())
    })
    assert.deepEqual(values[1], values[0])
  })

  const x = () => nt.tensor([1, 2])
  const twice = (f: (...args: any[]) => unknown, ...args: unknown[]) => {
    const compiled = nt.compile(f as never) as (...args: unknown[]) => unknown
    compiled(...args)
    compiled(...args)
  }
  const mistakes: [string, () => unknown, RegExp][] = [
    [
      'reading a value',
      () => twice((a: nt.Tensor) => nt.full([], a.sum().itemSync()), x()),
      /: expected no reading inside a compiled function, got a read\. Return the tensor/
    ],
    [
      'reading all values',
      () => twice((a: nt.Tensor) => a.mul(a.dataSync()[0]!), x()),
      /: expected no reading inside a compiled function/
    ],
    [
      'a result that is a number',
      () => twice(() => 3, x()),
      /^Error: compile: expected a function that returns tensors, .*got 3\./
    ],
    [
      'an async function',
      () => twice(async () => x(), x()),
      /^Error: compile: expected a function that returns tensors, .*got a promise\./
    ],
    [
      'an argument that a gradient flows through',
      () => twice((a: nt.Tensor) => a, nt.requireGradient(x())),
      /^Error: compile: expected arguments without history, got /
    ],
    [
      'an argument that is a function',
      () =>
        twice(
          (a: nt.Tensor) => a,
          x(),
          () => 1
        ),
      /^Error: compile: expected arguments that are tensors, .*got a function/
    ],
    [
      'a compiled function inside another',
      () => {
        const inner = nt.compile((a: nt.Tensor) => a.add(1))
        twice((a: nt.Tensor) => inner(a), x())
        twice((a: nt.Tensor) => inner(a), x())
        throw new Error('compile: expected no nesting')
      },
      /^Error: compile: expected /
    ],
    ['what is no function', () => nt.compile(3 as never), /^Error: compile: expected a function, got 3\./],
    [
      'an unknown precision',
      () => nt.compile(x, { compute: 'float64' as never }),
      /^Error: compile: expected compute of 'float32', 'tf32', 'bfloat16', 'float16', got 'float64'\. Did you mean 'float32'/
    ],
    ['verify that is none', () => nt.compile(x, { verify: 0 }), /^Error: compile: expected verify .*got 0\./]
  ]
  for (const [name, mistake, message] of mistakes) it(`refuses ${name}`, () => assert.throws(mistake, message))

  it('works again after an error in its body', () => {
    let fail = false
    const f = nt.compile((a: nt.Tensor) => {
      if (fail) throw new Error('mine')
      return a.add(1)
    })
    f(x())
    fail = true
    assert.throws(() => f(x()), /^Error: mine$/)
    fail = false
    for (let i = 0; i < 3; i++) assert.deepEqual([...f(x()).dataSync()], [2, 3])
    assert.deepEqual([...x().mul(2).dataSync()], [2, 4])
  })
})
