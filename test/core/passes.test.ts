// What is done to a recorded program before it is replayed: the results stay as they were, and the text says what changed.
import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice, otherDevice, packed } from '../support/devices.js'
import { run } from '../support/child.js'
import { difference } from '../ops/tolerance.js'
import { computeAsAsked } from '../support/precision.js'

type F = (x: nt.Tensor) => nt.Tensor | nt.Tensor[]

const weights = () => nt.random.uniform([8, 3, 3, 4], { low: -1, high: 1, seed: 3 })
/** The gradient for the input of a function of it. */
const gradient = (f: (x: nt.Tensor) => nt.Tensor) => (x: nt.Tensor) => nt.grad((x: nt.Tensor) => f(x).square().sum())(x)

const counter = (): F => {
  const steps = nt.zeros([])
  return (x) => {
    const next = steps.add(1)
    nt.assign(steps, next)
    return x.mul(next)
  }
}
// Each replay sees the old value, which must not have been overwritten.
const swap = (): F => {
  const kept = nt.zeros([2, 6, 6, 4])
  return (x) => {
    const next = x.add(kept)
    const before = kept.mul(1)
    nt.assign(kept, next)
    return [before, next]
  }
}

const inHalf = (f: F): F => {
  return (x) => nt.withCompute('bfloat16', () => f(x))
}
/** The gradients of a convolution between a ReLU and a maximum pool, large enough for an algorithm of its own. */
const betweenOf =
  ({ kernel = 3, padding = 'same', activation = 'relu' }: { kernel?: number } & nt.ConvOptions) =>
  (x: nt.Tensor): nt.Tensor[] => {
    const leaves = [
      [16, 3, 3, 4],
      [64, kernel, kernel, 16]
    ].map((shape, i) => nt.requireGradient(nt.random.uniform(shape, { low: -1, high: 1, seed: i + 5 })))
    const inner = nt.conv2d(x, leaves[0]!, { padding: 'same', activation: 'relu' })
    const y = nt.maxPool2d(nt.conv2d(inner, leaves[1]!, { padding, activation }), 2)
    return nt.backward(y.square().sum(), leaves)
  }
const between = betweenOf({})
const trained = (options: nt.optim.SGDOptions): F => {
  const [w, p] = [nt.requireGradient(weights()), nt.requireGradient(nt.ones([8]))]
  const optimizer = new nt.optim.SGD({ learningRate: 0.1, momentum: 0.9, ...options })
  return inHalf((x) => {
    optimizer.minimize(nt.conv2d(x, w).mul(p).sum(), [w, p])
    return [w.detach().mul(1), p.detach().mul(1)]
  })
}
/** Gives a result, and then halves the weights: what follows from them is not the same in the next replay. */
const halving = <T>(weights: nt.Tensor[], result: T): T => {
  for (const w of weights) nt.assign(w, w.mul(0.5))
  return result
}
/** A weight that is used twice, and perhaps changed in between. */
const usedTwice = (isChanged: boolean): F => {
  const w = weights()
  return inHalf((x) => {
    const y = nt.conv2d(x, w)
    if (isChanged) nt.assign(w, w.mul(0.5))
    return y.add(nt.conv2d(x.mul(2), w))
  })
}

/** Results and gradients of a small network with batch norms. */
const normed = (network: (x: nt.Tensor, norms: nt.nn.BatchNorm[]) => nt.Tensor, training = true): F => {
  const norms = [1, 2].map(() => new nt.nn.BatchNorm())
  for (const norm of norms) {
    norm.forward(nt.ones([2, 6, 6, 4]).add(nt.arange(0, 4)))
    if (!training) norm.eval()
  }
  return (x) => {
    if (!training) return nt.noGrad(() => network(x, norms))
    const leaf = nt.requireGradient(x.mul(2).detach())
    const y = network(leaf, norms)
    const parameters = norms.flatMap((norm) => norm.parameters())
    const state = norms.flatMap((norm) => [...norm.namedBuffers().values()])
    const gradients = nt.backward(y.mul(x).sum(), [leaf, ...parameters]) as (nt.Tensor | undefined)[]
    return [y, ...gradients.filter((g) => g !== undefined), ...state.map((t) => (t as nt.Tensor).mul(1))]
  }
}

