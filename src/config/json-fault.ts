/** Where text stops being JSON, and the likely mistake. Quotes nothing of the text: it may be a secret. */
export interface JsonFault {
  /** Line and column start at 1. */
  readonly line: number
  readonly column: number
  readonly hint: string
}

/** Deeper nesting is a mistake in a settings file, and would exhaust the stack. */
const depthMax = 100

/** A name that occurs twice in one object: parsers drop the first in silence. */
export interface JsonDuplicate {
  /** Line and column of the second, from 1. */
  readonly line: number
  readonly column: number
  readonly name: string
  /** The names and positions that lead to it, from the outside. */
  readonly path: readonly string[]
}

/** A JSON text as parsed, or where it stops being JSON. */
export type JsonReading =
  | { readonly value: unknown; readonly duplicates: readonly JsonDuplicate[] }
  | { readonly fault: JsonFault }

/** Parses a JSON text. Total: only some of V8's messages give the position of a mistake, and others quote the text. */
export function readJsonText(text: string): JsonReading {
  const scanner = new Scanner(text)
  const hint = scanner.document()
  if (hint !== null) return { fault: { ...positionIn(text, scanner.at), hint } }
  const duplicates = scanner.duplicates.map(({ at, path }) => ({
    ...positionIn(text, at),
    name: path.at(-1) ?? '',
    path,
  }))
  return { value: JSON.parse(text), duplicates }
}

function positionIn(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}

/** Each method moves `at` past what it read and returns null, or leaves it at the mistake and returns a hint. */
class Scanner {
  at = 0
  readonly duplicates: { readonly at: number; readonly path: readonly string[] }[] = []
  /** Where the value that is read now stands. */
  readonly #path: string[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  document(): string | null {
    this.#blanks()
    if (this.at >= this.#text.length) return 'the file is empty'
    const fault = this.#value(0)
    if (fault !== null) return fault
    this.#blanks()
    return this.at >= this.#text.length ? null : 'unexpected text after the end'
  }

  #value(depth: number): string | null {
    if (depth > depthMax) return `nested more than ${depthMax} levels deep`
    const start = this.#text[this.at]
    if (start === '{') {
      const names = new Set<string>()
      return this.#members('}', () => this.#member(depth, names))
    }
    if (start === '[') {
      let position = 0
      return this.#members(']', () => this.#below(String(position++), depth))
    }
    if (start === '"') return this.#string()
    return this.#take(/(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y)
      ? null
      : this.#unexpected('a value')
  }

  #members(end: string, member: () => string | null): string | null {
    this.at++
    this.#blanks()
    if (this.#skip(end)) return null
    for (;;) {
      const fault = member()
      if (fault !== null) return fault
      this.#blanks()
      if (this.#skip(end)) return null
      if (!this.#skip(',')) return this.#unexpected(`"," or "${end}"`)
      this.#blanks()
      if (this.#text[this.at] === end) return `remove the comma before "${end}"`
    }
  }

  #member(depth: number, names: Set<string>): string | null {
    if (this.#text[this.at] !== '"') return this.#unexpected('a name in double quotes')
    const start = this.at
    const fault = this.#string()
    if (fault !== null) return fault
    const name: string = JSON.parse(this.#text.slice(start, this.at))
    if (names.has(name)) this.duplicates.push({ at: start, path: [...this.#path, name] })
    names.add(name)
    this.#blanks()
    if (!this.#skip(':')) return this.#unexpected('":"')
    this.#blanks()
    return this.#below(name, depth)
  }

  #below(step: string, depth: number): string | null {
    this.#path.push(step)
    const hint = this.#value(depth + 1)
    this.#path.pop()
    return hint
  }

  #string(): string | null {
    const start = this.at
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string.
    this.#take(/"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*/y)
    if (this.#skip('"')) return null
    if (this.#text[this.at] === '\\') return 'invalid escape; write a backslash twice'
    if (this.at >= this.#text.length) {
      this.at = start
      return 'the file ends before this string is closed'
    }
    return 'the string is not closed on its line'
  }

  #unexpected(wanted: string): string {
    const found = this.#text[this.at]
    if (found === undefined) return this.#ended(wanted)
    if (found === '/' || found === '#') return 'comments are not allowed'
    if (found === "'") return 'use double quotes'
    return `expected ${wanted}`
  }

  /** Points at the last character; after a line end there is nothing to see. */
  #ended(wanted: string): string {
    this.at = this.#text.trimEnd().length
    return `the file ends here; expected ${wanted}`
  }

  #blanks(): void {
    this.#take(/[ \t\r\n]*/y)
  }

  #skip(character: string): boolean {
    if (this.#text[this.at] !== character) return false
    this.at++
    return true
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.#text)
    if (found === null) return false
    this.at += found[0].length
    return true
  }
}
