// Builds the addon with CMake: `node scripts/build.mjs [--variant=NAME] [-DNAME=VALUE ...]`. Every other way to build
// (npm install, node-gyp, prebuildify) comes here. CMake's own folder is out/<variant>, which `node-gyp rebuild` does not
// clean. The release variant is put into build/Release; any other into out/<variant>/build/Release, where node-gyp-build
// finds it under NEEDLETAIL_PREBUILD=out/<variant>.
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
const unknown = options.find((option) => !/^(-D\w+=|--variant=\w+$)/.test(option))
if (unknown) throw new Error(`build: expected --variant=NAME or -DNAME=VALUE, got '${unknown}'.`)
const variant = options.find((option) => option.startsWith('--variant='))?.slice(10) ?? 'release'
const defines = options.filter((option) => option.startsWith('-D'))
const folder = resolve(root, 'out', variant)
if (variant !== 'release') defines.push(`-DNEEDLETAIL_OUTPUT=${resolve(folder, 'build/Release')}`)

const hasNinja = spawnSync('ninja', ['--version']).status === 0
const cache = resolve(folder, 'CMakeCache.txt')
const generator = existsSync(cache)
  ? /^CMAKE_GENERATOR:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1]
  : hasNinja
    ? 'Ninja'
    : 'Unix Makefiles'

run('cmake', ['-S', root, '-B', folder, '-G', generator, `-DNODE_EXECUTABLE=${process.execPath}`, ...defines])
run('cmake', ['--build', folder, '--parallel', process.env.JOBS ?? String(Math.min(availableParallelism(), 8))])