interface Head {
  classes?: number
  bias?: boolean
  relu?: boolean
  dropout?: boolean
  options?: nt.CrossEntropyOptions
  label?: number
}
/** A last layer and its loss: the loss, the logits, and the gradients of its weights and of those of the layer before it. */
const head = (
  { classes = 3, bias = true, relu = true, dropout = true, options = {}, label = 2 }: Head,
  count = 1
): F => {
  const labels = nt.tensor(new Int32Array([label, 1]), [2])
  const leaves = [[288, 144], [classes, 288], ...(bias ? [[classes]] : [])].map((shape, i) =>
    nt.requireGradient(nt.random.uniform(shape, { low: -0.2, high: 0.2, seed: i + 20 }))
  )
  const [inner, last, added] = leaves
  return (x) => {
    const y = nt.matmul(x.flatten(1), inner!, { transposeB: true, ...(relu ? { activation: 'relu' } : {}) })
    const factors = nt.random.integers([2, 288], 0, 2, { seed: 30 }).astype(y.dtype).mul(2)
    const given = dropout ? y.mul(factors) : y
    const scores = nt.matmul(given, last!, { transposeB: true, bias: added })
    let loss = nt.crossEntropy(scores, labels, options).mul(3)
    for (let i = 1; i < count; i++) loss = loss.add(scores.square().sum())
    return [loss, scores.argmax(1), scores, ...nt.backward(loss, leaves)]
  }
}

