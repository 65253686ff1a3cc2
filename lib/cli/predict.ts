// `needletail predict RUN PHOTOS`: what photos show.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { datasets, load, type WeightsOf } from '../index.js'
import { complain, print } from './output.js'

export interface PredictOptions {
  weights?: WeightsOf
  device?: string
  json?: boolean
}

/** Photos that are read at once. */
const AT_ONCE = 16

/** Prints a line for each photo, or one JSON array; a photo that can't be read is told of on stderr and left out. */
export async function predict(
  folder: string,
  paths: string[],
  { weights, device, json = false }: PredictOptions
): Promise<void> {
  const run = await load(folder, { weights, device })
  const results: { file: string; label: string; probability: number }[] = []
  const files = await filesOf(paths)
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE)
    const judged = await Promise.allSettled(some.map((file) => run.predict(file)))
    for (const [i, outcome] of judged.entries()) {
      const file = some[i]!
      if (outcome.status === 'rejected') complain(outcome.reason)
      else {
        const { label, probability } = outcome.value
        if (json) results.push({ file, label, probability })
        else print(`${file}: ${label} (${(100 * probability).toFixed(1)} %)`)
      }
    }
  }
  if (json) print(JSON.stringify(results, null, 2))
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
