// How far a loop may be ahead of the device that does its steps.
import { setImmediate } from 'node:timers/promises'
import { zeros } from '../functional/creation.js'
import { keep, type Tensor } from '../tensor.js'

/** Holds a loop back while some of its steps are in the device's queue, and lets timers run, so that one that reads nothing stays bounded. */
export class Pace {
  readonly #done: Promise<unknown>[] = []
  readonly #ahead: number
  readonly #nothing: Tensor

  /** @param ahead how many, with the one that the device does: of short steps, as those of `fit`, one more than of any others */
  constructor(device: string, ahead = 2) {
    this.#ahead = ahead
    this.#nothing = keep(zeros([0], { device }))
  }

  /** Before a step. */
  async turn(): Promise<void> {
    if (this.#done.length === this.#ahead) await this.#done.shift()
    // Reading may be done at once, which would never let a timer run.
    await setImmediate()
  }

  /** Behind a step: the queue is in order, and what is read now, of which nothing has to be copied, is there when the step is done. */
  follow(): void {
    const step = this.#nothing.data()
    step.catch(() => {}) // told to who waits for it; nobody does once the loop has been left
    this.#done.push(step)
  }
}
