// What the harness and a contender's process say to each other: one line of JSON each way. A contender measures only while it
// has been asked to; between its turns it waits for the next line.
//
//   → {"prepare": Task}     ← bench {"version": "…", "note": "…"}           builds the network, warms up
//   → {"run": 10}           ← bench {"times": [ms, …], "cpu": ms, "peak": bytes}
//                           ← bench {"error": "…"}                          instead of either answer
//
// Lines that do not begin with "bench " are other output of the contender's libraries. It ends when its input does.

/** What a network computes in; 'tf32': products of float32 on tensor cores. */
export type Precision = 'float32' | 'tf32' | 'bfloat16'

/** A network on a device. */
export interface NetworkTask {
  batch: number
  /** The bird network (network.ts) unless given. */
  network?: 'bird' | 'resnet50'
  /** 'float32' unless given. */
  precision?: Precision
  /** How often in a row, with one read at the end: the mean is what is measured. Once unless given. */
  count?: number
}

/** What is measured. Data lies ready on the device, in the contender's own form. */
export type Task =
  /** A step of training: forward, backward, Adam (ResNet-50: SGD with momentum), the loss read. */
  | ({ kind: 'train' } & NetworkTask)
  /** Class probabilities of one batch, read. */
  | ({ kind: 'infer' } & NetworkTask)
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
  /** The most memory (resident set; on a GPU its own) the process has had, in bytes, where the contender knows. */
  peak?: number
}
