#!/usr/bin/env node
// The command `needletail`: what its commands and options are called. Each command is a file of its own, loaded when it is asked
// for, so that help and mistyped options don't wait for the library.
import { createRequire } from 'node:module'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { oneLine, UsageError } from './output.js'

const { version } = createRequire(import.meta.url)('needletail/package.json') as { version: string }

/** Exit codes: all went well, something failed, the command line isn't one. */
const FAILED = 1
const USAGE = 2

const whole = (low: number, high: number) => (text: string) => {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= low && value <= high) return value
  throw new InvalidArgumentError(`Expected a whole number from ${low}.`)
}

const number = (low: number, high: number) => (text: string) => {
  const value = Number(text)
  if (text.trim() !== '' && value >= low && value <= high) return value
  throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`)
}

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

const device = () => new Option('--device <name>', "where to compute: 'cpu' (unless given), or 'cuda:0' for a GPU")

program
  .command('train')
  .description('train a network, write a run folder and print how good the network is')
  .addArgument(new Argument('[task]', 'what to train').choices(['birds']))
  .option('--recipe <name>', 'how: quick, default (unless given) or best; docs/cli.md tells of them')
  .option('--epochs <n>', 'passes over the training pictures', whole(1, 100_000))
  .option('--batch-size <n>', 'pictures in a step', whole(1, 100_000))
  .option('--seed <n>', 'what chance begins with', whole(0, 2 ** 32 - 1))
  .addOption(
    new Option('--compute <precision>', 'what is computed in (default: float32)').choices([
      'float32',
      'tf32',
      'bfloat16',
      'float16'
    ])
  )
  .option('--exact', "compute convolutions by their sums alone, not by Winograd's algorithm: slower, rounded less")
  .option('--folders <paths...>', 'folders with more pictures of birds')
  .option('--archives <paths...>', 'archives (tar, tar.gz, zip) with more pictures of birds')
  .option('--test <n>', 'pictures to hold out where there are more than CIFAR-10 has (default: 15000)', whole(1, 1e6))
  .option('--name <name>', 'the run folder is <name>-001, <name>-002, …')
  .option('--runs <folder>', 'where run folders are made (default: runs)')
  .addOption(device())
  .option('--resume <run>', 'go on with the run of that folder where it stopped, with the options it was started with')
  .action(async (task, options) => (await import('./train.js')).train(task, options))

program
  .command('evaluate')
  .description("print how good a run's network is on pictures that it wasn't trained on")
  .argument('<run>', 'a run folder, e.g. runs/birds-001')
  .addOption(weights())
  .addOption(device())
  .option('--data <folder>', 'pictures in one folder a class, instead of what the run held out')
  .option('--json', 'print one JSON object and nothing else')
  .action(async (run, options) => (await import('./evaluate.js')).evaluate(run, options))

program
  .command('predict')
  .description('print what photos show')
  .argument('<run>', 'a run folder, e.g. runs/birds-001')
  .argument('<photos...>', 'photos of any size and format, and folders of photos')
  .addOption(weights())
  .addOption(device())
  .option('--gallery <file>', 'write a page with the photos, the most probable first, and a threshold to move')
  .option('--find [class]', 'look for things of the class, e.g. bird, in large photos, and print where they are')
  .option('--threshold <p>', 'with --find: the least probability of what is found (default: 0.9)', number(0, 1))
  .option('--smallest <n>', 'with --find: the height of the smallest window, in pixels of the photo', number(1, 1e6))
  .option('--largest <n>', 'with --find: that of the largest', number(1, 1e6))
  .option('--json', 'print one JSON array with an object for each photo and nothing else')
  .action(async (run, photos, options) => (await import('./predict.js')).predict(run, photos, options))

program
  .command('sweep')
  .description('train many variants of a network, each a run folder, and print which is the best')
  .argument('<module>', 'what exports the sweep as its default (defineSweep), in JavaScript or TypeScript')
  .option('--parallel <n>', 'trials at once (default: by cores and memory)', whole(1, 1024))
  .option('--name <name>', 'the folder is <name>-001, <name>-002, …')
  .option('--runs <folder>', 'where the folder is made (default: runs)')
  .addOption(device())
  .option('--json', 'print one JSON object and nothing else')
  .option('--resume <folder>', 'go on with the sweep of that folder where it was stopped or killed')
  .action(async (module, options) => (await import('./sweep.js')).sweep(module, options))

program
  .command('report')
  .description("make a run's report.html anew, or a page that compares several runs")
  .argument('<runs...>', 'run folders, e.g. runs/birds-001')
  .option('--output <file>', 'where the comparison is written (default: comparison.html beside the first run)')
  .action(async (runs, options) => (await import('./report.js')).report(runs, options))

program
  .command('watch')
  .description('serve a page, for this machine alone, that follows trainings')
  .argument('[folder]', 'a run folder, or a folder of runs', 'runs')
  .option('--port <n>', 'the port on 127.0.0.1 (default: one that is free)', whole(1, 65535))
  .action(async (folder, options) => (await import('./watch.js')).watch(folder, options))

program
  .command('export')
  .description("write a run's network as an ONNX file, for other runtimes")
  .argument('<run>', 'a run folder, e.g. runs/birds-001')
  .argument('<file>', 'the file to write, e.g. birds.onnx')
  .addOption(weights())
  .addOption(
    new Option('--layout <axes>', 'how pictures lie that go in: NCHW (unless given) or NHWC').choices(['NCHW', 'NHWC'])
  )
  .action(async (run, file, options) => (await import('./export.js')).exportRun(run, file, options))

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
