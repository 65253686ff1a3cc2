// The folder on disk in which data sets are kept between runs. An entry is a folder that appears complete or not at all.
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expected } from '../errors.js'

/** A lock whose owner hasn't shown life for this long is taken over, in milliseconds. */
const STALE = 60_000
const HEARTBEAT = 10_000
const POLL = 100

/**
 * The cache folder: `NEEDLETAIL_CACHE` where it is set, else `needletail` in the platform's place for caches
 * (`$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`).
 */
export function cacheFolder(): string {
  const { NEEDLETAIL_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (NEEDLETAIL_CACHE) return NEEDLETAIL_CACHE
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'needletail')
  if (process.platform === 'win32') return join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'needletail')
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'needletail')
}

/** Whether something is at `path`. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false
  )

/**
 * The folder `<cache>/<name>`; `build` fills it when it isn't there yet. `build` works in a temporary folder that takes
 * the name only when it is complete, so no reader and no interruption ever sees half of it. Of several processes that
 * want the same entry one builds and the others wait.
 */
export async function cached(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name)
  if (await exists(folder)) return folder
  await mkdir(dirname(folder), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    const hint = 'Set NEEDLETAIL_CACHE to a folder that can be written.'
    throw expected('cache', `a folder at ${dirname(folder)}`, error.code ?? error.message, hint)
  })
  const release = await lock(`${folder}.lock`)
  try {
    if (await exists(folder)) return folder
    await removeLeftOvers(folder)
    const temporary = await mkdtemp(`${folder}.tmp-`)
    try {
      await build(temporary)
      await rename(temporary, folder)
    } catch (error) {
      await rm(temporary, { recursive: true, force: true })
      // Only where a lock was taken over: the other process finished first, and what it made is the same.
      if (!(await exists(folder))) throw error
    }
    return folder
  } finally {
    await release()
  }
}

/** What `read` makes of the entry `name`, which `build` fills when it isn't there or can't be read. */
export async function cachedValue<T>(
  name: string,
  build: (folder: string) => Promise<void>,
  read: (folder: string) => Promise<T>
): Promise<T> {
  const folder = await cached(name, build)
  try {
    return await read(folder)
  } catch {
    await rm(folder, { recursive: true, force: true })
    return read(await cached(name, build))
  }
}

/** Temporary folders of processes that were killed while they built. */
async function removeLeftOvers(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.tmp-`
  for (const entry of await readdir(dirname(folder))) {
    if (entry.startsWith(prefix)) await rm(join(dirname(folder), entry), { recursive: true, force: true })
  }
}

/**
 * Takes the lock file `path`, waiting while another living process holds it; resolves to the function that gives it
 * back. The lock saves work, no more: what it guards is still right if two processes hold it.
 */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }))
      await file.close()
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (await isStale(path)) await rm(path, { force: true })
    else await delay(POLL)
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, HEARTBEAT)
  heartbeat.unref()
  return async () => {
    clearInterval(heartbeat)
    await rm(path, { force: true })
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    if (Date.now() - (await stat(path)).mtimeMs > STALE) return true
    const owner = JSON.parse(await readFile(path, 'utf8')) as { pid: number; host: string }
    return owner.host === hostname() && !isAlive(owner.pid)
  } catch {
    return false // gone meanwhile, or not yet written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
