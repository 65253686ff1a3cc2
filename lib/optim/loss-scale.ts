// Loss scaling: float16 holds nothing below 6e-8, so gradients are computed of a loss that is many times as large.
import { withGradientMode } from '../autograd.js'
import { tensor, zeros } from '../functional/creation.js'
import { add, div, greaterEqual, isFinite, minimum, mul } from '../functional/elementwise.generated.js'
import { where } from '../functional/select.js'
import { assign, stack } from '../functional/shape.js'
import { keep, type Tensor } from '../tensor.js'

const FIRST = 2 ** 16
const LARGEST = 2 ** 127
/** Steps without an overflow after which the scale doubles. */
const INTERVAL = 2000

/**
 * A scale that follows the gradients, as torch.amp.GradScaler's: halved by a step whose gradients overflow, which is left out, and
 * doubled after 2000 others. All of it is tensors: nothing is read, and a compiled step moves it on.
 */
export class LossScale {
  readonly scale = keep(tensor(FIRST))
  readonly goodSteps = keep(zeros([]))

  /** The loss whose gradients don't vanish. */
  scaled(loss: Tensor<any>): Tensor<'float32'> {
    return withGradientMode(true, () => mul(loss.astype('float32') as Tensor, this.scale))
  }

  /** What the gradients of a scaled loss are to be taken times. */
  inverse(): Tensor<'float32'> {
    return div(1, this.scale)
  }

  /** Whether all gradients are finite, by which the scale moves on. A sum is not finite where one of its terms isn't. */
  update(gradients: readonly Tensor<any>[]): Tensor<'bool'> {
    const sums = gradients.map((gradient) => gradient.astype('float32').sum() as Tensor)
    const finite = isFinite(stack(sums).sum() as Tensor)
    const good = where(finite, add(this.goodSteps, 1), 0)
    const isDue = greaterEqual(good, INTERVAL)
    const growth = where(finite, add(1, isDue.astype('float32')), 0.5)
    assign(this.scale, minimum(mul(this.scale, growth), LARGEST))
    assign(this.goodSteps, where(isDue, 0, good))
    return finite
  }

  /** Begins anew. */
  reset(): void {
    assign(this.scale, FIRST)
    assign(this.goodSteps, 0)
  }
}
