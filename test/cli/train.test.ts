// From the data to a run, and what can be asked of a run, on few pictures that are easy to tell apart.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import { isComplaint, needletail } from '../support/command.js'
import { writeRun } from '../support/run-folder.js'
import { writeSmallCifar } from '../support/small-cifar.js'
import { temporaryFolder } from '../support/temporary.js'

const lastLine = (stdout: string) => stdout.trimEnd().split('\n').at(-1)!
const FIGURES = /^accuracy (\d\.\d{3}) precision (\d\.\d{3}) recall (\d\.\d{3})$/

describe('needletail train and evaluate', function () {
  this.timeout(120_000)
  const path = temporaryFolder()
  let trained: Awaited<ReturnType<typeof needletail>>
  const inFolder = (...args: string[]) => needletail(args, { cwd: path(''), env: { NEEDLETAIL_CACHE: path('cache') } })

  before(async () => {
    writeSmallCifar(path('cache'))
    trained = await inFolder('train', 'birds', '--recipe', 'quick', '--epochs', '2', '--compute', 'tf32', '--exact')
  })

  it('trains, and ends with the figures; what is for who waits goes to stderr', () => {
    const { code, stdout, stderr } = trained
    strictEqual(code, 0, stderr)
    match(lastLine(stdout), FIGURES)
    match(stdout, /^200 pictures +taken for other +taken for bird\n/)
    match(stdout, /^always saying other gives accuracy 0\.900$/m)
    match(stdout, /^recall \d\.\d{3} at precision 0\.97$/m)
    match(stderr, /^runs\/birds-001: training on 480 pictures, watched on 200 others, 2 epochs\n/)
    match(stderr, /^epoch 2\/2 .*loss /m)
    match(stderr, /^run: runs\/birds-001\nask about a photo: needletail predict runs\/birds-001 photo\.jpg\n$/m)
  })

  it('writes down what it was asked for', () => {
    const config = JSON.parse(readFileSync(path('runs/birds-001/config.json'), 'utf8')) as Record<string, any>
    deepStrictEqual(config['recipe'], {
      task: 'birds',
      name: 'quick',
      options: {
        epochs: 2,
        batchSize: 96,
        seed: 1,
        compute: 'tf32',
        exact: true,
        folders: [],
        archives: [],
        test: 15_000
      }
    })
    const { augment, classWeights, dropLast, epochs, optimizer, seed, batchSize, compute, exact } = config[
      'training'
    ] as typeof config
    deepStrictEqual([config['positive'], config['classes']], ['bird', ['other', 'bird']])
    deepStrictEqual({ ...augment }, { flip: 'horizontal', shift: 3, fill: 'black' })
    deepStrictEqual(
      [classWeights, dropLast, epochs, seed, batchSize, compute, exact],
      [[1, 2], true, 2, 1, 96, 'tf32', true]
    )
    deepStrictEqual(
      [optimizer.kind, optimizer.learningRate.kind, optimizer.learningRate.rate],
      ['Adam', 'cosine', 0.001]
    )
  })

  it('evaluates the run on what it held out, to the same figures', async () => {
    const { code, stdout, stderr } = await inFolder('evaluate', 'runs/birds-001')
    deepStrictEqual([code, stderr], [0, ''])
    strictEqual(stdout, trained.stdout)
    const json = await inFolder('evaluate', 'runs/birds-001', '--json', '--weights', 'best')
    strictEqual(json.code, 0)
    const figures = JSON.parse(json.stdout) as Record<string, any>
    deepStrictEqual([figures['run'], figures['weights'], figures['pictures']], ['runs/birds-001', 'best', 200])
    const confusion = figures['confusion'] as number[][]
    strictEqual(
      confusion.flat().reduce((a, b) => a + b),
      200
    )
    strictEqual((confusion[0]![0]! + confusion[1]![1]!) / 200, figures['accuracy'])
  })

  it('evaluates a run on the pictures of a folder, one folder a class', async () => {
    mkdirSync(path('mine/bird'), { recursive: true })
    const plain = (background: string) => sharp({ create: { width: 40, height: 30, channels: 3, background } }).png()
    for (const i of [1, 2, 3]) await plain('#d0d0d0').toFile(path(`mine/bird/${i}.png`))
    const { code, stdout, stderr } = await inFolder('evaluate', 'runs/birds-001', '--data', 'mine', '--json')
    deepStrictEqual([code, stderr], [0, ''])
    const { pictures, classes, confusion } = JSON.parse(stdout) as Record<string, any>
    deepStrictEqual([pictures, classes, confusion[0]], [3, ['other', 'bird'], [0, 0]])
    mkdirSync(path('mine/brid'))
    await plain('black').toFile(path('mine/brid/1.png'))
    const wrong = await inFolder('evaluate', 'runs/birds-001', '--data', 'mine')
    deepStrictEqual([wrong.code, wrong.stdout], [1, ''])
    isComplaint(wrong.stderr, /evaluate: expected folders of the classes other, bird in mine, got 'brid'\./)
  })

  it('asks the run about a photo', async () => {
    const { code, stdout } = await inFolder('predict', 'runs/birds-001', 'mine/bird')
    strictEqual(code, 0)
    match(stdout, /^(mine\/bird\/\d\.png: (bird|other) \(\d+\.\d %\)\n){3}$/)
  })

  it('takes more birds from folders and archives, and tells of each source', async () => {
    const birds = path('more')
    mkdirSync(birds)
    for (let i = 0; i < 40; i++) {
      const background = { r: 150 + i, g: 200, b: 150 }
      await sharp({ create: { width: 50, height: 40, channels: 3, background } })
        .jpeg()
        .toFile(`${birds}/${i}.jpg`)
    }
    writeFileSync(`${birds}/broken.jpg`, 'no photo')
    const options = ['--folders', 'more', '--test', '100', '--name', 'all', '--runs', 'r']
    const { code, stdout, stderr } = await inFolder('train', 'birds', '--epochs', '1', ...options)
    strictEqual(code, 0, stderr)
    match(stderr, /^left out 1 pictures that can't be read: broken\.jpg\n/)
    match(stderr, /^r\/all-001: training on 620 pictures, watched on 100 others/m)
    match(stdout, /^source +pictures +accuracy +precision +recall\nCIFAR-10 +\d\d .*\nmore +\d /m)
    match(lastLine(stdout), FIGURES)
    const evaluated = await inFolder('evaluate', 'r/all-001')
    strictEqual(evaluated.stdout, stdout)
  })

  it('goes on with a run, for more epochs when asked', async () => {
    cpSync(path('runs/birds-001'), path('runs/birds-007'), { recursive: true })
    const same = await inFolder('train', '--resume', 'runs/birds-007')
    deepStrictEqual([same.code, same.stdout], [0, trained.stdout], same.stderr)
    // A rate that falls along a cosine would have fallen otherwise.
    const longer = await inFolder('train', '--resume', 'runs/birds-007', '--epochs', '3')
    deepStrictEqual([longer.code, longer.stdout], [1, ''])
    isComplaint(longer.stderr, /fit: expected training\.optimizer\.learningRate\.steps 10 as in .*, got 15\./)
    const first = await inFolder('train', 'birds', '--epochs', '1', '--batch-size', '48', '--seed', '5')
    match(first.stderr, /^runs\/birds-008: .* 1 epochs$/m)
    const more = await inFolder('train', 'birds', '--resume', 'runs/birds-008', '--epochs', '2')
    strictEqual(more.code, 0, more.stderr)
    match(more.stderr, /^runs\/birds-008: .* 2 epochs, from epoch 2 on$/m)
  })

  it('saves at Ctrl-C, and says how to go on', async () => {
    const args = ['train', 'birds', '--epochs', '500', '--name', 'long']
    const env = { NEEDLETAIL_CACHE: path('cache') }
    const { code, stdout, stderr } = await needletail(args, { cwd: path(''), env, interruptAt: /epoch 1\/500/ })
    deepStrictEqual([code, stdout], ['SIGINT', ''], stderr)
    match(stderr, /^SIGINT: finishing the batch\. Once more quits without saving\.$/m)
    match(stderr, /^saved after .*\. To go on: needletail train --resume runs\/long-001\n$/m)
    strictEqual((await inFolder('evaluate', 'runs/long-001')).code, 0)
  })

  it('needs what it needs', async () => {
    const other = await writeRun(path('other'))
    const cases: [string[], number, RegExp][] = [
      [['train'], 2, /missing argument: what to train\. needletail train birds/],
      [['train', 'brids'], 2, /argument 'task'\. Allowed choices are birds\./],
      [['train', 'birds', '--recipe', 'quik'], 2, /unknown recipe 'quik' \(Did you mean quick\?/],
      [['train', 'birds', '--epoch', '3'], 2, /unknown option '--epoch' \(Did you mean --epochs\?\)/],
      [
        ['train', 'birds', '--epochs', '1.5'],
        2,
        /'--epochs <n>' argument '1\.5' is invalid\. Expected a whole number from 1/
      ],
      [['train', 'birds', '--seed', '-1'], 2, /'--seed <n>' argument '-1' is invalid/],
      [['train', 'birds', '--compute', 'bfloat'], 2, /Allowed choices are float32, tf32, bfloat16, float16\./],
      [['train', '--resume', 'runs/birds-001', '--batch-size', '9'], 2, /takes no --batch-size/],
      [['train', '--resume', 'runs/birds-001', '--compute', 'tf32'], 2, /takes no --compute/],
      [['train', '--resume', 'nowhere'], 1, /train: expected a run folder with config\.json at 'nowhere'/],
      [
        ['train', '--resume', other],
        1,
        /train: expected a run of needletail train birds in .*config\.json, got another\./
      ],
      [
        ['train', 'birds', '--folders', 'gone', '--recipe', 'quick'],
        1,
        /datasets\.birds: expected a folder .*gone, got nothing/
      ],
      [['evaluate'], 2, /missing required argument 'run'/],
      [['evaluate', 'nowhere'], 1, /load: expected a run folder with config\.json at 'nowhere'/],
      [['evaluate', other], 2, /evaluate: expected --data for a run that was not made by needletail train, got none\./]
    ]
    for (const [args, code, message] of cases) {
      const found = await inFolder(...args)
      deepStrictEqual([found.code, found.stdout], [code, ''], args.join(' '))
      isComplaint(found.stderr, message)
    }
    ok(!existsSync(path('runs/birds-010')))
  })
})
