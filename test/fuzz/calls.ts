// Calls public functions, methods and constructors with junk; run by fuzz.test.ts in a process of its own.
// Arguments: seed, number of calls. Writes the call it is about to make to fd 3, so that a crash names it.
import { mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import * as nt from '../../lib/index.js'
import { workerHead } from '../support/child.js'

const [seed, count] = process.argv.slice(2).map(Number) as [number, number]

// xorshift32: the same calls for the same seed
let state = seed * 2654435761 || 1
const random = (n: number) => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % n
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!

// What would reach the network, the file system or the process rather than the library's own checks.
const skipped = new Set(['datasets', 'download', 'setThreads', 'setMemoryLimit', 'save'])

type Callable = (...args: unknown[]) => unknown
interface Target {
  name: string
  call: (args: unknown[]) => unknown
  /** Only called on a tensor: `args[0]`. */
  method: boolean
}

const targets: Target[] = []
const seen = new Set<unknown>()
const isClass = (value: Callable) => /^class\b/.test(Function.prototype.toString.call(value))

function methodsOf(name: string, constructor: Callable) {
  const names = Object.getOwnPropertyNames(constructor.prototype as object)
  for (const method of names) {
    const found = Object.getOwnPropertyDescriptor(constructor.prototype, method)?.value as unknown
    if (method === 'constructor' || skipped.has(method) || typeof found !== 'function') continue
    targets.push({
      name: `${name}.${method}`,
      method: true,
      call: ([self, ...args]) => Reflect.apply(found, self, args)
    })
  }
}
function collect(name: string, value: unknown) {
  if (seen.has(value) || skipped.has(name.split('.').pop()!)) return
  if (typeof value === 'function') {
    seen.add(value)
    const callable = value as Callable
    if (isClass(callable)) {
      targets.push({ name: `new ${name}`, method: false, call: (args) => Reflect.construct(callable, args) })
      methodsOf(name, callable)
    } else targets.push({ name, method: false, call: (args) => callable(...args) })
    for (const key of Object.getOwnPropertyNames(value))
      if (!['prototype', 'length', 'name', 'arguments', 'caller'].includes(key))
        collect(`${name}.${key}`, (value as unknown as Record<string, unknown>)[key])
  } else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    seen.add(value)
    if (
      Object.getPrototypeOf(value) === null ||
      Object.getPrototypeOf(value) === Object.prototype ||
      String(value) === '[object Module]'
    )
      for (const key of Object.keys(value)) collect(`${name}.${key}`, (value as Record<string, unknown>)[key])
  }
}
for (const [name, value] of Object.entries(nt)) collect(name, value)

// A tensor of another thread, as a careless program would make one: its fields sent over, its class put back.
async function foreign(): Promise<unknown> {
  const folder = mkdtempSync(fileURLToPath(new URL('../../out/fuzz-', import.meta.url)))
  const file = join(folder, 'worker.mjs')
  writeFileSync(
    file,
    `${workerHead}const x = nt.zeros([2, 2])\nparentPort.postMessage({ ...x })\nsetInterval(() => x.shape, 1000)`
  )
  const worker = new Worker(file)
  const fields = await new Promise<object>((done, fail) => worker.once('message', done).once('error', fail))
  worker.unref()
  rmSync(folder, { recursive: true })
  return Object.assign(Object.create(nt.Tensor.prototype as object) as object, fields)
}

const dtypes = ['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool'] as const
const shapes = [
  [],
  [1],
  [0],
  [3],
  [2, 2],
  [2, 3],
  [1, 4, 4, 2],
  [2, 5, 5, 3],
  [3, 3, 3, 2],
  [2, 0, 3],
  [1, 1, 1, 1, 1, 1, 1, 1]
]
const disposed = nt.zeros([2, 2])
disposed.dispose()
const stranger = await foreign()
const detached = new Float32Array(4)
structuredClone(detached, { transfer: [detached.buffer] })

