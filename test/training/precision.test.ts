// Mixed precision: what each op computes in, PyTorch's autocast, trainings beside float32, loss scaling.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { losses, metrics, nn, optim, type Compute, type Tensor } from '../../lib/index.js'
import { computeAsAsked } from '../support/precision.js'
import { floats, golden, hash, numbers } from './support.js'
import { onEachDevice } from '../support/devices.js'

type AnyTensor = Tensor<any>
const halves = ['bfloat16', 'float16'] as const

/** What becomes of h, of a half dtype, and f, of float32, while that half precision is on: is the result of it, or of float32? */
const results: Record<'half' | 'float32', Record<string, (h: AnyTensor, f: AnyTensor) => AnyTensor>> = {
  half: {
    conv2d: (_, f) => nt.conv2d(f, weights, { bias }),
    'conv2d of half': (h) => nt.conv2d(h, weights, { bias, activation: 'relu' }),
    conv1d: (_, f) => nt.conv1d(f.reshape([8, 16, 3]), nt.ones([4, 3, 3])),
    convTranspose2d: (_, f) => nt.convTranspose2d(f, nt.ones([3, 2, 2, 4]), { bias }),
    matmul: (_, f) => nt.matmul(f, nt.ones([3, 4]), { bias }),
    'matmul of both': (h, f) => nt.matmul(h, f, { transposeB: true }),
    add: (h) => h.add(h),
    'add of a number': (h) => nt.sub(1, h),
    relu: (h) => h.relu(),
    gelu: (h) => h.gelu(),
    sigmoid: (h) => h.sigmoid(),
    tanh: (h) => h.tanh(),
    sqrt: (h) => h.abs().sqrt(),
    where: (h) => nt.where(h.greater(0), h, 0),
    maxPool2d: (h) => nt.maxPool2d(h, 2),
    avgPool2d: (h) => nt.avgPool2d(h, 2),
    globalAvgPool2d: (h) => nt.globalAvgPool2d(h),
    batchNorm: (h) => nt.batchNorm(h, { scale: nt.ones([3]), offset: nt.zeros([3]), training: true }),
    'batchNorm in use': (h) =>
      nt.batchNorm(h, { scale: nt.ones([3]), runningMean: nt.zeros([3]), runningVariance: nt.ones([3]) }),
    'batchNorm without scale': (h) => nt.batchNorm(h, { training: true }),
    dropout: (h) => nt.dropout(h, 0.5, { seed: 1 }),
    flatten: (h) => h.flatten(1),
    permute: (h) => h.permute([3, 0, 1, 2]),
    pad: (h) => h.get(0, 0).pad([[1, 1], [0, 0]]), // prettier-ignore
    concat: (h) => nt.concat([h, h], 1),
    gather: (h) => h.gather(nt.tensor(Int32Array.of(1)), 1),
    mean: (h) => h.mean([1, 2]),
    max: (h) => h.max(3),
    sort: (h) => nt.sort(h, 1).values,
    PReLU: (h) => new nn.PReLU().forward(h)
  },
  float32: {
    'add of both': (h, f) => h.add(f),
    'where of both': (h, f) => nt.where(f.greater(0), f, h),
    'concat of both': (h, f) => nt.concat([h, f], 0),
    'stack of both': (h, f) => nt.stack([h, f]),
    exp: (h) => h.exp(),
    log: (h) => h.abs().log(),
    pow: (h) => h.pow(2),
    rsqrt: (h) => h.abs().rsqrt(),
    softplus: (h) => h.softplus(),
    sum: (h) => h.sum(1),
    prod: (h) => h.prod(3),
    cumsum: (h) => h.cumsum(1),
    variance: (h) => h.variance(),
    norm: (h) => h.norm(),
    logSumExp: (h) => h.logSumExp(3),
    softmax: (h) => h.softmax(),
    logSoftmax: (h) => h.logSoftmax(),
    layerNorm: (h) => nt.layerNorm(h, { scale: nt.ones([3]), offset: nt.zeros([3]) }),
    groupNorm: (h) => nt.groupNorm(h, 3, { scale: nt.ones([3]) }),
    RMSNorm: (h) => new nn.RMSNorm().forward(h),
    resize: (h) => nt.resize(h, [4, 4]),
    embedding: () => nt.embedding(nt.ones([3, 2]), nt.tensor(Int32Array.of(0, 2))),
    crossEntropy: (h) => nt.crossEntropy(h, nt.zeros([8, 4, 4], { dtype: 'int32' })),
    'crossEntropy of probabilities': (h, f) => nt.crossEntropy(h, f.softmax()),
    'crossEntropy with weights': (h) =>
      nt.crossEntropy(h, nt.zeros([8, 4, 4], { dtype: 'int32' }), { weights: nt.ones([3]) }),
    mse: (h) => losses.mse(h, h),
    'mse of both': (h, f) => losses.mse(h, f),
    l1: (h) => losses.l1(h, h),
    huber: (h, f) => losses.huber(h, f),
    binaryCrossEntropy: (h) => losses.binaryCrossEntropy(h, h.sigmoid()),
    klDivergence: (h) => losses.klDivergence(h.logSoftmax(), h.sigmoid()),
    negativeLogLikelihood: (h) => losses.negativeLogLikelihood(h, nt.zeros([8, 4, 4], { dtype: 'int32' }))
  }
}
let weights: AnyTensor
let bias: AnyTensor

