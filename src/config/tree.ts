import type { GivenValue } from './layers.ts'
import { holdsCredentials, show } from './mask.ts'
import { nearest } from './nearest.ts'
import { formatOrigin, type Origin, type Problem } from './problem.ts'
import { Secret } from './secret.ts'
import type { SettingMap } from './settings-schema.ts'

/** More are counted, not listed: a wrong file must not fill the log. */
const unknownMax = 50

/** What one settings file (or the options) gives, and what in it is not a setting. Names are looked up as own keys, so `__proto__` is a name like any other. */
export function walkTree(
  content: unknown,
  origin: Origin,
  settings: SettingMap,
  drivers: readonly string[] | null,
): { given: GivenValue[]; problems: Problem[] } {
  const walk = new TreeWalk(origin, settings, drivers)
  if (isObject(content)) walk.section(content, '')
  else walk.notAnObject('')
  return walk.result()
}

class TreeWalk {
  readonly #origin: Origin
  readonly #settings: SettingMap
  readonly #drivers: readonly string[] | null
  readonly #sections: ReadonlySet<string>
  readonly #flatNames: ReadonlyMap<string, string>
  readonly #nested: GivenValue[] = []
  readonly #flat: GivenValue[] = []
  readonly #problems: Problem[] = []
  #unknownCount = 0

  constructor(origin: Origin, settings: SettingMap, drivers: readonly string[] | null) {
    this.#origin = origin
    this.#settings = settings
    this.#drivers = drivers
    const own = (drivers ?? []).map((name) => `plugins.${name}`)
    this.#sections = new Set(['plugins', ...own, ...[...settings.keys()].flatMap(prefixes)])
    this.#flatNames = new Map(
      [...settings].flatMap(([key, { env }]) => [env.toLowerCase(), env].map((name) => [name, key])),
    )
  }

  section(node: object, prefix: string): void {
    for (const [name, value] of Object.entries(node)) {
      const key = prefix + name
      const flatKey = prefix === '' && name !== '' ? this.#flatNames.get(name) : undefined
      if (value === undefined || key === '$schema') continue
      if (this.#settings.has(key)) this.#give(this.#nested, key, key, value)
      else if (this.#sections.has(key)) this.#subsection(key, value)
      else if (flatKey !== undefined) this.#give(this.#flat, flatKey, name, value)
      else this.#unknown(key, prefix)
    }
  }

  /** Nested values come last and win over flat ones; `pickValue` reports where they differ. */
  result(): { given: GivenValue[]; problems: Problem[] } {
    if (this.#unknownCount > unknownMax) this.#manyUnknown()
    return { given: [...this.#flat, ...this.#nested], problems: this.#problems }
  }

  notAnObject(key: string): void {
    const what = key === '' ? formatOrigin(this.#origin) : key
    this.#report(
      'SETTING_INVALID',
      what,
      `${what} is not a JSON object. All of it is ignored.`,
      'Write it as {"name": value, ...}.',
    )
  }

  #subsection(key: string, value: unknown): void {
    // Its settings are known once the drivers are loaded.
    if (key === 'plugins' && this.#drivers === null) return
    if (isObject(value)) this.section(value, `${key}.`)
    else this.notAnObject(key)
  }

  #give(into: GivenValue[], key: string, name: string, value: unknown): void {
    const setting = this.#settings.get(key)
    // Elsewhere a secret would be shown, so that it stays one and is rejected.
    const plain = value instanceof Secret && setting?.sensitive ? value.reveal() : value
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
      `${key} can only be set in the environment. The value in the file is ignored.`,
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
      `${shown} is not a setting. It is ignored.`,
      near === null ? 'Remove it. config/README.md lists every setting.' : `Did you mean ${near}?`,
    )
  }

  /** The setting that is meant when the unit is missing and the rest misspelt: `bodyLimt` for `bodyLimitBytes`. */
  #beginningAs(key: string): string | null {
    const begin = (known: string): string => known.replace(/(?:Bytes|Ms|S)$/, '')
    const units = new Map([...this.#settings.keys()].map((known) => [begin(known), known]))
    const near = nearest(key, units.keys())
    return near === null ? null : (units.get(near) ?? null)
  }

  *#candidates(prefix: string): Iterable<string> {
    yield* this.#settings.keys()
    yield* this.#sections
    if (prefix === '') yield* this.#flatNames.keys()
  }

  #manyUnknown(): void {
    const source = formatOrigin(this.#origin)
    const message = `${source} has ${this.#unknownCount - unknownMax} more names that are not settings.`
    this.#report('SETTING_UNKNOWN', source, message, 'Check that this is the right file.')
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

/** A name from outside, on one line; an ordinary one as it is. */
function printable(key: string): string {
  if (holdsCredentials(key)) return '***'
  return /^[\w.$-]{1,80}$/.test(key) ? key : show(key)
}
