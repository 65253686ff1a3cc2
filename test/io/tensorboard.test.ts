// Event files, as TensorBoard's own package reads them.
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { otherDevice } from '../support/devices.js'
import { needsPython, python } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from '../train/support.js'

type Series<T> = Record<string, [step: number, value: T][]>
interface Histogram {
  min: number
  max: number
  num: number
  sum: number
  sum_squares: number
  bucket_limit: number[]
  bucket: number[]
}
interface Folder {
  scalars: Series<number>
  images: Series<number[][][]>
  histograms: Series<Histogram>
  curves: Series<number[][]>
}

const { SummaryWriter } = nt.io
const eventsIn = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('events.out.tfevents.'))
const steps = <T>(series: [number, T][] | undefined) => series?.map(([step]) => step)
const close = (got: number, wanted: number) =>
  ok(Math.abs(got - wanted) < 1e-5 * Math.max(1, Math.abs(wanted)), `${got} is ${wanted}`)

describe('TensorBoard', function () {
  this.timeout(60_000)
  needsPython()
  const path = temporaryFolder()
  const folders = new Map<string, Folder>()
  const devices = ['cpu', otherDevice].filter((device) => nt.devices().includes(device))
  const pixels = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => 14 * i)
  const values = [-2, -1.01, 0.03, 0.5, 0.5, 1.01, 2, 2, NaN, Infinity]
  let scores: nt.metrics.Scores

  // Python takes a second to begin: everything is written first, and read at once.
  before(async () => {
    for (const device of devices) {
      const writing = nt.withDevice(device, () => {
        const writer = new SummaryWriter(path(device))
        const loss = nt.tensor(0.25)
        const written = [
          writer.scalar('loss/training', 0.5, 1),
          writer.scalar('loss/training', loss, 2),
          writer.scalars({ a: 1, b: nt.tensor([2]) }, 3),
          writer.image('bytes', nt.tensor(pixels, [2, 3, 3]), 4),
          writer.image('floats', nt.tensor(pixels, [2, 3, 3]).astype('float32').div(255), 4),
          writer.image('grey', nt.tensor(pixels, [9, 2, 1]), 4),
          writer.histogram('values', nt.tensor(values), 5),
          writer.histogram('one value', nt.full([2, 3], 7), 5),
          writer.histogram('none', nt.zeros([0]), 5)
        ]
        loss.assign(nt.tensor(9))
        scores = new nt.metrics.Scores()
        scores.update(nt.tensor([0.1, 0.4, 0.35, 0.8]), nt.tensor([0, 0, 1, 1], { dtype: 'int32' }))
        written.push(writer.precisionRecall('bird', scores, 6))
        return { all: Promise.all(written) }
      })
      await writing.all
    }
    const test = squares(60, 100)
    const fit = (options: nt.FitOptions) =>
      nt.fit(network(), squares(120, 1), {
        ...base(path('runs')),
        validation: test,
        augment: { flip: 'vertical' },
        optimizer: () => new nt.optim.Adam({ learningRate: 0.01 }),
        ...options
      })
    await fit({ epochs: 2, name: 'whole' })
    // The file of one that was killed in the middle of an epoch has more than its checkpoint, and a record that was cut off.
    const { folder } = await fit({ epochs: 1, name: 'resumed' })
    const [name] = eventsIn(folder)
    const later = new SummaryWriter(folder, { resume: 1 })
    await later.scalars({ 'loss/training': 99 }, 2)
    appendFileSync(join(folder, name!), readFileSync(join(folder, name!)).subarray(0, 20))
    await fit({ epochs: 3, name: 'resumed', resume: folder })
    strictEqual(eventsIn(folder).length, 1)

    const names = [...devices, 'runs/whole-001', 'runs/resumed-001']
    const read = (await python('io/read-events.py', names.map(path))) as Record<string, Folder>
    for (const name of names) folders.set(name, read[path(name)]!)
  })

  for (const device of devices) {
    describe(`what is written on ${device} is what is read`, () => {
      it('numbers', () => {
        deepStrictEqual(folders.get(device)!.scalars, { 'loss/training': [[1, 0.5], [2, 0.25]], a: [[3, 1]], b: [[3, 2]] }) // prettier-ignore
      })

      it('images', () => {
        const wanted = nt.tensor(pixels, [2, 3, 3]).arraySync() as number[][][]
        const { bytes, floats, grey } = folders.get(device)!.images
        deepStrictEqual(bytes, [[4, wanted]])
        deepStrictEqual(floats, [[4, wanted]])
        deepStrictEqual(grey, [[4, nt.tensor(pixels, [9, 2]).arraySync()]])
      })

      it('histograms', () => {
        const [step, { bucket, bucket_limit: limits, ...facts }] = folders.get(device)!.histograms['values']![0]!
        strictEqual(step, 5)
        const wanted = { min: -2, max: 2, num: 8, sum: 3.03, sum_squares: 14.5411 }
        for (const [name, value] of Object.entries(wanted)) close(facts[name as keyof typeof facts], value)
        strictEqual(limits.at(-1), 2)
        const finite = values.filter(Number.isFinite)
        bucket.forEach((count, i) => {
          const [low, high] = [limits[i - 1] ?? -2, limits[i]!]
          const within = finite.filter((v) => v >= low - 1e-6 && (v < high - 1e-6 || (v === 2 && i === 29)))
          strictEqual(count, within.length, `bucket from ${low} to ${high}`)
        })
        const others = ['one value', 'none'].map((name) => folders.get(device)!.histograms[name]![0]![1])
        deepStrictEqual(others.map(({ min, max, num, sum }) => [min, max, num, sum]), [[7, 7, 6, 42], [0, 0, 0, 0]]) // prettier-ignore
      })

      it('precision-recall curves', async () => {
        const [[step, rows]] = folders.get(device)!.curves['bird'] as [[number, number[][]]]
        deepStrictEqual([step, rows.length], [6, 6])
        for (const i of [0, 20, 75, 100, 170, 200]) {
          const point = await scores.at(i / 200)
          const { truePositives, falsePositives, trueNegatives, falseNegatives, precision, recall } = point
          const wanted = [truePositives, falsePositives, trueNegatives, falseNegatives, precision, recall]
          wanted.forEach((value, row) => close(rows[row]![i]!, value))
        }
      })
    })
  }

  describe('fit', () => {
    const table = (folder: string) =>
      readFileSync(path(`${folder}/metrics.csv`), 'utf8').trim().split('\n').map((line) => line.split(',')) // prettier-ignore

    it('writes the figures of metrics.csv at each epoch', () => {
      const { scalars } = folders.get('runs/whole-001')!
      const [header, ...rows] = table('runs/whole-001')
      const tags = header!.slice(1).map((name) => {
        const [, watched] = /^validation\.(.*)/.exec(name) ?? []
        if (watched) return `${watched}/validation`
        return ['learningRate', 'seconds', 'imagesPerSecond'].includes(name) ? `run/${name}` : `${name}/training`
      })
      deepStrictEqual(Object.keys(scalars).sort(), [...tags].sort())
      tags.forEach((tag, column) => {
        deepStrictEqual(steps(scalars[tag]), [1, 2])
        scalars[tag]!.forEach(([, value], i) => close(value, Number(rows[i]![column + 1])))
      })
    })

    it('writes pictures once, as the network gets them, weights and a curve', () => {
      const { images, histograms, curves } = folders.get('runs/whole-001')!
      strictEqual(Object.keys(images).length, 16)
      for (const [tag, [[step, rows]]] of Object.entries(images) as [string, [[number, number[][][]]]][]) {
        ok(/^pictures\/\d\d (left|right)$/.test(tag), tag)
        strictEqual(step, 0)
        const bright = rows.flat().filter((pixel) => pixel[2]! >= 220)
        strictEqual(bright.length, 4, 'the bright square of test/train/support.ts')
      }
      const names = [...network().build([1, 8, 8, 3]).namedParameters().keys()]
      deepStrictEqual(Object.keys(histograms), names.map((name) => `weights/${name}`)) // prettier-ignore
      strictEqual(histograms['weights/0.weight']![0]![1].num, 8 * 3 * 3 * 3)
      deepStrictEqual(steps(curves['precision and recall/right']), [1, 2])
    })

    it('resumed goes on with the file, and nothing is there twice', () => {
      const { scalars, images, curves } = folders.get('runs/resumed-001')!
      for (const series of Object.values(scalars)) deepStrictEqual(steps(series), [1, 2, 3])
      for (const series of Object.values(images)) deepStrictEqual(steps(series), [0])
      deepStrictEqual(steps(curves['precision and recall/right']), [1, 2, 3])
      ok(scalars['loss/training']![1]![1] < 10)
    })

    it('writes none where none is wanted', async () => {
      const { folder } = await nt.fit(network(), squares(40, 1), {
        ...base(path('none')),
        epochs: 1,
        tensorboard: false
      })
      deepStrictEqual(eventsIn(folder), [])
    })
  })

  it('says what is no number, image, histogram, curve, step or folder', async () => {
    const writer = new SummaryWriter(path('refused'))
    const refuses = (f: () => unknown, pattern: RegExp) => throws(f, pattern)
    refuses(() => writer.scalar('a', 'b' as never, 1), /SummaryWriter.scalars: expected a number as a, got 'b'/)
    refuses(() => writer.scalar('a', nt.ones([2]), 1), /expected a number as a/)
    refuses(() => writer.scalar('a', 1, 0.5), /SummaryWriter.scalars: expected a step that is a whole number, got 0.5/)
    refuses(() => writer.histogram('a', [1] as never, 1), /SummaryWriter.histogram: expected a tensor/)
    refuses(() => writer.precisionRecall('a', {} as never, 1), /expected metrics.Scores/)
    refuses(() => new SummaryWriter(''), /SummaryWriter: expected the path of a folder/)
    refuses(() => new SummaryWriter('a', { resum: 1 } as never), /Did you mean 'resume'/)
    await rejects(
      writer.image('a', nt.ones([2, 2]), 1),
      /SummaryWriter.image: expected an image \[height, width, channels\]/
    )
    await rejects(writer.image('a', nt.ones([2, 2, 2]), 1), /of 1, 3 or 4 channels/)
    await writer.scalar('a', 1, 1)
    ok(statSync(join(path('refused'), eventsIn(path('refused'))[0]!)).size < 200, 'what failed left nothing')
    const file = new SummaryWriter(join(path('refused'), eventsIn(path('refused'))[0]!))
    await rejects(file.scalar('a', 1, 1), /EEXIST|ENOTDIR/)
  })
})