// The cases of scripts/golden-training.py.
const labels = () => nt.tensor(Int32Array.of(0, 3, 1, 2))
const conv = (x: AnyTensor, w: AnyTensor, options: nt.ConvOptions = {}) => nt.conv2d(x, w, options)
const norm = (x: AnyTensor, scale: AnyTensor, offset: AnyTensor) => nt.batchNorm(x, { scale, offset, training: true })
const linear = (x: AnyTensor, w: AnyTensor) => nt.matmul(x, w, { transposeB: true })
const images = [4, 6, 6, 3]
const kernel = [4, 3, 3, 3]
const cases: Record<string, [number[][], (...inputs: any[]) => AnyTensor]> = {
  conv2d: [[images, kernel, [4]], (x, w, bias) => conv(x, w, { bias, padding: 1 })],
  'conv2d stride relu': [[images, kernel, [4]], (x, w, bias) => conv(x, w, { bias, stride: 2, activation: 'relu' })],
  convTranspose2d: [[[2, 3, 3, 4], kernel, [3]], (x, w, bias) => nt.convTranspose2d(x, w, { bias, stride: 2 })],
  linear: [[[5, 7], [4, 7], [4]], (x, w, bias) => nt.matmul(x, w, { bias, transposeB: true })],
  matmul: [[[2, 3, 5], [5, 4]], (a, b) => nt.matmul(a, b)], // prettier-ignore
  'shared weight': [[[3, 5], [5, 5]], (x, w) => nt.matmul(nt.matmul(x, w).tanh(), w)], // prettier-ignore
  'residual of float32': [[images, [3, 3, 3, 3]], (x, w) => conv(x, w, { padding: 1 }).add(x)],
  batchNorm: [[images, kernel, [4], [4]], (x, w, s, o) => norm(conv(x, w), s, o)],
  maxPool2d: [[images, kernel], (x, w) => nt.maxPool2d(conv(x, w), 2)],
  avgPool2d: [[images, kernel], (x, w) => nt.avgPool2d(conv(x, w), 2)],
  concat: [
    [
      [3, 5],
      [5, 4],
      [3, 2]
    ],
    (x, w, y) => nt.concat([nt.matmul(x, w), y], 1)
  ],
  mean: [[[3, 5], [5, 4]], (x, w) => nt.matmul(x, w).mean(1)], // prettier-ignore
  sum: [[[3, 5], [5, 4]], (x, w) => nt.matmul(x, w).sum(1)], // prettier-ignore
  exp: [[[3, 5], [5, 4]], (x, w) => nt.matmul(x, w).exp()], // prettier-ignore
  softmax: [[[3, 5], [5, 4]], (x, w) => nt.matmul(x, w).softmax(1)], // prettier-ignore
  layerNorm: [[[3, 5], [5, 4], [4], [4]], (x, w, scale, offset) => nt.layerNorm(nt.matmul(x, w), { scale, offset })],
  crossEntropy: [[[4, 7], [5, 7]], (x, w) => nt.crossEntropy(linear(x, w), labels())], // prettier-ignore
  mse: [
    [
      [4, 7],
      [5, 7],
      [4, 5]
    ],
    (x, w, t) => losses.mse(linear(x, w), t)
  ],
  network: [
    [images, [3, 3, 3, 3], [3], [3], [5, 27]],
    (x, w, s, o, v) =>
      nt.crossEntropy(
        linear(
          nt
            .maxPool2d(
              norm(conv(x, w, { padding: 1 }), s, o)
                .add(x)
                .relu(),
              2
            )
            .flatten(1),
          v
        ),
        labels()
      )
  ]
}

