// Many tensors moved in one native call.
import { tensor } from '../functional/creation.js'
import { callMany, type Tensor } from '../tensor.js'

/** target -= rate * direction for all pairs of float32 tensors of one shape, in place. It is SGD's plain step. */
export function moveAll(
  targets: readonly Tensor<'float32'>[],
  directions: readonly Tensor<'float32'>[],
  rate: Tensor<'float32'> | number
): void {
  if (targets.length === 0) return
  const { device } = targets[0]!
  const rates = typeof rate === 'number' ? tensor(rate, { device }) : rate
  const inputs = [rates, rates, tensor(1, { device }), ...targets.flatMap((target, i) => [target, directions[i]!])]
  callMany('optimizer', inputs, [0, targets.length, 0, 0, 0, 0, 0, 0])
}
