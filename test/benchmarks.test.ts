// The benchmark harness: its arithmetic, its table, and every scenario with needletail alone at a tiny size.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { alternate } from '../benchmarks/harness/alternate.js'
import { reason, start, type Contestant } from '../benchmarks/harness/contestant.js'
import { markdown, type Result } from '../benchmarks/harness/report.js'
import { runScenario } from '../benchmarks/harness/scenario.js'
import { compare, quantile, summarize } from '../benchmarks/harness/statistics.js'
import { gpuScenarios } from '../benchmarks/scenarios/gpu.js'
import { chart } from '../benchmarks/harness/chart.js'
import { headline } from '../benchmarks/harness/headline.js'
import { published, withSection } from '../benchmarks/harness/published.js'
import { scenarios } from '../benchmarks/scenarios/index.js'

const contestant = (name: string, turns: (number[] | Error)[], log: string[] = []): Contestant => ({
  name,
  version: '1',
  turn: async () => {
    log.push(name)
    const times = turns.shift()!
    if (times instanceof Error) throw times
    return { values: times, cpu: 10, peak: 3e6 }
  },
  close: async () => {}
})

describe('benchmarks: statistics', () => {
  const cases: [number[], number, number][] = [
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 2, 3], 0.5, 2.5],
    [[5], 0.9, 5],
    [[0, 10], 0.1, 1],
    [[0, 10], 1, 10]
  ]
  for (const [values, p, value] of cases) {
    it(`the ${p} quantile of [${values.join()}] is ${value}`, () => assert.equal(quantile(values, p), value))
  }

  it('has no median of nothing', () => {
    assert.ok(Number.isNaN(summarize([]).median))
  })

  it('compares round by round, so that drift cancels out', () => {
    const slow = [
      [2, 2, 2],
      [4, 4, 4],
      [40, 40, 40]
    ]
    const fast = [[1, 1, 9], [2, 2, 2], [20, 20, 20], [7]]
    assert.deepEqual(compare('ratio', slow, fast), { median: 2, low: 2, high: 2, count: 3 })
    assert.equal(compare('difference', slow, fast).median, 2)
  })
})

describe('benchmarks: turns', () => {
  const options = { rounds: 2, perTurn: 2, operations: 5, comparison: 'ratio', references: ['a'] } as const

  it('alternate, forwards and backwards', async () => {
    const log: string[] = []
    const of = (name: string): Contestant =>
      contestant(
        name,
        [
          [1, 1],
          [1, 1]
        ],
        log
      )
    await alternate([of('a'), of('b'), of('c')], options)
    assert.deepEqual(log, ['a', 'b', 'c', 'c', 'b', 'a'])
  })

  it('give medians, comparisons and processor time for one operation', async () => {
    const { rows } = await alternate(
      [
        contestant('a', [
          [1, 1],
          [2, 2]
        ]),
        contestant('b', [
          [4, 4],
          [8, 8]
        ])
      ],
      options
    )
    assert.deepEqual(
      rows.map((row) => row.value.median),
      [1.5, 6]
    )
    assert.deepEqual(rows[0]!.comparisons, {})
    assert.deepEqual(rows[1]!.comparisons, { a: { median: 0.25, low: 0.25, high: 0.25, count: 2 } })
    assert.equal(rows[0]!.cpu, 1)
  })

  it('go on without a contender that fails', async () => {
    const broken = contestant('b', [[1, 1], new Error('out of memory')])
    const { rows, failed } = await alternate(
      [
        contestant('a', [
          [1, 1],
          [1, 1]
        ]),
        broken
      ],
      options
    )
    assert.deepEqual(
      rows.map((row) => row.contender),
      ['a']
    )
    assert.deepEqual(failed, [{ contender: 'b', reason: 'out of memory' }])
  })

  it('time once what takes over ten seconds', async () => {
    const log: string[] = []
    await alternate([contestant('a', [[1], [1]]), contestant('b', [[10_001], [10_001]], log)], options)
    assert.deepEqual(log, ['b'])
  })
})

describe('benchmarks: contenders', () => {
  it('that are not there say why', async () => {
    const task = { kind: 'add', count: 1 } as const
    const node = { name: 'x', command: process.execPath }
    await assert.rejects(start({ name: 'x', command: 'no-such-program', args: [] }, task, 30), /ENOENT/)
    await assert.rejects(start({ ...node, args: ['-e', "console.error('no luck')"] }, task, 30), /^Error: no luck$/)
    await assert.rejects(
      start({ ...node, args: ['-e', 'setInterval(() => {}, 1e6)'] }, task, 0.2),
      /took longer than 0.2 s/
    )
  })

  it('give reasons without paths', () => {
    assert.equal(
      reason("Cannot open '/home/someone/model.bin': not found\nat line 3"),
      "Cannot open 'model.bin': not found"
    )
  })
})

