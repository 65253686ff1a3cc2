// A strict JSON reader for files of unknown origin: objects become Maps (no name can reach a prototype), a name that stands
// twice is an error, and so is nesting deeper than a few levels (16 unless told otherwise).

export type Json = null | boolean | number | string | Json[] | Map<string, Json>

const MAX_DEPTH = 16
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y
const WORDS: [string, null | boolean][] = [
  ['null', null],
  ['true', true],
  ['false', false]
]

/** The value that `text` stands for. Throws a SyntaxError that says what was found where. */
export function parseJson(text: string, maxDepth = MAX_DEPTH): Json {
  const reader = new Reader(text, maxDepth)
  const value = reader.value(0)
  reader.space()
  if (reader.at < text.length) reader.fail('the end')
  return value
}

class Reader {
  at = 0
  readonly #text: string
  readonly #maxDepth: number

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  fail(what: string): never {
    const found = this.at < this.#text.length ? JSON.stringify(this.#text.slice(this.at, this.at + 12)) : 'the end'
    throw new SyntaxError(`${what} at character ${this.at}, found ${found}`)
  }

  space(): void {
    this.#match(SPACE)
  }

  value(depth: number): Json {
    if (depth > this.#maxDepth) this.fail(`at most ${this.#maxDepth} levels`)
    this.space()
    const next = this.#text[this.at]
    if (next === '{') return this.#object(depth)
    if (next === '[') return this.#array(depth)
    if (next === '"') return this.#string()
    for (const [word, value] of WORDS) if (this.#take(word)) return value
    return Number(this.#match(NUMBER) ?? this.fail('a value'))
  }

  #object(depth: number): Map<string, Json> {
    const members = new Map<string, Json>()
    this.#list('{', '}', () => {
      this.space()
      const start = this.at
      const name = this.#string()
      if (members.has(name)) {
        this.at = start
        this.fail('a name that is not there yet')
      }
      this.space()
      if (!this.#take(':')) this.fail('":"')
      members.set(name, this.value(depth + 1))
    })
    return members
  }

  #array(depth: number): Json[] {
    const items: Json[] = []
    this.#list('[', ']', () => items.push(this.value(depth + 1)))
    return items
  }

  #list(open: string, close: string, item: () => void): void {
    this.#take(open)
    this.space()
    if (this.#take(close)) return
    do {
      item()
      this.space()
    } while (this.#take(','))
    if (!this.#take(close)) this.fail(`"," or "${close}"`)
  }

  #string(): string {
    const start = this.at
    let end = start + 1
    while (this.#text[end] !== '"' && end < this.#text.length) end += this.#text[end] === '\\' ? 2 : 1
    try {
      const value: unknown = JSON.parse(this.#text.slice(start, end + 1))
      if (typeof value === 'string') {
        this.at = end + 1
        return value
      }
    } catch {
      // not closed, or with what a JSON string may not hold
    }
    return this.fail('a string')
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.#text)?.[0]
    this.at += match?.length ?? 0
    return match
  }

  #take(token: string): boolean {
    const there = this.#text.startsWith(token, this.at)
    if (there) this.at += token.length
    return there
  }
}
