// The report of a run, made of what is in its folder.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expected } from '../errors.js'
import { writeAtomically } from '../io/atomic.js'
import { checkPictures } from '../report/pictures.js'
import { readPredictions } from '../report/predictions.js'
import type { RunData, RunSummary } from '../report/run-data.js'
import { packPredictions, runName, runPage } from '../report/run-page.js'
import { FILES } from './files.js'
import { readRunConfig } from './run-config.js'
import { statusOf } from './status.js'
import { parseMetrics } from './table.js'

/**
 * Makes `report.html` of a run folder anew, from what is there, and gives its path: one file that loads nothing, with curves,
 * confusion matrix and pictures. `fit` has done so at its end.
 *
 *     console.log(await nt.report('runs/birds-001')) // runs/birds-001/report.html
 *
 * @throws where the folder is no run's, or something in it is malformed
 */
export async function report(folder: string): Promise<string> {
  const html = await runPage(await readRun(folder))
  const path = join(folder, FILES.report)
  await writeAtomically(path, (file) => file.writeFile(html))
  return path
}

/** What the report shows of a run: everything in its folder but the checkpoints. Files that aren't there yet are null. */
export async function readRun(folder: string): Promise<RunData> {
  const summary = await readSummary(folder)
  const { classes, positive } = summary.config
  const number = positive === null ? undefined : classes.indexOf(positive)
  const predictions = await ifThere(readPredictions(join(folder, FILES.predictions), classes.length, number))
  const path = join(folder, FILES.pictures)
  const pictures = await readJson(path)
  return {
    ...summary,
    predictions: predictions && packPredictions(predictions, predictions.epoch, number),
    pictures: pictures === null ? null : checkPictures(pictures, classes.length, path)
  }
}

/** What is to know of a run without looking at its pictures: some kilobytes. */
export async function readSummary(folder: string): Promise<RunSummary> {
  const { needletail, networkClass, inputShape, classes, positive, training, network } = await readRunConfig(
    folder,
    'report'
  )
  const path = (name: keyof typeof FILES) => join(folder, FILES[name])
  return {
    name: runName(folder),
    config: { needletail, networkClass, inputShape, classes, positive, training, network },
    // Reports are sent to others, who need no paths of this machine.
    environment: { ...asObject(await readJson(path('environment'))), addon: undefined },
    metrics: parseMetrics((await ifThere(readFile(path('metrics'), 'utf8'))) ?? ''),
    validation: validationOf(await readJson(path('confusion')), classes.length),
    status: statusOf(await ifThere(readFile(path('status'), 'utf8')))
  }
}

/** null where there is no such file. */
async function ifThere<T>(reading: Promise<T>): Promise<T | null> {
  return reading.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}

async function readJson(path: string): Promise<unknown> {
  const text = await ifThere(readFile(path, 'utf8'))
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch (error) {
    throw expected('report', `JSON in ${path}`, (error as Error).message, 'The file is damaged.')
  }
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

function validationOf(value: unknown, classes: number): RunData['validation'] {
  const { epoch, matrix } = asObject(value)
  const isRow = (row: unknown) => Array.isArray(row) && row.length === classes && row.every(Number.isInteger)
  if (!Number.isInteger(epoch) || !Array.isArray(matrix) || matrix.length !== classes || !matrix.every(isRow)) {
    return null
  }
  return { epoch: epoch as number, matrix: matrix as number[][] }
}
