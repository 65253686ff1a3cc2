// The precision of computation: what PyTorch calls autocast. What it makes of each op is said in native/op.h and docs/training.md.
import { device } from './device.js'
import { checkWord, expected, rejectPromise } from './errors.js'
import { native } from './native.js'
import type { FloatDType, Tensor } from './tensor.js'

/** In the order of native/op.h. */
const COMPUTES = ['float32', 'tf32', 'bfloat16', 'float16'] as const

/**
 * In what precision products are computed: 'float32' exactly; 'tf32' with inputs rounded to 10 bits where the device is faster so
 * (GPUs; elsewhere as 'float32'); 'bfloat16' and 'float16' with inputs and results of that dtype and sums in float32.
 */
export type Compute = (typeof COMPUTES)[number]

/** @internal Checks that a value is a precision, and gives it back. */
export const checkCompute = (op: string, value: unknown): Compute => checkWord(op, 'compute', value, COMPUTES)

let current: Compute = 'float32'

/** @internal The precision that is on now. */
export const currentCompute = (): Compute => current

/** @internal Whether a half precision is on: values may be of another dtype than their types say. */
export const inHalf = (): boolean => current === 'bfloat16' || current === 'float16'

/**
 * Runs a function in a precision: 'bfloat16' and 'float16' compute convolutions and matrix products in that dtype, and losses, softmax
 * and the like in float32; parameters stay float32, and so do their gradients. The function must not be async.
 *
 *     nt.withCompute('bfloat16', () => optimizer.minimize(nt.crossEntropy(network.forward(x), y), network))
 *
 * Where the default device is a processor without instructions for it, half precision is slower than float32: then float32 is what is
 * computed in, and a warning says so, once. NEEDLETAIL_SLOW_COMPUTE=1 in the environment computes as asked, however slowly.
 */
export function withCompute<T>(compute: Compute, f: () => T): T {
  checkCompute('withCompute', compute)
  if (typeof f !== 'function') throw expected('withCompute', 'a function', f)
  return computing(compute, device(), f)
}

/** @internal `withCompute` for a function that computes on a device of that name. */
export function computing<T>(compute: Compute, name: string, f: () => T): T {
  const outer = current
  current = computeOn(name, compute)
  const before = native.setCompute(COMPUTES.indexOf(current))
  try {
    const result = f()
    rejectPromise('withCompute', result)
    return result
  } finally {
    native.setCompute(before)
    current = outer
  }
}

const warned = new Set<Compute>()

/** The precision that a device computes in when asked for another: that one, where it is no slower than float32. */
function computeOn(name: string, compute: Compute): Compute {
  if (name !== 'cpu' || native.computes(COMPUTES.indexOf(compute))) return compute
  if (process.env['NEEDLETAIL_SLOW_COMPUTE'] === '1') return compute
  if (!warned.has(compute)) {
    warned.add(compute)
    process.emitWarning(
      `needletail: this processor has no instructions for ${compute}, which would be slower than float32: computing in float32. ` +
        'NEEDLETAIL_SLOW_COMPUTE=1 computes as asked.'
    )
  }
  return 'float32'
}

/** @internal A float tensor as float32 while a half precision is on, else as it is: what losses are computed from. */
export const widened = <D extends FloatDType>(x: Tensor<D>): Tensor<D> =>
  inHalf() ? (x.astype('float32') as Tensor<any>) : x

/** @internal A parameter in the dtype of the values that it goes with, which differ while a half precision is on. */
export const alike = <D extends FloatDType>(parameter: Tensor<D>, values: Tensor<D>): Tensor<D> =>
  inHalf() ? parameter.astype(values.dtype) : parameter
