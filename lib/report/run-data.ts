// What the report of a run shows: read from the run folder here, shown in the browser there. Types alone.

/** The bytes of an array, little-endian, in base64. */
export type Packed = string

/** A picture as a data URI. */
export type Image = string

/** What is to know of a run without looking at its pictures. */
export interface RunSummary {
  /** The run folder's name. */
  name: string
  config: {
    needletail: string
    networkClass: string
    /** [height, width, channels] */
    inputShape: readonly number[]
    classes: readonly string[]
    positive: string | null
    /** What fit was called with. */
    training: Readonly<Record<string, unknown>>
    /** As nn.fromConfig takes it; null where the network has a class of the user's own. */
    network: unknown
  }
  environment: Readonly<Record<string, unknown>>
  metrics: Metrics
  /** The confusion matrix of the last validation: `matrix[label][prediction]`. */
  validation: { epoch: number; matrix: readonly (readonly number[])[] } | null
  status: Status | null
}

/** How far a training is, and whether it goes on. */
export interface Status {
  /** 'killed': it said that it goes on, and its process is gone. */
  state: 'training' | 'finished' | 'stopped' | 'failed' | 'killed'
  /** Epochs that are complete. */
  epoch: number
  /** Batches of the next one that are done, of how many. */
  batch: number
  batches: number
  /** When that was, in milliseconds since 1970. */
  time: number
}

/** A run among others. */
export interface ComparedRun extends RunSummary {
  /** Where its report is, seen from the page. */
  link?: string | undefined
}

/** What a page that watches runs is told: a run that is new or has changed, one that can't be read, or one that is gone. */
export type WatchedRun = ComparedRun | { name: string; error: string } | { name: string; gone: true }

export interface RunData extends RunSummary {
  predictions: PackedPredictions | null
  pictures: Pictures | null
}

/** metrics.csv: one row an epoch. */
export interface Metrics {
  columns: readonly string[]
  /** null where a value isn't finite, or not there. */
  rows: readonly (readonly (number | null)[])[]
}

/** What the network made of each picture of the validation set, in the set's order. */
export interface PackedPredictions {
  epoch: number
  /** uint16 */
  labels: Packed
  /** uint16: the most probable class. */
  predictions: Packed
  /** float32: the probability of that class. */
  confidence: Packed
  /** float32: the probabilities of a class, by its number; of those that there is room for. */
  scores: readonly (readonly [number, Packed])[]
}

/** pictures.json: what can't be made again without the data. */
export interface Pictures {
  format: 1
  /** The network as a table of text; null where it can't be made. */
  summary: string | null
  /** Of the training set, as they are. */
  samples: readonly Sample[]
  /** The same pictures as the network saw them in its first epochs; empty without augmentation. */
  augmented: readonly { image: Image; epochs: readonly Image[] }[]
  /** Of the validation set, from every cell of its confusion matrix. */
  validation: readonly Example[]
}

export interface Sample {
  image: Image
  /** The number of its class. */
  label: number
  /** The name of its file, where it has one. */
  file?: string
}

export interface Example {
  image: Image
  /** Its place in the validation set. */
  index: number
  file?: string
}
