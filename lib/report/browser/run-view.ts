// The report of a run, part by part.
import './theme.css'
import './run.css'
import type { RunData } from '../run-data.js'
import { perClass } from './classes.js'
import { curves } from './curves.js'
import { data, network, setting } from './details.js'
import { el } from './dom.js'
import { Judged } from './judged.js'
import { confusion } from './matrix.js'
import { header, results } from './overview.js'
import { thresholds } from './threshold.js'

/** Everything that the page shows of a run. */
export function runView(run: RunData): HTMLElement[] {
  const { classes, positive } = run.config
  const judged = Judged.of(run)
  const matrix = judged?.matrix ?? run.validation?.matrix
  const number = positive === null ? undefined : classes.indexOf(positive)
  const threshold = judged && thresholds(judged, number)
  // Of two classes the threshold's table is the matrix.
  const isTold = classes.length === 2 && threshold !== undefined
  const parts = [
    results(run, matrix),
    run.metrics.rows.length > 0 ? curves(run.metrics) : undefined,
    matrix && !isTold ? confusion(classes, matrix, judged) : undefined,
    threshold,
    matrix && perClass(classes, matrix),
    run.pictures ? data(run.pictures, classes) : undefined,
    network(run),
    setting(run)
  ].filter((part) => part !== undefined)
  return [header(run), navigation(parts), ...parts]
}

function navigation(parts: readonly HTMLElement[]): HTMLElement {
  const links = parts.map((part) =>
    el('li', {}, el('a', { href: `#${part.id}` }, part.querySelector('h2')!.textContent))
  )
  return el('nav', { class: 'parts', 'aria-label': 'Parts of the report' }, el('ul', {}, ...links))
}
