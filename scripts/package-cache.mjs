// Fills deps/npm-cache with this package's dependencies, as an npm that installs it would fetch them, so that
// test/package can install the packed package without a network.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, 'deps/npm-cache')
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const key = createHash('sha256').update(JSON.stringify(dependencies)).update(process.version).digest('hex')
const stamp = join(cache, 'complete')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== key) {
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'needletail-cache-'))
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'cache', private: true, dependencies }))
    execFileSync(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `--cache=${cache}`],
      {
        cwd: folder,
        stdio: 'inherit'
      }
    )
    writeFileSync(stamp, key)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
