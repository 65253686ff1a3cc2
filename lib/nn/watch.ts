// Sees what goes through the modules of a network.
import type { Module } from './module.js'

/** A call of `module.forward`: its first input, and what it gave. */
export type Seen = (module: Module<unknown>, input: unknown, result: unknown) => void

/** Runs `f`, and tells of each call of a module in `root` that ends meanwhile, those of members before those of the whole. */
export function watching<T>(root: Module<unknown>, see: Seen, f: () => T): T {
  const restore = root.modules().map((module) => watch(module, see))
  try {
    return f()
  } finally {
    for (const undo of restore) undo()
  }
}

function watch(module: Module<unknown>, see: Seen): () => void {
  const own = Object.getOwnPropertyDescriptor(module, 'forward')
  const forward = module.forward
  const watched = (...inputs: unknown[]) => {
    const result = forward.apply(module, inputs)
    see(module, inputs[0], result)
    return result
  }
  Object.defineProperty(module, 'forward', { value: watched, configurable: true, enumerable: false })
  return () => {
    if (own) Object.defineProperty(module, 'forward', own)
    else Reflect.deleteProperty(module, 'forward')
  }
}
