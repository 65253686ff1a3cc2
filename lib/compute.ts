// The precision of computation: what PyTorch calls autocast. What it makes of each op is said in native/op.h and docs/training.md.
import { device } from './device.js'
import { checkWord, expected, quoted, rejectPromise } from './errors.js'
import { native } from './native.js'
import type { FloatDType, Tensor } from './tensor.js'

/** In the order of native/op.h. */
const COMPUTES = ['float32', 'tf32', 'bfloat16', 'float16'] as const

/**
 * In what precision products are computed: 'float32' exactly; 'tf32' with inputs rounded to 10 bits where the device is faster so
 * (GPUs; elsewhere as 'float32'); 'bfloat16' and 'float16' with inputs and results of that dtype and sums in float32.
 * @useDeclaredType
 */
export type Compute = (typeof COMPUTES)[number]

/** @internal Checks that a value is a precision, and gives it back. */
export const checkCompute = (op: string, value: unknown): Compute => checkWord(op, 'compute', value, COMPUTES)

/** How is computed: what is not given stays as it is when `compile` or `fit` is called. */
export interface Computation {
  /** The precision (see `withCompute`); 'float32' unless given. */
  compute?: Compute | undefined
  /** Whether convolutions are computed by their sums alone, never by Winograd's algorithm, which is faster and rounds more; false unless given. */
  exact?: boolean | undefined
}

/** @internal Checks what is given of a computation. */
export function checkComputation(op: string, { compute, exact }: Computation): void {
  if (compute !== undefined) checkCompute(op, compute)
  if (exact !== undefined && typeof exact !== 'boolean') throw expected(op, 'exact to be true or false', quoted(exact))
}

let current: Required<{ readonly [K in keyof Computation]: NonNullable<Computation[K]> }> = {
  compute: 'float32',
  exact: false
}
function use(computation: typeof current): void {
  current = computation
  native.setCompute(COMPUTES.indexOf(current.compute), current.exact)
}

/** @internal How is computed now. */
export const computation = (): Readonly<typeof current> => current

/** @internal Whether a half precision is on: values may be of another dtype than their types say. */
export const inHalf = (): boolean => current.compute === 'bfloat16' || current.compute === 'float16'

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
  return computing({ compute }, device(), f)
}

/** @internal `withCompute`, of all of a computation, for a function that computes on a device of that name. */
export function computing<T>({ compute, exact }: Computation, name: string, f: () => T): T {
  const outer = current
  use({ compute: compute ? computeOn(name, compute) : outer.compute, exact: exact ?? outer.exact })
  try {
    const result = f()
    rejectPromise('withCompute', result)
    return result
  } finally {
    use(outer)
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
