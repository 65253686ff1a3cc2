// The networks that researchers train: how large they are, that they compute what PyTorch's compute, and one of them on a folder of photos.
//
//     npx tsx examples/research-net.ts [a folder or an archive of photos, a folder for each species]
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as nt from 'needletail'
import { datasets, fit, models, optim } from 'needletail'
import { lineChart } from './support/line-chart.js'
import { photoFolder } from './support/photo-folder.js'
import { small } from './support/small.js'

// 1. Layer by layer: AlexNet is the network of the ImageNet paper that the article tells of.
for (const name of small
  ? (['alexnet', 'resnet18'] as const)
  : (['alexnet', 'vgg16', 'resnet18', 'resnet50'] as const)) {
  const network = models[name]()
  const table = network.summary([1, 224, 224, 3])
  console.log(`${name}\n${name === 'alexnet' ? table : table.split('\n').slice(-6).join('\n')}\n`)
  network.parameters().forEach((parameter) => parameter.dispose())
}

// 2. The weights come from a formula, which the same lines of Python compute (docs/examples/research-net.md): PyTorch's ResNet-18
// gives the same five numbers.
const wave = (k: number, shape: readonly number[]) =>
  nt.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(k + i * i)),
    shape
  )
const resnet = models.resnet18({ classes: 5 }).build([1, 64, 64, 3]).eval()
for (const [k, parameter] of resnet.parameters().entries()) {
  const scale = parameter.rank > 1 ? Math.sqrt((4 * parameter.shape[0]!) / parameter.size) : 1
  const [out, height, width, channels] = parameter.shape as [number, number, number, number]
  // PyTorch has a picture's channels, rows and columns in this order, needletail rows, columns and channels.
  const value = parameter.rank === 4 ? wave(k, [out, channels, height, width]).permute([0, 2, 3, 1]) : wave(k, parameter.shape) // prettier-ignore
  parameter.assign(value.mul(scale))
}
const picture = wave(0, [1, 3, 64, 64]).permute([0, 2, 3, 1])
const ours = await nt.noGrad(() => resnet.forward(picture)).data()
const pytorch = [5.548424, 2.302968, -1.156884, 0.5158468, -2.407721]
const apart = Math.max(...pytorch.map((value, i) => Math.abs(value - ours[i]!)))
console.log('ResNet-18 here', ours, 'in PyTorch', pytorch)
ok(apart < 1e-4, `expected PyTorch's numbers, got some ${apart} apart`)

// 3. What kind of bird is it? '009.Brewer_Blackbird' and '010.Red_winged_Blackbird' are kinds of 'Blackbird'.
const folder = process.argv[2] ?? (await photoFolder(['ship', 'frog'], 150))
const species = await datasets.imageFolder(folder, { size: small ? 32 : 64 })
const kindOf = (name: string) => name.split('_').at(-1)!
const kinds = [...new Set(species.classes.map(kindOf))].sort()
const photos = species.relabel(kinds, (_, name) => kinds.indexOf(kindOf(name)))
const { train, test } = photos.split({ test: Math.round(photos.length / 6), seed: 1 })

const curves = {
  'the photos it learns from': [] as [number, number][],
  'photos it has never seen': [] as [number, number][]
}
const run = await fit(models.resnet18({ classes: kinds.length, width: small ? 16 : 64 }), train, {
  validation: test,
  normalize: true,
  augment: { flip: 'horizontal', crop: 0.5, rotate: 10 },
  optimizer: ({ total }) => new optim.AdamW({ learningRate: optim.cosine(0.002, { steps: total }), weightDecay: 0.05 }),
  labelSmoothing: 0.1,
  compute: 'bfloat16',
  batchSize: small ? 25 : 64,
  epochs: small ? 5 : 20,
  name: 'research-net',
  callbacks: {
    onEpochEnd: (epoch, figures) => {
      curves['the photos it learns from'].push([epoch, figures['accuracy']!])
      curves['photos it has never seen'].push([epoch, figures['validation.accuracy']!])
    }
  }
})
const chart = lineChart({
  title: `Which of ${kinds.length} kinds?`,
  x: { name: 'passes' },
  y: { name: 'accuracy', range: [0, 1] },
  lines: Object.entries(curves).map(([name, points]) => ({ name, points }))
})
await writeFile(join(run.folder, 'accuracy.svg'), chart)

const { accuracy } = await run.evaluate(test)
const most = Math.max(...test.counts) / test.length
console.log(`${test.length} photos of ${kinds.length} kinds: right on ${accuracy}; always the most frequent: ${most}`)
ok(accuracy > Math.min(3 * most, (1 + most) / 2), `expected more than ${most} by far, got ${accuracy}`)
