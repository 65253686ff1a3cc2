// `npm run test:plans [-- --all]`: every graph that the networks below give to cuDNN gets a plan on each of six GPUs, without a GPU:
// cuDNN builds plans for described devices (devices/*.json), with a driver that is a stub. Needs scripts/cuda to have been run.
// Where cuDNN has no plan, fallbacks.json must name what computes the call instead and why; else the test fails.
// results.json holds the engine of each graph on each GPU. Without --all, what it has of this cuDNN is not planned again, but for the
// bird network's graphs; with --all everything is.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { native } from '../../lib/native.js'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const work = here('../../out/plans')
const networks = ['alexnet', 'vgg16', 'resnet18', 'resnet50']

/** From call to plan: `cuDNN eng28_k2=4`, `parts`, `own kernels`. */
type Plans = Record<string, string>
interface Results {
  cudnn: string
  gpus: string[]
  /** From call to its plan on each GPU, `-` where it isn't used there. Knobs are left out. */
  graphs: Record<string, string>
}
interface Fallback {
  gpus: string
  calls: string
  plan: string
  why: string
}

/** Plans networks on a described GPU; calls in the file `known` are taken to have the plan that stands there. */
function plan(gpu: string, names: readonly string[], known: string): Promise<Plans> {
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: [work, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
    NEEDLETAIL_CUDA_DESCRIBED: here(`devices/${gpu}.json`),
    NEEDLETAIL_CUDA_PLANNED: known
  }
  const child = spawn(process.execPath, ['--import', 'tsx', here('plan.ts'), ...names], { env })
  const text = { out: '', error: '' }
  child.stdout.on('data', (data) => (text.out += String(data)))
  child.stderr.on('data', (data) => (text.error += String(data)))
  return new Promise((done, fail) =>
    child.on('close', (code) =>
      code === 0 ? done(JSON.parse(text.out) as Plans) : fail(new Error(`${gpu}, ${names.join(' ')}:\n${text.error}`))
    )
  )
}

/** The same without knobs and reasons: `eng28`, `parts`, `own kernels`. */
const short = (plan: string) => /^cuDNN (eng\d+)/.exec(plan)?.[1] ?? (plan.startsWith('cuDNN') ? 'own kernels' : plan)
const long = (plan: string) => (plan.startsWith('eng') ? `cuDNN ${plan}` : plan)

const cudnn = (JSON.parse(native.cudaReport()) as { name: string; found: string | null }[]).find(
  ({ name }) => name === 'cuDNN'
)?.found
if (!cudnn) throw new Error('test:plans: expected the CUDA backend and cuDNN, found none. Run scripts/cuda first.')

mkdirSync(work, { recursive: true })
const stub = here('../fixtures/cuda/driver-stub.cc')
execFileSync(process.env['CXX'] ?? 'g++', ['-shared', '-fPIC', stub, '-o', join(work, 'libcuda.so.1')])

const gpus = readdirSync(here('devices')).map((file) => basename(file, '.json'))
const stored = existsSync(here('results.json'))
  ? (JSON.parse(readFileSync(here('results.json'), 'utf8')) as Results)
  : undefined
const all = process.argv.includes('--all') || stored?.cudnn !== cudnn || String(stored.gpus) !== String(gpus)

async function planOn(gpu: string): Promise<Plans> {
  const known = join(work, `${gpu}.txt`)
  const column = gpus.indexOf(gpu)
  const lines = all ? [] : Object.entries(stored!.graphs).map(([call, plans]) => [plans.split(', ')[column]!, call])
  writeFileSync(known, lines.map(([plan, call]) => (plan === '-' ? '' : `${long(plan!)}\t${call}\n`)).join(''))
  const birds = await plan(gpu, ['birds'], '')
  return { ...(await plan(gpu, networks, known)), ...birds }
}

const planned: Record<string, Plans> = {}
const waiting = [...gpus]
const started = Date.now()
await Promise.all(
  Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    for (let gpu = waiting.shift(); gpu !== undefined; gpu = waiting.shift()) planned[gpu] = await planOn(gpu)
  })
)

const fallbacks = JSON.parse(readFileSync(here('fallbacks.json'), 'utf8')) as Fallback[]
const calls = [...new Set(Object.values(planned).flatMap((plans) => Object.keys(plans)))].sort()
const graphs: Results['graphs'] = {}
const missing: string[] = []
let count = 0
for (const call of calls) {
  const plans = gpus.map((gpu) => planned[gpu]![call] ?? '-')
  graphs[call] = plans.map((plan) => (plan === '-' ? plan : short(plan))).join(', ')
  if (plans.some((plan) => short(plan).startsWith('eng'))) count++
  for (const [i, gpu] of gpus.entries()) {
    const plan = short(plans[i]!)
    const allowed = fallbacks.some(
      (rule) =>
        rule.plan === plan &&
        (rule.gpus === '*' || rule.gpus.split(', ').includes(gpu)) &&
        RegExp(rule.calls).test(call)
    )
    if (plan !== '-' && !plan.startsWith('eng') && !allowed) missing.push(`${gpu}: ${plans[i]}: ${call}`)
  }
}
const results: Results = { cudnn, gpus, graphs }
writeFileSync(here('results.json'), JSON.stringify(results, undefined, 1) + '\n')

for (const line of missing) console.log(line)
console.log(`${count} graphs, ${gpus.length} GPUs`)
console.log(
  `cuDNN ${cudnn}, ${((Date.now() - started) / 1000).toFixed(0)} s${all ? '' : ', of which only new graphs and the bird network were planned'}`
)
if (missing.length > 0) {
  console.error(
    `test:plans: expected a plan or a reason in fallbacks.json for every call, got ${missing.length} without.`
  )
  process.exit(1)
}
