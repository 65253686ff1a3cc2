// The network that knows an 8 in the middle of its picture, asked about 8s that aren't; and how it finds them all the same, with a
// window that slides over a large picture.
import { ok } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Detector, fit, ImageDataset, nn, optim, type Statistics } from 'needletail'
import { network, run, test, train } from './eights.js'
import { matched, toldApart, withBoxes } from './support/boxes.js'
import { backgrounds, scattered } from './support/canvas.js'
import { only, recallMoved, shifted, SIZE } from './support/digits.js'
import { heatMap } from './support/heat-map.js'
import { small } from './support/small.js'

// The recall for every shift by whole pixels, right and down.
const eights = await only(test, '8')
const shifts = Array.from({ length: 13 }, (_, i) => i - 6).filter((pixels) => !small || pixels % 2 === 0)
const recalls: number[][] = [] // [down][right]
for (const down of shifts) {
  const row: number[] = []
  for (const right of shifts) row.push(await recallMoved(network, eights, train.statistics, right, down))
  recalls.push(row)
}
const map = heatMap({
  title: '8s found when they are moved, in percent',
  values: recalls,
  rows: { name: 'pixels down', values: shifts },
  columns: { name: 'pixels to the right', values: shifts }
})
await writeFile(join(run.folder, 'recall.svg'), map)
console.log(
  'moved to the right by',
  Object.fromEntries(shifts.map((right, i) => [right, recalls[shifts.indexOf(0)]![i]!]))
)

// How much of the 8s is still within the picture: that is not what makes it fail.
const ink = (pictures: typeof eights) => pictures.images.astype('float32').sum().item()
const whole = await ink(eights)
const within = (await ink(await eights.map((images) => shifted(images, 4, 0)))) / whole
console.log(`four pixels to the right ${(100 * within).toFixed(0)} % of the ink is still there`)

// Windows of several sizes, two pixels apart, all over large pictures; each is a question to the network.
const sizes = [SIZE, 1.5 * SIZE, 2 * SIZE]
const threshold = small ? 0.9 : 0.99
async function slide(one: nn.Module, normalize: Statistics, file: string) {
  const detector = new Detector({ network: one, inputShape: train.shape, classes: train.classes, normalize })
  const total = { eights: 0, found: 0, wrong: 0, windows: 0, seconds: 0 }
  for (let seed = 0; seed < (small ? 3 : 10); seed++) {
    const { image, boxes } = await scattered(test, { sizes, seed })
    const start = performance.now()
    const { found, windows } = await detector.find(image, { method: 'crops', stride: 2, sizes, threshold })
    total.seconds += (performance.now() - start) / 1000
    total.windows += windows
    const told = matched(found, boxes.get('8')!)
    total.eights += told.hits.length + told.missing.length
    total.found += told.hits.length
    total.wrong += told.wrong.length
    if (seed > 0) continue
    await writeFile(join(run.folder, file), await withBoxes(image, toldApart(told)))
  }
  return total
}
const naive = await slide(network, train.statistics, 'found.png')
console.log('a sliding window', naive)

// Most windows show no digit at all, or parts of some. Nobody ever told the network that these are no 8s: told, it is wrong less often.
const told = ImageDataset.concat([train, await backgrounds(train, small ? 3000 : 20_000, SIZE)])
const second = nn.fromConfig(nn.toConfig(network)!)
await fit(second, told, {
  normalize: true,
  optimizer: new optim.Adam({ learningRate: 0.001 }),
  batchSize: 96,
  epochs: small ? 10 : 20,
  name: 'off-centre'
})
const informed = await slide(second, told.statistics, 'found-told.png')
console.log('and told what is no digit', informed)

const [middle, moved] = [0, 4].map((right) => recalls[shifts.indexOf(0)]![shifts.indexOf(right)]!)
ok(
  middle! > 0.85 && moved! < 0.2,
  `expected 8s found in the middle alone, got ${middle} there and ${moved} four pixels off`
)
ok(informed.found >= 0.6 * informed.eights, `expected most of ${informed.eights} 8s to be found, got ${informed.found}`)
ok(informed.wrong < naive.wrong, `expected less than ${naive.wrong} wrong boxes, got ${informed.wrong}`)
