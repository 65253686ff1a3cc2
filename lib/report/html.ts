// HTML of texts that nobody has vetted: what goes into a template is escaped, unless it is HTML itself.

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A text as it stands in HTML, between tags or as a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)

/** HTML that is safe to put into a page. */
export class Html {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  /** The HTML of a template: `html`. */
  static join(parts: readonly string[], values: readonly unknown[]): Html {
    return new Html(parts.map((part, i) => part + Html.#of(values[i])).join(''))
  }

  /** A text that is HTML already, and ours: a script, a style. */
  static trusted(text: string): Html {
    return new Html(text)
  }

  static #of(value: unknown): string {
    if (value instanceof Html) return value.#text
    if (Array.isArray(value)) return value.map((one) => Html.#of(one)).join('')
    return value === undefined || value === null ? '' : escapeHtml(String(value))
  }

  toString(): string {
    return this.#text
  }
}

/**
 * HTML with values in it: texts and numbers are escaped, HTML and arrays of it stay, undefined and null are nothing.
 *
 *     html`<ul>${names.map((name) => html`<li>${name}</li>`)}</ul>`
 */
export const html = (parts: TemplateStringsArray, ...values: unknown[]): Html => Html.join(parts, values)

/** A value as JSON that can stand in a script element, whatever texts are in it; numbers that aren't finite are null. */
export function scriptJson(value: unknown): string {
  // '<' would end the element or begin a comment; the other two end a line in old JavaScript.
  const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value ?? null).replace(/[<\u2028\u2029]/g, escape)
}
