import { createMask, type Mask, maskAddress, passwordsOf, showAddress } from '../../config/mask.ts'
import { maskProblem, type Problem } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import type { Settings } from '../../config/settings.ts'
import type { Address, AddressRole, Parsed, PartsAddress, Target, UrlAddress } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import { type CleanedAddress, cleanAddress, isBlank } from './clean.ts'
import type { ResolvedTarget } from './config.ts'
import { findPlaceholder, hasExamplePassword } from './placeholder.ts'
import { type ReportAddress, reporterOf, settingName } from './problems.ts'
import { findShapeDefect, schemeDefect, schemeNote, schemeOf } from './scheme.ts'

/** What an address is read for. */
export interface AddressContext extends AddressRole {
  /** The driver named by DATABASE_DRIVER, used where it accepts the scheme. */
  readonly driver?: Driver | null
}

/** An address as it was read. */
export interface AddressReading {
  /** Null when it is blank or unusable. */
  readonly resolved: ResolvedTarget | null
  /** True when it means that there is no database. */
  readonly isBlank: boolean
  readonly problems: readonly Problem[]
  /** What its driver got: cleaned once, and read again from here. Null when it got nothing. */
  readonly address: Address | null
}

const lengthLimit = 4_096

/** Reads an address in steps: clean, find placeholders, recognise the scheme, let the driver parse. Pure; never throws. */
export class DatabaseUrlValidator {
  readonly #registry: DriverRegistry
  readonly #settings: Settings

  constructor(registry: DriverRegistry, settings: Settings) {
    this.#registry = registry
    this.#settings = settings
  }

  /** The problems of an address; empty when it can be used as it is, or is blank. */
  validate(text: string, context: AddressContext): readonly Problem[] {
    return this.read(text, context).problems
  }

  /** A usable target, or the problems that prevent one; both when the address was repaired. */
  read(given: string, context: AddressContext): AddressReading {
    if (given.length > lengthLimit) {
      const message = `${settingName(context.setting, context.origin)} is longer than ${lengthLimit} characters.`
      return unusable([reporterOf(context)('ADDRESS_TOO_LONG', 'error', null, message, 'Set the address alone.')])
    }
    const cleaned = cleanAddress(given)
    const reading = this.#read(given, cleaned, context)
    if (reading.problems.length === 0) return reading
    const text = this.#settings.database.validationEnabled ? cleaned.text : given
    // What was left out may be the rest of a password: `psql 'scheme://user:'@word @host'`.
    const isCut = given.split('@').length > text.split('@').length
    const mask = createMask([...secretsIn(text), ...(isCut ? secretsIn(given) : [])])
    return { ...reading, problems: reading.problems.map((problem) => maskProblem(problem, mask)) }
  }