const cases: { name: string; make: () => F; changes: Record<string, string[]>; not?: RegExp }[] = [
  {
    name: 'what is the same in every replay is kept',
    make: () => (x) => x.add(nt.ones([4]).mul(2).add(nt.arange(0, 4))),
    changes: { '': ['4 kept', '1 steps'] }
  },
  {
    name: 'random numbers and what is changed in place are not the same',
    make: () => (x) => {
      const filled = nt.zeros([2, 6, 6, 4])
      nt.assign(filled, x)
      return [filled.mul(2), nt.random.uniform([3], { seed: 1 }).add(x.sum())]
    },
    changes: { '': [] }
  },
  { name: 'a counter is counted where it is', make: counter, changes: { '': ['1 made in place', '2 steps'] } },
  { name: 'an old value that is still read stays', make: swap, changes: { '': ['3 steps'] }, not: /made in place/ },
  {
    name: 'what nobody reads is not computed',
    make: () => (x) => {
      nt.sort(x.exp()).values.sum()
      return x.mul(3)
    },
    changes: { '': ['1 steps', 'dropped'] }
  },
  {
    name: 'a last layer, its loss and their gradients are one call',
    make: () => head({}),
    changes: { emulated: ['1 losses joined with the last layer', 'linearCrossEntropyGradient(0, 0, 1, 1, 1, 1)'] }
  },
  {
    name: 'without dropout',
    make: () => head({ dropout: false, classes: 10, options: { labelSmoothing: 0.1 } }),
    changes: { emulated: ['1 losses joined with the last layer', 'linearCrossEntropyGradient(0.1, 0, 1, 1, 0, 1)'] }
  },
  {
    name: 'without bias and activation, with weights of classes',
    make: () => {
      const options = { weights: nt.tensor([0.5, 2, 1]), reduction: 'sum' } as const
      return head({ bias: false, relu: false, options })
    },
    changes: { emulated: ['1 losses joined with the last layer', 'linearCrossEntropyGradient(0, 1, 1, 0, 1, 0)'] }
  },
  {
    name: 'in half precision',
    make: () => inHalf(head({ classes: 16, options: { reduction: 'mean' } })),
    changes: { emulated: ['1 losses joined with the last layer', 'linearCrossEntropyGradient(0, 0, 1, 1, 1, 1)'] }
  },
  {
    name: 'but not where the logits have another gradient, too, or are too many',
    make: () => {
      const [two, many] = [head({}, 2), head({ classes: 17 })]
      return (x) => [two(x), many(x)].flat()
    },
    changes: {},
    not: /last layer/
  },
  {
    name: "a ReLU's gradient goes into a convolution's",
    make: () => gradient((x) => nt.conv2d(x.relu(), weights(), { padding: 'same' })),
    changes: { '': ['1 activation gradients fused'] }
  },
  {
    name: "a convolution's gradients are one call, which has the ReLU's before it and the pool's after it",
    make: () => between,
    changes: {
      cpu: ['1 pairs of convolution gradients joined', '2 activation gradients fused', '2 pools fused']
    }
  },
  {
    name: 'also where gradients of weights are cast in between',
    make: () => inHalf(between),
    changes: {} // how many depends on what the processor computes in bfloat16
  },
  ...[
    { name: 'a tile', image: [16, 16], options: {} },
    { name: 'tiles, some of them partly outside', image: [28, 46], options: {} },
    { name: 'windows that do not fill the image', image: [13, 15], options: {} },
    { name: 'a kernel of 5 x 5', image: [14, 12], options: { kernel: 5 } },
    {
      name: 'a kernel that stays in the image, without a ReLU',
      image: [15, 31],
      options: { padding: 'valid', activation: undefined }
    },
    {
      name: 'padding on one side',
      image: [16, 12],
      options: {
        padding: [
          [2, 1],
          [0, 2]
        ]
      }
    }
  ].map(({ name, image, options }) => ({
    name: `a gradient of few channels comes straight from behind the pool: ${name}`,
    make: () => inHalf((x) => betweenOf(options as nt.ConvOptions)(nt.resize(x, image as [number, number]))),
    changes: { emulated: ['2 pools fused'] }
  })),
  {
    name: "a ReLU's gradient goes into a matrix product's",
    make: () => gradient((x) => nt.matmul(x.flatten(1).relu(), nt.random.uniform([144, 3], { seed: 4 }))),
    changes: { '': ['1 activation gradients fused'] }
  },
  {
    name: 'also through a change of shape, with stride and dilation',
    make: () =>
      gradient((x) =>
        nt.conv2d(x.reshape([2, 3, 12, 4]).relu(), weights(), {
          padding: [
            [2, 1],
            [2, 2]
          ],
          stride: [1, 2],
          dilation: [1, 2]
        })
      ),
    changes: { '': ['1 activation gradients fused'] }
  },
  {
    name: "and into a maximum pool's",
    make: () => gradient((x) => nt.maxPool2d(x.relu(), 2)),
    changes: { '': ['1 activation gradients fused'] }
  },
  {
    name: 'a maximum pool goes into the convolution of few channels before it',
    make: () => (x) => nt.maxPool2d(nt.conv2d(x, weights(), { padding: 'same', activation: 'relu' }), 2),
    changes: { '': ['1 pools fused', '1 steps'] }
  },
  {
    name: 'which in half precision rounds the image itself, where it can',
    make: () => {
      const w = nt.requireGradient(weights())
      return inHalf((x) => {
        const y = nt.maxPool2d(nt.conv2d(x, w, { padding: 'same', activation: 'relu' }), 2)
        return nt.backward(y.astype('float32').square().sum(), [w]) as nt.Tensor[]
      })
    },
    changes: { emulated: ['2 pools fused', '2 images not cast'] }
  },
  {
    name: 'with windows that overlap and padding',
    make: () =>
      gradient((x) => nt.maxPool2d(nt.conv2d(x, weights(), { activation: 'relu' }), 3, { stride: 1, padding: 1 })),
    changes: { '': ['1 activation gradients fused'] }
  },
  {
    name: 'but not where two ask for it, or it is a result',
    make: () => (x) => {
      const values = x.relu()
      const [y, positions] = [nt.maxPool2d(values, 2), nt.maxPool2d(values.mul(2), 2)]
      return nt.grad((x: nt.Tensor) =>
        nt
          .maxPool2d(x.relu(), 2)
          .mul(y)
          .sum()
          .add(nt.maxPool2d(x.relu().mul(2), 2).mul(positions).sum())
      )(x)
    },
    changes: { '': [] }
  },
  {
    name: "a bias' gradient is a call of its own where calls run side by side",
    make: () => {
      const [w, bias] = [weights(), nt.random.uniform([8], { seed: 3 })].map((t) => nt.requireGradient(t))
      return (x) =>
        nt.backward(nt.conv2d(x, w!, { bias: bias!, padding: 'same' }).square().sum(), [w!, bias!]) as nt.Tensor[]
    },
    changes: { emulated: ['1 bias gradients parted'] }
  },
  {
    name: 'a large parameter is updated by a call of its own',
    make: () => {
      const shapes = [[4], [4, 2 ** 18], [2 ** 18], [4]]
      const ws = shapes.map((shape, i) => nt.requireGradient(nt.random.uniform(shape, { seed: i })))
      const optimizer = new nt.optim.SGD({ learningRate: 0.1 })
      return (x) => {
        const loss = ws.reduce((sum, w) => sum.add(w.square().mean()), x.mean())
        optimizer.minimize(loss, ws)
        return [loss.detach(), ...ws.map((w) => w.detach().mean())]
      }
    },
    // Two that are small come after it.
    changes: { '': ['optimizer(0, 1, ', 'optimizer(0, 2, '] }
  },
  {
    name: 'a ReLU goes into the batch norm before it, and so do their gradients',
    make: () => normed((x, [a]) => a!.forward(x.mul(3)).relu()),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'with what is added in between',
    make: () => normed((x, [a]) => a!.forward(x.mul(3)).add(x).relu()),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'also of half precision, rounded as it was',
    make: () =>
      normed((x, [a]) => {
        const half = x.astype('bfloat16') as nt.Tensor<any>
        return a!.forward(half.mul(3)).add(half).relu().astype('float32')
      }),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'and the sum of two gradients, rounded as it was',
    make: () =>
      normed((x, [a, b]) => {
        const y = (a!.forward((x.astype('bfloat16') as nt.Tensor<any>).mul(3)) as nt.Tensor<any>)
          .add(x.astype('bfloat16'))
          .relu()
        return b!.forward(y.mul(2)).add(y).relu().astype('float32')
      }),
    changes: { [otherDevice]: ['5 batch norms fused'] }
  },
  {
    name: 'on whichever side it stands',
    make: () => normed((x, [a]) => x.add(a!.forward(x.mul(3))).relu()),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'also in half precision, with the roundings of the calls alone',
    make: () =>
      inHalf(
        normed((x, [a]) => {
          const y = nt.conv2d(x, nt.random.uniform([4, 1, 1, 4], { seed: 5 }))
          return a!.forward(y).add(y).relu()
        })
      ),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'also if it is another batch norm',
    make: () => normed((x, [a, b]) => a!.forward(x.mul(3)).add(b!.forward(x)).relu()),
    changes: { '': ['2 batch norms fused'] }
  },
  {
    name: 'and the sum of two gradients that comes in, where the device can',
    make: () =>
      normed((x, [a, b]) => {
        const y = a!.forward(x.mul(3)).add(x).relu()
        return b!.forward(y.mul(2)).add(y).relu()
      }),
    changes: { cpu: ['4 batch norms fused'], [otherDevice]: ['5 batch norms fused'] }
  },
  {
    name: 'and in use',
    make: () =>
      normed(
        (x, [a, b]) =>
          b!
            .forward(a!.forward(x.mul(3)).relu())
            .add(x)
            .relu(),
        false
      ),
    changes: { '': ['2 batch norms fused', '3 steps'] }
  },
  {
    name: 'but forwards not where the sum broadcasts, or others read it',
    make: () =>
      normed((x, [a, b]) => {
        const y = a!.forward(x.mul(3)).add(nt.ones([4]))
        const z = b!.forward(x)
        return y.relu().add(z.relu()).mul(z)
      }),
    changes: { '': ['1 batch norms fused'] } // the gradient of the first
  },
  {
    name: 'what follows a convolution or a matrix product goes into it: additions and activations',
    make: () => {
      const [w, wide, m] = [
        weights(),
        nt.random.uniform([4, 1, 1, 8], { seed: 5 }),
        nt.random.uniform([4, 4], { seed: 6 })
      ]
      return (x) =>
        nt.noGrad(() => {
          const y = nt
            .conv2d(nt.conv2d(x, w, { padding: 'same' }).gelu(), wide)
            .add(x)
            .relu()
          return x.add(nt.matmul(y, m)).gelu()
        })
    },
    changes: { '': ['5 epilogues fused', '3 steps'] }
  },
  {
    name: 'also while gradients are recorded, where they do not ask for what is left out',
    make: () => (x) => {
      const m = nt.requireGradient(nt.random.uniform([4, 4], { seed: 6 }))
      const y = nt.matmul(x, m).add(x).relu().add(nt.matmul(x, m).gelu())
      return nt.backward(y.sum(), [m]) as nt.Tensor[]
    },
    changes: { '': ['2 epilogues fused'] }
  },
  {
    name: 'but not where the sum broadcasts, or others read it, or an input has changed',
    make: () => {
      const m = nt.random.uniform([4, 4], { seed: 6 })
      return (x) =>
        nt.noGrad(() => {
          const [a, b, c] = [nt.matmul(x, m), nt.matmul(x.mul(2), m), nt.matmul(x.mul(3), m)]
          nt.assign(m, m.mul(0.5))
          return [a.add(nt.ones([4])), b.add(1).add(b.relu()), c.relu()]
        })
    },
    changes: { '': [] },
    not: /epilogues/
  },
  {
    name: 'losses come with their gradient where that needs nothing that is made later',
    make: () => {
      const labels = nt.tensor([0, 3, 1, 2, 2, 0, 1, 3, 3], { dtype: 'int32' })
      const [six, weights] = [labels.slice(0, 6), nt.tensor([1, 2, 0.5, 1])]
      const losses = (x: nt.Tensor) => {
        const [a, b] = [x.slice(0, 1).reshape([9, 16]).slice(0, 4, { axis: 1 }), x.sum([0, 1]).mul(0.1)]
        return [nt.crossEntropy(a, labels, { labelSmoothing: 0.1, weights }), nt.crossEntropy(b, six).mul(a.sum())]
      }
      return (x) => {
        const leaf = nt.requireGradient(x.mul(2).detach())
        const [first, second] = losses(leaf)
        return [first!.detach(), second!.detach(), nt.backward(first!.add(second!), [leaf])[0] as nt.Tensor]
      }
    },
    changes: { '': ['1 losses joined'] }
  },
  {
    name: 'elementwise rows that follow from each other are one loop, with what others read as results',
    make: () => (x) => {
      const y = x
        .mul(2)
        .add(nt.exp(x.sum([0, 1, 2]).neg()))
        .tanh()
      return [y, nt.where(y.greater(0.5), y.square(), x).sum(), y.sum().add(1).sqrt()]
    },
    changes: { cpu: ['7 elementwise rows joined', '6 steps'], emulated: ['elementwise rows joined'] }
  },
  {
    name: 'but no more of them than a loop takes, nor of another shape, nor what has changed since',
    make: () => {
      const kept = nt.zeros([1, 1, 1, 4])
      return (x) => {
        let y = x
        for (let i = 0; i < 12; i++) y = y.mul(1.01).add(0.1)
        const before = kept.add(x)
        nt.assign(kept, kept.add(1))
        return [y, y.add(x.sum([0, 1, 2])), before, kept.mul(2)]
      }
    },
    changes: { '': ['22 elementwise rows joined'] }
  },
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({
    name: `rows at random, ${seed}`,
    make: () => randomRows(seed, (['float32', 'bfloat16', 'float16'] as const)[seed % 3]!),
    changes: { '': ['elementwise rows joined'] }
  })),
  {
    name: 'in mixed precision a weight that is used twice is cast once',
    make: () => usedTwice(false),
    changes: { '': ['1 casts shared'] }
  },
  {
    name: 'but not where it is changed in between',
    make: () => usedTwice(true),
    changes: { '': [] },
    not: /shared/
  },
  {
    name: 'and the optimizer reads gradients before they are cast',
    make: () => trained({}),
    // Dropped are the cast, and what of the loss nobody asks for.
    changes: { '': ['1 gradients not cast', '3 dropped', '1 copies left to the optimizer'] }
  },
  {
    name: 'and writes half-precision copies of the weights: of those that nobody else changes, and that are not read after it',
    make: () => {
      const ws = [4, 4, 5].map((seed) => nt.requireGradient(nt.random.uniform([4, 4], { seed })))
      const optimizer = new nt.optim.Adam({ learningRate: 0.1 })
      return inHalf((x) => {
        optimizer.minimize(ws.reduce((y, w) => nt.matmul(y, w), x).sum(), ws)
        nt.noGrad(() => nt.assign(ws[1]!, ws[1]!.mul(0.5)))
        return ws.map((w) => nt.matmul(x, w.detach()))
      })
    },
    changes: { '': ['2 copies left to the optimizer'] }
  },
  {
    name: 'and so are casts of weights',
    make: () => {
      const [a, b] = [nt.random.uniform([4, 8], { seed: 1 }), nt.random.uniform([8, 2], { seed: 2 })]
      return inHalf((x) => nt.matmul(nt.matmul(x, a), b))
    },
    changes: { '': ['2 kept', '3 steps'] }
  },
  {
    name: 'but not of a picture or of a large constant',
    make: () => {
      const bytes = nt.zeros([1024, 1024], { dtype: 'uint8' })
      return (x) => [x.add(bytes.astype('float32').sum()), nt.ones([1024, 1024]).sum()]
    },
    changes: { '': [] },
    not: /kept/
  },
  {
    name: 'weights that the program changes are cast by one call',
    make: () => {
      const [a, b] = [nt.random.uniform([4, 8], { seed: 1 }), nt.random.uniform([8, 2], { seed: 2 })]
      return inHalf((x) => halving([a, b], nt.matmul(nt.matmul(x, a), b)))
    },
    changes: { '': ['3 casts gathered'] } // the picture's, too
  },
  {
    name: 'as many as there are, of any size',
    make: () => {
      const sizes = [5000, 1, 4096, 4099, ...Array.from({ length: 56 }, (_, i) => 1 + i)]
      const all = sizes.map((size, i) => nt.random.normal([4, size], { seed: i }))
      return inHalf((x) => halving(all, nt.concat(all.map((w) => nt.matmul(x.reshape([72, 4]), w).sum(1)))))
    },
    changes: { '': ['61 casts gathered'] }
  },
  {
    name: 'also where the cast is needed for their norm',
    make: () => trained({ clipNorm: 1 }),
    changes: { '': ['1 gradients not cast', '2 dropped'] }
  }
]

