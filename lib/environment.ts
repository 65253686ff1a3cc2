// What this process runs on.
import { cpus } from 'node:os'
import { memory, threads } from './device.js'
import { version } from './io/version.js'
import { addonPath, native } from './native.js'

/** Versions, processor and limits: what to know of a measurement or of a problem. */
export interface Environment {
  needletail: string
  node: string
  /** Operating system and processor family, e.g. linux-x64. */
  platform: string
  /** The processor's name. */
  processor: string
  /** The instruction set that kernels are chosen for: baseline, avx2 or avx512. */
  isa: string
  /** The threads that a kernel may use. */
  threads: number
  oneDNN: string
  /** The most bytes that tensors may take. */
  memoryLimit: number
  /** The path of the native addon. */
  addon: string
}

/** What this process runs on: versions, processor, threads, memory limit. */
export function environment(): Environment {
  return {
    needletail: version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() || 'unknown',
    isa: native.isa(),
    threads: threads(),
    oneDNN: native.onednn(),
    memoryLimit: memory().limitBytes,
    addon: addonPath()
  }
}
