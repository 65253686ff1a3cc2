// Python packages that read what we write, where scripts/python has put them into deps/python.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')
const packages = join(root, 'deps', 'python')

/** Skips the tests of a `describe` where the packages are missing. Call it within `describe`. */
export function needsPython(): void {
  before(function () {
    if (existsSync(packages)) return
    console.log('  left out: scripts/python fetches the packages that this is checked with.')
    this.skip()
  })
}

/** What the script `test/<path>` prints, which is JSON. */
export async function python(path: string, args: readonly string[]): Promise<unknown> {
  const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
  const options = { env, maxBuffer: 2 ** 26 }
  const { stdout } = await promisify(execFile)('python3', [join(root, 'test', path), ...args], options)
  return JSON.parse(stdout)
}
