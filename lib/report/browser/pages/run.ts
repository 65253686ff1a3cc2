// The report of one run.
import type { RunData } from '../../run-data.js'
import { pageData, pageRoot } from '../dom.js'
import { runView } from '../run-view.js'

pageRoot().append(...runView(pageData<RunData>()))
