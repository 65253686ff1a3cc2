// Runs the command `needletail` from its sources, in a process of its own.
import { match } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

export interface CommandOutcome {
  code: number | null
  stdout: string
  stderr: string
}

/** `cwd` is where the command is given; `limit` milliseconds after which it is killed. */
export function needletail(
  args: string[],
  { env = {} as NodeJS.ProcessEnv, cwd = process.cwd(), limit = 100_000 } = {}
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args], {
    cwd,
    env: { ...process.env, NEEDLETAIL_DEBUG: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limit,
    killSignal: 'SIGKILL'
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += String(data)))
  child.stderr.on('data', (data) => (stderr += String(data)))
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })))
}

/** One line that says what is wrong, and no stack. */
export function isComplaint(stderr: string, pattern: RegExp): void {
  match(stderr, /^needletail: [^\n]+\n$/)
  match(stderr, pattern)
}
