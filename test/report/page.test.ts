// A page holds data of any origin, and is forbidden to load anything.
import assert from 'node:assert/strict'
import { html } from '../../lib/report/html.js'
import { page } from '../../lib/report/page.js'

const HOSTILE = '</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>&"\'\u2028\u2029\ud800'

describe('pages', () => {
  it('hold hostile texts as data, and give them back as they were', async () => {
    const document = await page({ title: HOSTILE, view: 'run', data: { [HOSTILE]: [HOSTILE, NaN] } })
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(document)![1]!
    assert.deepEqual(JSON.parse(json), { [HOSTILE]: [HOSTILE, null] })
    assert.doesNotMatch(json, /[<\u2028\u2029]/)
    assert.equal(document.match(/<script[ >]/g)!.length, 2)
    assert.match(document, /<title>&lt;\/script&gt;/)
  })

  it('may load nothing; live ones only ask their own server', async () => {
    const policy = (document: string) => /Policy" content="([^"]+)"/.exec(document)![1]!
    const still = policy(await page({ title: '', view: 'run', data: null }))
    assert.match(still, /^default-src &#39;none&#39;; img-src data:; /)
    assert.doesNotMatch(still, /connect-src|unsafe-eval|https?:/)
    assert.match(
      policy(await page({ title: '', view: 'run', data: null, live: true })),
      /; connect-src &#39;self&#39;$/
    )
  })

  it('a page without its script says how to make it', async () => {
    await assert.rejects(
      page({ title: '', view: 'none', data: null }),
      /^Error: report: expected .* got ENOENT\. npm run/
    )
  })

  it('html escapes values, not HTML', () => {
    const list = (names: string[]) =>
      html`<ul>${names.map((name) => html`<li title="${name}">${name}</li>`)}${undefined}</ul>`
    assert.equal(String(list(['a', '<b>'])), '<ul><li title="a">a</li><li title="&lt;b&gt;">&lt;b&gt;</li></ul>')
  })
})
