import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import * as nt from '../../lib/index.js'
import { isComplaint, needletail } from '../support/command.js'
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

  it('looks for things with --find, and prints where they are', async () => {
    const red = await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const scene = sharp({ create: { width: 90, height: 60, channels: 3, background: 'blue' } })
    await scene
      .composite([{ input: red, left: 40, top: 10 }])
      .png()
      .toFile(path('scene.png'))
    const options = ['--find', '--smallest', '20', '--largest', '20']
    const { code, stdout, stderr } = await needletail(['predict', run, 'scene.png', 'green.webp', ...options], {
      cwd: path('')
    })
    deepStrictEqual([code, stderr], [0, ''])
    match(stdout, /^scene\.png: red \(9\d\.\d %\) 30x20 at (3\d|4\d), \d+\ngreen\.webp: nothing found\n$/)
    const blue = ['predict', run, 'scene.png', '--json', '--find', 'blue', '--threshold', '0.95']
    const rows = JSON.parse((await needletail(blue, { cwd: path('') })).stdout) as { file: string; found: Row[] }[]
    deepStrictEqual(
      rows.map(({ file }) => file),
      ['scene.png']
    )
    ok(
      rows[0]!.found.length > 0 &&
        rows[0]!.found.every(({ label, probability }) => label === 'blue' && probability >= 0.95)
    )
    deepStrictEqual(Object.keys(rows[0]!.found[0]!), ['label', 'probability', 'left', 'top', 'width', 'height'])
  })

  it('writes a gallery of the photos that can be read', async () => {
    const args = ['predict', run, 'photos', 'broken.jpg', '--gallery', 'gallery.html']
    const { code, stdout } = await needletail(args, { cwd: path('') })
    deepStrictEqual([code, stdout.split('\n').length], [1, 3])
    const json = /id="data">(.*?)<\/script>/s.exec(readFileSync(path('gallery.html'), 'utf8'))![1]!
    const { photos, ...rest } = JSON.parse(json) as { photos: { file: string }[] }
    deepStrictEqual(rest, { title: 'What run sees', classes: ['red', 'green', 'blue'], positive: 0, foundFrom: null })
    deepStrictEqual(photos.map(({ file }) => file).sort(), ['photos/more/blue [1].PNG', 'photos/red.jpg'])
  })

  const misused: [string[], RegExp][] = [
    [['--threshold', '0.5'], /expected --find with --threshold, got none/],
    [['--find', '--threshold', '2'], /Expected a number from 0 to 1/],
    [['--find', '--smallest', 'x'], /Expected a number from 1/]
  ]
  for (const [args, message] of misused) {
    it(`refuses ${args.join(' ')}`, async () => {
      const { code, stderr } = await needletail(['predict', run, 'green.webp', ...args], { cwd: path('') })
      strictEqual(code, 2)
      isComplaint(stderr, message)
    })
  }

  it('names the classes where another is to be found', async () => {
    const { code, stderr } = await needletail(['predict', run, 'green.webp', '--find', 'bird'], { cwd: path('') })
    strictEqual(code, 1)
    isComplaint(stderr, /label as a class of 'red', 'green', 'blue', got 'bird'/)
  })
})
