import { findVariable } from '../../config/formats.ts'
import { decoded, maskAddress, settingHoldsCredentials } from '../../config/mask.ts'
import { nearest } from '../../config/nearest.ts'
import type { Problem, Severity } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import type { DatabaseSettings, ResolvedSettings } from '../../config/settings.ts'
import type { PartsAddress, Target } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import { cleanAddress, isBlank } from './clean.ts'
import type { ResolvedTarget } from './config.ts'
import { placeholderHint } from './placeholder.ts'
import { type DatabaseCode, reporterOf, settingName } from './problems.ts'
import { builtInHint } from './scheme.ts'
import { type AddressReading, DatabaseUrlValidator } from './validator.ts'

/** What the settings declare as the primary. */
export interface PrimaryReading extends Pick<AddressReading, 'resolved' | 'problems'> {
  readonly declared: boolean
  readonly absence: string | null
}

const partKeys = ['host', 'port', 'username', 'password', 'name'] as const

/** The parts of an address; null where the setting is blank. */
interface AddressParts extends Pick<PartsAddress, (typeof partKeys)[number]> {
  readonly driver: string | null
}

/** Reads DATABASE_URL, or its parts. Pure; never throws. */
export class PrimaryReader {
  readonly #registry: DriverRegistry
  readonly #resolved: ResolvedSettings
  readonly #folders: readonly string[]
  readonly #validator: DatabaseUrlValidator
  readonly #parts: AddressParts

  constructor(registry: DriverRegistry, resolved: ResolvedSettings, folders: readonly string[]) {
    this.#registry = registry
    this.#resolved = resolved
    this.#folders = folders
    this.#validator = new DatabaseUrlValidator(registry, resolved.settings)
    this.#parts = partsOf(resolved.settings.database)
  }

