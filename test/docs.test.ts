// The code blocks of the documents, run and checked: the `ts` blocks of one document are one program, and what its
// console.log calls print is what the comments beside and below them say (… stands for anything). Those of the README, which fetch data
// sets, are type-checked; those in docs/examples quote the scripts that test/examples runs; commands are looked up in the command's help.
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { needletail } from './support/command.js'

const root = resolve(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const documentsIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`)
const hasBlocks = (name: string) => read(name).includes('\n```ts\n')

/** The head of tables whose cells are calls of both libraries. */
const COMPARED = '| TensorFlow.js | needletail | |'

/**
 * The blocks of a document, and the calls in tables that are compared, each line where it stands in it, so that errors name the
 * document's lines.
 */
function program(document: string): string {
  let language: string | undefined
  let isCompared = false
  const lines = document.split('\n').map((line) => {
    if (line.startsWith('```')) {
      language = language === undefined ? line.slice(3) : undefined
      return ''
    }
    isCompared = line === COMPARED || (isCompared && line.startsWith('|'))
    const call = isCompared ? /^\| `[^`]+` \| `([^`]+)` \|/.exec(line)?.[1] : undefined
    if (call !== undefined) return `compare(${call})`
    return language === 'ts' ? line : ''
  })
  if (document.includes(COMPARED)) {
    lines[0] =
      'const compare = (x: nt.Tensor<any>) => console.log("compared", JSON.stringify({ shape: x.shape, values: [...x.dataSync()] }))'
  }
  return lines.join('\n')
}

/** The comment at the end of each console.log line and those on lines of their own below it. */
function promised(source: string): string[] {
  const lines = source.split('\n')
  const found: string[] = []
  for (let i = 0; i < lines.length; i++) {
    const beside = /^\s*console\.log\(.*\)\s*(?:\/\/ (.*))?$/.exec(lines[i]!)
    if (!beside) continue
    if (beside[1] !== undefined) found.push(beside[1])
    for (; /^\s*\/\/ \|/.test(lines[i + 1] ?? ''); i++) found.push(lines[i + 1]!.replace(/^\s*\/\/ \|/, ''))
  }
  return found.map((line) => line.trim())
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Writes the program of a document to where it can be compiled and run. */
function write(name: string): { file: string; source: string } {
  const file = join(root, 'out', `${name.replace(/\.md$/, '')}.ts`)
  const source = program(read(name))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, source.replaceAll("from 'needletail'", `from '${relative(dirname(file), root)}/lib/index.js'`))
  return { file, source }
}

const typed = ['README.md', ...documentsIn('docs').filter(hasBlocks)]
let problems: readonly ts.Diagnostic[] | undefined

/** What is wrong with the types of a document's program. All are compiled together: most of the time is the library's. */
function typeErrors(name: string): string[] {
  const files = new Map(typed.map((one) => [one, write(one).file]))
  problems ??= compile([...files.values()])
  return problems
    .filter((problem) => problem.file?.fileName === files.get(name))
    .map(({ file, start, messageText }) => {
      const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
      return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

function compile(files: string[]): readonly ts.Diagnostic[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as object
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, root)
  return ts.getPreEmitDiagnostics(ts.createProgram(files, options))
}

interface Result {
  shape: number[]
  values: number[]
}

/** Runs a program: what it printed, line by line, and the results of the calls that are compared. */
function run(file: string): { lines: string[]; results: Result[] } {
  const cache = mkdtempSync(join(tmpdir(), 'needletail-docs-'))
  const env = { ...process.env, NEEDLETAIL_CACHE: cache }
  const options = { cwd: join(root, 'out'), encoding: 'utf8', env } as const
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--import', 'tsx', file], options)
  rmSync(cache, { recursive: true })
  deepStrictEqual({ status, errors: stderr }, { status: 0, errors: '' })
  const printed = stdout.trimEnd().split('\n')
  return {
    lines: printed.filter((line) => !line.startsWith('compared ')).map((line) => line.trim()),
    results: printed
      .filter((line) => line.startsWith('compared '))
      .map((line) => JSON.parse(line.slice('compared '.length)) as Result)
  }
}

for (const name of documentsIn('docs').filter(hasBlocks)) {
  describe(name, function () {
    this.timeout(120_000)
    const { file, source } = write(name)

    it('has the types it should', () => deepStrictEqual(typeErrors(name), []))

    // A document that promises nothing is one of scripts that fetch data: docs/sweep.md.
    if (promised(source).length === 0) return

    it('prints what its comments say', () => {
      const { lines, results } = run(file)
      const wanted = promised(source)
      const wrong = wanted.findIndex(
        (line, i) => !new RegExp(`^${escaped(line).replaceAll('…', '.*')}$`).test(lines[i] ?? '')
      )
      if (wrong >= 0) deepStrictEqual(lines[wrong], wanted[wrong])
      strictEqual(lines.length, wanted.length)
      if (source.includes('compare(')) isAsTfjs(results)
    })
  })
}

/** The results of one side of docs/from-tfjs.md beside those that scripts/golden-tfjs.mjs had from the other. */
function isAsTfjs(results: Result[]): void {
  const golden = JSON.parse(read('test/fixtures/from-tfjs.json')) as (Result & { call: string })[]
  const calls = [...read('docs/from-tfjs.md').matchAll(/^\| `([^`]+)` \| `[^`]+` \|.*\|$/gm)].map(([, call]) => call)
  deepStrictEqual(
    calls,
    golden.map(({ call }) => call)
  )
  for (const [i, { call, shape, values }] of golden.entries()) {
    deepStrictEqual(results[i]!.shape, shape, call)
    const error = Math.max(...values.map((value, at) => Math.abs(value - results[i]!.values[at]!)))
    ok(error < 1e-5, `${call}: ${error} beside TensorFlow.js`)
  }
}

describe('README.md', () => {
  it('has the types it should', () => deepStrictEqual(typeErrors('README.md'), []))
})

for (const name of documentsIn('docs/examples').filter(hasBlocks)) {
  it(`${name} quotes its script, or what that imports`, () => {
    const code = (text: string) => text.split('\n').map((line) => line.replace(/^export /, '').trimEnd())
    const path = name.replace(/^docs\/(.*)\.md$/, '$1.ts')
    const imported = [...read(path).matchAll(/^import .* from '(\..+)\.js'$/gm)].map(([, at]) => `${at}.ts`)
    const script = [path, ...imported.map((at) => join(dirname(path), at))].flatMap((at) => code(read(at))).join('\n')
    for (const [, block] of read(name).matchAll(/```ts\n(.*?)\n```/gs)) {
      const quoted = code(block!).join('\n')
      ok(script.includes(quoted), `not in the script:\n${quoted}`)
    }
  })
}

describe('the commands in the documents', () => {
  it('are what the command knows', async function () {
    this.timeout(60_000)
    const used = new Map<string, Set<string>>()
    for (const name of ['README.md', ...documentsIn('docs'), ...documentsIn('docs/examples')]) {
      for (const [, command, rest] of read(name).matchAll(/^ {4}(?:npx )?needletail ([a-z]+)(.*?)(?: +#.*)?$/gm)) {
        const options = used.get(command!) ?? new Set()
        for (const [option] of rest!.matchAll(/--[a-z-]+/g)) options.add(option)
        used.set(command!, options)
      }
    }
    for (const [command, options] of used) {
      const { code, stdout } = await needletail([command, '--help'])
      strictEqual(code, 0, command)
      for (const option of options) ok(stdout.includes(`${option} `), `needletail ${command} ${option}`)
    }
  })
})
