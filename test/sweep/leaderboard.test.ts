// The page of a sweep, looked at in a headless Chromium.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import type { SweepResult } from '../../lib/index.js'
import { browser, violations } from '../support/browser.js'
import { temporaryFolder } from '../support/temporary.js'
import { HOSTILE } from './hostile.js'

describe('the leaderboard of a sweep', function () {
  this.timeout(120_000)
  const file = temporaryFolder()
  const open = browser()
  let result: SweepResult
  const page = () => join(result.folder, 'leaderboard.html')

  before(async () => {
    result = await nt.sweep(new URL('./hostile.ts', import.meta.url), { runs: file('runs'), progress: false })
  })

  it('shows every trial, the best first, and texts as they are; it loads nothing', async () => {
    const { page: shown, requests, problems } = await open(page())
    assert.equal(await shown.title(), 'hostile-001 · needletail')
    const rows = await shown.locator('#trials tbody tr').all()
    assert.equal(rows.length, 4)
    for (const [i, row] of rows.entries()) {
      const text = await row.innerText()
      const { number, state, value, values } = result.trials[i]!
      assert.match(text, new RegExp(`trial ${number}\\s+${state}`))
      if (value !== undefined) assert.ok(text.includes(value.toFixed(4)), text)
      assert.equal(text.includes('<img src=x onerror='), values['text'] === HOSTILE)
    }
    assert.equal(result.trials[3]!.error, HOSTILE)
    assert.equal(await shown.locator('img').count(), 0)
    assert.equal(await shown.locator('.parallel .axis').count(), 4)
    assert.equal(await shown.locator('.parallel path.trial').count(), 3)
    assert.deepEqual([requests.length, problems], [1, []])
  })

  it('leads to the reports of the runs', async () => {
    const { page: shown } = await open(page())
    await shown.getByRole('link', { name: `trial ${result.best!.number}` }).click()
    assert.match(await shown.title(), /^trial-\d{3} · needletail$/)
    await shown.goBack()
    assert.equal(await shown.locator('#trials a').count(), 3)
  })

  it('makes as many of the best stand out as asked, by keys, too; and the one that is pointed at', async () => {
    const { page: shown } = await open(page())
    const good = shown.locator('.parallel path.good, .parallel path.best')
    assert.equal(await good.count(), 3)
    await shown.getByLabel('How many of the best stand out').press('Home')
    assert.equal(await good.count(), 1)
    assert.match(await shown.locator('.shown output').innerText(), /^The best one of 3$/)
    assert.equal(await shown.locator('.parallel path.best').count(), 1)
    await shown.locator('#trials tbody tr').nth(2).hover()
    assert.deepEqual([await good.count(), await shown.locator('.parallel path.best').count()], [1, 0])
    await shown.locator('#trials a').first().focus()
    assert.equal(await shown.locator('.parallel path.best').count(), 1)
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 360]) {
      it(`is accessible in ${colorScheme} at a width of ${width}`, async () => {
        const { page: shown } = await open(page(), { colorScheme, width })
        assert.deepEqual(await violations(shown), [])
        const wide = await shown.evaluate('document.documentElement.scrollWidth')
        assert.ok(Number(wide) <= width, `${String(wide)} pixels`)
      })
    }
  }
})
