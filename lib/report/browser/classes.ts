// Precision, recall and F1 of each class.
import { averageOf, rowsOf, type ReportRow } from '../../metrics/rates.js'
import { el, scroller, section } from './dom.js'
import { count, percent } from './format.js'

type Column = 'name' | 'precision' | 'recall' | 'f1' | 'support'
const COLUMNS: readonly (readonly [Column, string])[] = [
  ['name', 'Class'],
  ['precision', 'Precision'],
  ['recall', 'Recall'],
  ['f1', 'F1'],
  ['support', 'Pictures']
]

export function perClass(classes: readonly string[], matrix: readonly (readonly number[])[]): HTMLElement {
  const rows = rowsOf(classes, matrix)
  const averages = (['macro', 'weighted'] as const).map((by) => averageOf(matrix, rows, by))
  const body = el('tbody', {}, ...rows.map(tableRow))
  const heads = COLUMNS.map(([column, title]) => {
    const head = el('th', { scope: 'col' }, el('button', { class: 'sort', onclick: () => sort(column) }, title))
    return [column, head] as const
  })
  const sort = (column: Column) => {
    const head = heads.find(([name]) => name === column)![1]
    const rising = head.getAttribute('aria-sort') !== 'ascending'
    for (const [, one] of heads) one.removeAttribute('aria-sort')
    head.setAttribute('aria-sort', rising ? 'ascending' : 'descending')
    const compare = (a: ReportRow, b: ReportRow) =>
      column === 'name' ? a.name.localeCompare(b.name) : a[column] - b[column]
    body.replaceChildren(...[...rows].sort((a, b) => (rising ? compare(a, b) : compare(b, a))).map(tableRow))
  }
  return section(
    'classes',
    'Class by class',
    el(
      'p',
      { class: 'muted' },
      'Precision: of the pictures taken for the class, the share that is of it. Recall: of the pictures of the class, the share that was found. F1: their harmonic mean.'
    ),
    el(
      'div',
      { class: 'card' },
      scroller(
        'Table of the classes',
        el(
          'table',
          { class: 'wide' },
          el('caption', { class: 'hidden-text' }, 'Precision, recall and F1 of each class'),
          el('thead', {}, el('tr', {}, ...heads.map(([, head]) => head))),
          body,
          classes.length > 2 && el('tfoot', {}, ...averages.map(tableRow))
        )
      )
    )
  )
}

const tableRow = (row: ReportRow): HTMLElement =>
  el(
    'tr',
    {},
    el('th', { scope: 'row' }, row.name),
    ...[row.precision, row.recall, row.f1].map((share) =>
      el('td', { class: 'bar', style: `--share: ${(100 * share).toFixed(1)}%` }, percent(share))
    ),
    el('td', {}, count(row.support))
  )
