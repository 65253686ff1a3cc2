// The folder of scripts/pack-gpu: node itself, the addon and the CUDA backend, the compiled library, tests and benchmarks, and what they
// need of node_modules.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const target = join(root, 'out/gpu/needletail-gpu')
const emulated = process.argv.includes('--emulated')

const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
const { compilerOptions } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config
const options = ts.convertCompilerOptionsFromJson(
  { ...compilerOptions, noEmit: false, target: 'es2022', module: 'esnext', moduleResolution: 'bundler' },
  root
).options

/** Copies a folder, TypeScript compiled file by file. */
function compile(folder, skip = () => false) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (skip(path)) continue
    if (entry.isDirectory()) compile(path, skip)
    else if (extname(path) !== '.ts') copy(path)
    else {
      const { outputText } = ts.transpileModule(readFileSync(join(root, path), 'utf8'), {
        compilerOptions: options,
        fileName: path
      })
      mkdirSync(join(target, folder), { recursive: true })
      writeFileSync(join(target, path.replace(/\.ts$/, '.js')), outputText)
    }
  }
}

function copy(path) {
  mkdirSync(dirname(join(target, path)), { recursive: true })
  cpSync(join(root, path), join(target, path), { recursive: true })
}

/** Copies packages and what they need to run, without documents, types and sources. */
function packages(names, from, copied = new Set()) {
  for (const name of names) {
    const folder = [join(from, 'node_modules', name), join(root, 'node_modules', name)].find((path) => existsSync(path))
    if (folder === undefined || copied.has(folder)) continue // of other platforms
    copied.add(folder)
    const place = folder.slice(root.length + 1)
    cpSync(folder, join(target, place), {
      recursive: true,
      filter: (path) =>
        !/\.(md|ts|mts|cts|map|h|cc|gyp)$/.test(path) && (basename(path) !== 'node_modules' || path === folder)
    })
    const { dependencies = {}, optionalDependencies = {} } = read(join(folder, 'package.json'))
    packages([...Object.keys(dependencies), ...Object.keys(optionalDependencies)], folder, copied)
  }
}

const wanted = ['needletail.node', 'libneedletail_cuda.so', ...(emulated ? ['libneedletail_cuda_emulated.so'] : [])]
for (const name of wanted) {
  if (existsSync(join(root, 'build/Release', name))) continue
  throw new Error(`pack-gpu: expected build/Release/${name}, found none. Build it: scripts/setup, scripts/cuda.`)
}

rmSync(target, { recursive: true, force: true })
compile('lib')
compile('test', (path) => /^test\/(fuzz|package|fixtures|cli|plans)/.test(path))
compile('benchmarks', (path) => /^benchmarks\/(results|node_modules)/.test(path))
for (const path of [
  'dist',
  'package.json',
  'scripts/test-gpu.mjs',
  'scripts/gpu-birds.mjs',
  'scripts/gpu-endurance.mjs',
  'LICENSE',
  'THIRD-PARTY.md'
])
  copy(path)
for (const name of readdirSync(join(root, 'build/Release'))) {
  if (wanted.includes(name) || /^lib(?!needletail)/.test(name)) copy(join('build/Release', name))
}
const { dependencies } = read(join(root, 'package.json'))
const compiling = ['node-addon-api', 'node-api-headers']
// The library is here also as compiled file by file, for its tests: with what else is bundled into dist.
packages(
  ['mocha', '@bufbuild/protobuf', ...Object.keys(dependencies).filter((name) => !compiling.includes(name))],
  root
)

mkdirSync(join(target, 'bin'))
copyFileSync(process.execPath, join(target, 'bin/node'))
chmodSync(join(target, 'bin/node'), 0o755)
for (const file of [
  'bin/node',
  ...readdirSync(join(target, 'build/Release')).map((name) => join('build/Release', name))
]) {
  execFileSync('strip', ['--strip-unneeded', join(target, file)])
}

writeFileSync(
  join(target, 'run'),
  `#!/usr/bin/env bash
# ./run test:gpu [--sanitize[=racecheck]]         the tests, on cuda:0
# ./run bench:gpu [birds|birds-float32|resnet50]  the speed beside PyTorch's (NEEDLETAIL_PYTHON names the Python): results/
# ./run gpu:birds --archives A.tar ...            the article's 50 passes over the bird set
# ./run gpu:endurance                             10,000 steps, no memory left, two trainings at once, kill -9 and resume
# ./run doctor                                    what is found on this machine
set -euo pipefail
cd "$(dirname "$0")"
command=\${1-}
[ $# -gt 0 ] && shift
case "$command" in
  test:gpu) exec bin/node scripts/test-gpu.mjs "$@" ;;
  bench:gpu) exec bin/node benchmarks/gpu.js --out results "$@" ;;
  gpu:birds) exec bin/node scripts/gpu-birds.mjs "$@" ;;
  gpu:endurance) exec bin/node scripts/gpu-endurance.mjs ;;
  doctor) exec bin/node dist/cli.js doctor "$@" ;;
  *)
    sed -n '2,6s/^# //p' run >&2
    exit 2
    ;;
esac
`
)
chmodSync(join(target, 'run'), 0o755)
