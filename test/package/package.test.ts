// The package as a user gets it: packed, installed without a network and without a compiler in PATH, imported, required,
// type-checked by two compilers, and run: the stories tensors.ts, birds.ts and is-it-a-bird.ts, and the command needletail.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSmallCifar } from '../support/small-cifar.js'

const root = resolve(fileURLToPath(import.meta.url), '../../..')
const fixtures = join(root, 'test/package/fixtures')
const cache = join(root, 'deps/npm-cache')

const compilers = [
  { name: 'TypeScript 5.9', version: /^Version 5\.9\./, script: 'node_modules/typescript/bin/tsc' },
  { name: 'TypeScript 7', version: /^Version 7\./, script: 'node_modules/typescript-7/bin/tsc' }
]

const strictest = [
  ...['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false'],
  ...['--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--module', 'nodenext']
]

// The stories lie beside the repository where it is developed; the copies here are the same files.
const shared = resolve(root, '../shared/stories')
const stories = existsSync(shared) ? shared : join(root, 'test/fixtures/stories')

function npmCli(): string {
  const { npm_execpath: known, PATH = '' } = process.env
  if (known?.endsWith('npm-cli.js')) return known
  const found = PATH.split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find((path) => existsSync(path))
  assert.ok(found, 'npm: expected it in PATH')
  return realpathSync(found)
}

