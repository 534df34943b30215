import { maskAddress } from '../../config/mask.ts'
import { nearest } from '../../config/nearest.ts'
import type { Problem, Severity } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import type { ResolvedSettings } from '../../config/settings.ts'
import type { PartsAddress } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import type { ResolvedTarget } from './config.ts'
import { cleanAddress } from './url-clean.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { type AddressParts, declaresPrimary, differingParts, readParts } from './url-parts.ts'
import { houseHint, schemeOf } from './url-scheme.ts'
import { type AddressReading, DatabaseUrlValidator, settingName } from './url-validator.ts'

/** What the settings say about a primary. */
export interface PrimaryReading extends AddressReading {
  readonly declared: boolean
  readonly absence: string | null
}

/** Reads `DATABASE_URL`, or its parts. Pure; never throws. */
export class PrimaryReader {
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
      const problems = [
        ...named.problems,
        ...reading.problems,
        ...this.#differences(cleanAddress(url).text, reading, named.driver),
      ]
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
    const message = `${this.#nameOf('driver')} names "${maskAddress(name).slice(0, 60)}", and no driver of that name is installed.`
    const hint = houseHint(name) ?? (near === null ? null : `Did you mean "${near}"?`)
    const suggestion = `${hint === null ? '' : `${hint} `}Installed: ${known.join(', ') || 'none'}.`
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
  #differences(address: string, { resolved }: AddressReading, named: Driver | null): readonly Problem[] {
    if (resolved === null || !this.#resolved.settings.database.validationEnabled) return []
    const problems: Problem[] = []
    if (named !== null && named.name !== resolved.driver.name) {
      const message = `${this.#nameOf('driver')} names "${named.name}", which does not take "${schemeOf(address) ?? ''}:" addresses.`
      const mend = `The scheme of DATABASE_URL decides: "${resolved.driver.name}" is used. Take DATABASE_DRIVER away, or change the address.`
      problems.push(this.#problem('DRIVER_MISMATCH', 'warning', 'driver', message, mend))
    }
    for (const key of differingParts(this.#parts, resolved.target, address, (name) =>
      this.#isSameName(name, resolved),
    )) {
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

function absenceOf(url: string, resolved: ResolvedSettings): string {
  const name = settingName('database.url', resolved.originOf('database.url'))
  const shown = url.trim().slice(0, 20)
  return url === '' ? 'DATABASE_URL is not set.' : `${name} is blank (${JSON.stringify(shown)}).`
}
