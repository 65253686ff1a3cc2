// Trains the article's network on CIFAR-10, bird or not, and tells how good it is: `scripts/birds` runs this.
// A tenth of the pictures are birds. Whoever always says no is right on nine of ten: precision and recall are what counts.
import { mkdir } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import * as nt from 'needletail'
import { DataLoader, datasets, optim } from 'needletail'
import { birdNetwork, WEIGHTS } from './network.js'
import { Progress } from './progress.js'

const PASSES = 7
const BATCH = 96
const RATE = 0.001
// Birds count twice in the loss: with equal weights the network misses too many, with 3 it takes too much for one.
const CLASS_WEIGHTS = [1, 2]

nt.random.seed(1)
console.error('data: CIFAR-10')
const { train, test } = await datasets.birds()
const normalize = train.statistics
const batches = new DataLoader(train, {
  batchSize: BATCH,
  shuffle: true,
  seed: 1,
  normalize,
  augment: { flip: 'horizontal', shift: 3, fill: 'black' },
  dropLast: true
})

const network = birdNetwork()
const learningRate = optim.cosine(RATE, { steps: PASSES * batches.length })
const optimizer = new optim.Adam({ learningRate })
const weights = nt.tensor(CLASS_WEIGHTS)
const step = nt.compile((images: nt.Tensor, labels: nt.Tensor<'int32'>) => {
  const loss = nt.crossEntropy(network.forward(images), labels, { weights })
  optimizer.minimize(loss, network)
  return loss
})

const progress = new Progress(PASSES, batches.length, BATCH)
for (let pass = 0; pass < PASSES; pass++) {
  for await (const { images, labels } of batches) await progress.step(step(images, labels))
}
progress.end()

network.eval()
const confusion = new nt.metrics.Confusion(test.classes, { positive: 'bird' })
for await (const { images, labels } of new DataLoader(test, { batchSize: 500, normalize })) {
  confusion.update(nt.noGrad(() => network.forward(images)).argmax(1), labels)
}
const [[right, falseAlarms], [missed, found]] = (await confusion.matrix()) as [[number, number], [number, number]]
const count = (value: number) => value.toLocaleString('en').padStart(8)
const share = (value: number) => value.toFixed(3)
const [others, birds] = [right + falseAlarms, missed + found]
const accuracy = await confusion.accuracy()
console.log(`
${test.length.toLocaleString('en')} test pictures      this network       always no
                        no    bird        no    bird
no bird           ${count(right)}${count(falseAlarms)}  ${count(others)}${count(0)}
bird              ${count(missed)}${count(found)}  ${count(birds)}${count(0)}
accuracy                  ${share(accuracy)}               ${share(others / test.length)}
`)
console.log(
  `accuracy ${share(accuracy)} precision ${share(await confusion.precision())} recall ${share(await confusion.recall())}`
)

await mkdir(dirname(WEIGHTS), { recursive: true })
await network.save(WEIGHTS, {
  metadata: { classes: JSON.stringify(test.classes), normalize: JSON.stringify(normalize) }
})
// Like the progress, this is for who sits before the screen: the figures are the last line of what a pipe gets.
console.error(`\nweights: ${relative(process.cwd(), WEIGHTS)}\nask about a photo: scripts/is-it-a-bird photo.jpg`)
