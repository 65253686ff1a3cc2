// Classifiers made fully convolutional: the same scores on a picture of their size, those of every window on a larger one.
import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { models, nn } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'
import { packed } from '../support/devices.js'

type Shape = [number, number, number]

/** The article's network, narrower. */
const bird = () =>
  new nn.Sequential(
    new nn.Conv2d(8, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16, { activation: 'relu' }),
    new nn.Dropout(0.5),
    new nn.Linear(2)
  )

/** Without padding, a window doesn't see what is around it. */
const unpadded = () =>
  new nn.Sequential({
    body: new nn.Sequential(
      new nn.Conv2d(6, 3, { activation: 'tanh' }),
      new nn.MaxPool2d(2),
      new nn.Residual(new nn.Conv2d(6, 1)),
      new nn.BatchNorm()
    ),
    flat: new nn.Flatten(),
    relu: new nn.ReLU(),
    dense: new nn.Linear(5, { bias: false }),
    norm: new nn.BatchNorm(),
    head: new nn.Linear(3),
    scores: new nn.LogSoftmax(1)
  })

const block = (stride: number) =>
  new nn.Residual(
    new nn.Sequential(new nn.Conv2d(4, 3, { padding: 'same', stride }), new nn.BatchNorm()),
    new nn.Conv2d(4, 1, { stride }),
    { activation: 'relu' }
  )

interface Row {
  make: () => nt.nn.Module
  shape: Shape
  stride: [number, number]
}

/** Of the models of the literature those that are small, and of the large ones the sizes at which their pools divide. */
const rows: Record<string, Row> = {
  'the bird network': { make: bird, shape: [32, 32, 3], stride: [4, 4] },
  'a dense network': {
    make: () => new nn.Sequential(new nn.Flatten(), new nn.Linear(8, { activation: 'sigmoid' }), new nn.Linear(2)),
    shape: [7, 5, 1],
    stride: [1, 1]
  },
  'one without padding': { make: unpadded, shape: [12, 10, 2], stride: [2, 2] },
  'a picture and its mirror image, classes put together': {
    make: () => new nn.Sequential(new nn.FlipAverage(bird()), new nn.ClassGroups([0, 1])),
    shape: [16, 16, 3],
    stride: [4, 4]
  },
  'a maximum over the picture': {
    make: () => new nn.Sequential(block(2), block(1), new nn.GlobalMaxPool2d(), new nn.Linear(3), new nn.Softmax()),
    shape: [9, 8, 3],
    stride: [2, 2]
  },
  'adaptive pools': {
    make: () =>
      new nn.Sequential(new nn.AdaptiveMaxPool2d([2, 1]), new nn.LayerNorm(), new nn.Flatten(), new nn.Linear(2)),
    shape: [8, 6, 3],
    stride: [4, 1]
  },
  lenet: { make: () => models.lenet(), shape: [28, 28, 1], stride: [4, 4] },
  alexnet: { make: () => models.alexnet({ classes: 10 }), shape: [224, 224, 3], stride: [32, 32] },
  vgg16: { make: () => models.vgg16({ classes: 10 }), shape: [224, 224, 3], stride: [32, 32] },
  resnet18: { make: () => models.resnet18({ classes: 10 }), shape: [64, 64, 3], stride: [32, 32] },
  resnet50: { make: () => models.resnet50({ classes: 10, stem: 'small' }), shape: [16, 16, 3], stride: [8, 8] }
}
const LARGE = ['alexnet', 'vgg16', 'resnet18', 'resnet50']

const scoresOf = (network: nt.nn.Module, x: nt.Tensor): nt.Tensor => nt.noGrad(() => network.forward(x))

/** A network in use, as one that has been trained: batch norms that have seen something. */
function trained(make: () => nt.nn.Module, shape: Shape): nt.nn.Module {
  nt.random.seed(7)
  const network = make().build([1, ...shape])
  if (network.namedBuffers().size > 0) scoresOf(network, nt.random.normal([4, ...shape], { seed: 8 }))
  return network.eval()
}

/** The largest difference between two tensors over the largest value. */
async function difference(a: nt.Tensor, b: nt.Tensor): Promise<number> {
  const [off, most] = [a.reshape(b.shape).sub(b).abs().max(), b.abs().max()]
  return (await off.item()) / (await most.item())
}

