// npm run test:gpu [-- --sanitize] [-- mocha's options]: the table of ops, networks, training, metrics and memory on a GPU, against stored
// values of PyTorch, finite differences and the CPU, in float32, TF32, bfloat16 and float16 (the tolerances stand in test/ops/tolerance.ts,
// test/ops/checks.ts and test/models/on-devices.test.ts). With --sanitize: the table of ops and what passes make of programs under
// compute-sanitizer's memcheck, racecheck and initcheck (--sanitize=racecheck: that one alone); the first two watch the library's own
// kernels, the last all, as what NVIDIA's libraries wrote is written too. Suites run side by side, as many as half the cores. Runs in a
// clone, and in the folder that scripts/pack-gpu makes.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
// Internal: another device than the GPU, for trials without one.
const device = process.env.NEEDLETAIL_TEST_DEVICE ?? 'cuda:0'
const packed = !existsSync(join(root, 'lib/index.ts'))
const ending = packed ? '.test.js' : '.test.ts'

const suites = [
  'tiny',
  'ops/ops',
  'ops/sizes',
  'nn/*',
  'models/*',
  'training/*',
  'train/fit',
  'train/load',
  'train/devices',
  'metrics/*'
]
suites.push(...['autograd', 'compile', 'devices', 'passes'].map((name) => `core/${name}`), 'data/loader')
/** Takes all memory that there is. */
const alone = ['core/device-memory']

function filesOf(suite) {
  const [folder, name] = suite.includes('/') ? suite.split('/') : ['', suite]
  const inFolder = readdirSync(join(root, 'test', folder)).filter((file) => file.endsWith(ending))
  return inFolder
    .filter((file) => name === '*' || file === name + ending)
    .map((file) => join(root, 'test', folder, file))
}

let number = 0
/** mocha over some suites, in a process; the command before it, and mocha's own arguments. Gives its totals and prints what it printed. */
async function mocha(names, before, args) {
  // Compiled tests can be required; those in TypeScript are loaded as the ES modules they are.
  const load = packed ? [] : ['--no-experimental-require-module', '--import', 'tsx']
  const node = [process.execPath, '--expose-gc', ...load]
  const options = ['--no-config', '--timeout', '600000', '--reporter', join(root, 'test/support/reporter.cjs')]
  const command = [
    ...before,
    ...node,
    join(root, 'node_modules/mocha/bin/mocha.js'),
    ...options,
    ...args,
    ...names.flatMap(filesOf)
  ]
  const totals = join(root, `out/gpu-totals-${number++}`)
  mkdirSync(join(root, 'out'), { recursive: true })
  rmSync(totals, { force: true })
  const env = {
    ...process.env,
    NEEDLETAIL_TEST_DEVICE: device,
    NEEDLETAIL_TOTALS: totals,
    NEEDLETAIL_SLOW_COMPUTE: '1'
  }
  const child = spawn(command[0], command.slice(1), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env })
  const printed = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => printed.push(data))
  const status = await new Promise((done, fail) => child.on('close', done).on('error', fail))
  process.stdout.write(Buffer.concat(printed))
  return { names, status, totals: existsSync(totals) ? readFileSync(totals, 'utf8').trim() : 'no totals' }
}

/** The answers of tasks of which so many run at a time. */
async function together(tasks, most) {
  const answers = []
  const work = async () => {
    for (let task; (task = tasks.shift());) answers.push(await task())
  }
  await Promise.all(Array.from({ length: most }, work))
  return answers
}

function sanitizer() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const cuda = existsSync('/usr/local') ? readdirSync('/usr/local').filter((name) => name.startsWith('cuda')) : []
  folders.push(
    ...[process.env.CUDA_PATH ?? '', ...cuda.map((name) => join('/usr/local', name))].map((at) => join(at, 'bin'))
  )
  const found = folders.map((folder) => join(folder, 'compute-sanitizer')).find((path) => existsSync(path))
  if (found) return found
  console.error(
    'test:gpu: expected compute-sanitizer for --sanitize, found none on the path, in CUDA_PATH and /usr/local/cuda*. It comes with the CUDA toolkit.'
  )
  process.exit(1)
}

const args = process.argv.slice(2)
const sanitize = args.find((arg) => /^--sanitize(=|$)/.test(arg))
const rest = args.filter((arg) => arg !== sanitize)
const jobs = Math.max(1, Math.min(8, availableParallelism() >> 1))
const results = []
if (sanitize) {
  const tool = sanitizer()
  const own = ['--kernel-name', 'kernel_substring=needletail']
  const watched = { memcheck: own, racecheck: own, initcheck: [] }
  const [, only] = sanitize.split('=')
  if (only !== undefined && !(only in watched)) {
    console.error(`test:gpu: expected --sanitize=${Object.keys(watched).join(', ')}, or --sanitize, got ${sanitize}.`)
    process.exit(1)
  }
  const checks = only === undefined ? Object.keys(watched) : [only]
  const first = ['--grep', "PyTorch's results and gradients|passes over a program", ...rest]
  const task = (check) => async () => {
    const command = [tool, '--tool', check, '--error-exitcode', '9', ...watched[check]]
    return { ...(await mocha(['ops/ops', 'core/passes'], command, first)), names: [check] }
  }
  results.push(...(await together(checks.map(task), jobs)))
} else {
  results.push(
    ...(await together(
      suites.map((suite) => () => mocha([suite], [], rest)),
      jobs
    ))
  )
  for (const suite of alone) results.push(await mocha([suite], [], rest))
}

for (const { names, status, totals } of results) {
  console.log(`test:gpu, ${names.join(' ')}: ${totals}, exit code ${status}`)
}
const sum = (what) =>
  results.reduce((all, { totals }) => all + Number(new RegExp(`(\\d+) ${what}`).exec(totals)?.[1] ?? 0), 0)
console.log(`test:gpu on ${device}: ${sum('passed')} passed, ${sum('failed')} failed`)
process.exit(results.every(({ status }) => status === 0) ? 0 : 1)