describe('the packed package', function () {
  this.timeout(600_000)

  let folder = ''
  let bin = ''

  // Runs Node in the consumer's folder, with nothing but node and a shell in PATH.
  function node(...args: string[]): string {
    return execFileSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: bin, HOME: folder, NEEDLETAIL_CACHE: join(folder, 'cache'), EPOCHS: '1' },
      stdio: ['ignore', 'pipe', 'pipe']
    })
  }

  function attempt(...args: string[]): string {
    try {
      return node(...args)
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return assert.fail(`${args.join(' ')}\n${stdout}\n${stderr}`)
    }
  }

  before(() => {
    assert.ok(
      existsSync(join(cache, 'complete')),
      'run scripts/package-cache.mjs first: it fetches what the package depends on'
    )
    folder = mkdtempSync(join(tmpdir(), 'needletail-package-'))
    bin = join(folder, 'bin')
    mkdirSync(bin)
    symlinkSync(process.execPath, join(bin, 'node'))
    symlinkSync('/bin/sh', join(bin, 'sh'))

    const [packed] = JSON.parse(
      execFileSync(
        process.execPath,
        [npmCli(), 'pack', '--json', '--foreground-scripts=false', '--pack-destination', folder],
        {
          cwd: root,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe']
        }
      )
    ) as [{ filename: string; files: { path: string }[] }]
    const paths = packed.files.map((file) => file.path)
    const prebuild = `prebuilds/${process.platform}-${process.arch}/`
    assert.ok(
      paths.includes('dist/index.d.ts') && paths.some((path) => path.startsWith(prebuild) && path.endsWith('.node'))
    )
    assert.deepEqual(
      paths.filter((path) => /^(test|lib|build|out|deps|benchmarks)\//.test(path)),
      []
    )

    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    attempt(npmCli(), 'install', `./${packed.filename}`, '--offline', `--cache=${cache}`, '--no-audit', '--no-fund')
    for (const file of ['require.cjs', 'import.mjs', 'consumer.ts', 'sweep.ts'])
      copyFileSync(join(fixtures, file), join(folder, file))
    for (const story of ['tensors.ts', 'birds.ts', 'is-it-a-bird.ts'])
      copyFileSync(join(stories, story), join(folder, story))
    cpSync(join(root, 'examples'), join(folder, 'examples'), { recursive: true })
    writeSmallCifar(join(folder, 'cache'))
  })

  after(() => {
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  it('took its prebuild: nothing was compiled', () => {
    assert.ok(!existsSync(join(folder, 'node_modules/needletail/out')))
    assert.ok(!existsSync(join(folder, 'node_modules/needletail/build')))
  })

  it('is imported', () => {
    assert.deepEqual(JSON.parse(attempt('import.mjs')), { values: [2, 3], same: true })
  })

  it('is required, and loads only libraries of its own', () => {
    const { values, outside, loaded } = JSON.parse(attempt('require.cjs')) as Record<string, unknown>
    assert.deepEqual({ values, outside }, { values: [2, 3], outside: [] })
    assert.ok(Number(loaded) >= 1)
  })

  for (const { name, version, script } of compilers) {
    const tsc = join(root, script)

    it(`type-checks under ${name} without skipLibCheck`, () => {
      assert.match(attempt(tsc, '--version'), version)
      attempt(tsc, 'consumer.ts', '--noEmit', '--typeRoots', 'none', ...strictest)
    })

    it(`runs the story tensors.ts, compiled by ${name}`, () => {
      const out = `out-${version.source.replace(/\W/g, '')}`
      const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
      attempt(tsc, 'tensors.ts', 'birds.ts', 'is-it-a-bird.ts', '--outDir', out, ...types, ...strictest)
      checkStory(attempt(`${out}/tensors.js`))
    })

    it(`type-checks the examples under ${name}`, () => {
      const examples = readdirSync(join(folder, 'examples')).filter((file) => file.endsWith('.ts'))
      const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
      attempt(tsc, ...examples.map((file) => join('examples', file)), '--noEmit', ...types, ...strictest)
    })
  }

  it('runs the story tensors.ts through tsx', () => {
    checkStory(attempt('--import', import.meta.resolve('tsx'), 'tensors.ts'))
  })

  it('runs the stories birds.ts and is-it-a-bird.ts', () => {
    const tsx = ['--import', import.meta.resolve('tsx')]
    assert.match(
      attempt(...tsx, 'birds.ts'),
      /^runs\/birds-001 \{ accuracy: [\d.]+, precision: [\d.]+, recall: [\d.]+ \}/
    )
    const photo = join(root, 'test/package/fixtures/photo.png')
    const answer = attempt(...tsx, 'is-it-a-bird.ts', 'runs/birds-001', photo)
    assert.match(answer, /photo\.png: (bird|other) \(\d+\.\d %\)\n$/)
  })

  it('runs the example birds.ts, copied beside it', () => {
    assert.match(
      attempt('--import', import.meta.resolve('tsx'), 'examples/birds.ts'),
      /^runs\/birds-\d{3} \{ accuracy:/
    )
  })

  it('has the command needletail, with all its commands', () => {
    const needletail = (...args: string[]) => attempt('node_modules/.bin/needletail', ...args)
    const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
    assert.equal(needletail('--version'), `${version}\n`)
    assert.match(needletail('doctor'), /^ok +addon +.*node_modules\/needletail\/prebuilds\//m)
    assert.match(needletail('datasets'), /^birds .*cache\/cifar10-1$/m)
    const figures = needletail('train', 'birds', '--recipe', 'quick', '--epochs', '1', '--name', 'quick')
    assert.match(figures, /\naccuracy \d\.\d{3} precision \d\.\d{3} recall \d\.\d{3}\n$/)
    assert.equal(needletail('evaluate', 'runs/quick-001'), figures)
    const photo = join(root, 'test/package/fixtures/photo.png')
    const [{ file, label }] = JSON.parse(needletail('predict', 'runs/quick-001', '--json', photo)) as [
      Record<string, string>
    ]
    assert.ok(file === photo && ['bird', 'other'].includes(label!))
    // In TypeScript, with no loader but the package's own.
    const { best, trials } = JSON.parse(needletail('sweep', 'sweep.ts', '--json')) as Record<string, any>
    assert.deepEqual([best.values.kind, best.state, trials.length], ['plain', 'complete', 1])
    // As a shell starts it.
    const started = execFileSync(join(folder, 'node_modules/.bin/needletail'), ['--version'], {
      encoding: 'utf8',
      env: { PATH: bin }
    })
    assert.equal(started, `${version}\n`)
  })

  it('says what is missing where no prebuild fits and nothing can be compiled', () => {
    const env = { PATH: bin, HOME: folder, npm_config_build_from_source: 'needletail' }
    const install = join(folder, 'node_modules/needletail/scripts/install.mjs')
    assert.throws(
      () => execFileSync(process.execPath, [install], { env, encoding: 'utf8', stdio: 'pipe' }),
      /build: expected cmake on this machine, got ENOENT\./
    )
  })
})

// What the comments in tensors.ts promise.
function checkStory(output: string): void {
  const text = output.replace(/\s+/g, ' ')
  const expected = [
    '[ 2, 2 ] float32 Float32Array(4) [ 2, 3, 4, 5 ] [ [ 2, 3 ], [ 4, 5 ] ]',
    '3.5',
    '[ [ 48, 48 ], [ 68, 68 ] ]',
    'matmul: expected',
    'got [2, 2] and [3, 2].',
    '0 24'
  ]
  let from = 0
  for (const part of expected) {
    const at = text.indexOf(part, from)
    assert.ok(at >= 0, `expected ${part} after character ${from} of: ${text}`)
    from = at + part.length
  }
  assert.match(text, /tensors: \d+/)
}
