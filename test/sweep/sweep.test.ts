// Sweeps: what is tried, who goes on, and that nothing that stops a sweep changes what comes of it.
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as nt from '../../lib/index.js'
import { space, type SweepResult } from '../../lib/index.js'
import { Scheduler } from '../../lib/sweep/scheduler.js'
import { drawn, gridOf } from '../../lib/sweep/values.js'
import { isComplaint, needletail } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const config = fileURLToPath(new URL('./squares.ts', import.meta.url))

describe('the values of trials', () => {
  const dimensions = {
    filters: space.choice([16, 32]),
    rate: space.logUniform(1e-4, 1e-2),
    dropout: space.uniform(0.1, 0.5),
    layers: space.integers(1, 3)
  }

  it('of a grid are all combinations, each once', () => {
    const grid = gridOf(dimensions, 3)
    const all = Array.from({ length: grid.count }, (_, trial) => grid.at(trial))
    assert.equal(grid.count, 2 * 3 * 3 * 3)
    assert.equal(new Set(all.map((values) => JSON.stringify(values))).size, 54)
    const rates = [...new Set(all.map(({ rate }) => Number(rate).toPrecision(6)))]
    assert.deepEqual(rates, ['0.000100000', '0.00100000', '0.0100000'])
    assert.deepEqual([...new Set(all.map(({ layers }) => layers))], [1, 2, 3])
  })

  it('by chance lie in their ranges, each as often as it should', () => {
    const all = drawn(dimensions, 2000, 7)
    const share = (is: (values: Record<string, any>) => boolean) => all.filter(is).length / all.length
    assert.equal(
      share(({ rate, dropout }) => rate >= 1e-4 && rate <= 1e-2 && dropout >= 0.1 && dropout <= 0.5),
      1
    )
    for (const [is, wanted] of [
      [({ filters }: any) => filters === 16, 1 / 2],
      [({ rate }: any) => rate < 1e-3, 1 / 2],
      [({ dropout }: any) => dropout < 0.2, 1 / 4],
      [({ layers }: any) => layers === 3, 1 / 3]
    ] as const)
      assert.ok(Math.abs(share(is) - wanted) < 0.04, `${is} ${share(is)}`)
  })

  it('stay what they are when there are to be more', () => {
    assert.deepEqual(drawn(dimensions, 100, 3).slice(0, 10), drawn(dimensions, 10, 3))
    assert.notDeepEqual(drawn(dimensions, 10, 4), drawn(dimensions, 10, 3))
  })
})

describe('successive halving', () => {
  /** Trials whose values are known, several at once; the steps in the order in which they begin. */
  function simulate(values: number[], rungs: number, reduction: number, atOnce: number): [number, number][] {
    const scheduler = new Scheduler(values.length, rungs, reduction, 'maximize')
    const steps: [number, number][] = []
    const running: { trial: number; rung: number }[] = []
    for (;;) {
      for (let step = scheduler.next(); step && running.length < atOnce; step = scheduler.next()) {
        scheduler.begin(step)
        running.push(step)
        steps.push([step.trial, step.rung])
      }
      const ended = running.shift()
      if (!ended) return steps
      scheduler.end(ended, values[ended.trial]!)
    }
  }
  const reached = (steps: [number, number][], rung: number) =>
    steps.filter(([, of]) => of === rung).map(([trial]) => trial)

  for (const atOnce of [1, 2, 5, 9]) {
    it(`${atOnce} at once: each trial begins once, and the best get to the end`, () => {
      const values = Array.from({ length: 27 }, (_, trial) => (trial * 10) % 27)
      const steps = simulate(values, 3, 3, atOnce)
      assert.deepEqual(reached(steps, 0), [...values.keys()])
      assert.ok(reached(steps, 1).length >= 9 && reached(steps, 1).length <= 18)
      assert.ok(reached(steps, 2).length >= 3)
      const best = values.indexOf(26)
      assert.ok(reached(steps, 2).includes(best))
      assert.equal(new Set(steps.map(String)).size, steps.length)
    })
  }

  it('who fails goes on no further, and counts as the worst', () => {
    assert.deepEqual(simulate([NaN, NaN, 3, 2], 2, 2, 4).slice(4), [
      [2, 1],
      [3, 1]
    ])
    assert.deepEqual(simulate([NaN, NaN, NaN, NaN], 2, 2, 1).length, 4)
  })
})

