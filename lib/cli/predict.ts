// `needletail predict RUN PHOTOS`: what photos show, or with --find where in them things are.
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { datasets, Gallery, load, type Judgement, type Predictor, type WeightsOf } from '../index.js'
import { complain, print, UsageError } from './output.js'

export interface PredictOptions {
  weights?: WeightsOf
  device?: string
  json?: boolean
  gallery?: string
  /** The class to look for; true: the run's positive one. */
  find?: string | true
  threshold?: number
  smallest?: number
  largest?: number
}

/** Photos that are read at once. */
const AT_ONCE = 16

/** Prints a line for each photo, or one JSON array; a photo that can't be read is told of on stderr and left out. */
export async function predict(folder: string, paths: string[], options: PredictOptions): Promise<void> {
  const { weights, device, json = false, gallery: page } = options
  checkUsage(options)
  const run = await load(folder, { weights, device })
  const judge = options.find === undefined ? whole(run) : searched(run, options)
  const files = await filesOf(paths)
  const gallery = page === undefined ? undefined : galleryOf(run, files.length, options)
  const results: object[] = []
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE)
    const judged = await Promise.allSettled(
      some.map(async (file) => {
        const said = await judge(file)
        await gallery?.add(file, said.judgement)
        return said
      })
    )
    for (const outcome of judged) {
      if (outcome.status === 'rejected') complain(outcome.reason)
      else if (json) results.push(outcome.value.json)
      else for (const line of outcome.value.lines) print(line)
    }
  }
  if (json) print(JSON.stringify(results, null, 2))
  if (gallery) await gallery.write(page!)
}

/** What is said of a photo. */
interface Said {
  judgement: Judgement
  lines: string[]
  json: object
}

const percent = (probability: number): string => `${(100 * probability).toFixed(1)} %`

/** Asks what a photo shows. */
const whole =
  (run: Predictor) =>
  async (file: string): Promise<Said> => {
    const judgement = await run.predict(file)
    const { label, probability } = judgement
    return { judgement, lines: [`${file}: ${label} (${percent(probability)})`], json: { file, label, probability } }
  }

/** Looks for things in a photo. */
const searched =
  (run: Predictor, { find, threshold, smallest, largest }: PredictOptions) =>
  async (file: string): Promise<Said> => {
    const label = find === true ? undefined : find
    const judgement = await run.find(file, { label, threshold, sizes: { smallest, largest } })
    const lines = judgement.found.map(({ label, probability, left, top, width, height }) => {
      return `${file}: ${label} (${percent(probability)}) ${width}x${height} at ${left}, ${top}`
    })
    return {
      judgement,
      lines: lines.length > 0 ? lines : [`${file}: nothing found`],
      json: { file, found: judgement.found }
    }
  }

function galleryOf(run: Predictor, count: number, { find, threshold = 0.9 }: PredictOptions): Gallery {
  const positive = typeof find === 'string' ? find : run.positive
  const { classes } = run
  const title = `What ${basename(resolve(run.folder))} ${find === undefined ? 'sees' : 'finds'}`
  return new Gallery({ title, classes, positive, count, ...(find !== undefined && { foundFrom: threshold }) })
}

function checkUsage({ find, threshold, smallest, largest }: PredictOptions): void {
  const alone = Object.entries({ threshold, smallest, largest }).find(([, value]) => value !== undefined)
  if (find === undefined && alone) throw new UsageError(`predict: expected --find with --${alone[0]}, got none.`)
}

/** The photos among `paths`, and those in the folders among them. */
async function filesOf(paths: string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    if (!(await isFolder(path))) files.push(path)
    else {
      const names = (await readdir(path, { recursive: true })).filter(datasets.isPhoto).sort()
      files.push(...names.map((name) => join(path, name)))
      if (names.length === 0) complain(new Error(`predict: expected photos in the folder ${path}, got none.`))
    }
  }
  return files
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false
  )
