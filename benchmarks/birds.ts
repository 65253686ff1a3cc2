// npm run bench:birds -- ARCHIVE...: what the bird recipes reach on the full set, beside PyTorch's run of the article's. Each
// training is a process of the command line's. Results are kept in results/birds.json; `--only WORD` does some of them anew.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figures } from '../lib/cli/figures.js'
import { load } from '../lib/index.js'
import { root } from './harness/contestant.js'
import { machine, type Machine } from './harness/machine.js'
import { median } from './harness/statistics.js'

interface Training {
  recipe: string
  epochs: number
  seed: number
  /** float32 unless given. */
  compute?: 'bfloat16'
}

interface Result extends Training {
  date: string
  machine: Machine
  parameters: number
  /** The median over the epochs, validation included. */
  secondsPerEpoch: number
  /** Where it was timed otherwise. */
  secondsNote?: string
  figures: Figures
  /** Accuracy, precision and recall on the pictures held out after each epoch. */
  epochFigures: number[][]
}

/** A training with more epochs goes on with the one before: the article's rate is constant, and going on is exact. */
const TRAININGS: (Training & { goesOn?: true })[] = [
  { recipe: 'default', epochs: 1, seed: 0 },
  { recipe: 'default', epochs: 10, seed: 0, goesOn: true },
  { recipe: 'default', epochs: 50, seed: 0, goesOn: true },
  { recipe: 'default', epochs: 10, seed: 1 },
  { recipe: 'default', epochs: 10, seed: 2 },
  { recipe: 'default', epochs: 10, seed: 0, compute: 'bfloat16' },
  { recipe: 'default', epochs: 50, seed: 0, compute: 'bfloat16', goesOn: true },
  { recipe: 'default', epochs: 10, seed: 1, compute: 'bfloat16' },
  { recipe: 'default', epochs: 10, seed: 2, compute: 'bfloat16' },
  { recipe: 'best', epochs: 20, seed: 0 }
]

/** The article's recipe in PyTorch, seed 0 (one run): accuracy, precision, recall after so many passes. */
const PYTORCH: Record<number, [number, number, number]> = {
  1: [0.872, 0.8, 0.64],
  10: [0.92, 0.83, 0.85],
  50: [0.942, 0.9, 0.87]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, out: { type: 'string', default: resolve(root, 'benchmarks/results') } }
})
if (positionals.length === 0) throw new Error('bench:birds: expected archives with more birds, got none.')
const archives = positionals.map((path) => resolve(path))

const nameOf = ({ recipe, epochs, seed, compute }: Training): string =>
  [recipe, epochs, `seed${seed}`, ...(compute ? [compute] : [])].join('-')
const commandLine = (...args: string[]): string =>
  execFileSync(process.execPath, [resolve(root, 'dist/cli.js'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  })

async function measure({ goesOn, ...training }: (typeof TRAININGS)[number]): Promise<Result> {
  const { recipe, epochs, seed, compute = 'float32' } = training
  const runs = resolve(root, 'out/bench-birds', `${recipe}-seed${seed}-${compute}`)
  const folder = join(runs, 'birds-001')
  // One that was interrupted goes on, unless it is to be done anew.
  if ((goesOn || values.only === undefined) && existsSync(folder)) {
    console.log(commandLine('train', 'birds', '--resume', folder, '--epochs', `${epochs}`))
  } else {
    rmSync(runs, { recursive: true, force: true })
    const settings = Object.entries({ recipe, epochs, seed, compute, runs }).flatMap(([name, value]) => [
      `--${name}`,
      `${value}`
    ])
    console.log(commandLine('train', 'birds', ...settings, '--archives', ...archives))
  }
  const {
    run: _,
    weights: __,
    ...figures
  } = JSON.parse(commandLine('evaluate', folder, '--json')) as Figures & {
    run: string
    weights: string
  }
  const rows = rowsOf(join(folder, 'metrics.csv'))
  return {
    ...training,
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    parameters: (await load(folder)).network.parameterCount,
    secondsPerEpoch: median(rows.map((row) => row['seconds']!)),
    figures,
    epochFigures: rows.map((row) => ['accuracy', 'precision', 'recall'].map((name) => row[`validation.${name}`]!))
  }
}

function rowsOf(path: string): Record<string, number>[] {
  const [header, ...lines] = readFileSync(path, 'utf8').trim().split('\n')
  const names = header!.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, i) => [names[i]!, Number(value)])))
}

function markdown(results: readonly Result[]): string {
  const share = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(3))
  const { figures, machine } = results[0]!
  const count = (value: number) => value.toLocaleString('en')
  const lines = [
    `## Bird or not, on ${count(figures.pictures)} pictures held out of the full set`,
    '',
    `${machine.cpu}, ${machine.cores} cores (${machine.instructions.join(', ')}), Node.js ${machine.node}. Always saying`,
    `'${figures.always.label}' gives accuracy ${share(figures.always.accuracy)}.`,
    '',
    row(
      'recipe',
      'computed in',
      'passes',
      'seed',
      'accuracy',
      'precision',
      'recall',
      'recall at precision 0.90',
      'at 0.97',
      's a pass'
    ),
    row(...Array<string>(10).fill('---'))
  ]
  for (const { recipe, compute = 'float32', epochs, seed, figures, secondsPerEpoch } of results) {
    const at = figures.recallAtPrecision.map(({ recall }) => share(recall))
    const { accuracy, precision, recall } = figures
    const found = [accuracy, precision, recall].map(share)
    lines.push(row(recipe, compute, epochs, seed, ...found, ...at, secondsPerEpoch.toFixed(1)))
  }
  for (const [epochs, found] of Object.entries(PYTORCH)) {
    lines.push(
      row("PyTorch, the article's", 'float32', epochs, 0, ...found.map((value) => value.toFixed(3)), '–', '–', '–')
    )
  }
  for (const { recipe, secondsNote } of results)
    if (secondsNote) lines.push('', `Seconds of ${recipe}: ${secondsNote}.`)
  lines.push(
    '',
    row('recipe', 'computed in', 'passes', 'seed', 'source', 'pictures', 'accuracy', 'precision', 'recall')
  )
  lines.push(row(...Array<string>(9).fill('---')))
  for (const { recipe, compute = 'float32', epochs, seed, figures } of results) {
    for (const { source, pictures, accuracy, precision, recall } of figures.sources) {
      lines.push(
        row(recipe, compute, epochs, seed, source, count(pictures), share(accuracy), share(precision), share(recall))
      )
    }
  }
  return `${lines.join('\n')}\n`
}

const row = (...cells: (string | number)[]): string => `| ${cells.join(' | ')} |`

const file = join(values.out, 'birds.json')
mkdirSync(values.out, { recursive: true })
const stored = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result[]) : []
const results = new Map(stored.map((result) => [nameOf(result), result]))
for (const training of TRAININGS) {
  const name = nameOf(training)
  if (values.only === undefined ? results.has(name) : !name.includes(values.only)) continue
  results.set(name, await measure(training))
  write()
}
write()

function write(): void {
  const known = TRAININGS.flatMap((one) => results.get(nameOf(one)) ?? [])
  writeFileSync(file, `${JSON.stringify(known, null, 1)}\n`)
  writeFileSync(join(values.out, 'birds.md'), markdown(known))
}
