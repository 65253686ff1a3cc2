// What packages take on disk.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Bytes of a file, or of all in a folder but nested packages; what a link names counts. */
export function sizeOf(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isDirectory()) return stat?.size ?? 0
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

function find(name: string, from: string): string | undefined {
  const place = join(from, 'node_modules', name)
  if (existsSync(place)) return place
  return dirname(from) === from ? undefined : find(name, dirname(from))
}

/** The folders of packages, and of all that they depend on, as found from a folder. */
export function packagesOf(names: readonly string[], from: string, found = new Set<string>()): Set<string> {
  for (const name of names) {
    const folder = find(name, from)
    if (folder === undefined || found.has(folder)) continue
    found.add(folder)
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      dependencies?: object
      optionalDependencies?: object
    }
    packagesOf(Object.keys({ ...dependencies, ...optionalDependencies }), folder, found)
  }
  return found
}

export const installedSize = (names: readonly string[], from: string): number =>
  [...packagesOf(names, from)].reduce((sum, folder) => sum + sizeOf(folder), 0)
