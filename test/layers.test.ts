// Dependencies point down: which folder may use which.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

function filesIn(folder: string, endings: readonly string[]): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

function imports(file: string, pattern: RegExp): string[] {
  return [...readFileSync(join(root, file), 'utf8').matchAll(pattern)].map((match) => match[1]!)
}

describe('layers', () => {
  it('native: only the addon knows Node-API, ops know no device, the CUDA backend knows only the contract', () => {
    for (const file of filesIn('native', ['.h', '.cc', '.cu', '.cuh'])) {
      const included = imports(file, /^#include [<"]([^>"]+)[>"]/gm)
      const forbidden = included.filter((name) => {
        if (/^(node_api|napi)/.test(name)) return file !== 'native/addon.cc'
        if (file.startsWith('native/ops/')) return /^(cpu|cuda)\//.test(name)
        if (file.startsWith('native/cpu/')) return /^cuda\/|^(tensor|op|autograd|program)\.h$/.test(name)
        if (file.startsWith('native/cuda/'))
          return /^cpu\/|^(tensor|op|autograd|program|queue|device|allocator)\.h$/.test(name)
        // Which backends there are, and what they can, is known where devices are found and where JavaScript asks.
        return !['native/addon.cc', 'native/devices.cc'].includes(file) && /^(cpu|cuda)\//.test(name)
      })
      assert.deepEqual(forbidden, [], `${file} includes`)
    }
  })

  // A folder or file of lib/ may import from its own layer and from those below it.
  const order = [
    ['native', 'op-names.generated', 'errors'],
    ['tensor'],
    ['functional', 'autograd', 'compile', 'profile', 'compute', 'device'],
    ['optim', 'losses', 'metrics', 'io', 'nn', 'data', 'environment'],
    ['models', 'detect'],
    ['report'],
    ['train', 'sweep'],
    ['cli', 'index']
  ]
  const layerOf = (file: string): number => {
    const name = file
      .replace(/^lib\//, '')
      .split('/')[0]!
      .replace(/\.ts$/, '')
    return order.findIndex((layer) => layer.includes(name))
  }

  it('lib: every import points down', () => {
    for (const file of filesIn('lib', ['.ts'])) {
      assert.notEqual(layerOf(file), -1, `${file} belongs to a layer`)
      for (const target of imports(file, /^(?:import|export) [^'"]*from '(\.[^']+)'/gm)) {
        const path = relative(root, resolve(root, dirname(file), target)).replace(/\.js$/, '.ts')
        assert.ok(layerOf(path) <= layerOf(file), `${file} imports ${path}`)
      }
    }
  })

  // dist/ has the library beside the command, not in it.
  it('cli: uses of the library only what is public', () => {
    for (const file of filesIn('lib/cli', ['.ts'])) {
      for (const target of imports(file, /(?:from|import\() ?'(\.[^']+)'/g)) {
        const path = relative(root, resolve(root, dirname(file), target))
        assert.ok(path.startsWith('lib/cli/') || path === 'lib/index.js', `${file} imports ${path}`)
      }
    }
  })

  it('lib: one file loads the addon', () => {
    const loaders = filesIn('lib', ['.ts']).filter((file) =>
      readFileSync(join(root, file), 'utf8').includes('node-gyp-build')
    )
    assert.deepEqual(loaders, ['lib/native.ts'])
  })
})
