// Devices: which there are, on which one tensors are made, how they get from one to another; their memory, threads and queues.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { checkInteger, expected, quoted, rejectPromise } from './errors.js'
import { native } from './native.js'
import { addMethods, handleOf, wrap, type DType, type Tensor } from './tensor.js'

let chosen = native.device()

/**
 * The device on which tensors are made that follow from no other: 'cpu', or with a name the one chosen from now on, e.g. 'cuda:0'
 * ('cuda' for short), for this thread. Results of ops are where their inputs are.
 * @throws where there is no such device, or it can't be used; `needletail doctor` tells why.
 */
export function device(name?: string): string {
  if (name !== undefined) chosen = native.device(deviceName('device', name))
  return chosen
}

/** The devices that can be used here, the CPU first. */
export function devices(): string[] {
  return native.devices()
}

/** Runs a function with another default device. The function must not be async: what it awaits would change it for others. */
export function withDevice<T>(name: string, f: () => T): T {
  if (typeof f !== 'function') throw expected('withDevice', 'a function', quoted(f))
  const result = onDevice('withDevice', deviceName('withDevice', name), f)
  rejectPromise('withDevice', result)
  return result
}

/** @internal Runs `f` with another default device, where one is named. */
export function onDevice<T>(op: string, name: string | undefined, f: () => T): T {
  if (name === undefined || name === chosen) return f()
  const before = chosen
  chosen = native.device(deviceName(op, name))
  try {
    return f()
  } finally {
    chosen = native.device(before)
  }
}

function deviceName(op: string, name: unknown): string {
  if (typeof name !== 'string') throw expected(op, "the name of a device, as 'cpu' or 'cuda:0'", quoted(name))
  return name === 'cuda' ? 'cuda:0' : name
}

/** @internal The full name of a device that can be used; `undefined`: of the default device. */
export function checkDevice(op: string, name: unknown): string {
  return onDevice(op, name === undefined ? undefined : deviceName(op, name), () => chosen)
}

/** The tensor on another device: a copy, through which a gradient passes; where it is there already, the tensor itself. */
export function to<D extends DType>(x: Tensor<D>, name: string): Tensor<D> {
  const handle = handleOf('to', x)
  const wanted = deviceName('to', name)
  return x.device === wanted ? x : wrap(native.toDevice(handle, wanted))
}

/**
 * @internal Brings a tensor's values to another device in place: all who hold it find them there. A tensor that shared its memory
 * keeps the old. Compiled functions are recorded anew.
 */
export function move<D extends DType>(tensor: Tensor<D>, name: string): Tensor<D> {
  const wanted = deviceName('to', name)
  if (tensor.device === wanted) return tensor
  const there = native.toDevice(tensor.handle, wanted)
  native.replace(tensor.handle, there)
  native.dispose(there)
  tensor.forgetDevice()
  moves++
  return tensor
}
let moves = 0
/** @internal How often a tensor has been moved in place: while it stays the same, no recording has become stale. */
export const movesSoFar = (): number => moves

declare module './tensor.js' {
  interface Tensor<D extends DType> {
    /** On another device, 'cpu' or 'cuda:0': a copy, through which a gradient passes; the tensor itself where it is there already. */
    to(device: string): Tensor<D>
  }
}
addMethods({ to })

/** What is in use on a device. */
export interface MemoryInfo {
  /** Live tensors of this thread, on all devices. */
  tensors: number
  /** Bytes in use on the device. */
  bytes: number
  /** The most bytes there have been in use, since the beginning or `resetPeakMemory`. */
  peakBytes: number
  /** Bytes held from the system, in use or pooled. */
  reservedBytes: number
  /** How many bytes there may be in use. */
  limitBytes: number
  /** The device that this is about. */
  device: string
}

/**
 * What is in use on a device, the default device unless named. Tensors that JavaScript has let go count until the garbage collector has
 * seen it.
 */
export function memory(device?: string): MemoryInfo {
  return onDevice('memory', device, () => ({ ...native.memory(), device: chosen }))
}

/** Starts `peakBytes` anew. */
export function resetPeakMemory(device?: string): void {
  onDevice('resetPeakMemory', device, () => native.resetPeak())
}

/**
 * The most bytes that a device, the default device unless named, may hold (unless set: all of a GPU's memory, 80 % of the container's
 * or machine's). Past it, ops throw.
 */
export function setMemoryLimit(bytes: number, device?: string): void {
  if (typeof bytes !== 'number' || !(bytes > 0))
    throw expected('setMemoryLimit', 'a positive number of bytes', quoted(bytes))
  onDevice('setMemoryLimit', device, () => native.setMemoryLimit(bytes))
}

/** The threads that a kernel may use (unless set: the cores that the container or machine gives). */
export function threads(): number {
  return native.threads()
}
/** Sets the number of threads that a kernel may use, from 1 to 1024. */
export function setThreads(count: number): void {
  native.setThreads(checkInteger('setThreads', 'a whole number from 1 to 1024', count, 1, 1024))
}

/**
 * How the calls of this process's GPUs are computed where a library has a choice: from call to plan (an engine of cuDNN with its knobs). Runs
 * keep it in plans.json. Plans are kept on disk, too, in the folder `plans` of the cache, and are the same as long as GPU and versions are.
 */
export const plans = (): Record<string, string> => JSON.parse(native.cudaPlans()) as Record<string, string>

/**
 * Whether the ways to compute a convolution (cuDNN's, and own kernels where there are some) or a matrix product (cuBLASLt's) are tried on
 * the GPU and the fastest is taken, for what is computed from then on for the first time, rather than the one that the library thinks
 * fastest. It takes seconds at the start, once. NEEDLETAIL_CUDNN_MEASURE=1 in the environment does the same.
 */
export function measurePlans(on = true): void {
  native.measureCudaPlans(on)
}

/**
 * Waits until all work of a device, the default device unless named, has been done, without blocking the event loop; rejects with the
 * first failure that nobody has seen.
 */
export async function synchronize(device?: string): Promise<void> {
  await onDevice('synchronize', device, () => native.readLater(-1))
}
/** Like `synchronize`, but blocks. */
export function synchronizeSync(device?: string): void {
  onDevice('synchronizeSync', device, () => native.sync())
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
