// The code blocks of the documents, run and checked: the `ts` blocks of one document are one program, and what its
// console.log calls print is what the comments beside and below them say (… stands for anything).
import { deepStrictEqual, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const root = resolve(import.meta.dirname, '..')
const documents = ['guide', 'data', 'training', 'devices']

/** The blocks of a document, each line where it stands in it, so that errors name the document's lines. */
function program(document: string): string {
  let inside = false
  return document
    .split('\n')
    .map((line) => {
      if (line.startsWith('```')) inside = line === '```ts'
      return inside && !line.startsWith('```') ? line : ''
    })
    .join('\n')
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

for (const name of documents) {
  describe(`docs/${name}.md`, function () {
    this.timeout(120_000)
    const file = join(root, 'out', 'docs', `${name}.ts`)
    const source = program(readFileSync(join(root, 'docs', `${name}.md`), 'utf8'))

    before(() => {
      mkdirSync(join(root, 'out', 'docs'), { recursive: true })
      writeFileSync(file, source.replaceAll("from 'needletail'", "from '../../lib/index.js'"))
    })

    it('has the types it should', () => {
      const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as object
      const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [file] }, ts.sys, root)
      const problems = ts
        .getPreEmitDiagnostics(ts.createProgram([file], options))
        .filter((problem) => problem.file?.fileName === file)
      deepStrictEqual(
        problems.map(({ file, start, messageText }) => {
          const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
          return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
        }),
        []
      )
    })

    it('prints what its comments say', () => {
      const cache = mkdtempSync(join(tmpdir(), 'needletail-docs-'))
      const env = { ...process.env, NEEDLETAIL_CACHE: cache }
      const options = { cwd: join(root, 'out'), encoding: 'utf8', env } as const
      const run = spawnSync(process.execPath, ['--import', 'tsx', file], options)
      rmSync(cache, { recursive: true })
      const printed = run.stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.trim())
      const wanted = promised(source)
      ok(wanted.length > 0)
      const wrong = wanted.findIndex(
        (line, i) => !new RegExp(`^${escaped(line).replaceAll('…', '.*')}$`).test(printed[i] ?? '')
      )
      deepStrictEqual(
        {
          status: run.status,
          errors: run.stderr,
          ...(wrong >= 0 && { wanted: wanted[wrong], printed: printed[wrong] })
        },
        { status: 0, errors: '' }
      )
      deepStrictEqual(printed.length, wanted.length)
    })
  })
}
