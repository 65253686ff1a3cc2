// The report of one run.
import '../theme.css'
import { el, pageData, pageRoot } from '../dom.js'

const { title } = pageData<{ title: string }>()
pageRoot().append(el('h1', {}, title))
