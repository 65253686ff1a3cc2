// What is written while the training goes on.

export class Behind {
  #last: Promise<unknown> = Promise.resolve()

  /** Does `job` when those before are done. */
  add(job: () => Promise<unknown>): void {
    this.#last = this.#last.then(job)
    this.#last.catch(() => {}) // told to who waits
  }

  /** The same of what has begun already. */
  follow(begun: Promise<unknown>): void {
    begun.catch(() => {})
    this.add(() => begun)
  }

  /** Waits until all is done; throws what a job did, after which no other was. */
  async done(): Promise<void> {
    await this.#last
  }
}
