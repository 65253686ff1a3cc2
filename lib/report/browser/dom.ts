// Elements, made in one call. Texts are text nodes: nothing that comes from data is ever read as HTML.

type Child = Node | string | number | undefined | null | false | readonly Child[]
type Attribute = string | number | boolean | undefined | ((event: any) => void)

/** An element. Attributes that are `true` have no value, `false` and undefined are left out; `onclick` and the like are listeners. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
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

/** What `page()` was given as data. */
export const pageData = <T>(): T => JSON.parse(document.getElementById('data')!.textContent) as T

/** The element that the page's content goes into. */
export const pageRoot = (): HTMLElement => document.getElementById('page')!
