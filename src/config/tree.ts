import { isDeepStrictEqual } from 'node:util'
import type { RawValue } from './layers.ts'
import { holdsCredentials, show } from './mask.ts'
import { nearest } from './nearest.ts'
import { createProblem, formatOrigin, type Origin, type Problem, type Severity } from './problem.ts'
import { FlatNames, snakeCase, statusNames } from './schema/flat-names.ts'
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
): { given: RawValue[]; problems: Problem[] } {
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
  readonly #flatNames: FlatNames
  readonly #nested: RawValue[] = []
  readonly #flat: RawValue[] = []
  readonly #problems: Problem[] = []
  #unknownCount = 0

  constructor(origin: Origin, settings: SettingMap, drivers: readonly string[] | null) {
    this.#origin = origin
    this.#settings = settings
    this.#drivers = drivers
    const own = (drivers ?? []).map((name) => `plugins.${name}`)
    this.#sections = new Set(['plugins', ...own, ...[...settings.keys()].flatMap(prefixes)])
    this.#flatNames = new FlatNames(settings)
  }

  section(node: object, prefix: string): void {
    for (const [name, value] of Object.entries(node)) {
      const key = prefix + name
      if (value === undefined || key === '$schema') continue
      const meant = this.#flatNames.meaning(name, prefix.slice(0, -1))
      if (this.#settings.has(key)) this.#give(this.#nested, key, key, value)
      else if (this.#sections.has(key)) this.#subsection(key, value)
      else if (meant !== undefined) this.#give(this.#flat, meant, key, value)
      else this.#unknown(key, prefix)
    }
  }

  /** Nested values come last and win over flat ones; `pickValue` reports where they differ. */
  result(): { given: RawValue[]; problems: Problem[] } {
    if (this.#unknownCount > unknownMax) this.#manyUnknown()
    const flat = this.#flat.map((one) => (hasTwoMeanings(one) ? this.#settled(one) : one))
    return { given: [...flat, ...this.#nested], problems: this.#problems }
  }

  /** `host` and `port` at the top are the database's where flat names declare one, else the HTTP server's. */
  #settled(one: RawValue): RawValue {
    const isOfDatabase = ({ key, value }: RawValue): boolean => {
      if (typeof value !== 'function' || value() === null || !/^(?:database|fallback)\./.test(key)) return false
      return !isDeepStrictEqual(value(), this.#settings.get(key)?.default)
    }
    const isAtTop = ({ name }: RawValue): boolean => !name.includes('.')
    const declaring = this.#flat.find((other) => isAtTop(other) && isOfDatabase(other) && declaringKeys.has(other.key))
    const neighbour = declaring ?? [...this.#flat, ...this.#nested].find(isOfDatabase)
    if (neighbour === undefined) return one
    const [used, other] = declaring === undefined ? ['http', 'database'] : ['database', 'http']
    const part = one.name.toLowerCase()
    const owner = used === 'http' ? 'HTTP server' : 'database'
    this.#report(
      'SETTING_AMBIGUOUS',
      `${used}.${part}`,
      `${one.name}, next to ${printable(neighbour.name)}, is read as the ${part} of the ${owner}.`,
      `Write ${used}.${part}, or ${other}.${part} if that is meant.`,
      'info',
    )
    return { ...one, key: `${used}.${part}` }
  }

  notAnObject(key: string): void {
    const what = key === '' ? formatOrigin(this.#origin) : key
    const message = `${what} is not a JSON object. All of it is ignored.`
    const own = key === '' ? undefined : [...this.#settings.keys()].find((one) => one.startsWith(`${key}.`))
    const example = own?.slice(key.length + 1) ?? 'name'
    this.#report('SETTING_INVALID', what, message, `Write it as {"${example}": value, ...}.`)
  }

  #subsection(key: string, value: unknown): void {
    // Its settings are known once the drivers are loaded.
    if (key === 'plugins' && this.#drivers === null) return
    if (isObject(value)) this.section(value, `${key}.`)
    else this.notAnObject(key)
  }

  #give(into: RawValue[], key: string, name: string, value: unknown): void {
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
    this.#report('SETTING_UNKNOWN', shown, `${shown} is not a setting. It is ignored.`, this.#insteadOf(key, prefix))
  }

  #insteadOf(key: string, prefix: string): string {
    const name = key.slice(prefix.length)
    const reported = statusNames.find((one) => snakeCase(one) === snakeCase(name))
    if (reported !== undefined) return `Remove it. /status reports it: database.${reported}.`
    if (prefix === 'fallback.' && this.#flatNames.meaning(name, 'database') !== undefined)
      return 'Put the whole address of the fallback into fallback.url.'
    const below = prefix === '' ? this.#flatNames.meaning(name, 'database') : undefined
    if (below !== undefined) return `Did you mean ${below}?`
    // Only what stands in the same section: a name of another is near by accident.
    const keys = [...this.#settings.keys(), ...this.#sections].filter((known) => known.startsWith(prefix))
    const names = new Map(keys.map((known) => [known.slice(prefix.length), known]))
    const others = prefix === '' ? this.#flatNames.all : []
    const near = nearest(name, [...names.keys(), ...others])
    // The unit is missing, and the rest misspelt: `bodyLimt` for `bodyLimitBytes`.
    const units = new Map([...names].map(([known, whole]) => [known.replace(/(?:Bytes|Ms|S)$/, ''), whole]))
    const found = near === null ? units.get(nearest(name, units.keys()) ?? '') : (names.get(near) ?? near)
    return found === undefined ? 'Remove it. config/README.md lists every setting.' : `Did you mean ${found}?`
  }

  #manyUnknown(): void {
    const source = formatOrigin(this.#origin)
    const message = `${source} has ${this.#unknownCount - unknownMax} more names that are not settings.`
    this.#report('SETTING_UNKNOWN', source, message, 'Check that this is the right file.')
  }

  #report(code: string, setting: string, message: string, suggestion: string, severity: Severity = 'error'): void {
    this.#problems.push(createProblem(code, severity, setting, { origin: this.#origin, message, suggestion }))
  }
}

/** The names of these say where a database is. */
const declaringKeys: ReadonlySet<string> = new Set(
  ['url', 'driver', 'username', 'password', 'name'].map((part) => `database.${part}`),
)

/** In capitals they are the variables HOST and PORT, which are the server's everywhere. */
function hasTwoMeanings({ name }: RawValue): boolean {
  return /^(?:[Hh]ost|[Pp]ort)$/.test(name)
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