/** The largest difference, in parts of the largest value wanted. */
function distance(values: Float32Array, wanted: Float32Array): number {
  assert.equal(values.length, wanted.length)
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return values.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / (largest || 1)
}

// A result is rounded to 8 bits, a float32 one computed of such: PyTorch's may fall on the other side.
const ONE_ROUNDING = 2 ** -7

/** Two classes of pictures: with a bright left or right half. */
function halvesOf(seed: number): { x: Tensor; y: Tensor<'int32'> } {
  const noise = numbers(seed, [16, 8, 8, 3])
  const y = numbers(seed + 1, [16]).greater(0)
  const side = nt.arange(8).greaterEqual(4).astype('float32').mul(2).sub(1)
  const sign = y.astype('float32').mul(2).sub(1)
  return {
    x: noise.add(
      sign
        .reshape([16, 1, 1, 1])
        .mul(side.reshape([1, 1, 8, 1]))
        .mul(0.25)
    ),
    y: y.astype('int32')
  }
}

/** The losses of some steps, and the network; what is minimised is `share` of a loss. */
function trained(compute: Compute, compiled: boolean, optimizer: optim.Optimizer, batches = 1, share = 1) {
  const network = new nn.Sequential(
    new nn.Conv2d(8, 3, { padding: 'same', bias: false, seed: 1 }),
    new nn.BatchNorm(),
    new nn.ReLU(),
    new nn.Residual(new nn.Conv2d(8, 3, { padding: 'same', seed: 2 }), undefined, { activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16, { activation: 'gelu', seed: 3 }),
    new nn.LayerNorm(),
    new nn.Linear(2, { seed: 4 })
  )
  const body = (x: Tensor, y: Tensor<'int32'>, isStep: boolean): Tensor => {
    const loss = nt.crossEntropy(network.forward(x), y)
    if (isStep) optimizer.minimize(loss.mul(share), network)
    else optimizer.accumulate(loss.mul(share), network)
    return loss
  }
  const step = compiled
    ? nt.compile(body, { compute })
    : (...args: Parameters<typeof body>) => nt.withCompute(compute, () => body(...args))
  const curve = Array.from({ length: 20 }, (_, i) => {
    const { x, y } = halvesOf(10 * (i % 4))
    return step(x, y, i % batches === batches - 1).itemSync()
  })
  return { curve, network }
}

onEachDevice('precision', (device) => {
  // A GPU adds up in another order, and really computes in TF32.
  const isGpu = device.startsWith('cuda')
  computeAsAsked()
  before(() => {
    weights = nt.ones([4, 3, 3, 3])
    bias = nt.ones([4])
  })

  for (const half of halves) {
    for (const [wanted, table] of Object.entries(results)) {
      for (const [name, f] of Object.entries(table)) {
        it(`${half}: ${name} is of ${wanted === 'half' ? half : wanted}`, () => {
          const x = numbers(1, [8, 4, 4, 3])
          const got = nt.withCompute(half, () => f(x.astype(half), x))
          assert.equal(got.dtype, wanted === 'half' ? half : 'float32')
        })
      }
    }
  }

  it('is float32 otherwise, and two dtypes are refused', () => {
    const x = numbers(1, [8, 4, 4, 3])
    for (const compute of ['float32', 'tf32'] as const) {
      nt.withCompute(compute, () => {
        assert.equal(nt.conv2d(x, weights).dtype, 'float32')
        assert.throws(() => x.add(x.astype('bfloat16') as AnyTensor), /add: expected tensors of one dtype/)
      })
    }
    assert.throws(
      () => nt.withCompute('float16', () => x.add(nt.ones([3], { dtype: 'int32' }) as AnyTensor)),
      /got float32 and int32/
    )
    assert.equal(nt.conv2d(x, weights).dtype, 'float32')
  })

  it('tf32 is asked of all products of a step, forwards and backwards', () => {
    const step = (x: Tensor, w: Tensor, v: Tensor) => {
      const [a, b] = [nt.requireGradient(w.detach()), nt.requireGradient(v.detach())]
      const y = nt.matmul(nt.conv2d(nt.conv2d(x, a, { padding: 1 }), a, { padding: 1 }).flatten(1), b)
      return [y.detach(), ...nt.backward(y.sum(), [a, b])]
    }
    for (const compute of ['float32', 'tf32', 'bfloat16'] as const) {
      const f = nt.compile(step, { compute })
      for (let i = 0; i < 2; i++) f(numbers(1, images), numbers(2, [3, 3, 3, 3]), numbers(3, [108, 5]))
      const asked = [...String(f.programs[0]).matchAll(/^(?!kept).*\.(?:convolution\w*|matmul)\(.*, (\d)\)/gm)].map(
        ([, flag]) => flag
      )
      assert.deepEqual(asked, Array(8).fill(compute === 'tf32' ? '1' : '0'))
    }
  })

  const stored = golden<Record<string, { dtype: string; result: string; gradients: string[] }>>('precision')
  for (const [name, [shapes, f]] of Object.entries(cases)) {
    it(`bfloat16: ${name} is PyTorch's, forwards and backwards`, () => {
      const { dtype, result, gradients } = stored[name]!
      const both = (...values: Tensor[]): AnyTensor[] => {
        const inputs = values.map((value) => nt.requireGradient(value.detach()))
        const y = f(...inputs)
        return [y, ...nt.backward(y, inputs, { seed: numbers(99, y.shape).astype(y.dtype) })]
      }
      const inputs = shapes.map((shape, i) => numbers(10 + i, shape))
      const [y, ...got] = nt.withCompute('bfloat16', () => both(...inputs))
      assert.equal(y!.dtype, dtype)
      const all = [y!, ...got].map((tensor) => tensor.dataSync() as Float32Array)
      for (const [i, text] of [result, ...gradients].entries()) {
        const off = distance(all[i]!, floats(text))
        assert.ok(
          off <= (isGpu ? 2 : 1) * ONE_ROUNDING,
          `${i === 0 ? 'the result' : `gradient ${i - 1}`} is ${off} off`
        )
      }
      for (const gradient of got) assert.equal(gradient.dtype, 'float32')

      const compiled = nt.compile((...values: Tensor[]) => both(...values), { compute: 'bfloat16' })
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(
          compiled(...inputs).map((tensor) => tensor.dataSync()),
          all
        )
      }
    })
  }

  for (const half of halves) {
    it(`${half}: metrics take what a network gives`, async () => {
      const classes = ['a', 'b', 'c']
      const y = nt.tensor(Int32Array.from({ length: 40 }, (_, i) => hash(7, i) % 3))
      const figures = async (scores: AnyTensor): Promise<number[]> => {
        const [accuracy, confusion] = [new metrics.Accuracy({ topK: 2 }), new metrics.Confusion(classes)]
        const [curves, all, mean] = [new metrics.Scores(), new metrics.ClassScores(classes), new metrics.Mean()]
        accuracy.update(scores, y)
        confusion.update(scores.argmax(1), y)
        curves.update(scores.get(null, 1), y.equal(1))
        all.update(scores, y)
        mean.update(scores)
        return [
          await accuracy.value(),
          await confusion.accuracy(),
          await curves.averagePrecision(),
          await (await all.of('a')).rocAuc(),
          await mean.value()
        ]
      }
      const scores = nt.withCompute(half, () => nt.matmul(numbers(1, [40, 5]), numbers(2, [5, 3])))
      assert.equal(scores.dtype, half)
      assert.deepEqual(await figures(scores), await figures(scores.astype('float32')))
    })
  }

  it('differentiates gradients', () => {
    const x = numbers(1, [3, 4])
    const w = numbers(2, [4, 5])
    const slope = nt.grad((w: Tensor) => nt.matmul(x, w).tanh().sum())
    const second = nt.grad((w: Tensor) => nt.square(slope(w)).sum())
    const wanted = second(w)
    for (const [half, allowed] of [
      ['bfloat16', 0.05],
      ['float16', 0.01]
    ] as const) {
      // prettier-ignore
      const got = nt.withCompute(half, () => second(w))
      assert.equal(got.dtype, 'float32')
      const off = distance(got.dataSync() as Float32Array, wanted.dataSync() as Float32Array)
      assert.ok(off > 0 && off < allowed, `${half}: ${off} off`)
    }
  })

  // The loss falls from 0.75 to 0.004. The bounds are a few roundings of a step, carried along.
  const bounds = { tf32: isGpu ? 0.01 : 0, bfloat16: 0.02, float16: isGpu ? 0.01 : 0.002 }
  for (const [compute, allowed] of Object.entries(bounds) as [Exclude<Compute, 'float32'>, number][]) {
    it(`${compute}: a training follows that of float32 within ${allowed}, compiled as eager`, () => {
      const make = () => new optim.Adam({ learningRate: 0.01, clipNorm: 1 })
      const { curve } = trained('float32', false, make())
      assert.ok(curve.at(-1)! < 0.01 && curve[0]! > 0.5, `${curve.join(' ')}`)
      const { curve: got, network } = trained(compute, false, make())
      for (const [i, loss] of got.entries()) {
        assert.ok(Math.abs(loss - curve[i]!) <= allowed, `step ${i}: ${loss}, ${curve[i]} in float32`)
      }
      if (allowed > 0) assert.notDeepEqual(got, curve)
      for (const tensor of [...network.parameters(), ...network.namedBuffers().values()])
        assert.equal(tensor.dtype, 'float32')
      const { curve: compiled } = trained(compute, true, make())
      // A library may add up a call and the same call with its bias and ReLU in different orders.
      for (const [i, loss] of compiled.entries()) {
        assert.ok(Math.abs(loss - got[i]!) <= (isGpu ? 1e-4 : 0), `step ${i}: ${loss} compiled, ${got[i]} eager`)
      }
    })
  }
  it('float16: the same with accumulated gradients and weight decay', () => {
    const make = () => new optim.SGD({ learningRate: 0.8, momentum: 0.9, weightDecay: 0.001, decay: 'weights' })
    // An eighth, so that no step overflows with the first scale.
    const { curve } = trained('float32', false, make(), 2, 1 / 8)
    const { curve: got } = trained('float16', true, make(), 2, 1 / 8)
    for (const [i, loss] of got.entries()) {
      assert.ok(Math.abs(loss - curve[i]!) <= 0.02, `step ${i}: ${loss}, ${curve[i]} in float32`)
    }
  })

  describe('loss scaling', () => {
    // The gradient of the product is 4 times the scale, which is infinite above 2^13: float16 ends at 65504.
    const make = (compiled: boolean, optimizer = new optim.AdamW({ learningRate: 0.5, weightDecay: 0.25 })) => {
      const p = nt.requireGradient(numbers(1, [2, 3]))
      const x = nt.tensor([1, 2, 0.5, -1], [2, 2])
      const body = (x: Tensor): Tensor => {
        const loss = nt.matmul(x, p).astype('float32').sum().mul(4)
        optimizer.minimize(loss, [p])
        return loss
      }
      const step = compiled
        ? nt.compile(body, { compute: 'float16' })
        : (x: Tensor) => nt.withCompute('float16', () => body(x))
      const stateNow = () => Object.fromEntries(Object.entries(optimizer.state()).map(([k, v]) => [k, v.dataSync()]))
      return { p, x, step, optimizer, stateNow }
    }

    for (const compiled of [false, true]) {
      it(`leaves out steps that overflow, and halves the scale, ${compiled ? 'compiled' : 'eager'}`, () => {
        const { p, x, step, stateNow } = make(compiled)
        const before = p.dataSync()
        for (const scale of [2 ** 15, 2 ** 14, 2 ** 13]) {
          step(x)
          assert.deepEqual(p.dataSync(), before)
          const { lossScale, goodSteps, steps, ...slots } = stateNow()
          assert.deepEqual([lossScale![0], goodSteps![0], steps![0]], [scale, 0, 0])
          for (const slot of Object.values(slots)) assert.ok(slot.every((value) => value === 0))
        }
        step(x)
        const { lossScale, goodSteps, steps } = stateNow()
        assert.deepEqual([lossScale![0], goodSteps![0], steps![0]], [2 ** 13, 1, 1])
        // The gradients are small whole numbers: exact, as is the scale.
        const plain = make(false)
        nt.withCompute('float32', () => {
          plain.optimizer.minimize(nt.matmul(x, plain.p).sum().mul(4), [plain.p])
        })
        assert.deepEqual(p.dataSync(), plain.p.dataSync())
        assert.deepEqual(stateNow()['0.mean'], plain.stateNow()['0.mean'])
      })
    }

    it('doubles the scale after 2000 steps without an overflow', () => {
      const { p, x, step, optimizer, stateNow } = make(true)
      nt.withCompute('float16', () => optimizer.accumulate(p.sum(), [p])) // makes the state
      const scalar = (value: number) => nt.tensor(value)
      const load = (lossScale: number, goodSteps: number) => {
        optimizer.loadState({ ...optimizer.state(), lossScale: scalar(lossScale), goodSteps: scalar(goodSteps) }, [p])
      }
      step(x)
      load(256, 1997)
      const seen = Array.from({ length: 4 }, () => {
        step(x)
        const { lossScale, goodSteps } = stateNow()
        return [lossScale![0], goodSteps![0]]
      })
      assert.deepEqual(seen, [[256, 1998], [256, 1999], [512, 0], [512, 1]]) // prettier-ignore
      load(2 ** 127, 1999)
      nt.withCompute('float16', () => optimizer.minimize(p.sum().mul(1e-30), [p]))
      assert.equal(stateNow()['lossScale']![0], 2 ** 127)
    })

    it('means the same to clipping and accumulation, to the bit where nothing is rounded', () => {
      for (const options of [{}, { clipNorm: 0.25 }, { clipNorm: 100 }, { weightDecay: 0.5 }]) {
        const results = (['float32', 'float16'] as const).map((compute) => {
          const p = nt.requireGradient(numbers(1, [2, 3]))
          const optimizer = new optim.SGD({ learningRate: 0.5, momentum: 0.5, ...options })
          const lossOf = (i: number) => p.mul(numbers(i, [2, 3])).sum()
          nt.withCompute(compute, () => {
            for (let i = 0; i < 6; i++) {
              if (i % 3 === 2) optimizer.minimize(lossOf(i), [p])
              else optimizer.accumulate(lossOf(i), [p])
            }
            optimizer.minimize(lossOf(9), [p])
          })
          return p.dataSync()
        })
        const off = distance(results[1]!, results[0]!)
        assert.ok(off <= ('clipNorm' in options ? 1e-6 : 0), `${JSON.stringify(options)}: ${off}`)
      }
    })

    it('forgets accumulated gradients that overflow', () => {
      const p = nt.requireGradient(numbers(1, [3]))
      const optimizer = new optim.SGD({ learningRate: 1 })
      const before = p.dataSync()
      nt.withCompute('float16', () => {
        optimizer.accumulate(p.mul(Infinity).sum(), [p])
        optimizer.minimize(p.sum(), [p])
        assert.deepEqual(p.dataSync(), before)
        optimizer.minimize(p.sum(), [p])
      })
      assert.deepEqual(p.dataSync(), before.map((value) => value - 1)) // prettier-ignore
      assert.equal(optimizer.state()['lossScale']!.itemSync(), 2 ** 15)
    })

    it('is part of the state, and begins anew with a state that has none', () => {
      const { p, x, step, optimizer } = make(true)
      const fresh = new optim.AdamW()
      fresh.minimize(p.sum(), [p])
      for (let i = 0; i < 3; i++) step(x)
      const other = new optim.AdamW()
      other.loadState(optimizer.state(), [p])
      assert.deepEqual(Object.keys(other.state()).sort(), Object.keys(optimizer.state()).sort())
      assert.equal(other.state()['lossScale']!.itemSync(), 2 ** 13)
      optimizer.loadState(fresh.state(), [p])
      assert.equal(optimizer.state()['lossScale']!.itemSync(), 2 ** 16)
      const { goodSteps: _, ...without } = other.state()
      assert.throws(() => other.loadState(without, [p]), /loadState: expected a tensor 'goodSteps'/)
    })

    it('is asked for by no other precision', () => {
      const p = nt.requireGradient(numbers(1, [3]))
      for (const compute of ['float32', 'tf32', 'bfloat16'] as const) {
        const optimizer = new optim.Adam()
        nt.withCompute(compute, () => optimizer.minimize(p.sum(), [p]))
        assert.equal(optimizer.state()['lossScale'], undefined)
      }
    })
  })
})

