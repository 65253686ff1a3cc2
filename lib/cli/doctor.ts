// `needletail doctor`: what the library finds on this machine, and how to mend what is wrong. It looks at each thing by itself,
// so that it can tell what keeps the library from being loaded.
import { constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type * as library from '../index.js'
import type { GpuFinding } from '../index.js'
import { gigabytes, oneLine, print } from './output.js'

/** What was looked at, whether it is as it should be, and the command (or what else to do) that mends it. */
export interface Finding {
  name: string
  found: string
  mend?: string
}

type Library = typeof library

const NODE = [20, 19] as const
const BACKEND = 'CUDA backend'
const NEEDS = 'GPUs from the generation Turing (sm_75) on, with drivers from 580 on'
/** Both data sets that are fetched by name and what they are made from. */
const ROOM = 1e9

/** Prints a line for each thing; the exit code is 1 where one is wrong. */
export async function doctor(): Promise<void> {
  const findings: Finding[] = [node()]
  try {
    const library = await import('../index.js')
    findings.push(
      ...(await addon(library)),
      ...cuda(library),
      ...(await convolution(library)),
      memory(library),
      await cache(library.datasets.cacheFolder())
    )
  } catch (error) {
    findings.push({
      name: 'addon',
      found: oneLine((error as Error).message),
      mend: 'npm rebuild needletail --build-from-source'
    })
  }
  findings.push(container(), await sharp())
  const width = Math.max(...findings.map(({ name }) => name.length))
  for (const { name, found, mend } of findings) {
    print(`${mend === undefined ? 'ok     ' : 'problem'}  ${name.padEnd(width)}  ${found}`)
    if (mend !== undefined) print(`         ${' '.repeat(width)}  mend it: ${mend}`)
  }
  if (findings.some(({ mend }) => mend !== undefined)) process.exitCode = 1
}

function node(): Finding {
  const { platform, arch, version, versions } = process
  const [major, minor] = versions.node.split('.').map(Number) as [number, number]
  const fits = major > NODE[0] || (major === NODE[0] && minor >= NODE[1])
  const found = { name: 'Node.js', found: `${version} on ${platform}-${arch}` }
  return fits ? found : { ...found, mend: `install Node.js ${NODE.join('.')} or newer` }
}

async function addon({ environment, tensor }: Library): Promise<Finding[]> {
  const found = environment()
  const wish = process.env['NEEDLETAIL_ISA']
  const product = (await tensor([[1, 2]])
    .matmul(tensor([[3], [4]]))
    .item()) as number
  return [
    { name: 'needletail', found: found.needletail },
    { name: 'addon', found: found.addon },
    { name: 'oneDNN', found: found.oneDNN },
    {
      name: 'processor',
      found: `${found.processor}, ${processorFeatures()}kernels for ${found.isa}${wish ? ` (NEEDLETAIL_ISA=${wish})` : ''}`
    },
    { name: 'threads', found: `${found.threads}` },
    {
      name: 'arithmetic',
      found: `[1, 2] times [3, 4] is ${product}`,
      ...(product !== 11 && { mend: 'npm rebuild needletail --build-from-source' })
    }
  ]
}

/** Which of the features that kernels are chosen by the processor has. */
function processorFeatures(): string {
  let flags: string[]
  try {
    flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []
  } catch {
    return ''
  }
  const known = [
    'avx2',
    'fma',
    'avx512f',
    'avx512bw',
    'avx512dq',
    'avx512vl',
    'avx512_bf16',
    'avx512_vnni',
    'amx_bf16',
    'asimd'
  ]
  const has = known.filter((flag) => flags.includes(flag))
  return has.length > 0 ? `with ${has.join(' ')}, ` : ''
}

/** The folders in which Linux shows NVIDIA's GPUs, with a driver of theirs or without. */
const PCI = '/sys/bus/pci/devices'

function cuda({ environment, gpuReport }: Library): Finding[] {
  const path = join(dirname(environment().addon), 'libneedletail_cuda.so')
  return gpuFindings(path, existsSync(path), hasGpu(), gpuReport())
}

/** Whether cuDNN, where there is a GPU to use, plans a convolution: one that opens may still refuse every graph, and all is slow. */
async function convolution({ conv2d, devices, plans, random }: Library): Promise<Finding[]> {
  const device = 'cuda:0'
  if (!devices().includes(device)) return []
  const draw = (shape: number[]) => random.normal(shape, { seed: 1, device }).astype('bfloat16')
  await conv2d(draw([8, 16, 16, 64]), draw([64, 3, 3, 64]), { padding: 'same' })
    .astype('float32')
    .data()
  const [plan = 'none'] = Object.values(plans())
  const mend = 'install another version of cuDNN: pip install nvidia-cudnn-cu13==9.24.0.43'
  return [{ name: 'convolution', found: plan, ...(!plan.startsWith('cuDNN eng') && { mend }) }]
}

/**
 * The CUDA backend, and what it needs on this machine: `report` is empty where the backend isn't there. A machine without a GPU lacks
 * nothing; where there is one, all of it must be there.
 */
export function gpuFindings(path: string, there: boolean, hasGpu: boolean, report: readonly GpuFinding[]): Finding[] {
  if (!there) {
    const found = `none at ${path}; ${hasGpu ? 'a GPU of NVIDIA is here' : 'nor is a GPU of NVIDIA here'}. It takes ${NEEDS}`
    return [{ name: BACKEND, found, ...(hasGpu && { mend: 'scripts/cuda' }) }]
  }
  const nothing = (looked: string[]) => (wanted && looked.length > 0 ? `none; looked at ${looked.join('; ')}` : 'none')
  const wanted = hasGpu || report.some(({ name, found }) => name === 'GPU' && found !== null)
  return [
    { name: BACKEND, found: `${path}, for ${NEEDS}` },
    ...report.map(({ name, found, path: file, looked, mend }) => ({
      name,
      found: found === null ? nothing(looked) : `${found}${file === null ? '' : ` at ${file}`}`,
      ...(wanted && mend !== null && { mend })
    }))
  ]
}

function hasGpu(): boolean {
  try {
    return readdirSync(PCI).some((device) => {
      const read = (file: string) => readFileSync(join(PCI, device, file), 'utf8').trim()
      // A display or 3D controller.
      return read('vendor') === '0x10de' && read('class').startsWith('0x03')
    })
  } catch {
    return existsSync('/proc/driver/nvidia/version')
  }
}

function memory({ memory }: Library): Finding {
  const { limitBytes } = memory()
  const found = `tensors may take ${gigabytes(limitBytes)} of ${gigabytes(totalmem())}`
  const mend = 'give the container or machine more memory, at least 1 GB'
  return { name: 'memory', found, ...(limitBytes < 0.5e9 && { mend }) }
}

async function cache(folder: string): Promise<Finding> {
  const name = 'data cache'
  const set = process.env['NEEDLETAIL_CACHE'] ? ' (NEEDLETAIL_CACHE)' : ''
  let there = folder
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  const mend = 'export NEEDLETAIL_CACHE=<a folder that can be written, with 1 GB of room>'
  try {
    await access(there, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = await statfs(there)
    const room = bavail * bsize
    const found = `${folder}${set}, ${there === folder ? 'writable' : 'to be made'}, ${gigabytes(room)} of room`
    return { name, found, ...(room < ROOM && { mend }) }
  } catch (error) {
    return { name, found: `${folder}${set}, ${(error as NodeJS.ErrnoException).code}: not writable`, mend }
  }
}

/** What the container (control group) gives of the machine. */
function container(): Finding {
  const read = (path: string) => {
    try {
      return readFileSync(join('/sys/fs/cgroup', path), 'utf8').trim()
    } catch {
      return undefined
    }
  }
  const bytes = Number(read('memory.max') ?? read('memory/memory.limit_in_bytes'))
  const [quota, period] = (read('cpu.max') ?? `${read('cpu/cpu.cfs_quota_us')} ${read('cpu/cpu.cfs_period_us')}`)
    .split(' ')
    .map(Number) as [number, number]
  const limits = [
    ...(bytes > 0 && bytes < totalmem() ? [`${gigabytes(bytes)} of memory`] : []),
    ...(quota > 0 && period > 0 ? [`${quota / period} cores`] : [])
  ]
  const cores = availableParallelism()
  return { name: 'container', found: `${limits.join(' and ') || 'no limit'}; ${cores} cores for this process` }
}

async function sharp(): Promise<Finding> {
  try {
    const { versions } = (await import('sharp')).default
    return { name: 'sharp', found: `${versions.sharp} with libvips ${versions.vips}` }
  } catch (error) {
    return { name: 'sharp', found: oneLine((error as Error).message).slice(0, 200), mend: 'npm install sharp' }
  }
}
