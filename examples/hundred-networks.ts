// A hundred networks: most are given up after a pass or three, and the best has to beat the article’s in the same passes.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { datasets, fit, nn, optim, sweep } from 'needletail'
import { common, epochs, networkOf, trainingOf } from './sweeps/birds.js'
import { lineChart } from './support/line-chart.js'
import { few, small } from './support/small.js'

const { best, folder, trials } = await sweep(new URL('./sweeps/birds.ts', import.meta.url))
const passes = trials.reduce((sum, { epochs }) => sum + epochs, 0)
console.log(
  `${trials.length} networks in ${passes} passes in place of ${trials.length * epochs}; the best:`,
  best!.values
)

const { train, test } = await datasets.birds()
const values = best!.values as Parameters<typeof networkOf>[0]
const article = new nn.Sequential(
  new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Flatten(),
  new nn.Linear(512, { activation: 'relu' }),
  new nn.Dropout(0.5),
  new nn.Linear(2)
)
const contenders = [
  {
    name: 'the article’s',
    network: article,
    options: {
      ...common,
      augment: { flip: 'horizontal', rotate: 25, blur: 3 },
      optimizer: new optim.Adam({ learningRate: 0.001 })
    }
  },
  { name: 'the best of the sweep', network: networkOf(values), options: trainingOf(values) }
] as const

// Both on all pictures, for the same passes; the test set is only watched.
const found = []
for (const { name, network, options } of contenders) {
  const curve: [number, number][] = []
  const onEpochEnd = (epoch: number, figures: Record<string, number>) =>
    void curve.push([epoch, figures['validation.averagePrecision']!])
  const [learned, watched] = [few(train, 1500), few(test, 1000)]
  const run = await fit(network, learned, {
    ...options,
    validation: watched,
    epochs,
    callbacks: { onEpochEnd },
    name: 'birds'
  })
  const { accuracy, precision, recall, scores } = await run.evaluate(watched)
  const averagePrecision = await scores!.averagePrecision()
  found.push({ name, parameters: network.parameterCount, accuracy, precision, recall, averagePrecision, points: curve })
}
console.table(found, ['name', 'parameters', 'accuracy', 'precision', 'recall', 'averagePrecision'])

await writeFile(
  join(folder, 'passes.svg'),
  lineChart({
    title: 'How well birds are told from the rest, after each pass',
    x: { name: 'pass' },
    y: { name: 'average precision' },
    lines: found
  })
)
const [theArticles, theBest] = found.map(({ averagePrecision }) => averagePrecision)
const early = trials.filter(({ state }) => state === 'paused').length
ok(early > trials.length / 2, `expected most networks to be given up early, got ${early} of ${trials.length}`)
// Of few pictures neither learns much.
ok(small || theBest! > theArticles!, `expected a better network than the article's, got ${theBest} and ${theArticles}`)
