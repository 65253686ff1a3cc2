// npm run bench -- train|infer|add|start|all [options]: see README.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './harness/contestant.js'
import { cores } from './harness/machine.js'
import { markdown } from './harness/report.js'
import { runScenario } from './harness/scenario.js'
import { scenarios } from './scenarios/index.js'

const names = scenarios.map(({ name }) => name)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(2, cores())) },
    limit: { type: 'string', default: '30' },
    out: { type: 'string', default: resolve(root, 'benchmarks/results') }
  }
})
const positive = (option: string, value: string): number => {
  if (!(Number.isInteger(Number(value)) && Number(value) > 0))
    throw new Error(`bench: expected --${option} to be a whole number from 1, got '${value}'.`)
  return Number(value)
}
const chosen = positionals.includes('all') ? names : positionals
const unknown = chosen.find((name) => !names.includes(name))
if (chosen.length === 0 || unknown !== undefined) {
  throw new Error(
    `bench: expected one or more of ${[...names, 'all'].join(', ')}, got ${unknown ? `'${unknown}'` : 'none'}.`
  )
}

for (const scenario of scenarios.filter(({ name }) => chosen.includes(name))) {
  const result = await runScenario(scenario, {
    threads: positive('threads', values.threads),
    limit: positive('limit', values.limit),
    rounds: values.rounds === undefined ? undefined : positive('rounds', values.rounds),
    ...(values.only ? { only: values.only } : {}),
    progress: (text) => console.error(text)
  })
  mkdirSync(values.out, { recursive: true })
  writeFileSync(resolve(values.out, `${scenario.name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(resolve(values.out, `${scenario.name}.md`), markdown(result))
  console.log(markdown(result))
}
