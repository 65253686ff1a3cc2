// What a result was measured on: nothing that names the machine or its owner.
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'

export interface Machine {
  cpu: string
  cores: number
  /** Instruction sets that matter here, of those the processor has. */
  instructions: string[]
  memoryGB: number
  platform: string
  node: string
  /** The GPU, and the versions of its driver and libraries. */
  gpu?: Readonly<Record<string, unknown>>
}

export const cores = (): number => availableParallelism()

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cores(),
    instructions: instructions(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version
  }
}

function instructions(): string[] {
  try {
    const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []
    return ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'asimd', 'sve'].filter((name) => flags.includes(name))
  } catch {
    return [] // only Linux has the file
  }
}

const ticksPerSecond = 100 // Linux' unit of /proc/stat, whatever the kernel's own clock

/** Milliseconds for which the machine's processors have been at work, all together; undefined where the system does not tell. */
export function busyTime(): number | undefined {
  try {
    const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number)
    return ((user! + nice! + system! + irq! + softirq!) * 1000) / ticksPerSecond
  } catch {
    return undefined
  }
}
