// The documents' site as `npm run docs` builds it: every public symbol is told of, and every link leads somewhere.
import { deepStrictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { build, deadLinks } from '../scripts/docs.js'
import { temporaryFolder } from './support/temporary.js'

describe('npm run docs', function () {
  this.timeout(120_000)
  const path = temporaryFolder()

  it('builds a site without complaints', async () => {
    deepStrictEqual(await build(path('site')), [])
  })

  it('finds links that lead nowhere', () => {
    mkdirSync(path('dead/sub'), { recursive: true })
    const links = ['sub/', 'other.html', 'index.html#here', 'index.html#gone', 'https://example.org/gone', '#here']
    const anchors = links.map((link) => `<a class="x" href="${link}">x</a>`).join('')
    writeFileSync(path('dead/index.html'), `<h1 id="here">${anchors}<img src="a%20b.png"></h1>`)
    writeFileSync(path('dead/sub/index.html'), '<a href="../index.html#here"></a><img alt="" src="../a%20b.png">')
    writeFileSync(path('dead/a b.png'), '')
    deepStrictEqual(deadLinks(path('dead')), ['index.html: other.html', 'index.html: index.html#gone'])
  })
})
