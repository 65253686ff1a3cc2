// `needletail train birds`: a run by one of the recipes, from the data to the figures.
import { resolve } from 'node:path'
import { closest } from 'fastest-levenshtein'
import { fit, readRunConfig, type Compute, type ImageDataset, type RunRecipe } from '../index.js'
import { figuresOf, report } from './figures.js'
import { print, UsageError } from './output.js'
import { birds, recipes, type Sources } from './recipes/birds.js'
import type { Recipe, Settings } from './recipes/recipe.js'

export interface TrainOptions extends Partial<Settings> {
  recipe?: string
  compute?: Compute
  exact?: boolean
  folders?: string[]
  archives?: string[]
  test?: number
  name?: string
  runs?: string
  resume?: string
  device?: string
}

/** What config.json keeps of a recipe: all that is needed to go on with its run, and to have its pictures again. */
type Options = Settings & Sources & { compute: Compute; exact: boolean }

/** Trains, prints the figures of the pictures that were held out, and says where the run is. */
export async function train(task: string | undefined, { device, ...options }: TrainOptions): Promise<void> {
  const { name, settings, run } = options.resume === undefined ? begin(task, options) : await goOn(task, options)
  const recipe = recipes[name]!
  const { train, test } = await birds(settings, { fine: recipe.fine === true })
  tellSkipped(train, test)
  const { epochs, batchSize, seed, compute, exact } = settings
  const result = await fit(recipe.network(train), train, {
    validation: test,
    metrics: ['accuracy', 'precision', 'recall', 'recall@0.9', 'recall@0.97'],
    positive: 'bird',
    ...recipe.options,
    epochs,
    batchSize,
    seed,
    compute,
    exact,
    device,
    ...run,
    recipe: { task: 'birds', name, options: { ...settings } }
  })
  print(report(await figuresOf(test, (set) => result.evaluate(set))))
  process.stderr.write(`\nrun: ${result.folder}\nask about a photo: needletail predict ${result.folder} photo.jpg\n`)
}

function begin(task: string | undefined, options: TrainOptions) {
  if (task === undefined) throw new UsageError('missing argument: what to train. needletail train birds')
  const name = options.recipe ?? 'default'
  if (!Object.hasOwn(recipes, name)) {
    const names = Object.keys(recipes)
    throw new UsageError(
      `unknown recipe '${name}' (Did you mean ${closest(name, names)}? There are ${names.join(', ')})`
    )
  }
  const { epochs, batchSize, seed } = { ...recipes[name]!.defaults, ...options }
  const paths = (given: string[] | undefined) => (given ?? []).map((path) => resolve(path))
  const settings: Options = {
    epochs,
    batchSize,
    seed,
    compute: options.compute ?? 'float32',
    exact: options.exact ?? false,
    folders: paths(options.folders),
    archives: paths(options.archives),
    test: options.test ?? 15_000
  }
  return { name, settings, run: { name: options.name ?? 'birds', runs: options.runs ?? 'runs' } }
}

/** The recipe of a run, with its options: only more epochs can be asked for. */
async function goOn(task: string | undefined, { resume: folder, epochs, ...others }: TrainOptions) {
  const [other] = Object.keys(others)
  if (other !== undefined) {
    const option = other === 'batchSize' ? 'batch-size' : other
    throw new UsageError(`--resume goes on with the options that the run began with, and takes no --${option}`)
  }
  const { recipe } = await readRunConfig(folder!, 'train')
  const { name, options } = recipeOf(folder!, recipe, task)
  return { name, settings: { ...options, ...(epochs !== undefined && { epochs }) }, run: { resume: folder! } }
}

/** The recipe that made a run, and its options, read as data of unknown origin. */
export function recipeOf(
  folder: string,
  recipe: RunRecipe | null,
  task = 'birds'
): { name: string; recipe: Recipe; options: Options } {
  const refuse = (what: string, got: string) =>
    new Error(`train: expected ${what} in ${folder}/config.json, got ${got}.`)
  if (recipe?.task !== task)
    throw refuse(`a run of needletail train ${task}`, recipe ? `one of ${recipe.task}` : 'another')
  const { name, options } = recipe
  if (!Object.hasOwn(recipes, name)) throw refuse(`a recipe of ${Object.keys(recipes).join(', ')}`, `'${name}'`)
  const { epochs, batchSize, seed, compute = 'float32', exact = false, folders, archives, test } = options
  const whole = [epochs, batchSize, seed, test].every((value) => Number.isSafeInteger(value) && (value as number) >= 0)
  const paths = [folders, archives].every(
    (list) => Array.isArray(list) && list.every((path) => typeof path === 'string')
  )
  if (!whole || !paths || typeof compute !== 'string' || typeof exact !== 'boolean')
    throw refuse("the recipe's options", JSON.stringify(options).slice(0, 100))
  return {
    name,
    recipe: recipes[name]!,
    options: { epochs, batchSize, seed, compute, exact, folders, archives, test } as Options
  }
}

function tellSkipped(...sets: ImageDataset[]): void {
  const names = new Set(sets.flatMap(({ skipped }) => skipped.map(({ file }) => file)))
  if (names.size === 0) return
  const first = [...names].slice(0, 3).join(', ')
  process.stderr.write(`left out ${names.size} pictures that can't be read: ${first}${names.size > 3 ? ', …' : ''}\n`)
}
