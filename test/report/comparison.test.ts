// Runs beside each other, and as they train, looked at in a headless Chromium.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import * as nt from '../../lib/index.js'
import { fit, nn, optim, type FitOptions, type Watch } from '../../lib/index.js'
import { browser, violations } from '../support/browser.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from '../train/support.js'

const HOSTILE = '</script><img src=x onerror="document.title=1">\u2028'
const isWithin = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')

describe('pages of several runs', function () {
  this.timeout(120_000)
  const path = temporaryFolder()
  const open = browser()
  const folders: string[] = []
  const classes = ['left', HOSTILE]
  const train = async (more: FitOptions = {}, layers: nn.Module = network()) => {
    const options = { ...base(path('runs')), positive: HOSTILE, validation: squares(64, 5, classes), ...more }
    const { folder } = await fit(layers, squares(96, 1, classes), options)
    folders.push(folder)
  }

  before(async () => {
    await train()
    await train({ batchSize: 32, epochs: 4, seed: 3 })
    const layers = new nn.Sequential(new nn.Flatten(), new nn.Dropout(0.5), new nn.Linear(2))
    await train({ optimizer: new optim.SGD({ learningRate: 0.05 }), validation: squares(64, 5, classes) }, layers)
  })

  describe('compare', () => {
    let file = ''
    before(async () => {
      file = await nt.compare(folders)
    })

    it('shows figures, curves and what was different, and links the reports', async () => {
      assert.equal(file, path('runs/comparison.html'))
      const { page, requests, problems } = await open(file)
      assert.deepEqual([requests.length, problems], [1, []])
      assert.equal(await page.locator('h1').textContent(), '3 runs compared')
      assert.equal(await page.locator('#figures tbody tr').count(), 3)
      assert.deepEqual(await page.locator('#figures tbody td:nth-child(2)').allTextContents(), ['3', '4', '3'])
      // Of every column whose values differ the best is marked, once for each run that has it.
      const losses = await page.locator('#figures tbody td:nth-child(3)').allTextContents()
      const least = Math.min(...losses.map((text) => parseFloat(text)))
      for (const text of losses) assert.equal(text.endsWith('(best)'), parseFloat(text) === least)
      // A chart for each figure, a line for each run.
      const charts = page.locator('#curves > .columns .chart')
      const titles = await charts.locator('h3').allTextContents()
      for (const [i, name] of ['Loss', 'Accuracy', 'Precision', 'Recall'].entries())
        assert.ok(titles[i]!.startsWith(name))
      assert.equal(titles.length, 4)
      assert.equal(await charts.first().locator('path.line').count(), 3)
      const options = await page.locator('#differences > .card').first().locator('tbody th').allTextContents()
      for (const name of ['network', 'batchSize', 'seed', 'epochs', 'optimizer.kind'])
        assert.ok(options.includes(name), name)
      assert.ok(!options.includes('positive'))
      const layers = page.locator('#differences tr', { hasText: 'Flatten(1)' }).locator('td').nth(2)
      assert.deepEqual(await layers.locator('mark').allTextContents(), ['Dropout(0.5)'])
      await page.locator('#same-options summary').click()
      assert.ok((await page.locator('#same-options').innerText()).includes(HOSTILE.slice(0, 40)))
      await page.locator('#figures a').nth(1).click()
      await page.waitForURL(/squares-002\/report\.html$/)
      assert.equal(await page.title(), 'squares-002 · needletail')
    })

    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        it(`is accessible, ${colorScheme}, ${width} pixels wide`, async () => {
          const { page } = await open(file, { colorScheme, width })
          await page.locator('#other-curves summary').click()
          await page.locator('#same-options summary').click()
          assert.deepEqual(await violations(page), [])
          assert.ok(await isWithin(page), 'the page is as wide as the window')
        })
      }
    }
  })

  describe('watch', () => {
    let server: Watch
    before(async () => {
      server = await nt.watch(path('runs'))
    })
    after(() => server.close())

    it('shows each run, and those that are chosen, by keys alone', async () => {
      const { page, requests, problems } = await open(server.url)
      await page.getByText('live', { exact: true }).waitFor()
      assert.deepEqual(await page.locator('#runs tbody a').allTextContents(), [
        'squares-003',
        'squares-002',
        'squares-001'
      ])
      assert.equal(await page.locator('#curves > .columns .chart').first().locator('path.line').count(), 3)
      for (const name of ['squares-003', 'squares-001']) {
        await page.getByLabel(`Show ${name}`).focus()
        await page.keyboard.press('Space')
        assert.equal(await page.evaluate('document.activeElement.getAttribute("aria-label")'), `Show ${name}`)
      }
      // One by itself: its training beside its validation.
      const legend = await page.locator('#curves .legend').first().innerText()
      assert.match(legend, /^validation.*training/s)
      assert.equal(await page.locator('#differences').count(), 0)
      assert.deepEqual(problems, [])
      assert.ok(requests.every((url) => url.startsWith(server.url)))
      await page.locator('#runs a').nth(2).click()
      await page.waitForURL(/report\/squares-001$/)
      assert.equal(await page.title(), 'squares-001 · needletail')
    })

    it('follows a training, and keeps what is opened and focused', async () => {
      const { page, problems } = await open(server.url)
      await page.locator('#other-curves summary').click()
      const row = page.locator('#runs tbody tr', { hasText: 'squares-004' })
      await train({
        epochs: 2,
        callbacks: {
          onEpochEnd: async (epoch) => {
            if (epoch === 1) await row.getByText('1 of 2').waitFor()
            await page.getByLabel('Show squares-004').focus()
          }
        }
      })
      await row.getByText('finished').waitFor()
      await page.locator('#figures tr', { hasText: 'squares-004' }).getByText('2', { exact: true }).waitFor()
      assert.equal(await page.locator('#other-curves').getAttribute('open'), '')
      assert.equal(await page.evaluate('document.activeElement.getAttribute("aria-label")'), 'Show squares-004')
      assert.deepEqual(problems, [])
    })

    it('says that the server is gone, and goes on when it is back', async () => {
      const { page } = await open(server.url)
      await page.getByText('live', { exact: true }).waitFor()
      const port = Number(new URL(server.url).port)
      await server.close()
      await page.getByText('the server is gone').waitFor()
      server = await nt.watch(path('runs'), { port })
      await page.getByText('live', { exact: true }).waitFor()
      assert.equal(await page.locator('#runs tbody tr').count(), 4)
    })

    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        it(`is accessible, ${colorScheme}, ${width} pixels wide`, async () => {
          const { page } = await open(server.url, { colorScheme, width })
          await page.locator('#curves').waitFor()
          assert.deepEqual(await violations(page), [])
          assert.ok(await isWithin(page), 'the page is as wide as the window')
        })
      }
    }
  })
})
