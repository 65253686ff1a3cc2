// Packages that are compared with: from the folder that NEEDLETAIL_PEERS names, or from benchmarks/node_modules.
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { root } from './contestant.js'

export const peerFolder = resolve(process.env.NEEDLETAIL_PEERS ?? resolve(root, 'benchmarks'))
const require = createRequire(resolve(peerFolder, 'package.json'))

export function peer<T>(name: string): T {
  try {
    return require(name) as T
  } catch (error) {
    const missing =
      (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' && (error as Error).message.includes(`'${name}'`)
    throw missing ? new Error('not installed') : error
  }
}

export const peerVersion = (name: string): string => peer<{ version: string }>(`${name}/package.json`).version
