// What a recipe is: a network and how it is trained, under a name that the command line and config.json know.
import type { FitOptions, ImageDataset, nn } from '../../index.js'

/** What the command line can set. */
export interface Settings {
  epochs: number
  batchSize: number
  seed: number
}

export interface Recipe {
  /** What is taken where the command line sets nothing. */
  defaults: Settings
  /** Whether the network learns the set's finer classes. */
  fine?: boolean
  /** The network for a training set, with weights that are yet to be drawn. */
  network: (train: ImageDataset) => nn.Module
  /** How it is trained, beside the settings. */
  options: FitOptions
}
