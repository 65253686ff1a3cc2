// Processes that may have outlived who started them.
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'

/** A process by its number and when it began, so that another that was given the number later isn't taken for it; undefined where it is gone. */
export async function identityOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field, a name in parentheses, may hold anything; the state is the third, the start in ticks since boot the 22nd.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return text === '' || fields[0] === 'Z' ? undefined : `${pid}@${fields[19]}`
}

const numberIn = (identity: string): number => Number(identity.split('@')[0])

export const isAlive = async (identity: string): Promise<boolean> => (await identityOf(numberIn(identity))) === identity

/** Ends a process at once, and waits until it is gone. */
export async function end(identity: string): Promise<void> {
  while (await isAlive(identity)) {
    try {
      process.kill(numberIn(identity), 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    await setTimeout(5)
  }
}
