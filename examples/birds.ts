// Is it a bird? A convolutional network, trained on small photos. More photos of birds, in archives, can be named behind the command.
import { ok } from 'node:assert/strict'
import { datasets, fit, nn, optim } from 'needletail'
import { few, small } from './support/small.js'

const { train, test } = await datasets.birds({ archives: process.argv.slice(2) }) // and CIFAR-10, relabelled

const network = new nn.Sequential(
  new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }), // 32 filters of 3x3; input channels are inferred
  new nn.MaxPool2d(2),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Flatten(),
  new nn.Linear(512, { activation: 'relu' }),
  new nn.Dropout(0.5),
  new nn.Linear(2)
)

const run = await fit(network, few(train, 4000), {
  validation: few(test, 2000), // watched, never trained on
  normalize: true, // by the training set's mean and deviation, kept with the network
  augment: { flip: 'horizontal', rotate: 25, blur: 3 }, // each picture anew in each pass
  optimizer: new optim.Adam({ learningRate: 0.001 }),
  metrics: ['accuracy', 'precision', 'recall'],
  positive: 'bird', // the class that precision and recall are about
  batchSize: 96,
  epochs: Number(process.env.EPOCHS ?? (small ? 3 : 50)),
  name: 'birds' // a new folder runs/birds-001, runs/birds-002, …
})

const { accuracy, precision, recall, confusion, scores } = await run.evaluate(few(test, 2000))
console.log(run.folder, { accuracy, precision, recall }, await confusion.matrix())

const area = await scores!.rocAuc() // how often a bird is more probable than another picture: by chance 0.5
ok(
  area > (small ? 0.65 : 0.9),
  `expected birds to be more probable than other pictures, got it in ${area} of all pairs`
)
