// npm run compare -- [PART ...] [options]: see README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './harness/contestant.js'
import { cores } from './harness/machine.js'
import { markdown, type Result } from './harness/report.js'
import { runScenario } from './harness/scenario.js'
import { published, withSection } from './harness/published.js'
import { scenarios } from './scenarios/index.js'

const names = scenarios.map(({ name }) => name)
const ownFolder = resolve(root, 'benchmarks/results')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(2, cores())) },
    limit: { type: 'string' },
    out: { type: 'string', default: ownFolder }
  }
})
function positive(option: 'rounds' | 'threads' | 'limit'): number | undefined {
  const value = values[option]
  if (value !== undefined && !(Number.isInteger(Number(value)) && Number(value) > 0))
    throw new Error(`compare: expected --${option} to be a whole number from 1, got '${value}'.`)
  return value === undefined ? undefined : Number(value)
}
const unknown = positionals.find((name) => !names.includes(name))
if (unknown !== undefined)
  throw new Error(`compare: expected some of ${names.join(', ')}, or none for all, got '${unknown}'.`)
const options = {
  threads: positive('threads')!,
  limit: positive('limit'),
  rounds: positive('rounds'),
  only: values.only
}
const chosen = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

mkdirSync(values.out, { recursive: true })
const file = (name: string): string => resolve(values.out, name)
const begin = performance.now()
for (const scenario of chosen) {
  const result = await runScenario(scenario, { ...options, progress: (text) => console.error(text) })
  writeFileSync(file(`${scenario.name}.json`), `${JSON.stringify(result, null, 1)}\n`)
  console.log(markdown(result))
  publish()
}
console.error(`${((performance.now() - begin) / 60_000).toFixed(1)} minutes`)

/** What is made of all parts that have been measured, now or earlier. */
function publish(): void {
  const known = scenarios.map(({ name }) => file(`${name}.json`)).filter((path) => existsSync(path))
  const results = known.map((path) => JSON.parse(readFileSync(path, 'utf8')) as Result)
  const { report, charts, section } = published(results)
  writeFileSync(file('compare.md'), report)
  for (const [theme, svg] of Object.entries(charts)) writeFileSync(file(`compare-${theme}.svg`), svg)
  if (resolve(values.out) !== ownFolder) return
  const readme = resolve(root, 'README.md')
  writeFileSync(readme, withSection(readFileSync(readme, 'utf8'), section))
}
