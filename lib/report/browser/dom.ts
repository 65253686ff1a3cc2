// Elements, made in one call. Texts are text nodes: nothing that comes from data is ever read as HTML.

export type Child = Node | string | number | undefined | null | false | readonly Child[]
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: any) => void)>>

/** An element. Attributes that are `true` have no value, `false` and undefined are left out; `onclick` and the like are listeners. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children)
}

/** An element of a drawing. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  append(element, children)
  return element
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child)
    else if (child instanceof Node) element.append(child)
    else if (child !== undefined && child !== null && child !== false) element.append(String(child))
  }
}

/** A table of texts, numbers and elements that scrolls by itself where it is too wide. */
export function table(caption: string, head: readonly Child[], rows: readonly (readonly Child[])[]): HTMLElement {
  const cells = (row: readonly Child[]) =>
    row.map((cell, i) => (i === 0 ? el('th', { scope: 'row' }, cell) : el('td', {}, cell)))
  return scroller(
    caption,
    el(
      'table',
      {},
      el('caption', { class: 'hidden-text' }, caption),
      el('thead', {}, el('tr', {}, ...head.map((cell) => el('th', { scope: 'col' }, cell)))),
      el('tbody', {}, ...rows.map((row) => el('tr', {}, ...cells(row))))
    )
  )
}

/** What may be wider than the page: it scrolls by itself, by keys, too. */
export const scroller = (label: string, ...children: Child[]): HTMLElement =>
  el('div', { class: 'scroll', role: 'region', 'aria-label': label, tabindex: 0 }, ...children)

/** A part of the page, with a name that the navigation knows. */
export const section = (id: string, title: string, ...children: Child[]): HTMLElement =>
  el('section', { id, 'aria-labelledby': `${id}-title` }, el('h2', { id: `${id}-title` }, title), ...children)

/** What `page()` was given as data. */
export const pageData = <T>(): T => JSON.parse(document.getElementById('data')!.textContent) as T

/** The element that the page's content goes into. */
export const pageRoot = (): HTMLElement => document.getElementById('page')!
