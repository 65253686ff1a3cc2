// A gallery in a browser: sorted, the threshold moved, thousands of photos, names and classes of any origin; nothing that axe finds wrong.
import { deepStrictEqual, match, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { Gallery, type Judgement } from '../../lib/index.js'
import { browser, violations, type PageLook } from '../support/browser.js'
import { temporaryFolder } from '../support/temporary.js'

const HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(1)>'

describe('a gallery', function () {
  this.timeout(60_000)
  const path = temporaryFolder()
  const open = browser()

  before(async () => {
    mkdirSync(path('photos'))
    await sharp({ create: { width: 300, height: 200, channels: 3, background: '#468' } })
      .jpeg()
      .toFile(path('photo.jpg'))
    await sharp({ create: { width: 20, height: 30, channels: 3, background: '#c40' } })
      .png()
      .toFile(path('photos/<b>small.png'))
  })

  async function shown(gallery: Gallery, look: PageLook = {}): Promise<Page> {
    await gallery.write(path('gallery.html'))
    const { page, requests, problems } = await open(path('gallery.html'), look)
    deepStrictEqual([requests.filter((url) => !url.startsWith('data:')), problems], [[page.url()], []])
    return page
  }

  const judged = (bird: number): Judgement => ({ probabilities: { other: 1 - bird, [HOSTILE]: bird } })
  async function ofPhotos(count: number): Promise<Gallery> {
    const gallery = new Gallery({ title: HOSTILE, classes: ['other', HOSTILE], positive: HOSTILE, count })
    for (let i = 0; i < count; i++)
      await gallery.add(path(i % 2 ? 'photo.jpg' : 'photos/<b>small.png'), judged(i / (count - 1)))
    return gallery
  }
  const plain = (texts: string[]) => texts.map((text) => text.replace(/\s+/g, ' ').trim())
  const said = async (page: Page) => plain(await page.locator('.gallery .said').allTextContents())
  const sides = async (page: Page) =>
    plain(await page.locator('.sides button').allInnerTexts()).map((text) => Number(/\d+$/.exec(text)![0]))

  it('has the most probable first, and a threshold that tells them apart', async () => {
    const page = await shown(await ofPhotos(5))
    strictEqual(await page.title(), `${HOSTILE} · needletail`)
    strictEqual(await page.locator('h1').innerText(), HOSTILE)
    deepStrictEqual(
      (await said(page)).map((text) => /[\d.]+ %$/.exec(text)![0]),
      ['100.0 %', '75.0 %', '50.0 %', '25.0 %', '0.0 %']
    )
    deepStrictEqual(await sides(page), [5, 3, 2])
    await page.getByLabel('Threshold').fill('800')
    deepStrictEqual(await sides(page), [5, 1, 4])
    await page.getByLabel('Threshold').press('ArrowLeft')
    deepStrictEqual(plain(await page.locator('output').allInnerTexts()), ['79.9 %'])
    await page.locator('.sides button').nth(2).click()
    strictEqual((await said(page)).length, 4)
    await page.getByLabel('Sorted by').selectOption('other')
    deepStrictEqual(await sides(page), [5, 1, 4])
    match((await said(page))[0]!, /^not other 75\.0 %$/)
  })

  it('draws what was found, and hides what is less probable than the threshold', async () => {
    const gallery = new Gallery({ title: 'Found', classes: ['other', 'bird'], count: 2, foundFrom: 0.6 })
    const box = { label: 'bird', left: 10, top: 20, width: 30, height: 40 }
    const found = [0.9, 0.7].map((probability) => ({ ...box, probability }))
    await gallery.add(path('photo.jpg'), { found })
    await gallery.add(path('photos/<b>small.png'), { found: [] })
    const page = await shown(gallery)
    deepStrictEqual(await said(page), ['bird 2 found, up to 90.0 %', 'no bird 0.0 %'])
    const rect = page.locator('rect').first()
    deepStrictEqual(await Promise.all(['x', 'y', 'width', 'height'].map((name) => rect.getAttribute(name))), [
      '10',
      '20',
      '30',
      '40'
    ])
    await page.getByLabel('Threshold').fill('800')
    strictEqual(await page.locator('rect').count(), 1)
    deepStrictEqual(await sides(page), [2, 1, 1])
  })

  it('adds photos as one goes down, by keys too', async () => {
    const page = await shown(await ofPhotos(300))
    const tiles = page.locator('.gallery li')
    ok((await tiles.count()) < 300)
    const more = page.getByRole('button', { name: /^Show/ })
    // It may have gone between two lines: the page adds photos by itself, too, where the end comes into view.
    while (await more.isVisible()) await more.press('Enter', { timeout: 1000 }).catch(() => {})
    strictEqual(await tiles.count(), 300)
  })

  for (const [name, look] of [
    ['in light', {}],
    ['in the dark', { colorScheme: 'dark' }],
    ['on a phone', { width: 360 }]
  ] as const) {
    it(`has nothing that axe finds wrong ${name}`, async () => {
      const page = await shown(await ofPhotos(5), look)
      deepStrictEqual(await violations(page), [])
      ok(
        await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth'),
        'nothing is wider than the page'
      )
    })
  }

  it('refuses more photos than a page holds, unknown classes, and what is no photo', async () => {
    const options = { title: '', classes: ['a'], count: 1 }
    throws(() => new Gallery({ ...options, count: 20_001 }), /a count of photos from 0 to 20000, got 20001/)
    throws(() => new Gallery({ ...options, positive: 'b' }), /Gallery: expected positive as a class of 'a', got 'b'/)
    await rejects(new Gallery(options).add('gone.jpg', { found: [] }), /Gallery: expected a photo at gone.jpg/)
  })
})
