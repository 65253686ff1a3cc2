// Every example, run at its small size from the root, where it leaves its run folder in ./runs; it checks its own result. Each has a
// page in docs/examples.
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const pages = join(root, 'docs/examples')
const examples = readdirSync(join(root, 'examples'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))

describe('the example', function () {
  this.timeout(300_000)

  for (const name of examples) {
    it(name, () => {
      const args = ['--import', 'tsx', `examples/${name}.ts`]
      const env = { ...process.env, SMALL: '1' }
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env })
      strictEqual(status, 0, `${stdout}\n${stderr}`)
      const [folder] = /runs\/[\w-]+-\d{3}/.exec(stderr) ?? [] // that fit or sweep has said
      const page = folder?.includes('-sweep-') ? 'leaderboard.html' : 'report.html'
      if (folder) ok(existsSync(join(root, folder, page)), `${folder} has no ${page}`)
    })
  }
})

describe('the pages of the examples', () => {
  it('are one for each, and the index links them', () => {
    const index = readFileSync(join(pages, 'README.md'), 'utf8')
    for (const name of examples) {
      ok(existsSync(join(pages, `${name}.md`)), `docs/examples/${name}.md is missing`)
      ok(index.includes(`(${name}.md)`), `docs/examples/README.md links no ${name}.md`)
    }
  })

  it('show pictures that are there, and small', () => {
    const files = readdirSync(pages)
    const text = [
      ...files.filter((file) => file.endsWith('.md')).map((file) => join(pages, file)),
      join(root, 'README.md')
    ]
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
    for (const picture of files.filter((file) => !file.endsWith('.md'))) {
      ok(text.includes(picture), `no page shows ${picture}`)
      ok(statSync(join(pages, picture)).size < 60_000, `${picture} is larger than 60 kB`)
    }
    const shown = [...text.matchAll(/\]\((?:docs\/examples\/)?([\w-]+\.(?:png|svg|webp))\)/g)].map(([, file]) => file!)
    deepStrictEqual(
      [...new Set(shown)].filter((file) => !files.includes(file)),
      []
    )
  })
})
