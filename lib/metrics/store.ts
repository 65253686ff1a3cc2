// A tensor on the device that grows at its end.
import { concat, copy } from '../functional/shape.js'
import { keep, tidy, type Tensor } from '../tensor.js'

/**
 * @internal Batches, one behind the other. Their memory is a few pieces, each at least twice as large as the next, so that n rows
 * are copied log n times at most.
 */
export class Store {
  #pieces: Tensor<any>[] = []

  get size(): number {
    return this.#pieces.reduce((n, piece) => n + piece.shape[0]!, 0)
  }

  /** Adds the rows of x, which are copied; the others are then where x is. */
  push(x: Tensor<any>): this {
    const n = x.shape[0]!
    if (n === 0) return this
    this.#pieces = this.#pieces.map((piece) => keep(piece.to(x.device)))
    let first = this.#pieces.length
    for (let size = n; first > 0 && this.#pieces[first - 1]!.shape[0]! < 2 * size; first--)
      size += this.#pieces[first - 1]!.shape[0]!
    this.#join(first, x)
    return this
  }

  /** All rows as one tensor, which stays the store's own; undefined where there are none. */
  whole(): Tensor<any> | undefined {
    if (this.#pieces.length > 1) this.#join(0)
    return this.#pieces[0]
  }

  clear(): void {
    for (const piece of this.#pieces) piece.dispose()
    this.#pieces = []
  }

  // The pieces from `first` on, and x, become one.
  #join(first: number, x?: Tensor<any>): void {
    const old = this.#pieces.slice(first)
    const all = x === undefined ? old : [...old, x]
    const joined = tidy(() => (all.length === 1 ? copy(all[0]!) : concat(all)))
    this.#pieces.splice(first, old.length, keep(joined))
    for (const piece of old) piece.dispose()
  }
}
