// What is done to a classifier's scores in use alone: the mean over a picture and its mirror image, and classes put together.
import { add, flip, gather, logSoftmax, logSumExp, reshape } from '../functional.js'
import { Resident } from '../functional/resident.js'
import { stack } from '../functional/shape.js'
import { checkInteger, expected, quoted } from '../errors.js'
import type { FloatDType, Tensor } from '../tensor.js'
import { remember } from './arguments.js'
import { checkModule } from './check.js'
import { Module } from './module.js'
import { shapeText } from './names.js'

/**
 * A classifier that in use looks at a picture twice, the second time in the mirror: the logarithm of the mean of the two
 * softmaxes. In training it is the module itself.
 */
export class FlipAverage extends Module {
  /** What is asked twice. */
  readonly module: Module

  constructor(module: Module) {
    super()
    remember(this, module)
    this.module = checkModule('FlipAverage', 'module', module)
  }

  /** Pictures [n, height, width, channels] to [n, classes], or to [n, rows, columns, classes] where the module does. */
  forward(x: Tensor<FloatDType>): Tensor {
    if (this.training) return this.module.forward(x)
    const [straight, mirrored] = [x, flip(x, 2)].map((pictures) => logSoftmax(this.module.forward(pictures)))
    const back = mirrored!.rank === 4 ? flip(mirrored!, 2) : mirrored!
    return logSumExp(stack([straight!, back]), 0).sub(Math.LN2)
  }
}

/**
 * Finer classes put together: in training passes on the scores [n, fine] of the finer classes; in use gives the logarithm of the
 * summed probability of each group, [n, classes]. There may be axes between.
 *
 *     new nn.ClassGroups([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])     // of CIFAR-10's ten classes the third is class 1, the others are class 0
 */
export class ClassGroups extends Module {
  /** The class that each of the finer classes belongs to. */
  readonly groups: readonly number[]
  /** For each class the scores of its finer ones, filled up to one number; and minus infinity where it was filled up. */
  readonly #picks: Resident<'int32'>
  readonly #filled: Resident<'float32'>

  /** @param groups for each fine class the number of the class that it belongs to; each from 0 to the largest must have one. */
  constructor(groups: readonly number[]) {
    super()
    remember(this, groups)
    if (!Array.isArray(groups) || groups.length === 0) {
      throw expected('ClassGroups', 'an array of class numbers', quoted(groups))
    }
    this.groups = groups.map((group) =>
      checkInteger('ClassGroups', `classes in [0, ${groups.length})`, group, 0, groups.length - 1)
    )
    const classes = Array.from({ length: Math.max(...this.groups) + 1 }, (_, group) =>
      this.groups.flatMap((of, fine) => (of === group ? [fine] : []))
    )
    const empty = classes.findIndex((members) => members.length === 0)
    if (empty >= 0) throw expected('ClassGroups', `a fine class for each of ${classes.length}`, `none for ${empty}`)
    const longest = Math.max(...classes.map(({ length }) => length))
    const each = <T>(f: (members: number[], i: number) => T): T[] =>
      classes.flatMap((members) => Array.from({ length: longest }, (_, i) => f(members, i)))
    const picks = Int32Array.from(each((members, i) => members[i] ?? 0))
    const filled = Float32Array.from(each((members, i) => (i < members.length ? 0 : -Infinity)))
    this.#picks = new Resident<'int32'>(picks, [picks.length])
    this.#filled = new Resident<'float32'>(filled, [classes.length, longest])
  }

  forward<D extends FloatDType>(scores: Tensor<D>): Tensor<D> {
    if (scores.rank < 2 || scores.shape.at(-1) !== this.groups.length) {
      throw expected('ClassGroups', `scores [n, ..., ${this.groups.length}]`, shapeText(scores.shape))
    }
    if (this.training) return scores
    const picked = gather(logSoftmax(scores), this.#picks.on(scores.device), -1)
    const grouped = reshape(picked, [...scores.shape.slice(0, -1), ...this.#filled.shape])
    return logSumExp(add(grouped, this.#filled.on(scores.device).astype(scores.dtype)), -1)
  }

  override describe(): string {
    return `${this.groups.length} to ${this.#filled.shape[0]}`
  }
}
