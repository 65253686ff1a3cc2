// The live view's server: what it tells, and whom it refuses.
import { deepStrictEqual, match, ok, rejects, strictEqual } from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { fit, watch, type Watch } from '../../lib/index.js'
import { temporaryFolder } from '../support/temporary.js'
import { base, network, squares } from './support.js'

interface News {
  name: string
  status?: { state: string; epoch: number; batch: number; batches: number } | null
  metrics?: { rows: unknown[][] }
  error?: string
  gone?: true
}

/** What the server tells, one by one; 'ready' once all that there is has been told. */
async function* newsOf(url: string): AsyncGenerator<News | 'ready', void, void> {
  const { body } = await fetch(`${url}news`)
  let text = ''
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop()!
    for (const event of events) {
      if (event.startsWith('event: ready')) yield 'ready'
      else if (event.startsWith('data: ')) yield JSON.parse(event.slice(6)) as News
    }
  }
}

/** The first news that is as wanted. */
async function wait(news: AsyncGenerator<News | 'ready', void, void>, isIt: (one: News) => boolean): Promise<News> {
  for (;;) {
    const { value, done } = await news.next()
    ok(!done, 'the server has ended')
    if (value && value !== 'ready' && isIt(value)) return value
  }
}

/** Status and text of an answer to a request with these headers. */
function ask(url: string, path: string, { method = 'GET', ...headers }: Record<string, string> = {}) {
  return new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }>((done, fail) => {
    const { hostname, port } = new URL(url)
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      let text = ''
      response.on('data', (data) => (text += String(data)))
      response.on('end', () => done({ status: response.statusCode!, text, headers: response.headers }))
    })
    asked.on('error', fail).end()
  })
}

describe('watch', function () {
  this.timeout(60_000)
  const path = temporaryFolder()
  const servers: Watch[] = []
  const serve = async (folder: string) => {
    const server = await watch(folder)
    servers.push(server)
    return server.url
  }
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())))

  let run = ''
  before(async () => {
    run = (await fit(network(), squares(64, 1), { ...base(path('runs')), validation: squares(32, 5) })).folder
    writeFileSync(path('runs/secret.txt'), 'secret')
    mkdirSync(path('runs/no run'))
    writeFileSync(path('runs/no run/secret.txt'), 'secret')
  })

  it('serves the page, the reports of runs, and nothing else', async () => {
    const url = await serve(path('runs'))
    match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
    const page = await ask(url, '/')
    strictEqual(page.status, 200)
    match(page.text, /^<!doctype html>.*connect-src &#39;self&#39;"/s)
    strictEqual(page.headers['x-content-type-options'], 'nosniff')
    const report = await ask(url, '/report/squares-001')
    strictEqual(report.status, 200)
    match(report.text, /<title>squares-001 · needletail<\/title>/)
    for (const wrong of [
      '/secret.txt',
      '/squares-001/config.json',
      '/report/',
      '/report/no%20run',
      '/report/secret.txt',
      '/report/..',
      '/report/%2e%2e',
      '/report/..%2fruns%2fsquares-001',
      '/report/%',
      '/report/squares-001/config.json',
      '//report/squares-001',
      'http://127.0.0.1/'
    ]) {
      const { status, text } = await ask(url, wrong)
      deepStrictEqual([status, text.includes('secret')], [404, false], wrong)
    }
    strictEqual((await ask(url, '/', { method: 'POST' })).status, 405)
  })

  it('refuses who asks for it by another name', async () => {
    const url = await serve(path('runs'))
    const { port } = new URL(url)
    for (const host of [
      'example.org',
      `example.org:${port}`,
      '127.0.0.1',
      'localhost:1',
      `127.0.0.1.example.org:${port}`
    ]) {
      for (const page of ['/', '/news', '/report/squares-001']) {
        const { status, text } = await ask(url, page, { host })
        deepStrictEqual([status, text.includes('squares')], [403, false], `${host} ${page}`)
      }
    }
    strictEqual((await ask(url, '/', { host: `localhost:${port}` })).status, 200)
  })

  it('tells of runs as they appear, go on, stop, are resumed, killed and taken away', async () => {
    const runs = path('later')
    const url = await serve(runs)
    const news = newsOf(url)
    strictEqual((await news.next()).value, 'ready') // the folder is yet to come

    const stop = new AbortController()
    const options = { ...base(runs), validation: squares(32, 5), signal: stop.signal }
    let isTold = false
    const training = fit(network(), squares(64, 1), {
      ...options,
      callbacks: {
        onStart: async () => {
          const { status } = await wait(news, ({ status }) => status?.state === 'training')
          deepStrictEqual([status!.epoch, status!.batches], [0, 4])
          isTold = true
        },
        onEpochEnd: (epoch) => (epoch === 2 ? stop.abort(new Error('enough')) : undefined)
      }
    })
    await rejects(training, /enough/)
    ok(isTold)
    const stopped = await wait(news, ({ status }) => status?.state === 'stopped')
    deepStrictEqual([stopped.name, stopped.metrics!.rows.length], ['squares-001', 2])

    const folder = join(runs, 'squares-001')
    await fit(network(), squares(64, 1), { ...base(runs), validation: squares(32, 5), resume: folder })
    const finished = await wait(news, ({ status }) => status?.state === 'finished')
    strictEqual(finished.metrics!.rows.length, 3)

    // A process that is gone without having said so: no process has the number of this one.
    const status = { ...(JSON.parse(readFileSync(join(folder, 'status.json'), 'utf8')) as object), state: 'training' }
    writeFileSync(join(folder, 'status.json'), JSON.stringify({ ...status, pid: 2 ** 31 - 1, host: hostname() }))
    await wait(news, ({ status }) => status?.state === 'killed')

    writeFileSync(join(folder, 'config.json'), '{')
    match((await wait(news, ({ error }) => error !== undefined)).error!, /^report: expected JSON in /)
    renameSync(folder, path('elsewhere'))
    deepStrictEqual(await wait(news, ({ gone }) => gone === true), { name: 'squares-001', gone: true })
    await news.return()
  })

  it('follows a run by itself, and tells everybody', async () => {
    const url = await serve(run)
    for (const reader of [newsOf(url), newsOf(url)]) {
      const first = await reader.next()
      strictEqual((first.value as News).name, 'squares-001')
      strictEqual((await reader.next()).value, 'ready')
    }
    rmSync(join(run, 'status.json'))
    const later = newsOf(url)
    strictEqual((await wait(later, ({ status }) => status === null)).name, 'squares-001')
  })

  it('says which options are wrong', async () => {
    const port = Number(new URL(await serve(path('runs'))).port)
    await rejects(
      watch('runs', { port }),
      /^Error: watch: expected a port that is free, as \d+, got one that is taken\. /
    )
    await rejects(watch('runs', { port: -1 }), /^Error: watch: expected a port from 0 to 65535, got -1/)
    await rejects(watch('runs', { prot: 1 } as never), /Did you mean 'port'\?/)
    await rejects(watch(1 as never), /^Error: watch: expected the path of a folder, got 1/)
    await rejects(nt.compare([]), /^Error: compare: expected the paths of run folders, got \[\]/)
    await rejects(nt.compare(['a', 'b'], 1 as never), /^Error: compare: expected the path of a file, got 1/)
    await rejects(nt.compare([path('runs/no run')]), /^Error: report: expected a run folder with config\.json/)
  })
})
