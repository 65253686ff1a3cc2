// What takes part in a run: a process that speaks the protocol, or a command that is timed as a whole.
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Precision, Ready, Task, Turn } from './protocol.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Command {
  name: string
  command: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  /** What its networks compute in: 'float32' unless given. */
  precision?: Precision
  /** Seconds that it may take for an answer, where that is longer than others take. */
  limit?: number
}

export interface Contestant extends Ready {
  name: string
  precision?: Precision | undefined
  turn(measurements: number): Promise<Turn>
  /** Another task, in the same process. */
  again?(task: Task): Promise<void>
  /** It ends by itself; one that doesn't is ended. */
  close(): Promise<void>
}

/** A reason fit for a published result: the first line, without this machine's paths. */
export function reason(text: string): string {
  const line = text.trim().split('\n')[0] ?? ''
  return line.replace(/(?:file:\/\/)?(?:\/[\w.@+-]+){2,}/g, (path) => path.split('/').pop()!).slice(0, 200)
}

/** Starts a contender and prepares it; rejects with the reason why it cannot take part. `limit`: seconds for each answer. */
export async function start(contender: Command, task: Task, limit: number): Promise<Contestant> {
  const { name, command, args, env, precision } = contender
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)))
  child.stdin.on('error', () => {}) // a child that has died says so by its exit
  const lines = createInterface({ input: child.stdout })

  const ask = (request: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer)
        lines.off('line', onLine)
        child.off('close', onClose).off('error', onError)
        done()
      }
      const onLine = (line: string): void => {
        if (!line.startsWith('bench ')) return
        const reply = JSON.parse(line.slice(6)) as Record<string, unknown>
        settle(() => (reply.error === undefined ? resolve(reply) : reject(new Error(reason(String(reply.error))))))
      }
      const onError = (error: Error): void => settle(() => reject(new Error(reason(error.message))))
      const onClose = (): void => {
        const last = errors.trim().split('\n').pop() ?? ''
        settle(() => reject(new Error(reason(last || `ended with ${child.exitCode ?? child.signalCode}`))))
      }
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`took longer than ${limit} s`)))
        child.kill('SIGKILL')
      }, limit * 1000)
      lines.on('line', onLine)
      child.on('close', onClose).on('error', onError)
      if (child.exitCode !== null || child.signalCode !== null) onClose()
      child.stdin.write(`${JSON.stringify(request)}\n`)
    })

  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const close = async (): Promise<void> => {
    child.stdin.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
    await gone
    clearTimeout(timer)
  }
  try {
    const prepare = async (task: Task): Promise<Ready> =>
      (await ask({ prepare: precision ? { ...task, precision } : task })) as unknown as Ready
    return {
      ...(await prepare(task)),
      name,
      precision,
      turn: async (n) => (await ask({ run: n })) as unknown as Turn,
      again: async (task) => void (await prepare(task)),
      close
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A command whose whole life is timed, from its start to its end. A first run, which is not counted, fills the system's caches. */
export function wholeProcess({ name, command, args, env }: Command): Contestant {
  const once = (): number => {
    const begin = process.hrtime.bigint()
    const { status, stderr, error } = spawnSync(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      encoding: 'utf8'
    })
    const time = Number(process.hrtime.bigint() - begin) / 1e6
    if (error) throw new Error(reason(error.message))
    if (status !== 0) {
      const lines = stderr.trim().split('\n')
      throw new Error(reason(lines.find((line) => /Error\b/.test(line)) ?? lines.pop() ?? ''))
    }
    return time
  }
  once()
  return {
    name,
    version: '',
    turn: async (n) => ({ values: Array.from({ length: n }, once) }),
    close: async () => {}
  }
}
