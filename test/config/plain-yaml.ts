/**
 * Reads the plain part of YAML that the examples keep to: maps and lists by indentation, one-line scalars, JSON for
 * whatever is in brackets, braces or double quotes, comments. Throws at everything else, tabs and anchors included,
 * so an example that this reads is read alike by every YAML parser.
 */
export function parsePlainYaml(text: string): unknown[] {
  return text.split(/^---$/m).map((document) => new Reader(document).whole())
}

interface Line {
  readonly indent: number
  readonly text: string
}

const pair = /^([A-Za-z_$][\w.$-]*):(?: (.+))?$/

class Reader {
  readonly #lines: Line[]

  constructor(document: string) {
    this.#lines = document.split('\n').flatMap((line) => {
      const text = line.replace(/(^|\s)#.*$/, '').trimEnd()
      if (text.includes('\t')) throw new Error(`a tab in: ${line}`)
      return text.trim() === '' ? [] : [{ indent: text.search(/\S/), text: text.trim() }]
    })
  }

  whole(): unknown {
    const value = this.#block(0)
    if (this.#lines[0]) throw new Error(`not expected here: ${this.#lines[0].text}`)
    return value
  }

  #block(indent: number): unknown {
    return this.#lines[0]?.text.startsWith('- ') ? this.#list(indent) : this.#map(indent)
  }

  #map(indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    for (let line = this.#lines[0]; line?.indent === indent && !line.text.startsWith('- '); line = this.#lines[0]) {
      const [, key, value] = pair.exec(line.text) ?? []
      if (key === undefined) throw new Error(`not "key: value": ${line.text}`)
      if (Object.hasOwn(map, key)) throw new Error(`given twice: ${key}`)
      this.#lines.shift()
      map[key] = value === undefined ? this.#nested(indent, key) : scalar(value)
    }
    return map
  }

  #nested(indent: number, key: string): unknown {
    const next = this.#lines[0]
    if (next === undefined || next.indent <= indent) throw new Error(`nothing below: ${key}`)
    return this.#block(next.indent)
  }

  #list(indent: number): unknown[] {
    const items: unknown[] = []
    for (let line = this.#lines[0]; line?.indent === indent && line.text.startsWith('- '); line = this.#lines[0]) {
      const text = line.text.slice(2)
      this.#lines.shift()
      if (pair.test(text)) {
        // The rest of the map stands under its first key.
        this.#lines.unshift({ indent: indent + 2, text })
        items.push(this.#map(indent + 2))
      } else items.push(scalar(text))
    }
    return items
  }
}

function scalar(text: string): unknown {
  if (/^["[{]/.test(text)) return JSON.parse(text)
  if (/^(?:true|false|null|-?\d+(?:\.\d+)?)$/.test(text)) return JSON.parse(text)
  if (/^[&*!|>'%@`]/.test(text) || /: /.test(text)) throw new Error(`needs double quotes: ${text}`)
  // YAML 1.1 parsers read these as booleans.
  if (/^(?:yes|no|on|off|y|n)$/i.test(text)) throw new Error(`ambiguous: ${text}`)
  return text
}