describe('benchmarks: table', () => {
  it('names figures, comparisons and what is absent', async () => {
    const rounds = 2
    const alternation = await alternate(
      [
        contestant('a', [
          [0.001, 0.001],
          [0.001, 0.001]
        ]),
        contestant('b', [
          [0.004, 0.004],
          [0.004, 0.004]
        ])
      ],
      {
        rounds,
        perTurn: 2,
        operations: 1,
        comparison: 'ratio',
        references: ['a']
      }
    )
    const failed = [{ contender: 'c', reason: 'not installed' }]
    const one = {
      title: 'One',
      unit: 'us',
      comparison: 'ratio',
      references: ['a'],
      rounds,
      perTurn: 2,
      ...alternation,
      failed,
      othersLoad: 0.256
    } as const
    const machine = {
      cpu: 'Some CPU',
      cores: 2,
      instructions: ['avx2'],
      memoryGB: 8,
      platform: 'linux-x64',
      node: 'v20'
    }
    const gpu = { name: 'Some GPU', driver: '580.1', memory: 80 }
    const onGpu = markdown({ scenario: 's', title: 'T', date: '', threads: 1, machine: { ...machine, gpu }, cases: [] })
    assert.ok(onGpu.includes('Some GPU (driver 580.1, memory 80).'), onGpu)
    const result: Result = { scenario: 's', title: 'Title', date: '2030-01-01', threads: 2, machine, cases: [one] }
    const text = markdown(result)
    for (const part of [
      'Some CPU, 2 cores (linux-x64, avx2), 8 GB, Node.js v20, 2 threads each, 2030-01-01.',
      '|  | us, median | a takes | processor time, us | peak memory, MB | version |',
      '| a | 1.00 (1.00 – 1.00) | 1 |',
      '| b | 4.00 (4.00 – 4.00) | 0.250 (0.250 – 0.250)x |',
      '- c: absent (not installed)',
      'Other processes used 26 % of the machine meanwhile.'
    ]) {
      assert.ok(text.includes(part), `${part}\nis not in\n${text}`)
    }
  })
})

