// One line that tells how far training is; drawn over itself on a terminal, a new one after each pass elsewhere.
import type { Tensor } from 'needletail'

/** Steps between two looks at the loss: reading it makes the queue run empty. */
const EVERY = 50

export class Progress {
  readonly #passes: number
  readonly #stepsPerPass: number
  readonly #batch: number
  readonly #start = performance.now()
  #step = 0

  constructor(passes: number, stepsPerPass: number, batch: number) {
    this.#passes = passes
    this.#stepsPerPass = stepsPerPass
    this.#batch = batch
  }

  /** One more step is done; `loss` is read now and then. */
  async step(loss: Tensor): Promise<void> {
    const step = ++this.#step
    const endsPass = step % this.#stepsPerPass === 0
    if (step % EVERY !== 0 && !endsPass) return
    const value = await loss.item()
    if (process.stderr.isTTY) process.stderr.write(`\r${this.#line(value)}`)
    else if (endsPass) process.stderr.write(`${this.#line(value)}\n`)
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n')
  }

  #line(loss: number): string {
    const seconds = (performance.now() - this.#start) / 1000
    const pass = Math.ceil(this.#step / this.#stepsPerPass)
    const left = (seconds / this.#step) * (this.#passes * this.#stepsPerPass - this.#step)
    const speed = (this.#step * this.#batch) / seconds
    const within = this.#step - (pass - 1) * this.#stepsPerPass
    return (
      `pass ${pass}/${this.#passes}  step ${within}/${this.#stepsPerPass}  loss ${loss.toFixed(3)}  ` +
      `${speed.toFixed(0)} images/s  ${left.toFixed(0)} s left `
    )
  }
}
