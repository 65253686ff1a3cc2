// Builds this platform's prebuild into prebuilds/ through prebuildify, with oneDNN, the OpenMP runtime and their licences beside it.
import { spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

function run(script, args, env = {}) {
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } }
  const { status } = spawnSync(process.execPath, [resolve(root, script), ...args], options)
  if (status !== 0) process.exit(status ?? 1)
}

rmSync(resolve(root, 'prebuilds'), { recursive: true, force: true })
const licences = 'deps/onednn-wheel2/share/doc'
const args = ['--napi', '--strip', '--tag-libc']
run('scripts/build.mjs', [])
if (existsSync(resolve(root, licences))) args.push('--artifacts', licences)
run('node_modules/prebuildify/bin.js', args, { npm_config_nodedir: resolve(root, 'scripts/gyp') })

// prebuildify moves the addon away from build/Release: put it back for whoever works in this tree.
run('scripts/build.mjs', [])
