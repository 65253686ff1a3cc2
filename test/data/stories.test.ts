// The stories run as they stand: loop.ts on the real MNIST; birds.ts, and is-it-a-bird.ts on its run, on a few easy pictures.
import { match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { cacheFolder } from '../../lib/data/cache.js'
import { MNIST } from '../../lib/data/mnist.js'
import * as nt from '../../lib/index.js'
import { otherDevice } from '../support/devices.js'
import { writeSmallCifar } from '../support/small-cifar.js'
import { temporaryFolder } from '../support/temporary.js'

describe('the stories', function () {
  this.timeout(300_000)
  const path = temporaryFolder()

  function run(story: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): string {
    const file = fileURLToPath(new URL(`../fixtures/stories/${story}`, import.meta.url))
    const imports = ['tsx', '../support/default-device.ts'].flatMap((name) => ['--import', import.meta.resolve(name)])
    return execFileSync(process.execPath, [...imports, file, ...args], {
      cwd: path(''),
      encoding: 'utf8',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore']
    })
  }

  it('loop.ts reads digits to 0.97 after one epoch, and saves and loads its weights', function () {
    if (!existsSync(join(cacheFolder(), MNIST.name))) return this.skip()
    const output = run('loop.ts')
    const accuracy = Number(/^accuracy ([\d.]+)$/m.exec(output)?.[1])
    ok(accuracy >= 0.97, output)
    ok(/^last loss [\d.]+$/m.test(output), output)
    ok(existsSync(path('digits.safetensors')))
  })

  async function birds(device: string, counts: { train: number; test: number }): Promise<void> {
    const env = { DEFAULT_DEVICE: device, EPOCHS: '2', NEEDLETAIL_CACHE: writeSmallCifar(path(device), counts) }
    const output = run('birds.ts', [], env)
    match(output, /^runs\/birds-\d{3} \{ accuracy: [\d.]+, precision: [\d.]+, recall: [\d.]+ \} /)
    const folder = output.split(' ')[0]!
    match(readFileSync(path(`${folder}/environment.json`), 'utf8'), new RegExp(`"device": "${device}"`))
    const background = { r: 190, g: 190, b: 190 }
    await sharp({ create: { width: 300, height: 200, channels: 3, background } })
      .jpeg()
      .toFile(path('photo.jpg'))
    const answer = run('is-it-a-bird.ts', [folder, 'photo.jpg'], env)
    match(answer, /^photo\.jpg: (bird|other) \(\d+\.\d %\)\n$/)
  }

  it('birds.ts leaves a run, and is-it-a-bird.ts asks it', () => birds('cpu', { train: 480, test: 200 }))

  it('they do so on another device, where that is the default', function () {
    if (!nt.devices().includes(otherDevice)) return this.skip()
    return birds(otherDevice, { train: 100, test: 20 })
  })
})
