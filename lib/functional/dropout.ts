// Dropout: a random mask and a product.
import { checkNumber, describe, expected } from '../errors.js'
import { addMethods, handleOf, type DType, type FloatDType, type Tensor } from '../tensor.js'
import { mul } from './elementwise.generated.js'
import { bernoulli } from './random.js'

/** What dropout takes. */
export interface DropoutOptions {
  /** False: x comes back as it is (true unless given). */
  training?: boolean | undefined
  /** As for the functions of `random`. */
  seed?: number | undefined
}

/**
 * Sets elements to 0 with probability p (in [0, 1], 0.5 unless given) and multiplies the others by 1 / (1 - p), so that the
 * mean stays. (Srivastava et al., "Dropout", 2014.)
 */
export function dropout<D extends FloatDType>(x: Tensor<D>, p = 0.5, options: DropoutOptions = {}): Tensor<D> {
  handleOf('dropout', x)
  checkNumber('dropout', 'a probability in [0, 1]', p)
  if (p < 0 || p > 1) throw expected('dropout', 'a probability in [0, 1]', p)
  if (typeof options !== 'object' || options === null)
    throw expected('dropout', 'an object of options', describe(options))
  const { training = true, seed } = options
  if (!training || p === 0) return x
  const { shape, dtype, device } = x
  return mul(x, bernoulli(shape, 1 - p, { value: p === 1 ? 0 : 1 / (1 - p), dtype, device, seed }))
}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
    /** Sets elements to 0 with probability p (0.5 unless given) and multiplies the others by 1 / (1 - p). */
    dropout(p?: number, options?: DropoutOptions): Tensor<D>
  }
}
addMethods({ dropout })