const numbers = [
  0,
  1,
  2,
  -1,
  -2,
  3,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  1e308,
  5e-324,
  -0,
  255,
  8,
  9
]
const throwing = {
  get shape(): number[] {
    throw new Error('a getter that throws')
  },
  valueOf(): number {
    throw new Error('a value that throws')
  },
  [Symbol.iterator]() {
    throw new Error('an iterator that throws')
  }
}
const cyclic: unknown[] = []
cyclic.push(cyclic)

const tensor = () => {
  const dtype = pick(dtypes)
  const made = nt.zeros(pick(shapes), { dtype })
  return made
}
const junk: (() => unknown)[] = [
  () => undefined,
  () => null,
  () => pick(numbers),
  () => pick(numbers),
  () => pick(['', 'float32', 'int8', 'same', 'mean', 'constructor', '__proto__', 'x'.repeat(300), '\0']),
  () => pick([true, false]),
  () => [],
  () => Array.from({ length: random(5) }, () => pick(numbers)),
  () => Array.from({ length: random(4) }, () => random(4)),
  () => Array.from({ length: 9 + random(20) }, () => 1),
  () => [[1, 2], [3]],
  () =>
    pick([
      cyclic,
      throwing,
      new Proxy({}, {}),
      new Date(NaN),
      /x/,
      new Map(),
      Symbol('x'),
      10n,
      2n ** 70n,
      Object.create(null)
    ]),
  () => ({}),
  () => ({ axis: pick(numbers), keepDims: pick([true, 1, 'yes']), dtype: pick(['float32', 'int32', 'no', 3]) }),
  () => ({
    stride: pick(numbers),
    padding: pick([
      'same',
      'valid',
      'full',
      -1,
      [1, 2, 3],
      [
        [0, 1],
        [2, 3]
      ]
    ]),
    dilation: pick(numbers),
    groups: pick(numbers)
  }),
  () => ({ bias: tensor(), seed: pick(numbers), shape: [2, 2] }),
  () => () => tensor(),
  () => (x: unknown) => x,
  () => () => {
    throw new Error('a function that throws')
  },
  () => async () => Promise.reject(new Error('a promise that fails')),
  () =>
    pick([
      new Float32Array(4),
      new Uint8Array(3),
      new BigInt64Array(2),
      new Float64Array(2),
      new Int8Array(1),
      detached,
      new ArrayBuffer(8),
      new DataView(new ArrayBuffer(8)),
      new Float32Array(new SharedArrayBuffer(16))
    ]),
  () => disposed,
  () => stranger,
  () => [tensor(), tensor()],
  () => [disposed, stranger, undefined]
]
const argument = () => (random(3) === 0 ? pick(junk)() : tensor())

process.on('unhandledRejection', () => {})
nt.setMemoryLimit(256 * 2 ** 20)
let failed = 0
for (let i = 0; i < count; i++) {
  const target = pick(targets)
  const args = Array.from({ length: random(6) }, () => (random(4) === 0 ? argument() : pick(junk)()))
  if (target.method) args.unshift(random(12) === 0 ? pick(junk)() : tensor())
  // Well-formed tensors first, now and then: what passes the first check meets the next.
  else if (random(2)) for (let j = 0; j < args.length && j < 2; j++) args[j] = argument()
  writeSync(3, `${i} ${target.name}\n`)
  try {
    const result = target.call(args)
    if (result instanceof Promise) {
      const late = new Promise((_, fail) => setTimeout(() => fail(new Error('late')), 20_000).unref())
      await Promise.race([result, late]).catch((error: Error) => {
        if (error.message === 'late') {
          console.error(`${target.name}: a promise that never settles`)
          process.exit(3)
        }
        failed++
      })
    }
  } catch (error) {
    failed++
    if (!(error instanceof Error)) {
      console.error(`${target.name}: threw ${String(error)}, not an Error`)
      process.exit(4)
    }
  }
}
// The library is as good as before.
const sum = await nt.tensor([1, 2, 3]).add(1).sum().item()
if (sum !== 9) throw new Error(`9 wanted after all that, got ${sum}`)
console.log(JSON.stringify({ targets: targets.length, failed }))
process.exit(0)