describe('benchmarks: what is published', () => {
  const machine = { cpu: 'Some CPU', cores: 2, instructions: [], memoryGB: 8, platform: 'linux-x64', node: 'v20' }
  const once = (value: number) => summarize([value])
  const row = (contender: string, value: number, comparisons: Record<string, number> = {}, more: object = {}) => ({
    contender,
    version: '1',
    value: once(value),
    turns: [value],
    comparisons: Object.fromEntries(Object.entries(comparisons).map(([name, ratio]) => [name, once(ratio)])),
    ...more
  })
  const shared = {
    comparison: 'ratio',
    references: ['needletail', 'needletail bfloat16'],
    rounds: 1,
    perTurn: 1
  } as const
  const half = { precision: 'bfloat16' } as const
  const result = (scenario: string, cases: Result['cases'], more: object = {}): Result => ({
    ...{ scenario, title: scenario, date: '2030-01-01', threads: 2, machine, cases },
    ...more
  })
  const train = result('train', [
    {
      ...shared,
      title: 'Batch 96',
      unit: 'ms',
      failed: [{ contender: 'tfjs-wasm', reason: 'cannot' }],
      rows: [
        row('needletail', 10, {}, { peak: 3e8 }),
        row('needletail bfloat16', 5, { needletail: 2 }, half),
        row('tfjs-node', 200, { needletail: 0.05, 'needletail bfloat16': 0.02 }, { peak: 6e8 }),
        row('PyTorch autocast', 20, { needletail: 0.6, 'needletail bfloat16': 0.25 }, half)
      ]
    }
  ])
  const start = result('start', [
    {
      ...shared,
      ...{ title: 'Start', unit: 'ms', comparison: 'difference', references: ['node -e 0'], failed: [] },
      rows: [
        row('node -e 0', 40),
        row('needletail', 70, { 'node -e 0': 30 }),
        row('PyTorch', 1040, { 'node -e 0': 1000 })
      ]
    }
  ])
  const ops = result(
    'ops',
    ['relu', 'tanh'].map((title) => ({
      ...shared,
      ...{ title, unit: 'ms', references: ['needletail'] },
      rows: [row('needletail', 1), row('tfjs-cpu', 4, { needletail: 0.25 })],
      failed: title === 'tanh' ? [{ contender: 'tfjs-wasm', reason: 'no tanh' }] : []
    })),
    { matrix: true }
  )

  it('compares each with needletail in its own precision, as it was paired', () => {
    const lines = headline(new Map([train, start].map((one) => [one.scenario, one])))
    assert.deepEqual(
      lines.map(({ title, cells }) => [title, cells]),
      [
        [
          'Training step, batch 96',
          [
            { contender: 'needletail', value: 10 },
            { contender: 'needletail bfloat16', value: 5 },
            { contender: 'tfjs-node', value: 200, ratio: 0.05 },
            { contender: 'PyTorch autocast', value: 20, ratio: 0.25 }
          ]
        ],
        [
          'Memory peak of training',
          [
            { contender: 'needletail', value: 3e8 },
            { contender: 'tfjs-node', value: 6e8, ratio: 0.5 }
          ]
        ],
        [
          'First result, later than `node -e 0` ends',
          [
            { contender: 'needletail', value: 30 },
            { contender: 'PyTorch channels_last', value: 1000, ratio: 0.03 }
          ]
        ]
      ]
    )
  })

  it('is a table, a report that names what is absent, and two charts', () => {
    const { report, charts, section } = published([train, start, ops])
    for (const part of [
      '| Training step, batch 96 | 10.0 ms | 5.00 ms | 200 ms<br>0.050x |  | 20.0 ms<br>0.25x |',
      '| needletail | 10.0 | 1 | – | 300 | 1 |',
      '- tfjs-wasm: absent (cannot)',
      '| relu | 1.00 | 4.00 (0.25x) |',
      '- tfjs-wasm: absent (no tanh): tanh',
      'Some CPU, 2 cores (linux-x64), 8 GB, Node.js v20, 2 threads each, 2030-01-01.'
    ]) {
      assert.ok(report.includes(part), `${part}\nis not in\n${report}`)
    }
    assert.ok(section.includes('| Training step, batch 96 | 10.0 ms |'))
    for (const svg of Object.values(charts)) {
      assert.match(svg, /^<svg [^]*<\/svg>\n$/)
      assert.ok(svg.includes('>200 (0.050x)<') && svg.includes('Some CPU'))
      assert.equal(svg.match(/<path /g)!.length, 1) // tfjs-node's bar is cut
    }
    assert.notEqual(charts.light, charts.dark)
    const lines = [{ title: 'a & b', unit: 'ms', charted: true, cells: [{ contender: '<c>', value: 1 }] }] as const
    assert.match(
      chart(
        lines.map((line) => ({ ...line, cells: [...line.cells] })),
        't',
        'f',
        'dark'
      ),
      /a &amp; b, ms<[^]*>&lt;c&gt;</
    )
  })

  it('goes into the place that is marked for it', () => {
    const text = 'before\n<!-- npm run compare -->\nold\n<!-- end -->\nafter'
    const now = 'before\n<!-- npm run compare -->\n\nnew\n\n<!-- end -->\nafter'
    assert.equal(withSection(text, 'new'), now)
    assert.equal(withSection(now, 'new'), now)
    assert.throws(() => withSection('nothing', 'new'), /compare: expected a place marked/)
  })

  it('is what the README and the report show of the results that are kept', function () {
    const file = (name: string) => join(import.meta.dirname, '../benchmarks/results', name)
    const kept = scenarios.map(({ name }) => file(`${name}.json`)).filter((path) => existsSync(path))
    if (kept.length === 0) this.skip()
    const { report, charts, section } = published(kept.map((path) => JSON.parse(readFileSync(path, 'utf8')) as Result))
    assert.equal(readFileSync(file('compare.md'), 'utf8'), report)
    assert.equal(readFileSync(file('compare-light.svg'), 'utf8'), charts.light)
    assert.equal(readFileSync(file('compare-dark.svg'), 'utf8'), charts.dark)
    const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
    assert.equal(readme, withSection(readme, section))
  })
})

describe('benchmarks: scenarios', () => {
  // Those of a GPU with the bird network, which is the other's programs, too.
  const onGpu = gpuScenarios['birds-float32']({ device: 'cpu', torch: 'cpu', tiny: true })
  for (const scenario of [...scenarios, onGpu]) {
    it(`${scenario.name} runs, tiny and alone`, async () => {
      const { cases } = await runScenario(scenario, { threads: 1, tiny: true, only: ['needletail'] })
      assert.ok(cases.length > 0)
      for (const { title, rows, failed, rounds } of cases) {
        assert.deepEqual(failed, [], title)
        const row = rows.find(({ contender }) => contender === 'needletail')
        assert.ok(
          row && row.value.count >= Math.min(2, rounds) && row.value.high > 0,
          `${title}: ${JSON.stringify(rows)}`
        )
      }
    })
  }
})
