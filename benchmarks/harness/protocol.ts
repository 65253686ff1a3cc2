// What the harness and a contender's process say to each other: one line of JSON each way. A contender measures only while it
// has been asked to; between its turns it waits for the next line.
//
//   → {"prepare": Task}     ← bench {"version": "…", "note": "…"}           builds the network, warms up
//   → {"run": 10}           ← bench {"times": [ms, …], "cpu": ms, "peak": bytes}
//                           ← bench {"error": "…"}                          instead of either answer
//
// Lines that do not begin with "bench " are other output of the contender's libraries. It ends when its input does.

/** What is measured. Networks are the bird network (network.ts), data lies ready in the contender's own form. */
export type Task =
  /** One step of training: forward, backward, Adam, the loss read. */
  | { kind: 'train'; batch: number }
  /** Class probabilities of one batch, read. */
  | { kind: 'infer'; batch: number }
  /** How late timers are while a training by fit is under way, for as many seconds as measurements are asked for. */
  | { kind: 'stalls'; batch: number }
  /** An addition of two one-element tensors: the mean over `count` of them, the results dropped and freed. */
  | { kind: 'add'; count: number }
  /** The same, with each result read. */
  | { kind: 'addRead'; count: number }

export interface Ready {
  version: string
  /** What a reader of the table should know of this contender. */
  note?: string
}

export interface Turn {
  /** Milliseconds, one for each of the measurements asked for. */
  times: number[]
  /** Milliseconds of processor time (user and system, all threads) of the whole turn, where the contender knows. */
  cpu?: number
  /** The most memory (resident set) the process has had, in bytes, where the contender knows. */
  peak?: number
}
