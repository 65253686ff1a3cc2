// Runs the command `needletail` from its sources, in a process of its own.
import { match } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

export interface CommandOutcome {
  /** The exit code, or the signal that ended it. */
  code: number | string | null
  stdout: string
  stderr: string
}

/**
 * `cwd` is where the command is given; `limit` milliseconds after which it is killed. Once stderr matches `interruptAt`, it gets a
 * SIGINT, as from Ctrl-C.
 */
export function needletail(
  args: string[],
  {
    env = {} as NodeJS.ProcessEnv,
    cwd = process.cwd(),
    limit = 100_000,
    interruptAt = undefined as RegExp | undefined
  } = {}
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
  child.stderr.on('data', (data) => {
    const before = interruptAt?.test(stderr)
    stderr += String(data)
    if (before === false && interruptAt!.test(stderr)) child.kill('SIGINT')
  })
  return new Promise((done) => child.on('close', (code, signal) => done({ code: code ?? signal, stdout, stderr })))
}

/** One line that says what is wrong, and no stack. */
export function isComplaint(stderr: string, pattern: RegExp): void {
  match(stderr, /^needletail: [^\n]+\n$/)
  match(stderr, pattern)
}
