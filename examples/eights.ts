// Is it an 8? A digit is 18x18 pixels: 324 numbers go into the network, and two come out.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fit, nn, optim } from 'needletail'
import { eights } from './support/digits.js'
import { probabilities } from './support/probabilities.js'
import { small } from './support/small.js'
import { tiles } from './support/tiles.js'

export const { train, test } = await eights()

export const network = new nn.Sequential(
  new nn.Flatten(), // [18, 18, 1] as 324 numbers
  new nn.Linear(64, { activation: 'relu' }),
  new nn.Linear(2) // how much it looks like something else, and how much like an 8
)
export const run = await fit(network, train, {
  validation: test,
  normalize: true,
  optimizer: new optim.Adam({ learningRate: 0.001 }),
  metrics: ['accuracy', 'precision', 'recall'],
  positive: '8',
  batchSize: 96,
  epochs: small ? 10 : 20,
  name: 'eights'
})

const { accuracy, precision, recall, confusion } = await run.evaluate(test)
console.log(test.length, 'digits:', { accuracy, precision, recall }, await confusion.matrix())

// A picture: 8s that it found, 8s that it missed, and others that it took for 8s.
const probable = await probabilities(network, test, train.statistics)
const labels = await test.labels.data()
const first = (wanted: (is8: boolean, said8: boolean) => boolean) =>
  [...labels.keys()].filter((at) => wanted(labels[at] === 1, probable[at]! > 0.5)).slice(0, 20)
const shown = [
  first((is8, said8) => is8 && said8),
  first((is8, said8) => is8 && !said8),
  first((is8, said8) => !is8 && said8)
]
await writeFile(
  join(run.folder, 'digits.png'),
  await tiles(test.subset(shown.flat()).images, { columns: 20, scale: 2 })
)

const least = small ? 0.85 : 0.96
ok(precision > least && recall > least, `expected precision and recall above ${least}, got ${precision} and ${recall}`)
