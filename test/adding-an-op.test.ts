// docs/adding-an-op.md is a worked example: its changes are applied to a copy, built, and the new op is put through the table.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

interface Change {
  file: string
  after: string
  lines: string[]
}

// A block's lines go behind the line that contains what follows its @@.
function changesOf(markdown: string): Change[] {
  return [...markdown.matchAll(/```diff\n--- a\/(\S+)\n\+\+\+ b\/\1\n@@ (.+)\n((?:\+.*\n)+)```/g)].map((match) => ({
    file: match[1]!,
    after: match[2]!,
    lines: match[3]!
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(1))
  }))
}

function run(folder: string, ...command: string[]): void {
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, `${command.join(' ')}:\n${stdout}${stderr}`)
}

describe('docs/adding-an-op.md', () => {
  const changes = changesOf(readFileSync(join(root, 'docs/adding-an-op.md'), 'utf8'))
  let folder: string

  before(function () {
    folder = mkdtempSync(join(tmpdir(), 'needletail-op-'))
  })
  after(function () {
    this.timeout(60_000)
    rmSync(folder, { recursive: true, force: true })
  })

  it('costs at most 3 files and 12 lines', () => {
    assert.equal(new Set(changes.map((change) => change.file)).size, 3)
    assert.ok(changes.reduce((n, change) => n + change.lines.length, 0) <= 12)
  })

  it('makes an op that passes the checks of the table', function () {
    this.timeout(600_000)
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' })
    for (const file of files.split('\0').filter(Boolean)) cpSync(join(root, file), join(folder, file))
    for (const { file, after, lines } of changes) {
      const text = readFileSync(join(folder, file), 'utf8').split('\n')
      const at = text.findIndex((line) => line.includes(after))
      assert.notEqual(at, -1, `${file} has a line with '${after}'`)
      text.splice(at + 1, 0, ...lines)
      writeFileSync(join(folder, file), text.join('\n'))
    }
    // What golden.py makes of the case.
    cpSync(join(root, 'test/fixtures/adding-an-op'), join(folder, 'test/ops/golden'), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    cpSync(join(root, 'deps'), join(folder, 'deps'), { recursive: true })
    run(folder, process.execPath, 'scripts/build.mjs', '-DCMAKE_BUILD_TYPE=Debug')
    run(folder, process.execPath, 'scripts/generate.mjs')
    run(folder, process.execPath, '--import', 'tsx', 'test/ops/run.ts', 'exp2')
    run(
      folder,
      process.execPath,
      '--import',
      'tsx',
      '--eval',
      "import('./lib/index.ts').then((nt) => { if (nt.tensor(3).exp2().itemSync() !== 8) throw new Error('2^3') })"
    )
  })
})
