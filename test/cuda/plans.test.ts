// The CUDA backend's plans on disk: the real code (native/cuda/plans.cc) in a small program.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../support/temporary.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

describe('plans on disk', () => {
  const at = temporaryFolder()
  function run(env: Record<string, string>, ...args: string[]): string {
    const { stdout, stderr, status } = spawnSync(at('program'), args, { env, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return stdout
  }
  before(() => {
    const sources = ['test/fixtures/cuda/plans.cc', 'native/cuda/plans.cc'].map((file) => join(root, file))
    const options = ['-std=c++20', `-I${join(root, 'native')}`, ...sources, '-o', at('program')]
    execFileSync(process.env['CXX'] ?? 'g++', options, { stdio: 'pipe' })
  })

  it('come back by their key', () => {
    const env = { NEEDLETAIL_CACHE: at('cache') }
    assert.equal(run(env, 'load', 'a convolution'), 'nothing')
    run(env, 'store', 'a convolution', 'eng1_k2=4', 'one\ntwo')
    run(env, 'store', 'another', 'eng2', '')
    assert.equal(run(env, 'load', 'a convolution'), 'eng1_k2=4 one\ntwo')
    assert.equal(run(env, 'load', 'another'), 'eng2 ')
    run(env, 'store', 'another', 'eng3', 'new')
    assert.equal(run(env, 'load', 'another'), 'eng3 new')
    const files = readdirSync(at('cache/plans'))
    assert.equal(files.length, 2)
    assert.ok(files.every((file) => /^[\da-f]{16}\.plan$/.test(file)))
  })

  it("are none where the file is broken or another key's", () => {
    const env = { NEEDLETAIL_CACHE: at('broken') }
    run(env, 'store', 'key', 'eng1', 'the data')
    const [name] = readdirSync(at('broken/plans'))
    const file = at(`broken/plans/${name}`)
    const text = readFileSync(file, 'utf8')
    for (const broken of [
      '',
      'junk',
      text.slice(0, -1),
      text + '!',
      text.replace('data', 'dada'),
      text.replace('key', 'kex')
    ]) {
      writeFileSync(file, broken)
      assert.equal(run(env, 'load', 'key'), 'nothing', JSON.stringify(broken))
    }
    run({ NEEDLETAIL_CACHE: at('others') }, 'store', 'another', 'eng2', 'its data')
    copyFileSync(join(at('others/plans'), readdirSync(at('others/plans'))[0]!), file)
    assert.equal(run(env, 'load', 'key'), 'nothing')
    run(env, 'store', 'key', 'eng1', 'the data')
    assert.equal(run(env, 'load', 'key'), 'eng1 the data')
  })

  it('lie where the library keeps its cache', () => {
    for (const [env, folder] of [
      [{ NEEDLETAIL_CACHE: at('own'), XDG_CACHE_HOME: at('xdg'), HOME: at('home') }, 'own/plans'],
      [{ XDG_CACHE_HOME: at('xdg'), HOME: at('home') }, 'xdg/needletail/plans'],
      [{ HOME: at('home') }, 'home/.cache/needletail/plans']
    ] as const) {
      run(env, 'store', 'key', 'eng1', 'data')
      assert.ok(existsSync(at(folder)), folder)
    }
  })

  it('are left out where nothing can be written', () => {
    writeFileSync(at('file'), '')
    run({ NEEDLETAIL_CACHE: at('file') }, 'store', 'key', 'eng1', 'data')
    assert.equal(run({ NEEDLETAIL_CACHE: at('file') }, 'load', 'key'), 'nothing')
    run({}, 'store', 'key', 'eng1', 'data')
    assert.equal(run({}, 'load', 'key'), 'nothing')
  })
})