  #read(given: string, cleaned: CleanedAddress, context: AddressContext): AddressReading {
    const report = reporterOf(context)
    const name = settingName(context.setting, context.origin)
    if (isBlank(cleaned)) return { ...unusable([]), isBlank: true }
    const isValidated = this.#settings.database.validationEnabled
    const text = isValidated ? cleaned.text : given
    const scheme = schemeOf(text)
    const driver = this.#driverFor(scheme, context)
    const isRepaired = isValidated && cleaned.repairs.length > 0
    const repairs = (shown: string | null): readonly Problem[] =>
      isRepaired ? this.#repairs(cleaned, shown, report, name) : []
    const defect = isValidated ? this.#defect(text, name, driver, report) : asIsDefect(name, driver, report)
    if (defect !== null || driver === null || scheme === null)
      return unusable(defect === null ? repairs(null) : [...repairs(null), defect])
    const { role, setting, origin, folders, life } = context
    const kept = life === undefined ? {} : { life }
    const address = { form: 'url', role, setting, origin, folders, ...kept, scheme, text: new Secret(text) } as const
    const reading = this.parse(driver, address)
    const after = isValidated && reading.resolved !== null ? notes(text, name, driver, report) : []
    return {
      ...reading,
      problems: [...repairs(isRepaired ? this.#shown(address, reading) : null), ...reading.problems, ...after],
    }
  }

  /** The same address in other folders: it is neither cleaned nor diagnosed again, and its problems stay. */
  readIn(folders: readonly string[], reading: AddressReading): AddressReading {
    const { address, resolved } = reading
    if (address === null || resolved === null) return reading
    return { ...reading, resolved: this.parse(resolved.driver, { ...address, folders }).resolved }
  }

  /** Passes an address to a driver, and contains the driver's mistakes: a throw, a secret in a problem. Total. */
  parse(driver: Driver, address: Address): AddressReading {
    const text = address.form === 'url' ? address.text.reveal() : ''
    const secrets = address.form === 'url' ? passwordsOf(text) : passwordsOfParts(address)
    const parsed = parseWith(driver, address, this.#settings)
    if (parsed === null) {
      const message = `The driver "${driver.name}" failed while reading the address.`
      const suggestion = 'Report this to the author of the driver.'
      return unusable([reporterOf(address)('DRIVER_FAILED', 'error', null, message, suggestion)])
    }
    const mask = createMask(secrets)
    const hide: Mask = (shown) => mask(text === '' ? shown : shown.replaceAll(text, () => maskAddress(text)))
    const problems = parsed.problems.map((found) => maskProblem(found, hide))
    const resolved = parsed.target === undefined ? null : { driver, target: parsed.target }
    return { resolved, isBlank: false, problems, address }
  }

  /** The address with its secrets masked; null unless it means the same as before, which masking and errors prevent. */
  #shown(address: UrlAddress, { resolved }: AddressReading): string | null {
    if (resolved === null) return null
    const whole = address.text.reveal()
    const text = createMask(secretsIn(whole))(showAddress(whole))
    const target = parseWith(resolved.driver, { ...address, text: new Secret(text) }, this.#settings)?.target
    return target?.id === resolved.target.id && target.user === resolved.target.user ? text : null
  }

  #repairs({ repairs }: CleanedAddress, shown: string | null, report: ReportAddress, name: string): Problem[] {
    const form = shown ?? 'the address alone: scheme://user:***@host:port/name'
    return repairs.map(({ part, what, severity }) =>
      report('ADDRESS_REPAIRED', severity, part, `${name} ${what}.`, `Write ${form}`),
    )
  }

  /** What keeps a cleaned address from its driver; null when nothing does. */
  #defect(text: string, name: string, driver: Driver | null, report: ReportAddress): Problem | null {
    const placeholder = findPlaceholder(text)
    if (placeholder !== null) {
      const found = placeholder.text === null ? '' : ` (${maskAddress(placeholder.text)})`
      const message = `${name} contains a placeholder that was not replaced${found}.`
      return report('ADDRESS_PLACEHOLDER', 'error', placeholder.part, message, placeholder.hint)
    }
    const shape = findShapeDefect(text, name, this.#registry)
    const defect = shape ?? (driver === null ? schemeDefect(text, name, this.#registry) : null)
    return defect && report(defect.code, 'error', defect.part, defect.message, defect.suggestion)
  }

  #driverFor(scheme: string | null, { driver }: AddressContext): Driver | null {
    if (scheme === null) return null
    const named = driver ? this.#registry.accepting(scheme, driver.name) : null
    return named ?? this.#registry.byScheme(scheme)
  }
}

/** Without validation nothing is repaired or diagnosed: the scheme decides the driver, and the driver reports the rest. */
function asIsDefect(name: string, driver: Driver | null, report: ReportAddress): Problem | null {
  if (driver !== null) return null
  const message = `No loaded driver accepts ${name}, which is used as it is.`
  const suggestion = 'Set DATABASE_VALIDATION_ENABLED=true for a diagnosis.'
  return report('ADDRESS_SCHEME_UNKNOWN', 'error', 'scheme', message, suggestion)
}

/** Notes on an address that is used as it is. */
function notes(text: string, name: string, driver: Driver, report: ReportAddress): readonly Problem[] {
  const found: Problem[] = []
  const note = schemeNote(text, name, driver)
  if (note !== null) found.push(report('ADDRESS_SCHEME_ALIAS', 'info', 'scheme', note.message, note.suggestion))
  if (hasExamplePassword(text)) {
    const message = `The password in ${name} looks like an example from a manual. It is used as it is.`
    const suggestion = 'Set the real password. If this is the real one, choose a better one.'
    found.push(report('ADDRESS_PASSWORD_EXAMPLE', 'warning', 'password', message, suggestion))
  }
  return found
}

/** Null when the driver threw, or returned what `parse` cannot return. */
function parseWith(driver: Driver, address: Address, settings: Settings): Parsed<Target> | null {
  try {
    const parsed = driver.parse(address, settings)
    const { target, problems } = parsed
    const isWhole = target === undefined ? problems.length > 0 : typeof target.id === 'string' && target.id !== ''
    return isWhole && problems.every(isProblem) ? parsed : null
  } catch {
    return null
  }
}

function isProblem({ message, suggestion, part }: Problem): boolean {
  return typeof message === 'string' && typeof suggestion === 'string' && (part === null || typeof part === 'string')
}

/** Any part may be an address that was put into its place. */
function passwordsOfParts({ host, username, password, name }: PartsAddress): readonly string[] {
  const parts = [host, username, name].filter((part) => part !== null)
  return [...parts.flatMap(passwordsOf), ...(password === null ? [] : [password.reveal()])]
}

/** The passwords in a text that may be several addresses, or one whose scheme is not followed by two slashes. */
function secretsIn(text: string): readonly string[] {
  const addresses = text.split(/[\s,;|]+(?=[a-z][a-z0-9+.-]*:\/\/)/i)
  if (addresses.length > 1 && addresses.every((one) => one.includes('@'))) return addresses.flatMap(passwordsOf)
  const found = passwordsOf(text.replace(/^([a-z][a-z0-9+.-]*)\s*[:;]{0,3}\s*[/\\]{1,4}/i, '$1://'))
  // Otherwise what looks like a scheme may be the user.
  return found.length > 0 ? found : passwordsOf(text)
}

function unusable(problems: readonly Problem[]): AddressReading {
  return { resolved: null, isBlank: false, problems, address: null }
}
