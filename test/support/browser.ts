// A headless Chromium, for tests of pages. Where there is none they are left out, and say so.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

export interface PageLook {
  width?: number
  colorScheme?: 'light' | 'dark'
}

/** Opens files in pages of their own, which are closed after each test. Call it within `describe`. */
export function browser(): (file: string, look?: PageLook) => Promise<OpenPage> {
  let running: Browser
  let pages: Page[] = []
  before(async function () {
    const executablePath = (process.env['PATH'] ?? '')
      .split(delimiter)
      .flatMap((folder) => NAMES.map((name) => join(folder, name)))
      .find(existsSync)
    if (executablePath === undefined) {
      console.log('      no chromium here: scripts/test installs it where it may')
      return this.skip()
    }
    running = await chromium.launch({ executablePath, chromiumSandbox: false })
  })
  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()))
    pages = []
  })
  after(() => running?.close())
  return async (file, { width = 1280, colorScheme = 'light' } = {}) => {
    const page = await running.newPage({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' })
    pages.push(page)
    const opened: OpenPage = { page, requests: [], problems: [] }
    page.on('request', (request) => opened.requests.push(request.url()))
    page.on('pageerror', (error) => opened.problems.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') opened.problems.push(message.text())
    })
    await page.goto(file.startsWith('http') ? file : pathToFileURL(file).href)
    return opened
  }
}

export interface OpenPage {
  page: Page
  /** What the page asked for, data URIs left out. */
  requests: string[]
  /** Errors and warnings of its console. */
  problems: string[]
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What a reader with a screen reader, or without colours, would stumble over.
 * @param rules all of axe's unless given
 */
export async function violations(page: Page, rules?: string[]): Promise<string[]> {
  await page.evaluate(axe)
  const options = rules ? { runOnly: rules } : {}
  const { violations } = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
  }
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`)
}
