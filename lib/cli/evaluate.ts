// `needletail evaluate RUN`: how good a run's network is.
import { datasets, load, readRunConfig, type ImageDataset, type Predictor, type WeightsOf } from '../index.js'
import { figuresOf, report } from './figures.js'
import { print, UsageError } from './output.js'
import { birds } from './recipes/birds.js'
import { recipeOf } from './train.js'

export interface EvaluateOptions {
  weights?: WeightsOf
  device?: string
  data?: string
  json?: boolean
}

/** Prints the figures of the pictures that the run held out, or of those in a folder. */
export async function evaluate(
  folder: string,
  { weights = 'last', device, data, json }: EvaluateOptions
): Promise<void> {
  const run = await load(folder, { weights, device })
  const set = data === undefined ? await heldOut(folder) : await picturesIn(data, run)
  const figures = await figuresOf(set, (part) => run.evaluate(part))
  print(json ? JSON.stringify({ run: folder, weights, ...figures }, null, 2) : report(figures))
}

async function heldOut(folder: string): Promise<ImageDataset> {
  const { recipe } = await readRunConfig(folder, 'evaluate')
  if (recipe === null) {
    throw new UsageError('evaluate: expected --data for a run that was not made by needletail train, got none.')
  }
  return (await birds(recipeOf(folder, recipe).options)).test
}

/** The pictures of a folder that has a folder for each class, or for some of them. */
async function picturesIn(
  path: string,
  { classes, inputShape: [height, width, channels] }: Predictor
): Promise<ImageDataset> {
  const set = await datasets.imageFolder(path, { size: [height, width], channels: channels as 1 | 3 })
  const unknown = set.classes.find((name) => !classes.includes(name))
  if (unknown !== undefined) {
    throw new Error(`evaluate: expected folders of the classes ${classes.join(', ')} in ${path}, got '${unknown}'.`)
  }
  return set.relabel(classes, (_, name) => classes.indexOf(name))
}