/** Random rows that read each other, the input (whole, a row, a number of it) and numbers; several are results. */
const randomRows = (seed: number, dtype: 'float32' | 'bfloat16' | 'float16'): F => {
  let state = seed
  const below = (n: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 8) % n
  const choices = Array.from({ length: 40 }, () => [below(9), below(1000), below(1000), below(4)] as const)
  const kept = nt.zeros([2, 6, 6, 4], { dtype })
  return (x) => {
    const given = x.astype(dtype) as nt.Tensor
    const made = [given, given.sum([0, 1, 2]).mul(0.01), given.mean() as nt.Tensor, kept as nt.Tensor]
    const results: nt.Tensor[] = []
    for (const [row, i, j, fate] of choices) {
      const [a, b] = [made[i % made.length]!, made[j % made.length]!]
      const rows = [
        () => a.add(b),
        () => a.mul(b),
        () => a.sub(0.5),
        () => a.tanh(),
        () => a.maximum(b),
        () => nt.where(a.less(b), a, b),
        () => nt.where(a.greater(0), b, 0.25),
        () => a.sigmoid(),
        () => a.abs().add(1).log()
      ]
      const y = rows[row]!()
      made.push(y)
      if (fate === 0) results.push(y)
      if (fate === 1 && y.rank === 4) nt.assign(kept, y as typeof kept)
    }
    return [...results, kept.mul(1) as nt.Tensor]
  }
}