describe('withCompute', () => {
  computeAsAsked()

  const mistakes: [string, () => unknown, RegExp][] = [
    [
      'an unknown word',
      () => nt.withCompute('bfloat' as never, () => 0),
      /withCompute: expected compute of 'float32', 'tf32', 'bfloat16', 'float16', got 'bfloat'\. Did you mean 'bfloat16'\?/
    ],
    ['no function', () => nt.withCompute('tf32', 3 as never), /withCompute: expected a function, got 3/],
    [
      'an async function',
      () => nt.withCompute('tf32', async () => 3),
      /withCompute: expected a function that returns its result, got an async one/
    ]
  ]
  for (const [name, mistake, message] of mistakes) it(`refuses ${name}`, () => assert.throws(mistake, message))

  it("nests, ends with its function, and is part of a compiled function's signature", () => {
    const seen: string[] = []
    const x = numbers(1, [4, 4])
    const f = nt.compile((x: Tensor) => nt.matmul(x, x))
    for (let i = 0; i < 3; i++) {
      seen.push(f(x).dtype)
      nt.withCompute('float16', () => {
        seen.push(f(x).dtype)
        nt.withCompute('float32', () => seen.push(f(x).dtype))
        seen.push(f(x).dtype)
      })
      assert.throws(() => nt.withCompute('bfloat16', () => { throw new Error('mine') }), /mine/) // prettier-ignore
    }
    assert.deepEqual(seen, Array(3).fill(['float32', 'float16', 'float32', 'float16']).flat())
    assert.equal(f.programs.length, 2)
  })
})
