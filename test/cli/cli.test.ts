// The command line as a user gets it: what is on stdout, what on stderr, and the exit code.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { isComplaint, needletail } from '../support/command.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

describe('needletail', () => {
  it('prints its version', async () => {
    deepStrictEqual(await needletail(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
  })

  for (const args of [['--help'], ['help']]) {
    it(`lists its commands: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await needletail(args)
      deepStrictEqual([code, stderr], [0, ''])
      for (const command of ['train', 'evaluate', 'predict', 'sweep', 'report', 'watch', 'datasets', 'doctor'])
        match(stdout, new RegExp(`^  ${command} `, 'm'))
      match(stdout, /Exit codes: 0 .*, 1 .*, 2 /)
    })
  }

  it('prints what a command does', async () => {
    const { code, stdout } = await needletail(['predict', '--help'])
    strictEqual(code, 0)
    match(stdout, /Usage: needletail predict \[options\] <run> <photos\.\.\.>/)
    match(stdout, /--weights <which>/)
  })

  it('is told of in docs/cli.md, every option of it', async () => {
    const manual = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
    for (const command of ['train', 'evaluate', 'predict', 'sweep', 'report', 'watch', 'datasets', 'doctor']) {
      const { stdout } = await needletail([command, '--help'])
      const section = manual.split(/^## /m).find((text) => text.startsWith(`${command}\n`)) ?? ''
      for (const [option] of stdout.matchAll(/--[a-z-]+/g)) {
        if (option !== '--help') ok(section.includes(`\`${option}`), `${command} ${option}`)
      }
      for (const [, name] of stdout.matchAll(/^ {2}(list|fetch) /gm)) ok(section.includes(`datasets ${name}`), name)
    }
  })

  it('is at a loss without a command', async () => {
    const { code, stdout, stderr } = await needletail([])
    deepStrictEqual([code, stdout], [2, ''])
    match(stderr, /^Usage: needletail/)
  })

  const wrong: [string[], RegExp][] = [
    [['predikt'], /unknown command 'predikt' \(Did you mean predict\?\)/],
    [['--versoin'], /unknown option '--versoin' \(Did you mean --version\?\)/],
    [['predict', 'run', 'photo', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
    [['predict', 'run', 'photo', '--weights', 'first'], /'first' is invalid\. Allowed choices are last, best\./],
    [['predict'], /missing required argument 'run'/],
    [['predict', 'run'], /missing required argument 'photos'/],
    [['doctor', 'who'], /too many arguments for 'doctor'/]
  ]
  for (const [args, message] of wrong) {
    it(`says what is wrong with "${args.join(' ')}"`, async () => {
      const { code, stdout, stderr } = await needletail(args)
      deepStrictEqual([code, stdout], [2, ''])
      isComplaint(stderr, message)
    })
  }

  it('tells of a failure in one line, with a stack when asked', async () => {
    const plain = await needletail(['predict', 'nowhere', 'photo.jpg'])
    deepStrictEqual([plain.code, plain.stdout], [1, ''])
    isComplaint(plain.stderr, /load: expected a run folder with config\.json at 'nowhere'/)
    const debug = await needletail(['predict', 'nowhere', 'photo.jpg'], { env: { NEEDLETAIL_DEBUG: '1' } })
    ok(debug.code === 1 && /\n {4}at /.test(debug.stderr), debug.stderr)
  })
})
