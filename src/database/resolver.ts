import { nearest } from '../config/nearest.ts'
import type { Problem, Severity } from '../config/problem.ts'
import { Secret } from '../config/secret.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import type { Driver, PartsAddress } from '../driver/driver.ts'
import type { DriverRegistry } from '../driver/registry.ts'
import type { DatabaseConfig, ResolvedTarget } from './config.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { type AddressParts, declaresPrimary, differingParts, readParts } from './url-parts.ts'
import { schemeOf } from './url-scheme.ts'
import { type AddressReading, DatabaseUrlValidator, settingName } from './url-validator.ts'

/** A resolution, with the reason where no primary is declared. */
export interface Resolution extends DatabaseConfig {
  /** One sentence for the log: why no primary is declared. Null when one is. */
  readonly absence: string | null
}

/** The address that always works where the house's own drivers are: relative to the data directory. */
const defaultFallback = 'sqlite:///./production.db'

/**
 * Turns settings into databases: a primary, if one is declared, and a fallback. Pure, and never throws: what is wrong is
 * a problem, and something usable takes its place.
 */
export class DatabaseUrlResolver {
  readonly #registry: DriverRegistry

  constructor(registry: DriverRegistry) {
    this.#registry = registry
  }

  /**
   * @param places Absolute folders for files of ours, in the order to try them; at least one. A declared primary is
   * used in the first or not at all, the fallback and the local store in the first that works.
   */
  resolve(resolved: ResolvedSettings, places: readonly string[]): Resolution {
    const primary = new PrimaryReader(this.#registry, resolved, places.slice(0, 1)).read()
    const fallback = new FallbackReader(this.#registry, resolved, places).read()
    const { declared, absence } = primary
    const problems = [...primary.problems, ...fallback.problems]
    const base = { declared, absence, primary: primary.resolved }
    if (!declared) return { ...base, fallback: fallback.resolved, problems }
    if (!resolved.settings.fallback.enabled) {
      // What is wrong with a fallback that nobody wants is nobody's problem.
      return { ...base, fallback: null, problems: primary.problems }
    }
    const isSame = primary.resolved !== null && primary.resolved.target.id === fallback.resolved?.target.id
    if (!isSame) return { ...base, fallback: fallback.resolved, problems }
    return { ...base, fallback: null, problems: [...problems, samenessProblem(resolved)] }
  }
}

interface PrimaryReading extends AddressReading {
  readonly declared: boolean
  readonly absence: string | null
}

/** Reads `DATABASE_URL`, or its parts. */
class PrimaryReader {
  readonly #registry: DriverRegistry
  readonly #resolved: ResolvedSettings
  readonly #places: readonly string[]
  readonly #validator: DatabaseUrlValidator
  readonly #parts: AddressParts

  constructor(registry: DriverRegistry, resolved: ResolvedSettings, places: readonly string[]) {
    this.#registry = registry
    this.#resolved = resolved
    this.#places = places
    this.#validator = new DatabaseUrlValidator(registry, resolved.settings)
    this.#parts = readParts(resolved.settings.database)
  }

  read(): PrimaryReading {
    const url = this.#resolved.settings.database.url?.reveal() ?? ''
    const named = this.#namedDriver()
    const reading = this.#validator.read(url, {
      role: 'primary',
      setting: 'database.url',
      origin: this.#resolved.originOf('database.url'),
      places: this.#places,
      driver: named.driver,
    })
    if (!reading.isBlank) {
      const problems = [...named.problems, ...reading.problems, ...this.#differences(url, reading, named.driver)]
      return { ...reading, problems, declared: true, absence: null }
    }
    if (!declaresPrimary(this.#parts)) {
      // Declared, though its value never arrived: a secret file that cannot be read. Its problem is in the settings.
      if (this.#isLost()) return { ...reading, declared: true, absence: null }
      return { ...reading, declared: false, absence: absenceOf(url, this.#resolved) }
    }
    const parts = this.#readParts(named.driver)
    return { ...parts, problems: [...named.problems, ...parts.problems], declared: true, absence: null }
  }

  /** The driver that DATABASE_DRIVER names, also by one of its schemes (`postgres`). */
  #namedDriver(): { readonly driver: Driver | null; readonly problems: readonly Problem[] } {
    const { driver: name } = this.#parts
    if (name === null) return { driver: null, problems: [] }
    const driver = this.#registry.byName(name) ?? this.#registry.byScheme(name)
    if (driver !== null) return { driver, problems: [] }
    const known = this.#registry.all.map((loaded) => loaded.name)
    const near = nearest(name, [...known, ...this.#registry.all.flatMap(({ schemes }) => schemes)])
    const message = `${this.#nameOf('driver')} names "${name.slice(0, 60)}", and no driver of that name is installed.`
    const suggestion = `${near === null ? '' : `Did you mean "${near}"? `}Installed: ${known.join(', ') || 'none'}.`
    return { driver: null, problems: [this.#problem('DRIVER_NOT_LOADED', 'error', 'driver', message, suggestion)] }
  }

  #readParts(driver: Driver | null): AddressReading {
    if (driver === null) {
      if (this.#parts.driver !== null) return { resolved: null, isBlank: false, problems: [] }
      const given = (['host', 'port', 'username', 'password', 'name'] as const).filter(
        (key) => this.#parts[key] !== null,
      )
      const message = `${given.map((key) => this.#nameOf(key)).join(', ')} ${given.length === 1 ? 'is' : 'are'} given, but DATABASE_DRIVER, which says the kind of database, is not.`
      const mend = `Set DATABASE_DRIVER (installed: ${this.#registry.all.map((loaded) => loaded.name).join(', ') || 'none'}), or give the whole address as DATABASE_URL.`
      const problem = this.#problem('ADDRESS_PARTS_INCOMPLETE', 'error', 'driver', message, mend)
      return { resolved: null, isBlank: false, problems: [problem] }
    }
    const reading = this.#validator.parse(driver, this.#partsAddress())
    return { ...reading, problems: reading.problems.map((problem) => this.#named(problem)) }
  }

  /** A driver knows of one setting; which of the parts it means is in `part`. */
  #named(problem: Problem): Problem {
    const part = problem.part === 'user' ? 'username' : problem.part
    if (!['host', 'port', 'username', 'password', 'name'].includes(part ?? '')) return problem
    const setting = `database.${part}`
    return { ...problem, setting, origin: this.#resolved.originOf(setting) }
  }

  #isLost(): boolean {
    const { problems } = this.#resolved
    const isRefused = problems.some(({ setting, severity }) => setting === 'database.url' && severity === 'error')
    return isRefused && this.#resolved.isGiven('database.url')
  }

  #partsAddress(): PartsAddress {
    const { host, port, username, password, name } = this.#parts
    return {
      form: 'parts',
      role: 'primary',
      setting: 'database.driver',
      origin: this.#resolved.originOf('database.driver'),
      places: this.#places,
      host,
      port,
      username,
      password: password === null ? null : new Secret(password),
      name,
    }
  }

  /** Both an address and parts: the address wins, and what differs is said. Without validation nothing is compared. */
  #differences(url: string, { resolved }: AddressReading, named: Driver | null): readonly Problem[] {
    if (resolved === null || !this.#resolved.settings.database.validationEnabled) return []
    const problems: Problem[] = []
    if (named !== null && named.name !== resolved.driver.name) {
      const message = `${this.#nameOf('driver')} names "${named.name}", which does not take "${schemeOf(url) ?? ''}:" addresses.`
      const mend = `The scheme of DATABASE_URL decides: "${resolved.driver.name}" is used. Take DATABASE_DRIVER away, or change the address.`
      problems.push(this.#problem('DRIVER_MISMATCH', 'warning', 'driver', message, mend))
    }
    for (const key of differingParts(this.#parts, resolved.target, url, (name) => this.#isSameName(name, resolved))) {
      const message = `${this.#nameOf(key)} differs from what DATABASE_URL says.`
      const mend = 'DATABASE_URL is used. Take one of the two away.'
      problems.push(this.#problem('ADDRESS_PARTS_DIFFER', 'warning', key, message, mend))
    }
    return problems
  }

  /** A server's database has one name; a file's is what its driver makes of it. */
  #isSameName(name: string, { driver, target }: ResolvedTarget): boolean {
    if (driver.embedded === undefined) return name === target.database
    return this.#validator.parse(driver, this.#partsAddress()).resolved?.target.id === target.id
  }

  #nameOf(part: string): string {
    return settingName(`database.${part}`, this.#resolved.originOf(`database.${part}`))
  }

  #problem(code: AddressProblemCode, severity: Severity, part: string, message: string, suggestion: string): Problem {
    const setting = `database.${part}`
    return { code, severity, setting, origin: this.#resolved.originOf(setting), part, message, suggestion }
  }
}

/** Reads `FALLBACK_DATABASE_URL`; the default takes the place of a bad one. */
class FallbackReader {
  readonly #registry: DriverRegistry
  readonly #resolved: ResolvedSettings
  readonly #places: readonly string[]
  readonly #validator: DatabaseUrlValidator

  constructor(registry: DriverRegistry, resolved: ResolvedSettings, places: readonly string[]) {
    this.#registry = registry
    this.#resolved = resolved
    this.#places = places
    this.#validator = new DatabaseUrlValidator(registry, resolved.settings)
  }

  read(): AddressReading {
    const text = this.#resolved.settings.fallback.url.reveal()
    // `config/default.json` writes the default out: who it came from does not say whether anybody chose it.
    const given = text === defaultFallback ? { resolved: null, isBlank: true, problems: [] } : this.#readText(text)
    if (given.resolved?.driver.embedded !== undefined) return given
    const refused = given.resolved === null ? [] : [this.#notEmbedded(given.resolved)]
    const fallback = this.#readText(this.#defaultText())
    const problems = [...given.problems, ...refused, ...fallback.problems]
    if (fallback.resolved !== null) return { ...fallback, problems }
    const mend = 'Name one in DRIVERS: "sqlite" is the house\'s own.'
    const none = this.#problem('FALLBACK_NONE', 'error', 'No driver that is loaded can be a fallback.', mend)
    return { ...fallback, problems: [...problems, none] }
  }

  #readText(text: string): AddressReading {
    const origin = this.#resolved.originOf('fallback.url')
    return this.#validator.read(text, { role: 'fallback', setting: 'fallback.url', origin, places: this.#places })
  }

  /** Where the default's own driver was left out on purpose, the first that can be a fallback takes its place. */
  #defaultText(): string {
    const scheme = schemeOf(defaultFallback) ?? ''
    if (this.#registry.byScheme(scheme)?.embedded !== undefined) return defaultFallback
    const other = this.#registry.all.find((driver) => driver.embedded !== undefined)?.schemes[0]
    return other === undefined ? '' : other + defaultFallback.slice(scheme.length)
  }

  #notEmbedded({ driver }: ResolvedTarget): Problem {
    const name = settingName('fallback.url', this.#resolved.originOf('fallback.url'))
    const message = `${name} is an address for "${driver.name}", which does not live in files of this machine; the default is used.`
    const mend = `Write ${this.#defaultText()} or another file.`
    return this.#problem('FALLBACK_NOT_EMBEDDED', 'error', message, mend)
  }

  #problem(code: AddressProblemCode, severity: Severity, message: string, suggestion: string): Problem {
    const origin = this.#resolved.originOf('fallback.url')
    return { code, severity, setting: 'fallback.url', origin, part: null, message, suggestion }
  }
}

function samenessProblem(resolved: ResolvedSettings): Problem {
  return {
    code: 'FALLBACK_IS_PRIMARY',
    severity: 'info',
    setting: 'fallback.url',
    origin: resolved.originOf('fallback.url'),
    part: null,
    message: 'Primary and fallback are the same database, so there is no fallback.',
    suggestion: 'Nothing needs to be done; or name another file in FALLBACK_DATABASE_URL.',
  }
}

function absenceOf(url: string, resolved: ResolvedSettings): string {
  const name = settingName('database.url', resolved.originOf('database.url'))
  const shown = url.trim().slice(0, 20)
  return url === '' ? 'DATABASE_URL is not set.' : `${name} is blank (${JSON.stringify(shown)}).`
}
