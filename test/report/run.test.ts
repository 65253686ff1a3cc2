// The report of a run, clicked through as a reader would, in a headless Chromium.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { fit, ImageDataset, nn, type FitOptions, type Run } from '../../lib/index.js'
import { browser, violations } from '../support/browser.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from '../train/support.js'

const HOSTILE = '</script><img src=x onerror="document.title=1">\u2028'

/** The same pictures with names of files, and classes of any names. */
function named(count: number, seed: number, classes: string[]): ImageDataset {
  const set = squares(count, seed, classes)
  const pixels = set.images.dataSync()
  const files = Array.from({ length: count }, (_, i) => `folder/${i}${HOSTILE}.jpg`)
  return ImageDataset.from({ pixels, shape: set.shape, labels: set.labels.dataSync(), classes, files })
}

const numbers = (text: string): number[] =>
  [...text.matchAll(/[\d,]*\d(\.\d+)?/g)].map(([n]) => Number(n.replaceAll(',', '')))

describe('the report of a run', function () {
  this.timeout(120_000)
  const file = temporaryFolder()
  const open = browser()

  const two = ['left', HOSTILE]
  const validation = named(90, 100, two)
  const four = ['left', 'right', 'west', 'east']
  const many = Array.from({ length: 25 }, (_, i) => `class ${i}`)
  const runs: Record<'two' | 'four' | 'many' | 'stopped', Run> = {} as never
  const report = (name: keyof typeof runs) => join(runs[name].folder, 'report.html')

  before(async () => {
    const train = async (name: string, classes: string[], set: ImageDataset, more: FitOptions = {}) => {
      const options = { ...base(file(name)), metrics: ['accuracy', 'recall'] as const, positive: undefined, ...more }
      return fit(network(classes.length), named(200, 1, classes), { ...options, validation: set })
    }
    const augment = { flip: 'vertical', shift: 1 } as const
    runs.two = await train('two', two, validation, { augment, metrics: ['accuracy', 'averagePrecision'] })
    runs.four = await train('four', four, named(90, 100, four))
    runs.many = await train('many', many, named(90, 100, many), { epochs: 1 })
    const stop = new AbortController()
    const onBatchEnd = () => stop.abort(new Error('enough'))
    await assert.rejects(
      train('stopped', two, validation, { callbacks: { onBatchEnd }, signal: stop.signal }),
      /enough/
    )
    runs.stopped = { folder: join(file('stopped'), 'squares-001') } as Run
  })

  it('loads nothing, shows every text as it is, and complains of nothing', async () => {
    for (const name of ['two', 'four', 'many', 'stopped'] as const) {
      const { page, requests, problems } = await open(report(name))
      assert.equal(await page.title(), 'squares-001 · needletail')
      assert.deepEqual(
        requests.filter((url) => !url.startsWith('data:')),
        [page.url()]
      )
      assert.deepEqual(problems, [])
      assert.equal(await page.locator('img[src="x"]').count(), 0)
    }
    const { page } = await open(report('two'))
    await page.getByRole('columnheader', { name: `taken for ${HOSTILE.trim()}` }).waitFor()
    await page.getByRole('button', { name: 'true positives' }).click()
    assert.ok((await page.locator('.examples img').first().getAttribute('alt'))!.includes(HOSTILE))
  })

  it('a threshold moves precision, recall and the cells: by keys, by presets, as metrics.Scores counts them', async () => {
    const { scores } = await runs.two.evaluate(validation)
    const { page } = await open(report('two'))
    const part = page.locator('#threshold')
    const slider = part.getByRole('slider', { name: /from a probability of/ })
    const shown = async () => {
      const cells = await part.locator('.outcomes button strong').allTextContents()
      const shares = await part.locator('.shares dd').allTextContents()
      return [...cells.map(Number), ...shares.map((text) => numbers(text)[0])]
    }
    const expected = async (threshold: number) => {
      const at = await scores!.at(threshold)
      const cells = [at.truePositives, at.falseNegatives, at.falsePositives, at.trueNegatives]
      return [
        ...cells,
        ...[at.precision, at.recall, at.f1, at.accuracy].map((share) => Number((100 * share).toFixed(1)))
      ]
    }
    assert.deepEqual(await shown(), await expected(0.5))
    await slider.focus()
    await page.keyboard.press('End')
    assert.deepEqual(await shown(), await expected(1))
    for (let i = 0; i < 3; i++) await page.keyboard.press('PageDown')
    const threshold = Number(await slider.inputValue()) / 1000
    assert.ok(threshold < 0.9, `${threshold}`)
    assert.deepEqual(await shown(), await expected(threshold))
    assert.match((await slider.getAttribute('aria-valuetext'))!, /precision .* recall /)
    await part.getByRole('button', { name: 'precision ≥ 95' }).click()
    const { recall } = await scores!.recallAt({ precision: 0.95 })
    assert.equal((await shown())[5], Number((100 * recall).toFixed(1)))
    const label = (await part.getByRole('img', { name: /^Precision by recall/ }).getAttribute('aria-label'))!
    assert.match(label, /At a threshold of/)
  })

  it('each cell opens its pictures, the most wrong first', async () => {
    const { page } = await open(report('two'))
    const part = page.locator('#threshold')
    await part.getByRole('slider').focus()
    await page.keyboard.press('Home')
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight')
    for (const [name, rising] of [
      ['true positives', true],
      ['false negatives', true],
      ['false positives', false],
      ['true negatives', false]
    ] as const) {
      const cell = part.getByRole('button', { name })
      await cell.click()
      assert.equal(await cell.getAttribute('aria-pressed'), 'true')
      const all = numbers((await cell.textContent())!)[0]!
      const panel = part.locator('.examples')
      assert.match((await panel.getByRole('heading').textContent())!, new RegExp(`^${name}`, 'i'))
      const shares = (await panel.locator('.probability').allTextContents()).map((text) => numbers(text)[0]!)
      assert.ok(shares.length <= Math.min(48, all) && (all === 0 || shares.length > 0), `${shares.length} of ${all}`)
      assert.deepEqual(
        shares,
        [...shares].sort((a, b) => (rising ? a - b : b - a))
      )
      const widths = await panel.locator('img').evaluateAll((images: any[]) => images.map((one) => one.naturalWidth))
      assert.deepEqual(new Set(widths), new Set(all === 0 ? [] : [8]))
    }
  })

  it('the confusion matrix is gone through with arrow keys', async () => {
    const { page } = await open(report('four'))
    const matrix = JSON.parse(readFileSync(join(runs.four.folder, 'confusion.json'), 'utf8')).matrix as number[][]
    const cells = page.locator('.matrix button')
    assert.deepEqual((await cells.allTextContents()).map(Number), matrix.flat())
    await cells.first().focus()
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowLeft', 'Enter']) await page.keyboard.press(key)
    const title = await page.locator('#confusion .examples').getByRole('heading').textContent()
    assert.equal(title, 'west: taken for left')
    assert.equal(await page.locator('.matrix button[tabindex="0"]').count(), 1)
    assert.equal(await page.locator('#confusion .examples img').count(), Math.min(48, matrix[2]![0]!))
  })

  it('of many classes it lists the most frequent mistakes', async () => {
    const { page } = await open(report('many'))
    const mistakes = page.locator('.mistakes button')
    const found = (await mistakes.allTextContents()).map((text) => numbers(text)[0]!)
    assert.ok(found.length > 5 && found.every((count, i) => i === 0 || count <= found[i - 1]!))
    await mistakes.nth(1).click()
    assert.equal(await page.locator('#confusion .examples img').count(), found[1])
  })

  it('curves are read with the pointer and by keys, epoch by epoch', async () => {
    const { page } = await open(report('four'))
    const rows = readFileSync(join(runs.four.folder, 'metrics.csv'), 'utf8').split('\n')
    const value = (epoch: number, column: string) =>
      Number(rows[epoch]!.split(',')[rows[0]!.split(',').indexOf(column)])
    const loss = page.locator('.chart', { has: page.getByRole('heading', { name: /^Loss/ }) })
    await loss.getByRole('slider', { name: 'Read Loss' }).focus()
    await page.keyboard.press('Home')
    const [validation, training] = (await loss.locator('output').allTextContents()).map(Number)
    assert.equal(validation, Number(value(1, 'validation.loss').toPrecision(4)))
    assert.equal(training, Number(value(1, 'loss').toPrecision(4)))
    assert.match((await loss.getByRole('heading').textContent())!, /epoch 1$/)
    await loss.locator('.plot').hover()
    assert.match((await loss.getByRole('heading').textContent())!, /epoch 2$/)
    await page.getByText('All epochs as a table').click()
    assert.equal(await page.getByRole('region', { name: 'Figures of every epoch' }).getByRole('row').count(), 4)
  })

  it('classes are sorted by what is asked for', async () => {
    const { page } = await open(report('many'))
    const part = page.locator('#classes')
    const head = part.getByRole('columnheader', { name: 'Recall' })
    for (const direction of ['ascending', 'descending']) {
      await head.getByRole('button').click()
      assert.equal(await head.getAttribute('aria-sort'), direction)
      const shown = (await part.locator('tbody td:nth-of-type(2)').allTextContents()).map((text) => numbers(text)[0]!)
      assert.deepEqual(
        shown,
        [...shown].sort((a, b) => (direction === 'ascending' ? a - b : b - a))
      )
    }
  })

  it('everything that can be chosen is reached by the tabulator', async () => {
    const { page } = await open(report('two'))
    const all = Number(await page.evaluate(`(${CHOICES}).length`))
    await page.evaluate(
      `(${CHOICES}).forEach((one) => one.addEventListener('focus', () => (one.dataset.reached = '')))`
    )
    for (let i = 0; i <= all; i++) await page.keyboard.press('Tab')
    assert.equal(await page.locator('[data-reached]').count(), all)
  })

  for (const width of [1280, 360]) {
    it(`is accessible, in light and dark, and fits: ${width} pixels wide`, async () => {
      for (const name of ['two', 'four', 'many', 'stopped'] as const) {
        const { page } = await open(report(name), { width })
        assert.deepEqual(await violations(page), [], name)
        assert.deepEqual(await page.evaluate(TOO_WIDE), [], name)
        await page.emulateMedia({ colorScheme: 'dark' })
        assert.deepEqual(await violations(page, ['color-contrast']), [], `${name}, dark`)
      }
    })
  }
})

