#!/usr/bin/env node
// The command `needletail`: what its commands and options are called. Each command is a file of its own, loaded when it is asked
// for, so that help and mistyped options don't wait for the library.
import { createRequire } from 'node:module'
import { Command, CommanderError, Option } from 'commander'
import { oneLine, UsageError } from './output.js'

const { version } = createRequire(import.meta.url)('needletail/package.json') as { version: string }

/** Exit codes: all went well, something failed, the command line isn't one. */
const FAILED = 1
const USAGE = 2

const program = new Command('needletail')
  .description('Trains networks that recognise pictures, and asks them.')
  .version(version, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print what there is')
  .helpCommand('help [command]', 'print what a command does')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${oneLine(text.replace(/^error: /, 'needletail: '))}\n`) })
  .addHelpText('after', '\nExit codes: 0 all went well, 1 something failed, 2 the command line is not one.')

const weights = () =>
  new Option('--weights <which>', 'the weights after the last epoch, or those of the best').choices(['last', 'best'])

program
  .command('predict')
  .description('print what photos show')
  .argument('<run>', 'a run folder, e.g. runs/birds-001')
  .argument('<photos...>', 'photos of any size and format, and folders of photos')
  .addOption(weights())
  .option('--json', 'print one JSON array of { file, label, probability } and nothing else')
  .action(async (run, photos, options) => (await import('./predict.js')).predict(run, photos, options))

const datasets = program.command('datasets').description('list the data sets and which of them are on this machine')
datasets
  .command('list', { isDefault: true })
  .description('list the data sets and which of them are on this machine')
  .action(async () => (await import('./datasets.js')).list())
datasets
  .command('fetch')
  .description('fetch a data set, so that training needs no network')
  .argument('<name>', 'the name of the set')
  .action(async (name) => (await import('./datasets.js')).fetch(name))

program
  .command('doctor')
  .description('print what the library finds on this machine, and how to mend what is wrong')
  .action(async () => (await import('./doctor.js')).doctor())

// Who reads the output may have enough of it: `needletail predict … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE
  else {
    process.exitCode = error instanceof UsageError ? USAGE : FAILED
    const { message, stack } = error as Error
    process.stderr.write(process.env['NEEDLETAIL_DEBUG'] ? `${stack}\n` : `needletail: ${oneLine(message)}\n`)
  }
}
