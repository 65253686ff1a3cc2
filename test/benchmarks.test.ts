// The benchmark harness: its arithmetic, its table, and every scenario with needletail alone at a tiny size.
import assert from 'node:assert/strict'
import { alternate } from '../benchmarks/harness/alternate.js'
import { reason, start, type Contestant } from '../benchmarks/harness/contestant.js'
import { markdown, type Result } from '../benchmarks/harness/report.js'
import { runScenario } from '../benchmarks/harness/scenario.js'
import { compare, quantile, summarize } from '../benchmarks/harness/statistics.js'
import { gpuScenarios } from '../benchmarks/scenarios/gpu.js'
import { scenarios } from '../benchmarks/scenarios/index.js'

const contestant = (name: string, turns: (number[] | Error)[], log: string[] = []): Contestant => ({
  name,
  version: '1',
  turn: async () => {
    log.push(name)
    const times = turns.shift()!
    if (times instanceof Error) throw times
    return { times, cpu: 10, peak: 3e6 }
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
  const options = { rounds: 2, perTurn: 2, operations: 5, comparison: 'ratio', reference: 'a' } as const

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
      rows.map((row) => row.time.median),
      [1.5, 6]
    )
    assert.equal(rows[0]!.comparison, undefined)
    assert.deepEqual(rows[1]!.comparison, { median: 0.25, low: 0.25, high: 0.25, count: 2 })
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
        reference: 'a'
      }
    )
    const failed = [{ contender: 'c', reason: 'not installed' }]
    const one = {
      title: 'One',
      unit: 'us',
      comparison: 'ratio',
      reference: 'a',
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

describe('benchmarks: scenarios', () => {
  // Those of a GPU with the bird network, which is the other's programs, too.
  const onGpu = gpuScenarios['birds-float32']({ device: 'cpu', torch: 'cpu', tiny: true })
  for (const scenario of [...scenarios, onGpu]) {
    it(`${scenario.name} runs, tiny and alone`, async () => {
      const { cases } = await runScenario(scenario, { threads: 1, tiny: true, only: ['needletail'] })
      assert.ok(cases.length > 0)
      for (const { title, rows, failed } of cases) {
        assert.deepEqual(failed, [], title)
        const row = rows.find(({ contender }) => contender === 'needletail')
        assert.ok(row && row.time.count >= 2 && row.time.high > 0, `${title}: ${JSON.stringify(rows)}`)
      }
    })
  }
})
