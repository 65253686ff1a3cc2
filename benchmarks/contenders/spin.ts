// A process in which threads only count, and nothing runs on the thread that the timers belong to: spin.ts THREADS.
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { serve, type Prepared } from '../harness/serve.js'
import { stallsDuring } from '../harness/stalls.js'
import type { Task } from '../harness/protocol.js'

// Flag 0: 1 while threads are to count. Flag 1: how many threads are up.
const flags = new Int32Array(new SharedArrayBuffer(8))
const thread = `
  const { workerData: flags } = require('node:worker_threads')
  let count = 0
  Atomics.add(flags, 1, 1)
  for (;;) {
    Atomics.wait(flags, 0, 0)
    while (Atomics.load(flags, 0) === 1) for (let i = 0; i < 10000; i++) count = Math.imul(count, 1664525) + 1013904223
  }`

async function prepare(task: Task): Promise<Prepared> {
  if (task.kind !== 'stalls') throw new Error('computes nothing')
  const threads = Number(process.argv[2])
  for (let i = 0; i < threads; i++) new Worker(thread, { eval: true, workerData: flags }).unref()
  while (flags[1]! < threads) await setTimeout(1)
  return {
    version: '',
    async run(seconds) {
      Atomics.store(flags, 0, 1)
      Atomics.notify(flags, 0)
      const late = await stallsDuring(() => setTimeout(seconds * 1000))
      Atomics.store(flags, 0, 0)
      return late
    }
  }
}

await serve(prepare)
