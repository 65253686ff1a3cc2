// Builds the addon with CMake: `node scripts/build.mjs [--dir=out/release] [-DNAME=VALUE ...]`. Every other way to build
// (npm install, node-gyp, prebuildify) comes here; CMake's own folder is out/release, which `node-gyp rebuild` does not clean.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) throw new Error(`build: expected ${command} on this machine, got ${error.code}. Install it and try again.`)
  if (status !== 0) process.exit(status ?? 1)
}

const options = process.argv.slice(2)
const folder = resolve(root, options.find((option) => option.startsWith('--dir='))?.slice(6) ?? 'out/release')
const defines = options.filter((option) => option.startsWith('-D'))
const unknown = options.find((option) => !option.startsWith('-D') && !option.startsWith('--dir='))
if (unknown) throw new Error(`build: expected --dir=FOLDER or -DNAME=VALUE, got '${unknown}'.`)

const hasNinja = spawnSync('ninja', ['--version']).status === 0
const cache = resolve(folder, 'CMakeCache.txt')
const generator = existsSync(cache)
  ? /^CMAKE_GENERATOR:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1]
  : hasNinja
    ? 'Ninja'
    : 'Unix Makefiles'

run('cmake', ['-S', root, '-B', folder, '-G', generator, `-DNODE_EXECUTABLE=${process.execPath}`, ...defines])
run('cmake', ['--build', folder, '--parallel', process.env.JOBS ?? String(Math.min(availableParallelism(), 8))])