onEachDevice('fully convolutional networks', (device) => {
  for (const [name, { make, shape, stride }] of Object.entries(rows)) {
    const large = LARGE.includes(name)
    if (large && (device === 'emulated' || packed)) continue // their size adds nothing there but minutes
    it(`${name}: the scores of one picture are the same`, async () => {
      const network = trained(make, shape)
      const sliding = nn.toConvolutional(network, shape)
      deepStrictEqual([sliding.stride, sliding.window], [stride, shape])
      const x = nt.random.normal([large ? 1 : 3, ...shape], { seed: 9 })
      const [scores, map] = [scoresOf(network, x), scoresOf(sliding, x)]
      deepStrictEqual(map.shape, [x.shape[0], 1, 1, scores.shape[1]])
      ok((await difference(map, scores)) < 1e-5)
    })
  }

  it('without padding give what the network says of each window', async () => {
    const { make, shape } = rows['one without padding']!
    const network = trained(make, shape)
    const [height, width] = [12 + 2 * 3, 10 + 2 * 2 + 1] // a column is left over
    const photo = nt.random.normal([2, height, width, 2], { seed: 1 })
    const map = scoresOf(nn.toConvolutional(network, shape), photo)
    deepStrictEqual(map.shape, [2, 4, 3, 3])
    for (const [row, column] of [
      [0, 0],
      [1, 2],
      [3, 1]
    ] as const) {
      const [top, left] = [2 * row, 2 * column]
      const window = photo.get(null, [top, top + 12], [left, left + 10], null)
      ok((await difference(map.get(null, row, column), scoresOf(network, window))) < 1e-5, `${row}, ${column}`)
    }
  })

  it('of mirror images say of a window what its own two say', async () => {
    const network = trained(() => new nn.FlipAverage(unpadded()), [12, 10, 2])
    const photo = nt.random.normal([1, 12, 14, 2], { seed: 2 })
    const map = scoresOf(nn.toConvolutional(network, [12, 10, 2]), photo)
    for (const column of [0, 1, 2]) {
      const window = photo.get(null, null, [2 * column, 2 * column + 10], null)
      ok((await difference(map.get(null, 0, column), scoresOf(network, window))) < 1e-5, `${column}`)
    }
  })

  it('leave the network as it is, and share its layers and weights', async () => {
    const network = bird().build([1, 32, 32, 3])
    const before = nt.memory(device).bytes
    const sliding = nn.toConvolutional(network, [32, 32, 3])
    ok(nt.memory(device).bytes - before < 1000)
    ok(network.modules().every(({ training }) => training))
    strictEqual((sliding.body as nt.nn.Sequential)[0], network[0])
    strictEqual(sliding.parameterCount, network.parameterCount)
    const weights = sliding.namedParameters().get('body.5.weight')!
    deepStrictEqual(weights.shape, [16, 8, 8, 8])
    deepStrictEqual(await weights.data(), await (network[5] as nt.nn.Linear).weight.data())
  })

  it('say what they are', () => {
    const sliding = nn.toConvolutional(bird(), [32, 32, 3])
    strictEqual(sliding.toString().split('\n')[0]!.trim(), 'FullyConvolutional(window 32x32x3, stride 4x4)')
    throws(
      () => sliding.forward(nt.zeros([1, 31, 40, 3])),
      /expected pictures of at least 32x32x3, got \[1, 31, 40, 3\]/
    )
  })

  class Mine extends nn.Module {
    forward = (x: nt.Tensor) => x
  }
  const refused: [string, () => nt.nn.Module, RegExp][] = [
    ['a class of its own', () => new nn.Sequential(new Mine()), /toConvolutional: expected layers .*, got Mine at 0/],
    ['no dense layer', () => new nn.Flatten(), /a network that gives scores \[n, classes\].*, got \[1, 128\]/],
    ['features that are no scores', () => new nn.Conv2d(2, 3), /got \[1, 6, 6, 2\]/],
    ['a norm behind Flatten', () => new nn.Sequential(new nn.Flatten(), new nn.BatchNorm()), /got BatchNorm at 1/],
    ['a norm over the picture', () => new nn.Sequential(new nn.InstanceNorm()), /got InstanceNorm at 0/],
    ['a LayerNorm over the picture', () => new nn.LayerNorm({ axes: 3 }), /over the channels alone, got 3 axes/],
    [
      'uneven pools',
      () => new nn.AdaptiveAvgPool2d(3),
      /AdaptiveAvgPool2d at {2}?.*cuts into 3x3 equal parts, got \[8, 8, 2\]/
    ],
    ['a softmax over rows', () => new nn.Softmax(1), /over the last axis, got axis 1/],
    ['a pool in a block', () => new nn.Residual(new nn.AdaptiveAvgPool2d(1)), /Residual whose layers all see a window/]
  ]
  for (const [name, make, message] of refused) {
    it(`refuse ${name}`, () => throws(() => nn.toConvolutional(make(), [8, 8, 2]), message))
  }
  it('refuse what is no shape', () => {
    throws(() => nn.toConvolutional(bird(), [1, 32, 32, 3]), /an input shape \[height, width, channels\], got \[1, 32/)
    throws(() => nn.toConvolutional(bird(), [32, 0, 3]), /sizes from 1, got 0/)
    throws(() => nn.toConvolutional(3 as never, [32, 32, 3]), /a module as network, got 3/)
  })
})