onEachDevice('passes over a program', (device) => {
  computeAsAsked()
  for (const { name, make, changes, not } of cases) {
    it(name, () => {
      const [eager, compiled] = [make(), nt.compile(make())]
      const list = (value: nt.Tensor | nt.Tensor[]) =>
        [value].flat().map((t) => ({ dtype: t.dtype, values: [...t.dataSync()] }))
      for (let i = 0; i < 5; i++) {
        const x = nt.random.uniform([2, 6, 6, 4], { low: -1, high: 1, seed: 10 + i })
        const [want, got] = [list(eager(x)), list(compiled(x))]
        // A GPU's libraries may add up in another order where more is asked of one call.
        if (!device.startsWith('cuda')) assert.deepEqual(got, want, `call ${i + 1}`)
        else
          want.forEach(({ dtype, values }, k) =>
            assert.equal(difference(got[k]!.values, values, dtype, 'gradient'), undefined, `call ${i + 1}`)
          )
      }
      const text = String(compiled.programs[0])
      for (const change of [...(changes[''] ?? []), ...(changes[device] ?? [])]) assert(text.includes(change), text)
      if (not) assert.doesNotMatch(text, not)
    })
  }

  it('what is wrong with a label is told in each call, by a last layer joined with its loss, too', () => {
    const [wrong, right, eager] = [nt.compile(head({ label: 3 })), nt.compile(head({})), head({})]
    const x = nt.random.uniform([2, 6, 6, 4], { seed: 10 })
    const loss = (f: F) => [f(x)].flat()[0]!.dataSync()
    for (let i = 0; i < 4; i++) {
      assert.throws(() => loss(wrong), /softmaxCrossEntropy: expected labels in \[0, 3\), got 3/)
      assert.equal(difference(loss(right), loss(eager), 'float32', 'gradient'), undefined)
    }
  })

  it('passes can be left out by name, and one that there is not is told', async function () {
    if (packed) this.skip()
    const source = `
      const [w, p] = [[2, 256], [256, 8]].map((shape, i) => nt.requireGradient(nt.random.uniform(shape, { low: -1, high: 1, seed: i })))
      const labels = nt.tensor(new Int32Array([1, 0]), [2])
      const f = (x: nt.Tensor) => {
        const loss = nt.crossEntropy(nt.matmul(nt.matmul(x, p!, { transposeB: true }).relu(), w!, { transposeB: true }), labels)
        return [loss, ...nt.backward(loss, [w!, p!])]
      }
      const compiled = nt.compile(f)
      const x = nt.random.uniform([2, 8], { seed: 5 })
      const read = (all: nt.Tensor[]) => JSON.stringify(all.map((t) => [...t.dataSync()]))
      for (let i = 0; i < 3; i++) console.log(read(compiled(x)) === read(f(x)))
      console.log(/^[0-9]+ (.*)$/m.exec(String(compiled.programs[0]).split(' values').at(-1)!)?.[1] ?? 'unchanged')`
    const names = /There are (.*)\./
    const unknown = await run(source, { device, env: { NEEDLETAIL_PASSES_OFF: 'dropped,haste' } })
    assert.match(unknown.errors, /compile: expected NEEDLETAIL_PASSES_OFF to name passes, got 'haste'/)
    const env = { NEEDLETAIL_PASSES_OFF: names.exec(unknown.errors)![1]!.replaceAll(', ', ',') }
    assert.equal((await run(source, { device, env })).output, 'true\ntrue\ntrue\nunchanged')
  })
})
