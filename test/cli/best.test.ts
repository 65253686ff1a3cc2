// The recipe best learns ten labels; for whoever uses its run it is bird or not.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { needletail } from '../support/command.js'
import { writeSmallCifar } from '../support/small-cifar.js'
import { temporaryFolder } from '../support/temporary.js'

describe('needletail train birds --recipe best', function () {
  this.timeout(120_000)
  const path = temporaryFolder()
  const inFolder = (...args: string[]) => needletail(args, { cwd: path(''), env: { NEEDLETAIL_CACHE: path('cache') } })

  it('trains on ten labels and is about two classes in metrics, evaluate and predict', async () => {
    writeSmallCifar(path('cache'), { train: 120, test: 40 })
    const { code, stdout, stderr } = await inFolder('train', 'birds', '--recipe', 'best', '--epochs', '1')
    strictEqual(code, 0, stderr)
    match(stdout, /^40 pictures +taken for other +taken for bird\n/)
    const config = JSON.parse(readFileSync(path('runs/birds-001/config.json'), 'utf8')) as Record<string, any>
    deepStrictEqual(config['classes'], ['other', 'bird'])
    deepStrictEqual([config['training'].fineClasses.length, config['training'].fineClasses[2]], [10, 'bird'])
    const header = readFileSync(path('runs/birds-001/metrics.csv'), 'utf8').split('\n')[0]!
    ok(header.includes('validation.recall@0.97'), header)

    const figures = JSON.parse((await inFolder('evaluate', 'runs/birds-001', '--json')).stdout) as Record<string, any>
    deepStrictEqual([figures['pictures'], figures['confusion'].length], [40, 2])
    await sharp({ create: { width: 40, height: 30, channels: 3, background: '#d0d0d0' } })
      .png()
      .toFile(path('photo.png'))
    const told = await inFolder('predict', 'runs/birds-001', path('photo.png'), '--json')
    const [{ label, probability }] = JSON.parse(told.stdout) as [{ label: string; probability: number }]
    ok(['other', 'bird'].includes(label))
    ok(probability >= 0.5 && probability <= 1, `${probability}`)
  })
})
