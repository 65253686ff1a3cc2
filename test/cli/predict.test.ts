import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import * as nt from '../../lib/index.js'
import { needletail } from '../support/command.js'
import { LAYOUT, state, writeRun } from '../support/run-folder.js'
import { temporaryFolder } from '../support/temporary.js'

interface Row {
  file: string
  label: string
  probability: number
}

describe('needletail predict', () => {
  const path = temporaryFolder()
  let run = ''

  before(async () => {
    run = await writeRun(path('run'))
    await nt.io.writeSafetensors(path('run/checkpoints/best.safetensors'), state('network.', -1), LAYOUT)
    mkdirSync(path('photos/more'), { recursive: true })
    const plain = (background: string, width: number) =>
      sharp({ create: { width, height: 50, channels: 3, background } })
    await plain('red', 500).jpeg().toFile(path('photos/red.jpg'))
    await plain('blue', 20).png().toFile(path('photos/more/blue [1].PNG'))
    await plain('lime', 90).webp().toFile(path('green.webp'))
    writeFileSync(path('photos/notes.txt'), 'no photo')
    writeFileSync(path('broken.jpg'), 'no photo')
    mkdirSync(path('empty'))
  })

  it('prints a line for each photo, folders and all', async () => {
    const { code, stdout, stderr } = await needletail(['predict', run, 'green.webp', 'photos'], { cwd: path('') })
    deepStrictEqual([code, stderr], [0, ''])
    deepStrictEqual(
      stdout.split('\n').map((line) => line.replace(/\d+\.\d %/, 'p')),
      ['green.webp: green (p)', 'photos/more/blue [1].PNG: blue (p)', 'photos/red.jpg: red (p)', '']
    )
    match(stdout, /^green\.webp: green \(96\.\d %\)$/m)
  })

  it('prints nothing but one array with --json, whatever else there is to say', async () => {
    const args = ['predict', '--json', run, 'broken.jpg', 'green.webp', 'gone.png', 'empty', 'photos/red.jpg']
    const { code, stdout, stderr } = await needletail(args, { cwd: path('') })
    strictEqual(code, 1)
    const rows = JSON.parse(stdout) as Row[]
    deepStrictEqual(
      rows.map(({ file, label }) => [file, label]),
      [
        ['green.webp', 'green'],
        ['photos/red.jpg', 'red']
      ]
    )
    for (const row of rows) {
      deepStrictEqual(Object.keys(row), ['file', 'label', 'probability'])
      ok(row.probability > 0.9 && row.probability < 1)
    }
    const lines = stderr.trimEnd().split('\n').sort()
    strictEqual(lines.length, 3)
    match(lines[0]!, /^needletail: predict: expected a photo at gone\.png, got no such file/)
    match(lines[1]!, /^needletail: predict: expected a whole picture in broken\.jpg/)
    match(lines[2]!, /^needletail: predict: expected photos in the folder empty, got none/)
  })

  it('is an empty array where no photo can be read', async () => {
    const { code, stdout } = await needletail(['predict', '--json', run, path('broken.jpg')])
    deepStrictEqual([code, JSON.parse(stdout)], [1, []])
  })

  it('asks the best weights when told to', async () => {
    const { code, stdout } = await needletail(['predict', run, '--weights', 'best', '--json', path('photos/red.jpg')])
    strictEqual(code, 0)
    ok((JSON.parse(stdout) as Row[])[0]!.label !== 'red')
  })
})
