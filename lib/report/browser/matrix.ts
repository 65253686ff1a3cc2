// The confusion matrix: what the pictures are, what they were taken for, and which they are.
import { el, scroller, section } from './dom.js'
import { ExamplePanel } from './examples.js'
import { count, percent, plural } from './format.js'
import type { Judged } from './judged.js'
import './matrix.css'

/** Of more classes only the most frequent mistakes are shown. */
const MOST_CLASSES = 20
const MISTAKES = 40

interface MatrixCell {
  label: number
  prediction: number
  count: number
  /** Of the pictures of that class. */
  share: number
}

/** @param judged without it the cells are numbers alone */
export function confusion(
  classes: readonly string[],
  matrix: readonly (readonly number[])[],
  judged: Judged | undefined
): HTMLElement {
  const cells = matrix.map((row, label) => {
    const all = row.reduce((sum, value) => sum + value, 0)
    return row.map((value, prediction): MatrixCell => ({
      label,
      prediction,
      count: value,
      share: value / Math.max(1, all)
    }))
  })
  const mistakes = cells
    .flat()
    .filter((cell) => cell.label !== cell.prediction && cell.count > 0)
    .sort((a, b) => b.count - a.count)
  const isShort = classes.length <= MOST_CLASSES
  const panel = new ExamplePanel()
  const buttons = new Map<MatrixCell, HTMLElement>()
  const choose = (cell: MatrixCell) => {
    for (const [one, button] of buttons) button.setAttribute('aria-pressed', String(one === cell))
    panel.show({
      title: classes[cell.label]!,
      meaning: cell.label === cell.prediction ? 'recognised' : `taken for ${classes[cell.prediction]!}`,
      probabilityOf: classes[cell.prediction]!,
      count: cell.count,
      pictures: judged!.cell(cell.label, cell.prediction)
    })
  }
  const button = (cell: MatrixCell, content: readonly (string | HTMLElement)[]): HTMLElement => {
    const kind = cell.label === cell.prediction ? 'good' : 'bad'
    const name = `${plural(cell.count, 'picture')} of ${classes[cell.label]}, taken for ${classes[cell.prediction]}`
    const attributes = { class: kind, style: `--share: ${shade(cell.share)}%`, title: name }
    if (!judged) return el('span', attributes, ...content)
    const made = el('button', { ...attributes, onclick: () => choose(cell) }, ...content)
    if (isShort) made.setAttribute('aria-label', name)
    buttons.set(cell, made)
    return made
  }
  const content = isShort
    ? scroller('Confusion matrix', grid(classes, cells, button))
    : el(
        'ul',
        { class: 'mistakes' },
        ...mistakes.slice(0, MISTAKES).map((cell) => el('li', {}, button(cell, inWords(classes, cell))))
      )
  if (isShort) walk(content, classes.length)
  const first = mistakes[0] ?? cells[0]?.[0]
  if (judged && first) choose(first)
  return section(
    'confusion',
    'What is taken for what',
    el(
      'p',
      { class: 'muted' },
      isShort
        ? 'Rows are what the pictures are, columns what they were taken for.'
        : `The most frequent mistakes of ${count(classes.length)} classes.`,
      judged && ' Choose a cell to see its pictures.'
    ),
    el('div', { class: isShort ? 'beside' : '' }, el('div', { class: 'card' }, content), judged && panel.element)
  )
}

const inWords = (classes: readonly string[], { label, prediction, count: value, share }: MatrixCell) => [
  el('strong', {}, count(value)),
  ` ${classes[label]!} taken for ${classes[prediction]!} (${percent(share)} of them)`
]

function grid(
  classes: readonly string[],
  cells: readonly (readonly MatrixCell[])[],
  button: (cell: MatrixCell, content: readonly string[]) => HTMLElement
): HTMLElement {
  return el(
    'table',
    { class: 'matrix' },
    el('caption', { class: 'hidden-text' }, 'Confusion matrix: rows are labels, columns are predictions'),
    el(
      'thead',
      {},
      el('tr', {}, el('td', {}), ...classes.map((name) => el('th', { scope: 'col' }, el('span', {}, name))))
    ),
    el(
      'tbody',
      {},
      ...cells.map((row, label) =>
        el(
          'tr',
          {},
          el('th', { scope: 'row' }, classes[label]!),
          ...row.map((cell) => el('td', {}, button(cell, [count(cell.count)])))
        )
      )
    )
  )
}

/** Small shares are seen, too; text stays readable on the largest. */
const shade = (share: number): number => (share === 0 ? 0 : Math.round(6 + 34 * Math.sqrt(share)))

/** The cells are one stop of the tabulator; arrow keys go from one to the next. */
function walk(content: HTMLElement, width: number): void {
  const buttons = [...content.querySelectorAll('button')]
  const focus = (to: number) => {
    for (const [i, button] of buttons.entries()) button.tabIndex = i === to ? 0 : -1
  }
  focus(0)
  content.addEventListener('focusin', ({ target }) => focus(buttons.indexOf(target as HTMLButtonElement)))
  content.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(event.target as HTMLButtonElement)
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key]
    if (at < 0 || step === undefined) return
    event.preventDefault()
    buttons[at + step]?.focus()
  })
}
