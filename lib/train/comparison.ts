// Runs on one page, beside each other.
import { dirname, join, relative, resolve } from 'node:path'
import { exists } from '../data/cache.js'
import { describe, expected } from '../errors.js'
import { writeAtomically } from '../io/atomic.js'
import { page } from '../report/page.js'
import type { ComparedRun } from '../report/run-data.js'
import { FILES } from './files.js'
import { readSummary } from './report.js'

/**
 * Writes a page that compares runs, and gives its path: their figures, their curves in common charts, and which of their options are
 * different. One file that loads nothing; it links the runs' own reports.
 *
 *     await nt.compare(['runs/birds-001', 'runs/birds-002'])           // runs/comparison.html
 *
 * @param path where the page is written; `comparison.html` beside the first run's folder unless given
 * @throws where a folder is no run's, or something in it is malformed
 */
export async function compare(folders: readonly string[], path?: string): Promise<string> {
  if (!Array.isArray(folders) || folders.length === 0 || !folders.every((folder) => typeof folder === 'string'))
    throw expected('compare', 'the paths of run folders', describe(folders))
  if (path !== undefined && typeof path !== 'string') throw expected('compare', 'the path of a file', describe(path))
  const to = path ?? join(folders[0]!, '..', 'comparison.html')
  const runs = await Promise.all(folders.map((folder) => readCompared(folder, dirname(resolve(to)))))
  const names = runs.map(({ name }) => name)
  const html = await page({
    title: `${names.join(', ')} · needletail`,
    view: 'comparison',
    data: distinct(runs, folders)
  })
  await writeAtomically(to, (file) => file.writeFile(html))
  return to
}

async function readCompared(folder: string, from: string): Promise<ComparedRun> {
  const report = join(resolve(folder), FILES.report)
  // As a URL, so that no character of a folder's name is taken for a part of it.
  const link = relative(from, report).split(/[\\/]/).map(encodeURIComponent).join('/')
  return { ...(await readSummary(folder)), ...((await exists(report)) && { link }) }
}

/** Runs of the same name are called by their paths. */
const distinct = (runs: readonly ComparedRun[], folders: readonly string[]): ComparedRun[] =>
  runs.map((run, i) => (runs.filter(({ name }) => name === run.name).length > 1 ? { ...run, name: folders[i]! } : run))
