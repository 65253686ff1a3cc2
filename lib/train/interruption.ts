// Ctrl-C, SIGTERM and AbortSignal: a wish to stop that the training loop asks for after each batch. Handlers are there only
// while a training runs.

import type { Abortable } from './options.js'

type StopSignal = 'SIGINT' | 'SIGTERM'

export class Interruption implements Disposable {
  readonly #abort: Abortable | undefined
  #received: StopSignal | undefined
  readonly #handlers: Record<StopSignal, () => void>

  /** @param notice told once, at the first signal. */
  constructor(abort: Abortable | undefined, notice: (signal: StopSignal) => void) {
    this.#abort = abort
    const handler = (signal: StopSignal) => () => {
      if (this.#received) this.raise(signal) // the second quits
      this.#received = signal
      notice(signal)
    }
    this.#handlers = { SIGINT: handler('SIGINT'), SIGTERM: handler('SIGTERM') }
    for (const [signal, handle] of Object.entries(this.#handlers)) process.on(signal, handle)
  }

  /** Whether training should end after this batch. */
  get wanted(): boolean {
    return this.#received !== undefined || this.#abort?.aborted === true
  }

  /** Does what the signal does to a process without a handler, or throws the AbortSignal's reason. */
  conclude(): void {
    this[Symbol.dispose]()
    if (this.#received) this.raise(this.#received)
    this.#abort?.throwIfAborted()
  }

  raise(signal: StopSignal): void {
    this[Symbol.dispose]()
    process.kill(process.pid, signal)
  }

  [Symbol.dispose](): void {
    for (const [signal, handle] of Object.entries(this.#handlers)) process.off(signal, handle)
  }
}
