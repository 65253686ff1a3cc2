import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import * as ort from 'onnxruntime-node'
import * as nt from '../../lib/index.js'
import { isComplaint, needletail } from '../support/command.js'
import { CLASSES, LAYOUT, state, writeRun } from '../support/run-folder.js'
import { temporaryFolder } from '../support/temporary.js'

describe('needletail export', () => {
  const path = temporaryFolder()
  let run = ''
  before(async () => {
    run = await writeRun(path('run'))
    await nt.io.writeSafetensors(path('run/checkpoints/best.safetensors'), state('network.', -1), LAYOUT)
  })

  for (const [layout, dims] of [
    ['NCHW', [1, 3, 4, 6]],
    ['NHWC', [1, 4, 6, 3]]
  ] as const) {
    it(`writes what predict does with pixels, ${layout}`, async () => {
      const { code, stdout, stderr } = await needletail(['export', run, 'a.onnx', '--layout', layout], {
        cwd: path('')
      })
      deepStrictEqual([code, stderr], [0, ''])
      const sizes = dims.slice(1).join(', ')
      strictEqual(
        stdout,
        `a.onnx: input float32 [n, ${sizes}], pixels from 0 to 1; output float32 [n, 3], probabilities\n`
      )
      const pixels = nt.random.uniform([4, 6, 3], { seed: 3 })
      const { probabilities } = await (await nt.load(run)).predict(pixels)
      const session = await ort.InferenceSession.create(path('a.onnx'), { logSeverityLevel: 3 })
      const given = layout === 'NCHW' ? pixels.permute([2, 0, 1]) : pixels
      const { output } = await session.run({ input: new ort.Tensor('float32', await given.data(), dims) })
      CLASSES.forEach((name, i) => ok(Math.abs(probabilities[name]! - Number(output!.data[i])) < 1e-6))
      await session.release()
    })
  }

  it('takes the best weights, and says what is wrong', async () => {
    strictEqual((await needletail(['export', run, 'best.onnx', '--weights', 'best'], { cwd: path('') })).code, 0)
    const wrong = await needletail(['export', run, 'network.txt'], { cwd: path('') })
    strictEqual(wrong.code, 2)
    isComplaint(wrong.stderr, /expected the name of an \.onnx file, got network\.txt/)
    const missing = await needletail(['export', 'none', 'b.onnx'], { cwd: path('') })
    strictEqual(missing.code, 1)
    match(missing.stderr, /expected a run folder/)
    ok(!existsSync(path('b.onnx')))
  })
})
