// Who can take part, and how each is started. What is not installed says so when it is asked to prepare.
import { fileURLToPath } from 'node:url'
import type { Command } from '../harness/contestant.js'

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const python = process.env.NEEDLETAIL_PYTHON ?? 'python3'

/** Whether this is what scripts/pack-gpu has compiled, where nothing compiles. */
const compiled = import.meta.url.endsWith('.js')

function node(name: string, script: string, args: readonly string[], threads: number): Command {
  const start = compiled ? [file(script.replace(/\.ts$/, '.js'))] : ['--import', 'tsx', file(script)]
  return { name, command: process.execPath, args: [...start, ...args, String(threads)], env: environment(threads) }
}
function environment(threads: number): Record<string, string> {
  const count = String(threads)
  return {
    OMP_NUM_THREADS: count,
    TF_NUM_INTRAOP_THREADS: count,
    TF_NUM_INTEROP_THREADS: count,
    TF_CPP_MIN_LOG_LEVEL: '2'
  }
}

export const needletail = (threads: number, device = 'cpu'): Command =>
  node('needletail', 'needletail.ts', [device], threads)

/** needletail as it is, and in bfloat16; and whom the others are compared with, then. */
export const needletails = (threads: number): Command[] => [
  needletail(threads),
  { ...needletail(threads), name: 'needletail bfloat16', precision: 'bfloat16' }
]
export const references = ['needletail', 'needletail bfloat16'] as const

/** A process in which as many threads only count: what the machine alone does to timers. */
export const spin = (threads: number): Command => node(spinName, 'spin.ts', [], threads)
export const spinName = 'threads that only spin'

/** A program that keeps a core busy. */
export const busy: Command = { name: 'another process', command: process.execPath, args: ['-e', 'for (;;);'] }

const BACKENDS = ['node', 'wasm', 'cpu'] as const

/** TensorFlow.js on its three backends. */
export const tfjs = (threads: number, backends: readonly (typeof BACKENDS)[number][] = BACKENDS): Command[] =>
  backends.map((backend) => node(`tfjs-${backend}`, 'tfjs.ts', [backend], threads))

const torch = (name: string, args: readonly string[], threads: number): Command => ({
  name,
  command: python,
  args: ['-W', 'ignore', file('pytorch.py'), ...args, String(threads)],
  env: environment(threads)
})

/** PyTorch; 'channels_last' has images as needletail has them, and so have 'compiled' (Inductor; needs a C++ compiler) and 'autocast' (bfloat16). */
export type PyTorch = 'NCHW' | 'channels_last' | 'compiled' | 'autocast'
export const pytorch = (threads: number, variants: readonly PyTorch[]): Command[] =>
  variants.map((variant): Command => {
    const layout = variant === 'NCHW' ? variant : 'channels_last'
    const command = torch(`PyTorch ${variant}`, [layout, 'cpu', variant === 'compiled' ? 'compile' : 'eager'], threads)
    if (variant === 'compiled') return { ...command, limit: 240 }
    return variant === 'autocast' ? { ...command, precision: 'bfloat16' } : command
  })

/** Where pictures have no part, or a layout is the task's own. */
export const plainPytorch = (threads: number): Command => torch('PyTorch', ['channels_last', 'cpu', 'eager'], threads)

/**
 * PyTorch on a GPU, channels_last: eager, compiled by Inductor with CUDA graphs (which needs a C compiler), and with the whole step captured
 * in one CUDA graph by hand.
 */
export const pytorchOn = (device: string, threads: number): Command[] =>
  (['eager', 'compile', 'graph'] as const).map((how) =>
    torch(
      `PyTorch ${{ eager: 'eager', compile: 'torch.compile', graph: 'CUDA graph' }[how]}`,
      ['channels_last', device, how],
      threads
    )
  )

export const onnxruntime = (threads: number): Command => node('onnxruntime-node', 'onnxruntime.ts', [], threads)

/** Hand-wired programs for this one network and machine: what is possible. */
export const yardstick = (threads: number): Command[] => [
  node('yardstick', 'yardstick.ts', ['own'], threads),
  { ...node('yardstick bfloat16', 'yardstick.ts', ['own'], threads), precision: 'bfloat16' },
  node('yardstick oneDNN', 'yardstick.ts', ['onednn'], threads)
]

/** Whole programs that compute one addition and print the result. */
export const starts = (): Command[] => [
  { name: 'node -e 0', command: process.execPath, args: ['-e', '0'] },
  { name: 'needletail', command: process.execPath, args: [file('start/needletail.mjs')] },
  ...BACKENDS.map((backend) => ({
    name: `tfjs-${backend}`,
    command: process.execPath,
    args: [file('start/tfjs.cjs'), backend],
    env: { TF_CPP_MIN_LOG_LEVEL: '2' }
  })),
  { name: 'PyTorch', command: python, args: ['-W', 'ignore', file('start/pytorch.py')] }
]
