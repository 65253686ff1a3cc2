// Differentiation: the tape is native; here are its entrances.
import { expected, quoted, rejectPromise } from './errors.js'
import { native } from './native.js'
import { putInputs, takeResults, Tensor, wrap, type DType } from './tensor.js'
import { zerosLike } from './functional/creation.js'

/** How a backward pass goes. */
export interface BackwardOptions {
  /** Give the gradients a history of their own, so that they can be differentiated in turn. */
  createGraph?: boolean
  /** Keep what was saved for another backward over the same result. */
  keepGraph?: boolean
  /** The gradient of the output, of its shape; 1 for a scalar output unless given. */
  seed?: Tensor<any>
}

/**
 * The gradients of `output` (a scalar, unless a seed is given) with respect to `targets`: parameters or results on the way.
 * A target that takes no part has zeros.
 */
export function backward(
  output: Tensor<any>,
  targets: readonly Tensor<any>[],
  options: BackwardOptions = {}
): Tensor<any>[] {
  if (!(output instanceof Tensor)) throw expected('backward', 'a tensor', quoted(output))
  if (!Array.isArray(targets)) throw expected('backward', 'an array of tensors', quoted(targets))
  putInputs('backward', targets)
  const { createGraph = false, keepGraph = false, seed } = options
  if (seed !== undefined && !(seed instanceof Tensor)) throw expected('backward', 'a tensor as seed', quoted(seed))
  const count = native.backward(output.handle, seed?.handle ?? -1, targets.length, createGraph, keepGraph)
  return takeResults(count).map((gradient, i) => gradient ?? zerosLike(targets[i]!))
}

/** Makes a tensor collect gradients from now on (ops on it are recorded), or with `false` no longer. Gives it back. */
export function requireGradient<D extends DType>(tensor: Tensor<D>, on = true): Tensor<D> {
  if (!(tensor instanceof Tensor)) throw expected('requireGradient', 'a tensor', quoted(tensor))
  native.parameter(tensor.handle, Boolean(on))
  tensor.forgetRequirement()
  return tensor
}

let recording = true

/** @internal Whether ops are recorded for differentiation now. */
export function gradientMode(): boolean {
  return recording
}

/** @internal Runs a function with recording on or off. */
export function withGradientMode<T>(on: boolean, f: () => T): T {
  const outer = recording
  const before = native.setGradientMode(on)
  recording = on
  try {
    return f()
  } finally {
    native.setGradientMode(before)
    recording = outer
  }
}

/** Runs a function whose ops are not recorded: for evaluation. The function must not be async. */
export function noGrad<T>(f: () => T): T {
  if (typeof f !== 'function') throw expected('noGrad', 'a function', quoted(f))
  const result = withGradientMode(false, f)
  rejectPromise('noGrad', result)
  return result
}

/** @inline */
type Arguments = [Tensor<any>, ...unknown[]]
let depth = 0 // gradients inside gradients: the inner ones keep a graph

function differentiate<A extends Arguments>(op: string, f: (...args: A) => Tensor<any>, args: A, all: boolean) {
  if (typeof f !== 'function') throw expected(op, 'a function', quoted(f))
  const positions = args.map((_, i) => i).filter((i) => args[i] instanceof Tensor && (all || i === 0))
  if (!(args[0] instanceof Tensor)) throw expected(op, 'a tensor as first argument', quoted(args[0]))
  const leaves = [...args] as unknown as A
  const nested = depth > 0
  depth++
  try {
    return withGradientMode(true, () => {
      for (const i of positions) leaves[i] = wrap(native.leaf((args[i] as Tensor).handle))
      const value = f(...leaves)
      rejectPromise(op, value)
      if (!(value instanceof Tensor)) throw expected(op, 'a function that returns a tensor', quoted(value))
      const gradients = backward(
        value,
        positions.map((i) => leaves[i] as Tensor),
        { createGraph: nested }
      )
      return { value: nested ? value : value.detach(), gradients }
    })
  } finally {
    depth--
  }
}

/**
 * The gradient of a function with a scalar result, with respect to its first argument, as a function of the same arguments.
 * Can be nested: `grad(x => grad(f)(x).sum())`.
 */
export function grad<A extends Arguments>(f: (...args: A) => Tensor<any>): (...args: A) => A[0] {
  if (typeof f !== 'function') throw expected('grad', 'a function', quoted(f))
  return (...args: A) => differentiate('grad', f, args, false).gradients[0]!
}

/** Like `grad`, but with respect to every argument that is a tensor, in their order. */
export function grads<A extends Arguments>(f: (...args: A) => Tensor<any>): (...args: A) => Tensor<any>[] {
  if (typeof f !== 'function') throw expected('grads', 'a function', quoted(f))
  return (...args: A) => differentiate('grads', f, args, true).gradients
}

/** Like `grad`, but gives the function's value too. */
export function valueAndGrad<A extends Arguments>(
  f: (...args: A) => Tensor<any>
): (...args: A) => { value: Tensor<any>; gradient: A[0] } {
  if (typeof f !== 'function') throw expected('valueAndGrad', 'a function', quoted(f))
  return (...args: A) => {
    const { value, gradients } = differentiate('valueAndGrad', f, args, false)
    return { value, gradient: gradients[0]! }
  }
}

/** An operation of your own: what it computes, and its derivative. */
export interface CustomOp<I extends readonly Tensor<any>[]> {
  /** For errors and program listings. */
  name: string
  /** The result, from tensors that are not recorded. */
  forward: (...inputs: I) => Tensor<any>
  /** The gradients of the inputs (undefined: none), from that of the output, the inputs and the output. */
  backward: (gradient: Tensor<any>, inputs: I, output: Tensor<any>) => readonly (Tensor<any> | undefined)[]
}

/** An op with a gradient of your own, written with other ops. */
export function customOp<I extends readonly Tensor<any>[]>(definition: CustomOp<I>): (...inputs: I) => Tensor<any> {
  const { name, forward, backward: gradientOf } = definition ?? {}
  if (typeof name !== 'string' || name === '') throw expected('customOp', 'a name', quoted(name))
  if (typeof forward !== 'function') throw expected('customOp', 'a function as forward', quoted(forward))
  if (typeof gradientOf !== 'function') throw expected('customOp', 'a function as backward', quoted(gradientOf))
  return (...inputs: I) => {
    const output = withGradientMode(false, () => forward(...inputs))
    if (!(output instanceof Tensor)) throw expected(name, 'a forward that returns a tensor', quoted(output))
    if (!inputs.some((t) => t instanceof Tensor && t.requiresGradient)) return output
    const result = output.detach()
    putInputs(name, [...inputs, result])
    native.recordCustom(name, inputs.length, 1, (count) => {
      const gradient = takeResults(count)[0]!
      const gradients = gradientOf(gradient, inputs, result)
      if (!Array.isArray(gradients) || gradients.length !== inputs.length) {
        throw expected(name, `a backward that returns an array of ${inputs.length} gradients`, quoted(gradients))
      }
      gradients.forEach((g: Tensor<any> | undefined, i) => {
        if (g === undefined) return
        if (!(g instanceof Tensor)) throw expected(name, 'gradients that are tensors', quoted(g))
        const input = inputs[i]!
        if (g.dtype !== input.dtype || String(g.shape) !== String(input.shape)) {
          throw expected(
            name,
            `a gradient of ${input.dtype} [${input.shape.join(', ')}]`,
            `${g.dtype} [${g.shape.join(', ')}]`
          )
        }
      })
      putInputs(name, gradients)
    })
    return result
  }
}
