// npm run bench:gpu -- [birds|birds-float32|resnet50] [options]: needletail on a GPU beside PyTorch, see README.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type * as Needletail from '../lib/index.js'
import { root } from './harness/contestant.js'
import { markdown } from './harness/report.js'
import { runScenario, type Scenario } from './harness/scenario.js'
import { gpuScenarios } from './scenarios/gpu.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    // Only rows whose title has this in it: --case 'Training step, bfloat16'.
    case: { type: 'string', default: '' },
    // A compiled network takes its time to get ready.
    limit: { type: 'string', default: '240' },
    // For a trial without a GPU: PyTorch on the CPU, and sizes to match.
    cpu: { type: 'boolean', default: false },
    out: { type: 'string', default: resolve(root, 'benchmarks/results') }
  }
})
const names = Object.keys(gpuScenarios) as (keyof typeof gpuScenarios)[]
const chosen = positionals.length > 0 ? names.filter((name) => positionals.includes(name)) : names
if (chosen.length < new Set(positionals).size) {
  throw new Error(`bench:gpu: expected ${names.join(', ')} or nothing, got ${positionals.join(', ')}.`)
}
for (const option of ['rounds', 'limit'] as const) {
  const value = values[option]
  if (value !== undefined && !/^[1-9]\d*$/.test(value)) {
    throw new Error(`bench:gpu: expected --${option} to be a whole number from 1, got '${value}'.`)
  }
}

const name: string = 'needletail' // not resolved by the type check, which needs no dist/
const nt = (await import(name)) as typeof Needletail
// Internal, for trials without a GPU: which device is measured.
const device = process.env['NEEDLETAIL_TEST_DEVICE'] ?? (values.cpu ? 'cpu' : 'cuda:0')
const { gpu } = nt.environment(device)

for (const scenario of chosen) {
  const all = gpuScenarios[scenario]({ device, torch: values.cpu ? 'cpu' : 'cuda:0', tiny: values.cpu })
  const make: Scenario = {
    ...all,
    cases: async (options) => (await all.cases(options)).filter(({ title }) => title.includes(values.case))
  }
  const result = await runScenario(make, {
    threads: Math.min(4, nt.threads()),
    limit: Number(values.limit),
    rounds: values.rounds === undefined ? undefined : Number(values.rounds),
    ...(values.only ? { only: values.only } : {}),
    ...(gpu ? { gpu: { ...gpu } } : {}),
    progress: (text) => console.error(text)
  })
  mkdirSync(values.out, { recursive: true })
  writeFileSync(resolve(values.out, `${make.name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(resolve(values.out, `${make.name}.md`), markdown(result))
  console.log(markdown(result))
}
