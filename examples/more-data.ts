// Digits that are shifted, scaled and turned by chance, made while the network learns: more data than anybody wrote, for a deeper network.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, DataLoader, fit, nn, optim } from 'needletail'
import { network as before, test, train } from './eights.js'
import { only, recallsMoved } from './support/digits.js'
import { lineChart } from './support/line-chart.js'
import { small } from './support/small.js'
import { tiles } from './support/tiles.js'

const augment = { shift: 5, scale: [0.8, 1.25], rotate: 15, fill: 'black' } as const

const network = new nn.Sequential(
  new nn.Flatten(),
  new nn.Linear(512, { activation: 'relu' }),
  new nn.Linear(256, { activation: 'relu' }),
  new nn.Linear(256, { activation: 'relu' }),
  new nn.Linear(2)
)
const run = await fit(network, train, {
  validation: test,
  normalize: true,
  augment,
  optimizer: ({ total }) => new optim.Adam({ learningRate: optim.cosine(0.002, { steps: total }) }),
  metrics: ['accuracy', 'precision', 'recall'],
  positive: '8',
  batchSize: 128,
  epochs: small ? 5 : 40,
  name: 'more-data'
})

// How many 8s each network finds when they are moved by so many pixels to the right (or, below 0, to the left).
const eights = await only(test, '8')
const shifts = Array.from({ length: 17 }, (_, i) => i - 8)
const recalls = (one: nn.Module) => recallsMoved(one, eights, train.statistics, shifts)
const lines = [
  { name: 'digits as they are', points: await recalls(before) },
  { name: 'moved digits, deeper network', points: await recalls(network) }
]
for (const [i, right] of shifts.entries()) console.log(right, ...lines.map(({ points }) => points[i]![1].toFixed(3)))

const chart = lineChart({
  title: '8s found when they are moved sideways',
  x: { name: 'pixels to the right' },
  y: { name: 'recall', range: [0, 1] },
  lines
})
await writeFile(join(run.folder, 'recall.svg'), chart)
// Twenty 8s as they are, and as the network saw them in two passes.
const shown = eights.subset(Array.from({ length: 20 }, (_, i) => i))
const rows = [shown.images.astype('float32').div(255)]
const passes = new DataLoader(shown, { augment, batchSize: 20, seed: 1 })
for (let pass = 0; pass < 2; pass++) for await (const { images } of passes) rows.push(images)
await writeFile(join(run.folder, 'digits.png'), await tiles(concat(rows), { columns: 20, scale: 2 }))

const [few, many] = lines.map(({ points }) => points.find(([right]) => right === 4)![1])
ok(many! > few! + 0.3, `expected far more 8s found four pixels off than before, got ${few} before, ${many} after`)
