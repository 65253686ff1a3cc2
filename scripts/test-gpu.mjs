// npm run test:gpu [-- --sanitize] [-- mocha's options]: the table of ops, networks, training, metrics and memory on a GPU, against stored
// values of PyTorch, finite differences and the CPU, in float32, TF32, bfloat16 and float16 (the tolerances stand in test/ops/tolerance.ts,
// test/ops/checks.ts and test/models/on-devices.test.ts). With --sanitize: the table of ops under compute-sanitizer's memcheck, racecheck and
// initcheck, which watch the library's own kernels. Runs in a clone, and in the folder that scripts/pack-gpu makes.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
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
suites.push(
  ...['autograd', 'compile', 'devices', 'device-memory', 'passes'].map((name) => `core/${name}`),
  'data/loader'
)

function filesOf(suite) {
  const [folder, name] = suite.includes('/') ? suite.split('/') : ['', suite]
  const inFolder = readdirSync(join(root, 'test', folder)).filter((file) => file.endsWith(ending))
  return inFolder
    .filter((file) => name === '*' || file === name + ending)
    .map((file) => join(root, 'test', folder, file))
}

/** mocha over some suites, in one process; the command before it, and mocha's own arguments. */
function mocha(names, before, args) {
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
  const totals = join(root, 'out/gpu-totals')
  mkdirSync(join(root, 'out'), { recursive: true })
  const { status, error } = spawnSync(command[0], command.slice(1), {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NEEDLETAIL_TEST_DEVICE: device, NEEDLETAIL_TOTALS: totals, NEEDLETAIL_SLOW_COMPUTE: '1' }
  })
  if (error) throw error
  return { status, totals: existsSync(totals) ? readFileSync(totals, 'utf8').trim() : 'no totals' }
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
const sanitize = args.includes('--sanitize')
const rest = args.filter((arg) => arg !== '--sanitize')
const results = []
if (sanitize) {
  const tool = sanitizer()
  for (const check of ['memcheck', 'racecheck', 'initcheck']) {
    const watch = [tool, '--tool', check, '--error-exitcode', '9', '--kernel-name', 'kernel_substring=needletail']
    const first = ['--grep', "PyTorch's results and gradients", ...rest]
    results.push([check, mocha(['ops/ops'], watch, first)])
  }
} else results.push([device, mocha(suites, [], rest)])

for (const [what, { status, totals }] of results) console.log(`test:gpu, ${what}: ${totals}, exit code ${status}`)
process.exit(results.every(([, { status }]) => status === 0) ? 0 : 1)