  read(): PrimaryReading {
    const url = this.#resolved.settings.database.url?.reveal() ?? ''
    const named = this.#namedDriver()
    const reading = this.#validator.read(url, {
      role: 'primary',
      setting: 'database.url',
      origin: this.#resolved.originOf('database.url'),
      folders: this.#folders,
      driver: named.driver,
    })
    const { resolved } = reading
    if (!reading.isBlank) {
      const problems = [...named.problems, ...reading.problems, ...this.#differences(reading, named.driver)]
      return this.#withCertificates({ resolved, problems, declared: true, absence: null }, 'database.url')
    }
    if (!declaresPrimary(this.#parts)) {
      // Declared, though its value never arrived: a secret file that cannot be read is a problem of the settings.
      const isLost = this.#isLost('database.url')
      return { resolved, problems: [], declared: isLost, absence: isLost ? null : absenceOf(url, this.#resolved) }
    }
    const parts = this.#readParts(named.driver)
    const problems = [...named.problems, ...parts.problems]
    const { resolved: target } = parts
    return this.#withCertificates({ resolved: target, problems, declared: true, absence: null }, 'database.driver')
  }

  /** A certificate or key that was given and cannot be used must not end in a connection without it. */
  #withCertificates(reading: PrimaryReading, setting: string): PrimaryReading {
    if (reading.resolved === null) return reading
    const { name, settings: declared = {} } = reading.resolved.driver
    const { plugins } = this.#resolved.settings
    const missing = Object.entries(declared).filter(([key, { format }]) => format === 'pem' && !plugins?.[name]?.[key])
    const keys = missing.map(([key]) => `plugins.${name}.${key}`)
    const errors = this.#resolved.problems.filter(({ severity }) => severity === 'error')
    const lost = errors.map((problem) => nearest(problem.setting, keys)).find((key) => key !== null)
    if (lost === undefined) return reading
    const env = declared[lost.split('.').at(-1) ?? '']?.env
    const message = `${env} is given and cannot be used. The address is rejected rather than used without it.`
    const report = reporterOf({ setting, origin: this.#resolved.originOf(setting) })
    const problem = report('ADDRESS_TLS_INVALID', 'error', null, message, `Correct ${env}, or remove it.`)
    return { ...reading, resolved: null, problems: [...reading.problems, problem] }
  }

  /** The driver in DATABASE_DRIVER, which may also be one of its schemes (`postgres`). */
  #namedDriver(): { readonly driver: Driver | null; readonly problems: readonly Problem[] } {
    const { driver: name } = this.#parts
    if (name === null) return { driver: null, problems: [] }
    // Other data models name the client alone: `asyncpg` of `postgresql+asyncpg`.
    const client = `+${name.toLowerCase()}`
    const ofClient = this.#registry.all.find(({ schemes }) => schemes.some((scheme) => scheme.endsWith(client)))
    const driver = this.#registry.byName(name) ?? this.#registry.byScheme(name) ?? ofClient ?? null
    if (driver !== null) return { driver, problems: [] }
    const near = nearest(name, [...this.#loaded(), ...this.#registry.all.flatMap(({ schemes }) => schemes)])
    const shown = maskAddress(name).slice(0, 60)
    const message = `${this.#nameOf('driver')} is "${shown}", but no driver of that name is loaded.`
    const hint = builtInHint(name) ?? (near === null ? null : `Did you mean "${near}"?`)
    const suggestion = `${hint === null ? '' : `${hint} `}Loaded: ${this.#loaded().join(', ') || 'none'}.`
    return { driver: null, problems: [this.#problem('ADDRESS_DRIVER_UNKNOWN', 'error', 'driver', message, suggestion)] }
  }

  #readParts(driver: Driver | null): Pick<AddressReading, 'resolved' | 'problems'> {
    const odd = partKeys.filter(
      (key) => key !== 'password' && settingHoldsCredentials(`database.${key}`, this.#parts[key]),
    )
    if (odd.length > 0) return { resolved: null, problems: odd.map((key) => this.#addressInPart(key)) }
    const defects = [...this.#lost(), ...this.#defects()]
    if (defects.length > 0) return { resolved: null, problems: defects }
    if (driver !== null) {
      const reading = this.#validator.parse(driver, this.#partsAddress())
      const problems = reading.problems.map((problem) => this.#named(problem))
      return { ...reading, problems: [...this.#portInHost(), ...problems] }
    }
    if (this.#parts.driver !== null) return { resolved: null, problems: [] }
    const given = partKeys.filter((key) => this.#parts[key] !== null).map((key) => this.#nameOf(key))
    const message = `${given.join(', ')} ${given.length === 1 ? 'is' : 'are'} set, but DATABASE_DRIVER, the kind of database, is not.`
    const suggestion = `Set DATABASE_DRIVER (loaded: ${this.#loaded().join(', ') || 'none'}), or the whole address in DATABASE_URL.`
    return {
      resolved: null,
      problems: [this.#problem('ADDRESS_PARTS_INCOMPLETE', 'error', 'driver', message, suggestion)],
    }
  }

  /** It would be shown as the name of a host, user or database. */
  #addressInPart(key: string): Problem {
    const message = `${this.#nameOf(key)} holds an address, not a part of one.`
    const suggestion = 'Set DATABASE_URL to the address, or give each part alone.'
    return this.#problem('ADDRESS_MALFORMED', 'error', key, message, suggestion)
  }

  #loaded(): readonly string[] {
    return this.#registry.all.map(({ name }) => name)
  }

  /** A driver gets one setting to name; the setting of a part follows from `part`. */
  #named(problem: Problem): Problem {
    const part = problem.part === 'user' ? 'username' : problem.part
    if (!partKeys.some((key) => key === part)) return problem
    const setting = `database.${part}`
    return { ...problem, setting, origin: this.#resolved.originOf(setting) }
  }

  #isLost(key: string): boolean {
    const { problems } = this.#resolved
    const isRefused = problems.some(({ setting, severity }) => setting === key && severity === 'error')
    return isRefused && this.#resolved.isSet(key)
  }

  /** A part that was given and cannot be used must not be filled in as if it had been left out. */
  #lost(): readonly Problem[] {
    const lost = (['host', 'username', 'password', 'name'] as const).filter((key) => this.#isLost(`database.${key}`))
    return lost.map((key) => {
      const message = `${this.#nameOf(key)} cannot be used, so the separate parts are not used either.`
      const suggestion = 'Correct it, or set the whole address in DATABASE_URL.'
      return this.#problem('ADDRESS_PARTS_INCOMPLETE', 'error', key, message, suggestion)
    })
  }

  /** What is wrong with single parts, whatever the driver: variables, and a host that is a whole address. */
  #defects(): readonly Problem[] {
    const { host, username, name, password } = this.#parts
    const secret = password?.reveal() ?? ''
    const found = Object.entries({ host, username, name }).flatMap(([key, text]) => {
      const variable = text === null ? null : findVariable(text)
      return variable === null ? [] : [this.#placeholder(key, variable.text, ` (${maskAddress(variable.text)})`)]
    })
    if (findVariable(secret)?.text === secret && secret !== '') found.push(this.#placeholder('password', secret, ''))
    const [, place = '', port, database] =
      /^[a-z][a-z0-9+.-]*:\/\/(?:[^@]*@)?([\w.-]+)(?::(\d{1,5}))?(?:\/([\w-]*))?/i.exec(host ?? '') ?? []
    if (place === '') return found
    const parts = [['host', place] as const, ['port', port] as const, ['name', database] as const]
    const sets = parts.flatMap(([key, value]) => (value ? [`DATABASE_${key.toUpperCase()}=${value}`] : []))
    const message = `${this.#nameOf('host')} is an address, not a host.`
    const suggestion = `Set ${sets.join(' and ')}, or put the address into DATABASE_URL.`
    return [...found, this.#problem('ADDRESS_HOST_INVALID', 'error', 'host', message, suggestion)]
  }

  #portInHost(): readonly Problem[] {
    const [, host, port] = /^([\w.-]+):(\d{1,5})$/.exec(this.#parts.host ?? '') ?? []
    if (host === undefined) return []
    const used = this.#parts.port === null ? 'It is used' : 'DATABASE_PORT is used'
    const message = `${this.#nameOf('host')} contains a port. ${used}.`
    const suggestion = `Set DATABASE_HOST=${host} and DATABASE_PORT=${this.#parts.port ?? port}.`
    return [this.#problem('ADDRESS_REPAIRED', 'warning', 'host', message, suggestion)]
  }

  #placeholder(key: string, placeholder: string, shown: string): Problem {
    const message = `${this.#nameOf(key)} contains a placeholder that was not replaced${shown}.`
    return this.#problem('ADDRESS_PLACEHOLDER', 'error', key, message, placeholderHint(placeholder))
  }

  #partsAddress(): PartsAddress {
    const { driver: _, ...parts } = this.#parts
    const setting = 'database.driver'
    const origin = this.#resolved.originOf(setting)
    return { form: 'parts', role: 'primary', setting, origin, folders: this.#folders, ...parts }
  }

  /** When both the address and parts are set the address wins, and differences are reported; without validation nothing is compared. */
  #differences({ resolved, address }: AddressReading, named: Driver | null): readonly Problem[] {
    if (resolved === null || address?.form !== 'url') return []
    if (!this.#resolved.settings.database.validationEnabled) return []
    const problems: Problem[] = []
    if (named !== null && named.name !== resolved.driver.name) {
      const message = `${this.#nameOf('driver')} is "${named.name}", which does not accept "${address.scheme}:" addresses.`
      const suggestion = `The scheme of DATABASE_URL decides: "${resolved.driver.name}" is used. Remove DATABASE_DRIVER, or change the address.`
      problems.push(this.#problem('ADDRESS_DRIVER_MISMATCH', 'warning', 'driver', message, suggestion))
    }
    for (const key of this.#differingParts(resolved, address.text)) {
      const message = `${this.#nameOf(key)} differs from DATABASE_URL.`
      const suggestion = 'DATABASE_URL is used. Remove one of the two.'
      problems.push(this.#problem('ADDRESS_PARTS_DIFFER', 'warning', key, message, suggestion))
    }
    return problems
  }

  /** The keys of parts that contradict the address. Values are compared, never shown. */
  #differingParts(resolved: ResolvedTarget, address: Secret): readonly string[] {
    const { host, port, username, password, name } = this.#parts
    const { target } = resolved
    const isOther: Readonly<Record<(typeof partKeys)[number], boolean>> = {
      host: host !== null && host.toLowerCase() !== target.host?.toLowerCase(),
      port: port !== null && port !== target.port,
      username: username !== null && username !== target.user,
      password: password !== null && password.reveal() !== passwordIn(address.reveal()),
      name: name !== null && !this.#isSameName(name, resolved),
    }
    return partKeys.filter((key) => isOther[key])
  }

  /** A server's database has one name; what a file's name means is up to its driver. */
  #isSameName(name: string, { driver, target }: { driver: Driver; target: Target }): boolean {
    if (driver.embedded === undefined) return name === target.database
    return this.#validator.parse(driver, this.#partsAddress()).resolved?.target.id === target.id
  }

  #nameOf(part: string): string {
    return settingName(`database.${part}`, this.#resolved.originOf(`database.${part}`))
  }

  #problem(code: DatabaseCode, severity: Severity, part: string, message: string, suggestion: string): Problem {
    const setting = `database.${part}`
    return reporterOf({ setting, origin: this.#resolved.originOf(setting) })(code, severity, part, message, suggestion)
  }
}

function partsOf({ driver, host, port, username, password, name }: DatabaseSettings): AddressParts {
  return {
    driver: filled(driver),
    host: filled(host),
    port,
    username: filled(username),
    // Only the empty text is blank here: "null" may be a password.
    password: password?.reveal() ? password : null,
    name: filled(name),
  }
}

/** A port alone declares nothing: Kubernetes sets DATABASE_PORT for a Service that is named `database`. */
function declaresPrimary({ driver, host, username, password, name }: AddressParts): boolean {
  return [driver, host, username, password, name].some((part) => part !== null)
}

function filled(text: string | null): string | null {
  return text === null || isBlank(cleanAddress(text)) ? null : text
}

function passwordIn(address: string): string | null {
  const password = URL.canParse(address) ? new URL(address).password : ''
  return password === '' ? null : decoded(password)
}

function absenceOf(url: string, resolved: ResolvedSettings): string {
  const name = settingName('database.url', resolved.originOf('database.url'))
  const shown = url.trim().slice(0, 20)
  return url === '' ? 'DATABASE_URL is not set.' : `${name} is blank (${JSON.stringify(shown)}).`
}
