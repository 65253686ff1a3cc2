// Several runs beside each other.
import '../theme.css'
import '../run.css'
import type { ComparedRun } from '../../run-data.js'
import { comparedCurves, comparedFigures, differences } from '../comparison.js'
import { el, pageData, pageRoot } from '../dom.js'
import { plural } from '../format.js'

const runs = pageData<ComparedRun[]>()
pageRoot().append(
  el('header', { class: 'top' }, el('h1', {}, `${plural(runs.length, 'run')} compared`)),
  comparedFigures(runs),
  comparedCurves(runs),
  differences(runs)
)
