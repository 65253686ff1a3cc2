// What the harness and a contender's process say to each other: one line of JSON each way. A contender measures only while it
// has been asked to; between its turns it waits for the next line.
//
//   → {"prepare": Task}     ← bench {"version": "…", "note": "…"}           builds the network, warms up; in place of an earlier task
//   → {"run": 10}           ← bench {"values": [ms, …], "cpu": ms, "peak": bytes}
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
  /** The side of ResNet-50's pictures: 224 unless given. */
  side?: number
  /** 'float32' unless given. */
  precision?: Precision
  /** How often in a row, with one read at the end: the mean is what is measured. Once unless given. */
  count?: number
}

/** One operation of a library, on tensors of random values in [0, 1) and, where it takes indices, of random indices. */
export interface OpTask {
  kind: 'op'
  op: OpName
  shapes: readonly (readonly number[])[]
}

/**
 * conv2dGradient: the gradients of x and of the weights, of a sum. Convolutions are padded to the same size, with weights
 * [height, width, in, out]; pictures are [n, height, width, channels], to those whose own layout is another in that layout.
 */
export type OpName =
  | 'matmul'
  | 'conv2d'
  | 'conv2dGradient'
  | 'maxPool2d'
  | 'add'
  | 'relu'
  | 'tanh'
  | 'sum'
  | 'sumRows'
  | 'softmax'
  | 'transpose'
  | 'concat'
  | 'gather'
  | 'argmax'
  | 'cumsum'
  | 'topK'
  | 'normal'

/** What is measured. Data lies ready on the device, in the contender's own form. */
export type Task =
  /** A step of training: forward, backward, Adam (ResNet-50: SGD with momentum), the loss read. */
  | ({ kind: 'train' } & NetworkTask)
  /** Class probabilities of one batch, read. */
  | ({ kind: 'infer' } & NetworkTask)
  /**
   * A pass over the first `pictures` of an IDX file (random ones unless given), bird or not, shuffled, with loss and accuracy,
   * by what a user of the library trains with.
   */
  | { kind: 'fit'; batch: number; pictures: number; images?: string; labels?: string; precision?: Precision }
  /** How late timers are while a training by fit is under way, for as many seconds as measurements are asked for. */
  | { kind: 'stalls'; batch: number }
  /** An addition of two one-element tensors: the mean over `count` of them, the results dropped and freed. */
  | { kind: 'add'; count: number }
  /** The same, with each result read. */
  | { kind: 'addRead'; count: number }
  | OpTask
  /** What the library's installation takes on disk, in bytes. */
  | { kind: 'size' }

export interface Ready {
  version: string
  /** What a reader of the table should know of this contender. */
  note?: string
}

export interface Turn {
  /** Milliseconds (bytes, where sizes are compared), one for each of the measurements asked for. */
  values: number[]
  /** Milliseconds of processor time (user and system, all threads) of the whole turn, where the contender knows. */
  cpu?: number
  /** The most memory (resident set; on a GPU its own) the process has had, in bytes, where the contender knows. */
  peak?: number
}
