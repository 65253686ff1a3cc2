// The only file that loads the addon, and what TypeScript knows of it.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** What native/addon.cc exports. Tensors are handles; -1 is none. */
export interface Native {
  readonly ops: readonly string[]
  /** Scratch memory of both sides: handles going in, handles coming out, numbers both ways. */
  readonly inputs: Int32Array
  readonly results: Int32Array
  readonly numbers: Float64Array
  unary(op: number, x: number, p?: number, q?: number): number
  binary(op: number, a: number, b: number): number
  binaryNumber(op: number, a: number, number: number, flipped: boolean): number
  invoke(op: number, inputs: number, parameters: number): number
  create(dtype: number, rank: number, bytes: ArrayBufferView | ArrayBuffer): number
  write(handle: number, bytes: ArrayBufferView | ArrayBuffer): void
  describe(handle: number): number
  alive(handle: number): boolean
  dispose(handle: number): void
  adopt(block: number, object: object): void
  /** Elements * 16 + dtype, with the values in `numbers`; -1 when they are many or of half precision. */
  readSmall(handle: number): number
  readSync(handle: number): ArrayBuffer
  itemSync(handle: number): number
  readNow(handle: number): ArrayBuffer | undefined
  /** The memory may be given: of as many bytes, and not to be detached meanwhile. */
  readLater(handle: number, into?: ArrayBuffer): Promise<ArrayBuffer>
  sync(): void
  setGradientMode(on: boolean): boolean
  /** The precision of computation, a number as in native/op.h; the one before. */
  setCompute(precision: number, isExact: boolean): void
  requiresGradient(handle: number): boolean
  parameter(handle: number, on: boolean): void
  leaf(handle: number): number
  detach(handle: number): number
  backward(output: number, seed: number, targets: number, graph: boolean, keep: boolean): number
  recordCustom(name: string, inputs: number, outputs: number, backward: (gradients: number) => void): void
  recordBegin(inputs: number): number
  recordEnd(results: number): number
  replay(program: number, inputs: number): number
  programState(program: number): number
  /** What ops change from here on is brought back by `journalEnd`. */
  journalBegin(): void
  journalEnd(): void
  programText(program: number): string
  programProfile(program: number, inputs: number): string
  programFree(program: number): void
  memory(): { tensors: number; bytes: number; peakBytes: number; reservedBytes: number; limitBytes: number }
  counters(): { crossings: number; allocations: number; executed: number; prepared: number }
  setMemoryLimit(bytes: number): void
  resetPeak(): void
  threads(): number
  setThreads(count: number): void
  /** The instruction set of the kernels: baseline, avx2, avx512 or avx512bf16. */
  isa(): string
  /** Whether the processor has instructions for a precision, a number as in native/op.h. */
  computes(precision: number): boolean
  /** oneDNN's version. */
  onednn(): string
  /** The device on which tensors are made that follow from no other; with a name, chooses it. */
  device(name?: string): string
  /** The devices that can be used here. */
  devices(): string[]
  /** Where a tensor is. */
  deviceOf(handle: number): string
  /** The same values on that device; the tensor itself, under another handle, if it is there. Differentiable. */
  toDevice(handle: number, device: string): number
  /** What the CUDA backend has looked for and found, as JSON. */
  cudaReport(): string
  /** How the CUDA backend's calls were computed where a library has a choice, as a JSON object from call to plan. */
  cudaPlans(): string
  /** Whether that choice is made by trying, for calls that are prepared from then on. */
  measureCudaPlans(on: boolean): void
  /** What there is to know of a device, as JSON. */
  deviceDescription(device: string): string
  /** The tensor takes over the memory of another of its shape and dtype; recordings that know the old are stale. */
  replace(handle: number, by: number): void
  isStale(program: number): boolean
  /** Commands that have been given to the queue and have not run. */
  pending(): number
  /** A gate for tests: while it is held, the queue runs nothing. */
  hold(on: boolean): void
  /** Frees what JavaScript has let go. */
  poll(): void
  /** Called when memory is short, before the last try. */
  onShortage(collect: () => void): void
}

const root = fileURLToPath(new URL('..', import.meta.url))

// Threads that wait for one another in a kernel spin for a tenth of a millisecond, then sleep: libgomp's own 3 ms of spinning
// take the core from whoever else needs it. It reads this once, when it is loaded.
function waitBriefly<T>(load: () => T): T {
  const { env } = process
  if (env.GOMP_SPINCOUNT !== undefined || env.OMP_WAIT_POLICY !== undefined) return load()
  env.GOMP_SPINCOUNT = '10000'
  try {
    return load()
  } finally {
    delete env.GOMP_SPINCOUNT
  }
}

function load(): Native {
  const require = createRequire(import.meta.url)
  try {
    return (require('node-gyp-build') as (folder: string) => Native)(root)
  } catch (error) {
    const { platform, arch, version } = process
    throw new Error(
      `needletail: expected an addon for ${platform}-${arch}, got none that loads. Looked in ${root}build/Release and ` +
        `${root}prebuilds/${platform}-${arch} with Node.js ${version}. To compile it: npm rebuild needletail --build-from-source ` +
        `(needs python3, cmake and g++ 12). The loader said: ${(error as Error).message}`,
      { cause: error }
    )
  }
}

export const native = waitBriefly(load)

/** The path of the addon that was loaded. */
export function addonPath(): string {
  const resolver = createRequire(import.meta.url)('node-gyp-build') as { path(folder: string): string }
  return resolver.path(root)
}
