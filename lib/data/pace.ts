// How far a loop may be ahead of the device that does its steps.
import { setImmediate } from 'node:timers/promises'
import { zeros } from '../functional/creation.js'
import { keep, type Tensor } from '../tensor.js'

/** Steps that may wait in the device's queue while another is made. */
const AHEAD = 2

/** Holds a loop back while two of its steps wait in the device's queue, and lets timers run, so that one that reads nothing stays bounded. */
export class Pace {
  readonly #done: Promise<unknown>[] = []
  readonly #nothing: Tensor

  constructor(device: string) {
    this.#nothing = keep(zeros([0], { device }))
  }

  /** Before a step. */
  async turn(): Promise<void> {
    if (this.#done.length === AHEAD) await this.#done.shift()
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
