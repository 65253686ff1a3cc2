// npm's install script: a prebuild that fits (or an earlier build) is taken through node-gyp-build, else the addon is compiled.
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const wanted = process.env.npm_config_build_from_source

function fits() {
  if (wanted === 'true' || wanted === 'needletail') return false
  try {
    createRequire(import.meta.url)('node-gyp-build')(root)
    return true
  } catch {
    return false
  }
}

if (!fits()) await import('./build.mjs')
