// How accurate is 95 %? What a trained network is worth, in more than one number: the newest runs/birds-NNN, or the run that is named
// behind the command, with the archives that it was trained on.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { datasets, load, metrics, zeros } from 'needletail'
import { lineChart } from './support/line-chart.js'
import { newest } from './support/newest.js'
import { probabilities } from './support/probabilities.js'
import { few } from './support/small.js'
import { tiles } from './support/tiles.js'

const [folder = await newest('birds'), ...archives] = process.argv.slice(2)
const network = await load(folder)
const test = few((await datasets.birds({ archives })).test, 2000)
const labels = await test.labels.data()
const [others, birds] = [0, 1].map((label) => [...labels.keys()].filter((at) => labels[at] === label)) as [
  number[],
  number[]
]
const percent = (value: number) => `${(100 * value).toFixed(1)} %`

// Who always says no is right wherever there is no bird: how good that looks depends on how many there are.
const comparison = []
for (const share of [0.25, 0.1, 0.05]) {
  const count = Math.floor(Math.min(birds.length, (others.length * share) / (1 - share)))
  const set = test.subset([...birds.slice(0, count), ...others.slice(0, Math.round(count / share) - count)])
  const no = new metrics.Confusion(set.classes, { positive: 'bird' })
  no.update(zeros([set.length], { dtype: 'int32' }), set.labels)
  const always = { accuracy: await no.accuracy(), recall: await no.recall() }
  ok(
    Math.abs(always.accuracy - (1 - share)) < 1e-3 && always.recall === 0,
    'expected it to be right without a bird alone'
  )
  for (const [who, figures] of Object.entries({ 'always no': always, 'the network': await network.evaluate(set) }))
    comparison.push({
      birds: percent(share),
      who,
      accuracy: percent(figures.accuracy),
      recall: percent(figures.recall)
    })
}
console.table(comparison)

// Four kinds of answers, with the pictures that it was surest of.
const { accuracy, precision, recall, confusion, scores } = await network.evaluate(test)
console.log(folder, test.length, 'pictures', { accuracy, precision, recall }, await confusion.matrix())
const probable = await probabilities(network.network, test, network.normalize)
const byProbability = (pictures: number[]) => [...pictures].sort((a, b) => probable[b]! - probable[a]!)
const said = (pictures: number[], yes: boolean) => byProbability(pictures.filter((at) => probable[at]! > 0.5 === yes))
const cells = {
  'true-positives': said(birds, true),
  'false-positives': said(others, true),
  'false-negatives': said(birds, false).reverse(),
  'true-negatives': said(others, false).reverse()
}
for (const [name, pictures] of Object.entries(cells)) {
  const surest = test.subset(pictures.slice(0, 12)).images
  if (pictures.length > 0) await writeFile(join(folder, `${name}.png`), await tiles(surest, { columns: 6, scale: 2 }))
}

// "Yes" need not begin at a probability of one half.
const thresholds = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
const at = await Promise.all(thresholds.map((threshold) => scores!.at(threshold)))
console.table(
  at.map(({ threshold, accuracy, precision, recall }) => ({
    threshold,
    accuracy: percent(accuracy),
    precision: percent(precision),
    recall: percent(recall)
  }))
)
console.log('recall at a precision of 97 %:', percent((await scores!.recallAt({ precision: 0.97 })).recall))
const byThreshold = lineChart({
  title: 'What the threshold decides',
  x: { name: 'the least probability that counts as a bird', range: [0, 1] },
  y: { name: '', range: [0, 1] },
  lines: (['precision', 'recall'] as const).map((name) => ({
    name,
    points: at.map((one) => [one.threshold, one[name]])
  }))
})
await writeFile(join(folder, 'threshold.svg'), byThreshold)

const curve = await scores!.precisionRecall()
const step = Math.ceil(curve.recall.length / 300) // of thousands of points a chart shows some hundreds
const points = [...curve.recall]
  .map((value, i) => [value, curve.precision[i]!] as const)
  .filter((_, i) => i % step === 0)
const share = birds.length / test.length
const byRecall = lineChart({
  title: 'Precision and recall at every threshold',
  x: { name: 'recall', range: [0, 1] },
  y: { name: 'precision', range: [0, 1] },
  lines: [
    { name: 'the network', points },
    { name: 'by chance', points: [0, 1].map((value) => [value, share]) }
  ]
})
await writeFile(join(folder, 'precision-recall.svg'), byRecall)

ok(at[0]!.recall > at.at(-1)!.recall, 'expected a higher threshold to find fewer birds')
ok(curve.area > 1.5 * share, `expected far more precision than by chance, ${share}, got ${curve.area} on average`)