/** What the keyboard can choose. */
const CHOICES = `[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((one) => one.tabIndex >= 0 && one.checkVisibility())`

/** What makes the page wider than its window. */
const TOO_WIDE = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('*')]
  .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest('.scroll, nav'))
  .map((one) => one.outerHTML.slice(0, 200)).concat('something')`

describe('report', () => {
  const file = temporaryFolder()
  const options = (more: FitOptions = {}) => ({
    ...base(file('runs')),
    epochs: 1,
    validation: squares(60, 100),
    ...more
  })

  it('is made anew from the run folder alone: the same bytes', async () => {
    const run = await fit(network(), squares(60, 1), options())
    const path = join(run.folder, 'report.html')
    const before = readFileSync(path)
    rmSync(path)
    assert.equal(await nt.report(run.folder), path)
    assert.deepEqual(readFileSync(path), before)
    assert.equal(await run.report(), path)
  })

  it('keeps what the network made of each picture', async () => {
    const validation = squares(60, 100)
    const run = await fit(network(), squares(60, 1), options())
    const { tensors, metadata } = await nt.io.readSafetensors(join(run.folder, 'predictions.safetensors'))
    const { matrix } = JSON.parse(readFileSync(join(run.folder, 'confusion.json'), 'utf8')) as { matrix: number[][] }
    const counted = [0, 1].map(() => [0, 0])
    const predictions = await tensors.get('predictions')!.data()
    const labels = await validation.labels.data()
    labels.forEach((label, i) => counted[label]![Number(predictions[i])]!++)
    assert.deepEqual(counted, matrix)
    assert.deepEqual(await tensors.get('labels')!.data(), labels)
    assert.deepEqual(tensors.get('probabilities')!.shape, [60, 2])
    assert.equal(metadata.get('epoch'), '1')
  })

  it('of many classes it keeps the five most probable ones, and the positive one', async () => {
    const classes = Array.from({ length: 21 }, (_, i) => String(i))
    const validation = squares(60, 100, classes)
    const more = { validation, positive: '3', metrics: ['averagePrecision'] as const }
    const run = await fit(network(21), squares(60, 1, classes), options(more))
    const { tensors } = await nt.io.readSafetensors(join(run.folder, 'predictions.safetensors'))
    assert.deepEqual(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape])), {
      labels: [60],
      predictions: [60],
      positiveProbabilities: [60],
      topClasses: [60, 5],
      topProbabilities: [60, 5]
    })
    assert.match(readFileSync(join(run.folder, 'report.html'), 'utf8'), /"scores":\[\[3,/)
  })

  it('report: false keeps nothing for one; without validation there are curves', async () => {
    const run = await fit(network(), squares(60, 1), options({ report: false }))
    assert.throws(() => readFileSync(join(run.folder, 'report.html')), /ENOENT/)
    assert.throws(() => readFileSync(join(run.folder, 'predictions.safetensors')), /ENOENT/)
    const bare = await fit(network(), squares(60, 1), options({ validation: undefined }))
    assert.match(readFileSync(join(bare.folder, 'report.html'), 'utf8'), /"predictions":null/)
  })

  it('a network of other inputs than pictures has no summary, and a report', async () => {
    class Halves extends nn.Module {
      readonly head = new nn.Linear(2)
      forward(x: nt.Tensor): nt.Tensor {
        if (x.shape[0] === 1) throw new Error('one picture is too few')
        return this.head.forward(x.flatten(1))
      }
    }
    const run = await fit(new Halves(), squares(60, 1), options())
    assert.match(readFileSync(join(run.folder, 'report.html'), 'utf8'), /"summary":null/)
  })

  it('what is damaged is refused by name', async () => {
    const { folder } = await fit(network(), squares(60, 1), options())
    const pictures = readFileSync(join(folder, 'pictures.json'), 'utf8')
    for (const [text, pattern] of [
      ['{', /^Error: report: expected JSON in .*pictures\.json/],
      [
        pictures.replace('data:image/webp', 'https://example.org/'),
        /^Error: report: expected pictures as data URIs in /
      ],
      [pictures.replace('"format": 1', '"format": 2'), /^Error: report: expected format 1 in /]
    ] as const) {
      writeFileSync(join(folder, 'pictures.json'), text)
      await assert.rejects(nt.report(folder), pattern)
    }
    await assert.rejects(nt.report(file('none')), /^Error: report: expected a run folder with config\.json/)
  })
})
