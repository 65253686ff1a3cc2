// One small network that looks at every tile of a picture in turn is a convolution. It finds 8s that are a little off the middle, and it
// slides over a large picture at a fraction of the cost of windows that are cut out one by one.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as nt from 'needletail'
import { Detector, fit, ImageDataset, nn, optim } from 'needletail'
import { network as dense, test, train } from './eights.js'
import { matched, toldApart, withBoxes } from './support/boxes.js'
import { backgrounds, scattered } from './support/canvas.js'
import { only, recallsMoved, shifted, SIZE } from './support/digits.js'
import { lineChart } from './support/line-chart.js'
import { small } from './support/small.js'
import { tiles } from './support/tiles.js'

// A network of 9 inputs and 8 outputs, asked about each of the 16x16 tiles of 3x3 in a digit; and the convolution of the same weights.
const eights = await only(test, '8')
const eight = eights.images.slice(0, 1).astype('float32').div(255)
const tile = new nn.Linear(8, { activation: 'relu', inputs: 9, seed: 1 })
const convolved = nt.conv2d(eight, tile.weight.reshape([8, 3, 3, 1]), { bias: tile.bias!, activation: 'relu' })
const places = Array.from({ length: SIZE - 2 }, (_, at) => [at, at + 3] as const)
const tileByTile = places.flatMap((down) =>
  places.map((right) => tile.forward(eight.get(null, down, right).flatten(1)))
)
const difference = await nt
  .concat(tileByTile)
  .sub(convolved.reshape([-1, 8]))
  .abs()
  .max()
  .item()
console.log(`${places.length ** 2} tiles one by one and a convolution differ by ${difference} at most`)

// It learns digits that are all in the middle. What does it say of digits that are moved?
const learn = async (name: string, digits: ImageDataset, augment?: nt.Augmentation) => {
  const network = new nn.Sequential(
    new nn.Conv2d(16, 3, { activation: 'relu' }),
    new nn.MaxPool2d(2), // the largest of four neighbours: which of them it was doesn't matter
    new nn.Conv2d(32, 3, { activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(64, { activation: 'relu' }),
    new nn.Linear(2)
  )
  const run = await fit(network, digits, {
    normalize: true,
    augment,
    optimizer: ({ total }) => new optim.Adam({ learningRate: optim.cosine(0.003, { steps: total }) }),
    batchSize: 64,
    epochs: small ? 5 : 10,
    positive: '8',
    name
  })
  return { network, run }
}
const { network, run } = await learn('convolution', train)

const shifts = Array.from({ length: 13 }, (_, i) => i - 6)
const recalls = (one: nn.Module) => recallsMoved(one, eights, train.statistics, shifts)
const lines = [
  { name: 'dense', points: await recalls(dense) },
  { name: 'convolutions and max pooling', points: await recalls(network) }
]
for (const [i, right] of shifts.entries()) console.log(right, ...lines.map(({ points }) => points[i]![1].toFixed(3)))
const chart = lineChart({
  title: '8s found when they are moved sideways',
  x: { name: 'pixels to the right' },
  y: { name: 'recall', range: [0, 1] },
  lines
})
await writeFile(join(run.folder, 'recall.svg'), chart)

// What it has learnt to look for in tiles of 3x3, and where in an 8 it sees each of these.
const [first, pool] = network.layers as unknown as [nn.Conv2d, nn.MaxPool2d]
const seen = (images: nt.Tensor<'uint8'>) => {
  const { mean, std } = train.statistics
  return nt.noGrad(() => first.forward(images.astype('float32').div(255).sub(mean[0]!).div(std[0]!)))
}
const visible = (x: nt.Tensor) => x.sub(x.min()).div(x.max().sub(x.min()))
await writeFile(
  join(run.folder, 'filters.png'),
  await tiles(visible(first.weight.detach()), { columns: 16, scale: 10 })
)
const maps = seen(eights.images.slice(0, 1)).permute([3, 1, 2, 0])
await writeFile(join(run.folder, 'maps.png'), await tiles(visible(maps), { columns: 8, scale: 4 }))

// What max pooling does: maps of an 8 and of one moved by a pixel are more alike behind it (1: the same).
const likeness = async (of: (images: nt.Tensor<'uint8'>) => nt.Tensor) => {
  const [still, moved] = [eights.images, shifted(eights.images, 1, 0)].map(of)
  const product = (a: nt.Tensor, b: nt.Tensor) => a.mul(b).sum([1, 2, 3])
  return product(still!, moved!)
    .div(product(still!, still!).mul(product(moved!, moved!)).sqrt())
    .mean()
    .item()
}
const [before, behind] = [await likeness(seen), await likeness((images) => pool.forward(seen(images)))]
console.log(`moved by a pixel: maps are alike by ${before.toFixed(3)}, pooled ones by ${behind.toFixed(3)}`)

// A detector: the same kind of network, told what is no digit, over large pictures. Once each window is cut out, once all slide for free.
const told = ImageDataset.concat([train, await backgrounds(train, small ? 4000 : 20_000, SIZE)])
const { network: watcher } = await learn('convolution-detector', told, { shift: 2, fill: 'black' })
const slide = nn.toConvolutional(watcher, train.shape) // what Detector does by itself
console.log(`${slide}`)
const detector = new Detector({
  network: watcher,
  inputShape: train.shape,
  classes: train.classes,
  normalize: told.statistics
})
const sizes = [SIZE, 1.25 * SIZE, 1.5 * SIZE, 1.75 * SIZE, 2 * SIZE]
const methods = ['crops', 'convolution'] as const
const totals = methods.map((method) => ({ method, eights: 0, found: 0, wrong: 0, windows: 0, milliseconds: 0 }))
for (let seed = 0; seed < (small ? 3 : 10); seed++) {
  const { image, boxes } = await scattered(test, { sizes: [SIZE, 1.5 * SIZE, 2 * SIZE], seed })
  for (const total of totals) {
    const start = performance.now()
    const { found, windows } = await detector.find(image, {
      method: total.method,
      sizes,
      threshold: small ? 0.7 : 0.95,
      overlap: 0.1
    })
    total.milliseconds += performance.now() - start
    total.windows += windows
    const told = matched(found, boxes.get('8')!)
    total.eights += told.hits.length + told.missing.length
    total.found += told.hits.length
    total.wrong += told.wrong.length
    if (seed > 0) continue
    await writeFile(join(run.folder, 'found.png'), await withBoxes(image, toldApart(told)))
  }
}
console.table(totals)

const [crops, slid] = totals
const moved = lines.map(({ points }) => points[shifts.indexOf(2)]![1])
ok(difference < 1e-5, `expected the tiles to be a convolution, got a difference of ${difference}`)
ok(moved[1]! > 1.3 * moved[0]!, `expected it to find more 8s two pixels off, got ${moved.join(' and ')}`)
ok(behind > before, `expected pooled maps to be more alike, got ${before} and ${behind}`)
ok(slid!.found === crops!.found && slid!.wrong === crops!.wrong, 'expected the same boxes by convolution as by crops')
ok(slid!.found >= 0.6 * slid!.eights, `expected most of ${slid!.eights} 8s to be found, got ${slid!.found}`)
