// Runs a script in a process of its own: what may end, crash or hang must not take the tests with it.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const library = new URL('../../lib/index.ts', import.meta.url).href
const addon = new URL('../../lib/native.ts', import.meta.url).href
const root = fileURLToPath(new URL('../../', import.meta.url))

// A worker thread does not inherit the TypeScript loader of `--import tsx`.
export const workerHead = `import { register } from 'tsx/esm/api'
import { parentPort } from 'node:worker_threads'
register()
const nt = await import(${JSON.stringify(library)})
`
const threads = (file: string) => `import { Worker } from 'node:worker_threads'
const start = () => new Worker(${JSON.stringify(file)})
const message = (worker: Worker) => new Promise<any>((done, fail) => worker.once('message', done).once('error', fail))
`

export interface Outcome {
  code: number | null
  signal: string | null
  output: string
  errors: string
}

/**
 * Runs TypeScript that has the library as `nt`, on `device`. `worker` is JavaScript that has it too, for worker threads: `start()` makes one,
 * `message(thread)` resolves to its next message. `limit`: milliseconds, after which the process is killed (SIGKILL).
 */
export async function run(
  source: string,
  { worker = '', device = 'cpu', limit = 50_000, flags = [] as string[], env = {} as NodeJS.ProcessEnv } = {}
): Promise<Outcome> {
  mkdirSync(join(root, 'out'), { recursive: true })
  const folder = mkdtempSync(join(root, 'out/child-'))
  const file = join(folder, 'script.ts')
  writeFileSync(
    file,
    `import * as nt from ${JSON.stringify(library)}\nimport { native } from ${JSON.stringify(addon)}
nt.device(${JSON.stringify(device)})\n${worker ? threads(join(folder, 'worker.mjs')) : ''}${source}\n`
  )
  writeFileSync(join(folder, 'worker.mjs'), workerHead + worker)
  const child = spawn(process.execPath, [...flags, '--import', 'tsx', file], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limit,
    killSignal: 'SIGKILL'
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (data) => (output += String(data)))
  child.stderr.on('data', (data) => (errors += String(data)))
  try {
    return await new Promise((done) =>
      child.on('close', (code, signal) => done({ code, signal, output: output.trim(), errors: errors.trim() }))
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
