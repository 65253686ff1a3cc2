// A page that follows runs while they train: a server for this machine alone, which serves that page, the runs' reports and
// nothing else. It reads the run folders; the trainings know nothing of it.
import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { exists } from '../data/cache.js'
import { checkInteger, checkOptions, expected, quoted } from '../errors.js'
import { page } from '../report/page.js'
import type { WatchedRun } from '../report/run-data.js'
import { runPage } from '../report/run-page.js'
import { FILES } from './files.js'
import { readRun, readSummary } from './report.js'
import { statusOf } from './status.js'

/** How `watch` serves. */
export interface WatchOptions {
  /** The port; one that is free unless given. */
  port?: number | undefined
}

/** A server that `watch` has started. */
export interface Watch {
  /** The address of its page: http://127.0.0.1:… */
  readonly url: string
  /** Ends it. */
  close(): Promise<void>
}

/** Nobody else's machine reaches it. */
const HOST = '127.0.0.1'
/** How often folders are looked at while somebody watches, in milliseconds. */
const INTERVAL = 500
/** After so many looks without news a comment is sent, which finds out that a reader is gone. */
const QUIET = 30

/**
 * Serves a page that follows trainings: a run's, or those of all runs in a folder, as they appear, go on, end and are resumed.
 *
 *     const { url, close } = await nt.watch('runs')
 *
 * It listens on 127.0.0.1 alone, answers only who asks for that by name (a foreign site whose name leads here is refused), and serves
 * nothing but the page, its news and the reports.
 * @param folder a run folder, or a folder of run folders, which may be yet to come
 */
export async function watch(folder = 'runs', options: WatchOptions = {}): Promise<Watch> {
  if (typeof folder !== 'string') throw expected('watch', 'the path of a folder', quoted(folder))
  const { port = 0 } = checkOptions('watch', options, ['port'])
  checkInteger('watch', 'a port from 0 to 65535', port, 0, 65535)
  const runs = new Runs(folder)
  const readers = new Readers(runs)
  const server = createServer((request, response) => {
    answer(runs, readers, request, response).catch((error: Error) => fail(response, 500, error.message))
  })
  await listen(server, port)
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${HOST}:${taken}/`,
    close: () => {
      readers.close()
      server.closeAllConnections()
      return new Promise((done) => server.close(() => done()))
    }
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const got = code === 'EADDRINUSE' ? 'one that is taken' : (code ?? message)
      fail(expected('watch', `a port that is free, as ${port}`, got, 'Without a port one is found.'))
    })
    server.listen(port, HOST, done)
  })
}

async function answer(runs: Runs, readers: Readers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { port } = request.socket.address() as AddressInfo
  if (![HOST, 'localhost'].some((name) => request.headers.host === `${name}:${port}`)) {
    return fail(response, 403, `Ask for http://${HOST}:${port}/.`)
  }
  if (request.method !== 'GET') return fail(response, 405, 'There is nothing but pages to get.')
  const [path] = request.url!.split('?')
  if (path === '/') {
    const title = `${runs.title} · needletail`
    return send(response, 'text/html', await page({ title, view: 'watch', data: { title: runs.title }, live: true }))
  }
  if (path === '/news') return readers.add(request, response)
  const name = /^\/report\/([^/]+)$/.exec(path!)?.[1]
  const folder = name === undefined ? undefined : await runs.folderOf(decoded(name))
  if (folder === undefined) return fail(response, 404, 'There is no such page.')
  send(response, 'text/html', await runPage(await readRun(folder)))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Resource-Policy': 'same-origin'
}

function send(response: ServerResponse, type: string, text: string, status = 200): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': `${type}; charset=utf-8` }).end(text)
}

const fail = (response: ServerResponse, status: number, message: string): void =>
  response.headersSent ? void response.end() : send(response, 'text/plain', `${message}\n`, status)

/** The runs of a folder: itself, if it is one, or those in it. */
class Runs {
  readonly title: string
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = resolve(folder)
    this.title = basename(this.#folder)
  }

  /** The folder of a run by its name; undefined where there is no such run. */
  async folderOf(name: string): Promise<string | undefined> {
    return (await this.all()).get(name)
  }

  /** Folders by their names. */
  async all(): Promise<Map<string, string>> {
    const isRun = (folder: string) => exists(join(folder, FILES.config))
    if (await isRun(this.#folder)) return new Map([[basename(this.#folder), this.#folder]])
    // A folder that isn't there has no runs yet.
    const entries = await readdir(this.#folder, { withFileTypes: true }).catch(() => [])
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(this.#folder, name))
    const found = await Promise.all(folders.map(async (folder) => ((await isRun(folder)) ? [folder] : [])))
    return new Map(found.flat().map((folder) => [basename(folder), folder]))
  }
}

/** Those who watch: each is told of all runs, and then of what changes. */
class Readers {
  readonly #runs: Runs
  readonly #readers = new Set<ServerResponse>()
  /** What was last said of each run, and of which state of its files. */
  readonly #said = new Map<string, { stamp: string; event: string }>()
  #timer: NodeJS.Timeout | undefined
  #quiet = 0

  constructor(runs: Runs) {
    this.#runs = runs
  }

  async add(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream; charset=utf-8' })
    request.on('close', () => this.#remove(response))
    if (this.#readers.size === 0) await this.#look()
    if (response.destroyed) return
    response.write([...this.#said.values()].map(({ event }) => event).join('') + 'event: ready\ndata: {}\n\n')
    this.#readers.add(response)
    this.#next()
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const reader of this.#readers) reader.end()
    this.#readers.clear()
  }

  #remove(reader: ServerResponse): void {
    this.#readers.delete(reader)
  }

  #next(): void {
    clearTimeout(this.#timer)
    if (this.#readers.size === 0) return
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#next()), INTERVAL)
  }

  /** Looks at all folders, and tells what is new. */
  async #look(): Promise<void> {
    const folders = await this.#runs.all().catch(() => new Map<string, string>())
    for (const name of this.#said.keys()) {
      if (folders.has(name)) continue
      this.#said.delete(name)
      this.#tell(eventOf({ name, gone: true }))
    }
    for (const [name, folder] of folders) {
      const stamp = await stampOf(folder)
      if (this.#said.get(name)?.stamp === stamp) continue
      const event = eventOf(await readWatched(name, folder))
      this.#said.set(name, { stamp, event })
      this.#tell(event)
    }
    if (++this.#quiet >= QUIET) this.#tell(': nothing new\n\n')
  }

  #tell(event: string): void {
    this.#quiet = 0
    for (const reader of this.#readers) reader.write(event)
  }
}

async function readWatched(name: string, folder: string): Promise<WatchedRun> {
  try {
    return { ...(await readSummary(folder)), name, link: `report/${encodeURIComponent(name)}` }
  } catch (error) {
    return { name, error: (error as Error).message }
  }
}

const eventOf = (run: WatchedRun): string => `data: ${JSON.stringify(run)}\n\n`

/** Changes where what is told of a run does: times and sizes of its files, and what of its process can be seen. */
async function stampOf(folder: string): Promise<string> {
  const of = async (name: string) => {
    const { mtimeMs, size } = (await stat(join(folder, name)).catch(() => undefined)) ?? { mtimeMs: 0, size: 0 }
    return `${mtimeMs}:${size}`
  }
  const files = [FILES.config, FILES.environment, FILES.metrics, FILES.confusion]
  const stamps = await Promise.all(files.map(of))
  const status = await readFile(join(folder, FILES.status), 'utf8').catch(() => null)
  return [...stamps, JSON.stringify(statusOf(status))].join(' ')
}
