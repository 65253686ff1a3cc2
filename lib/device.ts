// Memory, threads and the queue of the process.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { checkInteger, expected, quoted } from './errors.js'
import { native } from './native.js'

export interface MemoryInfo {
  /** Live tensors of this thread. */
  tensors: number
  /** Bytes in use on the device, and the most there have been. */
  bytes: number
  peakBytes: number
  /** Bytes held from the system, in use or pooled; and how many there may be. */
  reservedBytes: number
  limitBytes: number
  device: string
}

/** What is in use. Tensors that JavaScript has let go count until the garbage collector has seen it. */
export function memory(): MemoryInfo {
  return { ...native.memory(), device: native.device() }
}

/** Starts `peakBytes` anew. */
export function resetPeakMemory(): void {
  native.resetPeak()
}

/** The most bytes the device may hold (unless set: 80 % of the container's or machine's memory). Past it, ops throw. */
export function setMemoryLimit(bytes: number): void {
  if (typeof bytes !== 'number' || !(bytes > 0))
    throw expected('setMemoryLimit', 'a positive number of bytes', quoted(bytes))
  native.setMemoryLimit(bytes)
}

/** The threads that a kernel may use (unless set: the cores that the container or machine gives). */
export function threads(): number {
  return native.threads()
}
export function setThreads(count: number): void {
  native.setThreads(checkInteger('setThreads', 'a whole number from 1 to 1024', count, 1, 1024))
}

/** Waits until all work has been done, without blocking the event loop; rejects with the first failure that nobody has seen. */
export async function synchronize(): Promise<void> {
  await native.readLater(-1)
}
/** Like `synchronize`, but blocks. */
export function synchronizeSync(): void {
  native.sync()
}

// When memory is short: let the garbage collector tell which tensors nobody holds.
let collect: (() => void) | undefined
native.onShortage(() => {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
    setFlagsFromString('--no-expose-gc')
  }
  collect()
})
