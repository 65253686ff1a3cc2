// What all metrics ask of their arguments and of the states that they take on.
import { withGradientMode } from '../autograd.js'
import { move } from '../device.js'
import { describe, expected, quoted } from '../errors.js'
import { assign } from '../functional/shape.js'
import { handleOf, Tensor, tidy, type DType } from '../tensor.js'

/** The state of a metric, for a checkpoint: tensors by name. @inline */
export type State = Record<string, Tensor<any>>

/** @internal Runs an update: no history, and what it makes is freed but for what it keeps. */
export function updating(f: () => void): void {
  withGradientMode(false, () => tidy(f))
}

/** @internal Brings a metric's tensors to where what it counts is. */
export function follow(own: Readonly<State>, { device }: Tensor<any>): void {
  for (const tensor of Object.values(own)) move(tensor, device)
}

/** @internal `dtype [shape]` of a tensor. */
export const specOf = (x: Tensor<any>): string => `${x.dtype} [${x.shape.join(', ')}]`

/** @internal Class numbers as int32; numbers of an int64 that int32 cannot hold stay outside of every range of classes. */
export function classNumbers(op: string, what: string, x: Tensor<any>): Tensor<'int32'> {
  handleOf(op, x)
  const dtype = x.dtype as DType
  if (dtype === 'int32') return x
  if (dtype === 'int64') return x.clip(-1, 2 ** 31 - 1).astype('int32')
  if (dtype === 'uint8' || dtype === 'bool') return x.astype('int32')
  throw expected(op, `${what} of int32, int64, uint8 or bool`, specOf(x), what === 'predictions' ? 'Use argmax.' : '')
}

/** @internal Names of classes, of a list of names or their number. */
export function classNames(op: string, classes: unknown): readonly string[] {
  if (typeof classes === 'number' && Number.isInteger(classes) && classes >= 1 && classes <= 10_000)
    return Array.from({ length: classes }, (_, i) => String(i))
  if (!Array.isArray(classes) || classes.length === 0 || !classes.every((name) => typeof name === 'string'))
    throw expected(op, 'the names of the classes, or their number from 1 to 10000', quoted(classes))
  return [...(classes as string[])]
}

/** @internal The number of a class, given by its name or number. */
export function classNumber(op: string, classes: readonly string[], of: unknown): number {
  const c = typeof of === 'string' ? classes.indexOf(of) : (of as number)
  if (!Number.isInteger(c) || c < 0 || c >= classes.length) {
    throw expected(op, `a class of ${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', …' : ''}`, quoted(of))
  }
  return c
}

/** @internal The tensors of a state by the names wanted; any other form is an error. */
export function tensorsOf<N extends string>(op: string, state: unknown, names: readonly N[]): Record<N, Tensor<any>> {
  if (typeof state !== 'object' || state === null) throw expected(op, 'an object of tensors', describe(state))
  for (const name of names) {
    const given: unknown = Object.hasOwn(state, name) ? (state as State)[name] : undefined
    if (!(given instanceof Tensor)) throw expected(op, `a tensor '${name}'`, describe(given))
  }
  const surplus = Object.keys(state).find((name) => !(names as readonly string[]).includes(name))
  if (surplus !== undefined)
    throw expected(op, `no more than ${names.map((name) => `'${name}'`).join(', ')}`, `'${surplus}' as well`)
  return state as Record<N, Tensor<any>>
}

/** @internal Takes on a state: its values go into the metric's own tensors, where compiled functions find them. */
export function takeState(op: string, state: unknown, own: Readonly<State>): void {
  const given = tensorsOf(op, state, Object.keys(own))
  for (const [name, to] of Object.entries(own)) {
    const from = given[name]!
    if (specOf(from) !== specOf(to)) throw expected(op, `'${name}' as ${specOf(to)}`, specOf(from))
  }
  updating(() => {
    for (const [name, to] of Object.entries(own)) assign(to, given[name]!.detach().to(to.device))
  })
}
