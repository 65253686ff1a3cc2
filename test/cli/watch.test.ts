import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isComplaint, needletail } from '../support/command.js'
import { writeRun } from '../support/run-folder.js'
import { temporaryFolder } from '../support/temporary.js'

describe('needletail report', () => {
  const path = temporaryFolder()

  it('makes the report of a run, or a page that compares several', async () => {
    const [a, b] = [await writeRun(path('runs/a')), await writeRun(path('runs/b'))]
    const one = await needletail(['report', 'runs/a'], { cwd: path('') })
    deepStrictEqual(one, { code: 0, stdout: 'runs/a/report.html\n', stderr: '' })
    match(readFileSync(path('runs/a/report.html'), 'utf8'), /<title>a · needletail<\/title>/)
    const two = await needletail(['report', 'runs/a', 'runs/b'], { cwd: path('') })
    deepStrictEqual(two, { code: 0, stdout: 'runs/comparison.html\n', stderr: '' })
    strictEqual((await needletail(['report', a, b, '--output', path('both.html')])).code, 0)
    ok(existsSync(path('both.html')))
  })

  it('says what is wrong', async () => {
    const { code, stderr } = await needletail(['report', path('nowhere')])
    strictEqual(code, 1)
    isComplaint(stderr, /expected a run folder with config\.json/)
    const odd = await needletail(['report', path('runs/a'), '--output', path('x.html')])
    strictEqual(odd.code, 2)
    isComplaint(odd.stderr, /--output/)
  })
})

describe('needletail watch', () => {
  const path = temporaryFolder()
  const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

  it('prints an address, serves, and ends on Ctrl-C', async () => {
    await writeRun(path('runs/a'))
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'watch'], {
      cwd: path(''),
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000
    })
    const ended = new Promise((done) => child.on('close', (_, signal) => done(signal)))
    const [address] = (
      await new Promise<string>((done) => child.stdout.once('data', (data) => done(String(data))))
    ).split('\n')
    match(address!, /^http:\/\/127\.0\.0\.1:\d+\/$/)
    // Somebody who watches doesn't keep it from ending.
    const news = await fetch(`${address}news`)
    match(new TextDecoder().decode((await news.body!.getReader().read()).value), /^data: \{"name":"a"/)
    child.kill('SIGINT')
    strictEqual(await ended, 'SIGINT')
  })

  it('says what is wrong', async () => {
    const { code, stderr } = await needletail(['watch', '--port', '0'])
    strictEqual(code, 2)
    isComplaint(stderr, /'0' is invalid/)
  })
})
