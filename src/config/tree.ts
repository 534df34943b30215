import type { FlatSchema } from './flat.ts'
import type { Given } from './given-value.ts'
import { nearest } from './nearest.ts'
import type { Origin, Problem } from './problem.ts'
import { Secret } from './secret.ts'
import { maskCredentials, show } from './show.ts'

/** Further ones are counted, not listed: a wrong file must not fill the log. */
const unknownMax = 50

/** What the tree of one settings file (or the options) gives, and what in it is no setting. Only a key's own name is looked up, so `__proto__` is a name like any other. */
export function walkTree(
  content: unknown,
  origin: Origin,
  schema: FlatSchema,
  drivers: readonly string[] | null,
): { given: Given[]; problems: Problem[] } {
  const walk = new Walk(origin, schema, drivers)
  if (isObject(content)) walk.section(content, '')
  else walk.notAnObject('')
  return walk.result()
}

class Walk {
  readonly #origin: Origin
  readonly #schema: FlatSchema
  readonly #drivers: readonly string[] | null
  readonly #sections: ReadonlySet<string>
  readonly #flatNames: ReadonlyMap<string, string>
  readonly #nested: Given[] = []
  readonly #flat: Given[] = []
  readonly #problems: Problem[] = []
  #unknownCount = 0

  constructor(origin: Origin, schema: FlatSchema, drivers: readonly string[] | null) {
    this.#origin = origin
    this.#schema = schema
    this.#drivers = drivers
    const own = (drivers ?? []).map((name) => `plugins.${name}`)
    this.#sections = new Set(['plugins', ...own, ...[...schema.keys()].flatMap(prefixes)])
    this.#flatNames = new Map([...schema].map(([key, { env }]) => [env.toLowerCase(), key]))
  }

  section(node: object, prefix: string): void {
    for (const [name, value] of Object.entries(node)) {
      const key = prefix + name
      if (value === undefined || key === '$schema') continue
      if (this.#schema.has(key)) this.#give(this.#nested, key, key, value)
      else if (this.#sections.has(key)) this.#subsection(key, value)
      else if (prefix === '' && name !== '' && this.#flatNames.has(name)) this.#giveFlat(name, value)
      else this.#unknown(key, prefix)
    }
  }

  /** Nested values above flat ones: the later wins, and a disagreement is reported. */
  result(): { given: Given[]; problems: Problem[] } {
    if (this.#unknownCount > unknownMax) this.#problems.push(this.#manyUnknown())
    return { given: [...this.#flat, ...this.#nested], problems: this.#problems }
  }

  notAnObject(key: string): void {
    const what = key === '' ? formatSource(this.#origin) : key
    this.#report(
      'SETTING_INVALID',
      what,
      `${what} is not a JSON object; nothing in it is used.`,
      'Write it as {"name": value, ...}.',
    )
  }

  #subsection(key: string, value: unknown): void {
    // Before the drivers are loaded nobody can say what is right in here.
    if (key === 'plugins' && this.#drivers === null) return
    if (isObject(value)) this.section(value, `${key}.`)
    else this.notAnObject(key)
  }

  #giveFlat(name: string, value: unknown): void {
    const key = this.#flatNames.get(name)
    if (key !== undefined) this.#give(this.#flat, key, name, value)
  }

  #give(into: Given[], key: string, name: string, value: unknown): void {
    const plain = value instanceof Secret ? value.reveal() : value
    const setting = this.#schema.get(key)
    if (setting?.environmentOnly && this.#origin.from === 'file') {
      if (plain !== setting.default) this.#misplaced(key, setting.env)
      return
    }
    into.push({ key, name, origin: this.#origin, value: () => plain })
  }

  #misplaced(key: string, env: string): void {
    this.#report(
      'SETTING_MISPLACED',
      key,
      `${key} is taken from the environment only; the value in the file is not used.`,
      `Set ${env} in the environment.`,
    )
  }

  #unknown(key: string, prefix: string): void {
    this.#unknownCount++
    if (this.#unknownCount > unknownMax) return
    const shown = printable(key)
    const near = nearest(key, this.#candidates(prefix)) ?? this.#beginningAs(key)
    this.#report(
      'SETTING_UNKNOWN',
      shown,
      `There is no setting called ${shown}; its value is not used.`,
      near === null ? 'Remove it; README has a table of every setting.' : `Did you mean ${near}?`,
    )
  }

  /** The one setting of the same section that begins nearly so: `bodyLimt` for `bodyLimitBytes`. */
  #beginningAs(key: string): string | null {
    const begin = (known: string): string => known.replace(/(?:Bytes|Ms|S)$/, '')
    const units = new Map([...this.#schema.keys()].map((known) => [begin(known), known]))
    const near = nearest(key, units.keys())
    return near === null ? null : (units.get(near) ?? null)
  }

  *#candidates(prefix: string): Iterable<string> {
    yield* this.#schema.keys()
    yield* this.#sections
    if (prefix === '') yield* this.#flatNames.keys()
  }

  #manyUnknown(): Problem {
    const source = formatSource(this.#origin)
    return {
      code: 'SETTING_UNKNOWN',
      severity: 'error',
      setting: source,
      origin: this.#origin,
      part: null,
      message: `${source} has ${this.#unknownCount - unknownMax} further names that are no settings.`,
      suggestion: 'Look whether this is the right file.',
    }
  }

  #report(code: Problem['code'], setting: string, message: string, suggestion: string): void {
    this.#problems.push({ code, severity: 'error', setting, origin: this.#origin, part: null, message, suggestion })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Secret)
}

function prefixes(key: string): string[] {
  const names = key.split('.')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'))
}

function formatSource(origin: Origin): string {
  return origin.from === 'file' ? origin.path : origin.from
}

/** A name from outside on one line: as it is when it is an ordinary one. */
function printable(key: string): string {
  const masked = String(maskCredentials(key))
  return /^[\w.$-]{1,80}$/.test(masked) ? masked : show(masked)
}