describe('a sweep', function () {
  this.timeout(180_000)
  const path = temporaryFolder()
  const start = (args: string[], more: Parameters<typeof needletail>[1] = {}) =>
    needletail(['sweep', config, '--parallel', '1', ...args], { cwd: path(''), ...more })
  let whole: string

  /** What came of each step, in order, and the weights of each trial. */
  function outcome(folder: string): object {
    const events = readFileSync(join(folder, 'journal.jsonl'), 'utf8').trim().split('\n').slice(1)
    const results = events
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ event }) => event === 'end' || event === 'fail')
      .map(({ trial, rung, epochs, value }) => [trial, rung, epochs, value])
    const trials = readdirSync(folder).filter((name) => name.startsWith('trial-'))
    const weights = trials.map((name) => readFileSync(join(folder, name, 'checkpoints/last.safetensors'), 'base64'))
    return { results, weights }
  }

  before(async () => {
    const { code, stdout, stderr } = await start(['--json'])
    assert.equal(code, 0, stderr)
    whole = join(path(''), (JSON.parse(stdout) as SweepResult).folder)
  })

  it('trains each trial in a run folder of its own, the good ones to the end', async () => {
    const { trials, best, total, folder } = await nt.sweep(config, { resume: whole, progress: false, parallel: 1 })
    assert.equal(folder, whole)
    assert.equal(total, 4)
    assert.deepEqual(trials.map(({ state, epochs }) => [state, epochs]).at(0), ['complete', 4])
    assert.equal(best?.folder, trials[0]!.folder)
    const config_ = await nt.readRunConfig(best!.folder)
    assert.deepEqual([config_.training['epochs'], config_.training['batchSize']], [4, 16])
    const epochs = trials.map(
      ({ folder }) => readFileSync(join(folder, 'metrics.csv'), 'utf8').trim().split('\n').length - 1
    )
    assert.deepEqual(
      epochs,
      trials.map(({ epochs }) => epochs)
    )
    // The metric is a loss: the lowest is the best.
    const same = trials.filter(({ epochs }) => epochs === trials[1]!.epochs).map(({ value }) => value!)
    assert.deepEqual(
      same,
      [...same].sort((a, b) => a - b)
    )
    assert.match((await nt.load(best!.folder)).folder, /trial-/)
    assert.match(readFileSync(join(whole, 'leaderboard.html'), 'utf8'), /<title>squares-001 · needletail<\/title>/)
  })

  it('comes out the same, whoever is killed whenever', async () => {
    const folder = path('runs/squares-002')
    const kills = [
      { KILL_PARENT_AT: '3' },
      { KILL_BOTH_AT: '5' },
      { KILL_PARENT_AT: '1' },
      { KILL_BOTH_AT: '8' },
      { KILL_PARENT_AT: '7' }
    ]
    for (const env of kills) {
      const args = existsSync(folder) ? ['--resume', folder] : []
      const { code, stderr } = await start(args, { env })
      assert.equal(code, 'SIGKILL', stderr)
    }
    const { code, stderr } = await start(['--resume', folder])
    assert.equal(code, 0, stderr)
    assert.deepEqual(outcome(folder), outcome(whole))
  })

  it('comes out the same from wherever its journal was cut off', async () => {
    const text = readFileSync(join(whole, 'journal.jsonl'), 'utf8')
    const lines = text.split('\n')
    for (const [i, end] of [lines[0]!.length + 1, Math.floor(0.7 * text.length)].entries()) {
      const folder = path(`cut-${i}`)
      cpSync(whole, folder, { recursive: true })
      writeFileSync(join(folder, 'journal.jsonl'), text.slice(0, end))
      const { code, stderr } = await start(['--resume', folder])
      assert.equal(code, 0, stderr)
      assert.deepEqual(outcome(folder), outcome(whole))
    }
  })

  it('stops at Ctrl-C when the batch is saved, and goes on, for more trials when asked', async () => {
    const folder = 'stopped/squares-001'
    const { code, stdout, stderr } = await start(['--runs', 'stopped'], { interruptAt: /^trial 1 of 4: /m })
    assert.deepEqual([code, stdout], ['SIGINT', ''], stderr)
    assert.match(stderr, /^SIGINT: the trials finish their batches\. Once more quits without saving\.$/m)
    assert.match(stderr, /^saved\. To go on: needletail sweep .*squares\.ts --resume stopped\/squares-001\n$/m)
    assert.equal((await start(['--resume', folder])).code, 0)
    assert.deepEqual(outcome(path(folder)), outcome(whole))
    const more = await start(['--resume', folder, '--json'], { env: { TRIALS: '5' } })
    assert.equal((JSON.parse(more.stdout) as SweepResult).trials.length, 5, more.stderr)
  })

  it('goes on past a trial that fails, several at once', async () => {
    const args = ['--runs', 'failing', '--parallel', '3']
    const { code, stdout, stderr } = await start(args, { env: { FAIL: '2', METRIC: 'validation.accuracy' } })
    assert.equal(code, 0, stderr)
    assert.match(stderr, /^failing\/squares-001: 4 trials of up to 4 epochs, 3 at once with \d+ threads? each$/m)
    assert.match(stderr, /^trial 2 of 4: failed: no such luck {2}filters \d {2}rate 0\.\d+ {2}/m)
    assert.match(
      stdout,
      /^ +trial +state +epochs +value +filters +rate +dropout +layers\n1\. +trial \d +complete +4 +\d\.\d{4} /
    )
    assert.match(stdout, /^4\. +trial 2 +failed +0 /m)
    assert.match(readFileSync(path('failing/squares-001/trial-002/log.txt'), 'utf8'), /Error: no such luck\n +at /)
  })

  it('refuses what it cannot do', async () => {
    const changed = await start(['--resume', whole], { env: { METRIC: 'validation.accuracy' } })
    assert.equal(changed.code, 1)
    isComplaint(
      changed.stderr,
      /sweep: expected metric "validation\.loss" as in .*journal\.jsonl, got "validation\.acc/
    )
    const unknown = await start(['--runs', 'unknown'], { env: { METRIC: 'validation.loos' } })
    assert.equal(unknown.code, 1)
    assert.match(unknown.stderr, /sweep: expected metric of epoch, loss, .* in .*metrics\.csv, got 'validation\.loos'/)
    const holder = `{"event":"open","process":"${process.pid}@`
    const started = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]
    cpSync(whole, path('held'), { recursive: true })
    writeFileSync(path('held/journal.jsonl'), `${holder}${started}"}\n`, { flag: 'a' })
    isComplaint((await start(['--resume', 'held'])).stderr, /expected nobody to be at work on held, got process \d+/)
    isComplaint(
      (await start(['--resume', 'nowhere'])).stderr,
      /expected a sweep's journal at nowhere\/journal\.jsonl, got ENOENT/
    )
  })

  const good = { space: { a: space.choice([1]) }, strategy: { kind: 'grid' }, epochs: 9 }
  const wrong: [object, RegExp][] = [
    [{ space: {} }, /expected a space with dimensions, got {}/],
    [{ space: { a: [1, 2] } }, /expected a dimension as space\.a, got \[1, 2\]\. Make it by space\.choice/],
    [
      { strategy: { kind: 'gird' } },
      /expected strategy\.kind of 'grid', 'random', 'asha', got 'gird'\. Did you mean 'grid'/
    ],
    [{ strategy: { kind: 'random' } }, /expected strategy\.trials as a whole number from 1, got undefined/],
    [
      { strategy: { kind: 'asha', trials: 8 } },
      /expected at least 9 trials, for one to reach the last of 3 rungs, got 8/
    ],
    [{ strategy: { kind: 'asha', trials: 9 }, epochs: 8 }, /expected at least 9 epochs for 3 rungs, got 8/],
    [
      { space: { a: space.integers(1, 200), b: space.integers(1, 200) } },
      /expected a grid of at most 10000 trials, got 40000/
    ],
    [{ epochs: 0.5 }, /expected epochs as a whole number from 1, got 0\.5/],
    [{ direction: 'up' }, /expected direction of 'maximize', 'minimize', got 'up'/],
    [{ train: 1 }, /expected train to be a function of a trial, got 1/],
    [{ metrc: 'loss' }, /expected options of space, .*, got 'metrc'\. Did you mean 'metric'/],
    [{ parallel: 0 }, /expected parallel as a whole number from 1, got 0/],
    [{ memory: -1 }, /expected memory above 0, got -1/]
  ]
  for (const [change, error] of wrong) {
    it(`refuses ${JSON.stringify(change).slice(0, 60)}`, async () => {
      const train = 'train' in change ? '' : ', train: () => {}'
      const file = path(`wrong-${wrong.findIndex(([one]) => one === change)}.mjs`)
      writeFileSync(file, `export default { ...${JSON.stringify({ ...good, ...change })}${train} }`)
      await assert.rejects(nt.sweep(file, { runs: path('wrong') }), error)
      assert.ok(!existsSync(path('wrong')))
    })
  }

  it('refuses modules that export none, and values that no journal can hold', async () => {
    writeFileSync(path('none.mjs'), 'export const sweep = {}')
    await assert.rejects(
      nt.sweep(path('none.mjs')),
      /expected a default export in .*none\.mjs, got none\. export default def/
    )
    assert.throws(() => space.choice([]), /space\.choice: expected an array of values, got \[\]/)
    assert.throws(() => space.choice([NaN]), /space\.choice: expected values that JSON can say, got NaN/)
    assert.throws(() => space.choice([(() => 1) as never]), /got a function.* Name it, and look it up in train/)
    assert.throws(() => space.logUniform(0, 1), /space\.logUniform: expected low above 0, got 0/)
    assert.throws(() => space.uniform(2, 1), /space\.uniform: expected low up to high, got 2 and 1/)
    assert.throws(() => space.integers(0.5, 2), /space\.integers: expected whole numbers as low and high, got 0\.5/)
  })
})
