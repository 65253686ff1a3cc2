// The story loop.ts runs as it stands, on the real MNIST.
import { ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../../lib/data/cache.js'
import { MNIST } from '../../lib/data/mnist.js'
import { temporaryFolder } from '../support/temporary.js'

const story = fileURLToPath(new URL('../fixtures/stories/loop.ts', import.meta.url))

describe('the story loop.ts', () => {
  const path = temporaryFolder()

  it('reads digits to 0.97 after one epoch, and saves and loads its weights', async function () {
    if (!existsSync(join(cacheFolder(), MNIST.name))) return this.skip()
    this.timeout(300_000)
    const output = execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), story], {
      cwd: path(''),
      encoding: 'utf8'
    })
    const accuracy = Number(/^accuracy ([\d.]+)$/m.exec(output)?.[1])
    ok(accuracy >= 0.97, output)
    ok(/^last loss [\d.]+$/m.test(output), output)
    ok(existsSync(path('digits.safetensors')))
  })
})
