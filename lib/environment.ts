// What this process runs on.
import { cpus } from 'node:os'
import { checkDevice, memory, threads } from './device.js'
import { version } from './io/version.js'
import { addonPath, native } from './native.js'

/** A GPU, and what it is driven with. */
export interface Gpu {
  /** E.g. NVIDIA H200. */
  name: string
  /** E.g. 9.0. */
  computeCapability: string
  /** Bytes. */
  memory: number
  /** The driver's version. */
  driver: string
  /** The version of the CUDA runtime in the library. */
  runtime: string
  /** The version of cuDNN, where it was found. */
  cuDNN?: string
  /** That of cuBLASLt. */
  cuBLASLt?: string
  /** That of NVRTC. */
  NVRTC?: string
}

/** Versions, processor and limits: what to know of a measurement or of a problem. */
export interface Environment {
  /** The library's version. */
  needletail: string
  /** The version of Node.js. */
  node: string
  /** Operating system and processor family, e.g. linux-x64. */
  platform: string
  /** The processor's name. */
  processor: string
  /** The instruction set that kernels are chosen for: baseline, avx2, avx512 or avx512bf16. */
  isa: string
  /** The threads that a kernel may use. */
  threads: number
  /** The version of oneDNN. */
  oneDNN: string
  /** The most bytes that tensors may take on the device. */
  memoryLimit: number
  /** The path of the native addon. */
  addon: string
  /** The device that this is about. */
  device: string
  /** What it is, where it is a GPU. */
  gpu?: Gpu
}

/** What was looked for on behalf of the GPU, and found or not. */
export interface GpuFinding {
  /** What it is. */
  name: string
  /** The version, or what there is of it; null where nothing was found. */
  found: string | null
  /** The file. */
  path: string | null
  /** Where it was looked for, and what there was. */
  looked: string[]
  /** What to do where something is missing. */
  mend: string | null
}

/** What the CUDA backend needs, and has found or not: driver, GPU, cuDNN, cuBLASLt and NVRTC. Empty where the backend isn't there. */
export const gpuReport = (): GpuFinding[] => JSON.parse(native.cudaReport()) as GpuFinding[]

/** What this process runs on: versions, processor, threads, and the device asked about, the default device unless named. */
export function environment(device?: string): Environment {
  const name = checkDevice('environment', device)
  return {
    needletail: version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() || 'unknown',
    isa: native.isa(),
    threads: threads(),
    oneDNN: native.onednn(),
    memoryLimit: memory(name).limitBytes,
    addon: addonPath(),
    device: name,
    ...gpuOf(name)
  }
}

function gpuOf(device: string): { gpu?: Gpu } {
  const described = JSON.parse(native.deviceDescription(device)) as Partial<Gpu>
  if (described.name === undefined) return {}
  const found = gpuReport().filter(({ name, found }) => name !== 'GPU' && found !== null)
  const versions = Object.fromEntries(found.map(({ name, found }) => [name, found]))
  return { gpu: { ...described, ...versions } as Gpu }
}
