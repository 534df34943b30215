import { maskAddress } from '../../config/mask.ts'
import type { Origin, Problem, Severity } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import type { Settings } from '../../config/settings.ts'
import type { Address, Parsed, Role, Target } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import type { ResolvedTarget } from './config.ts'
import { cleanAddress, isBlank } from './url-clean.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { findPlaceholder, hasExamplePassword } from './url-placeholder.ts'
import { readScheme, schemeNote, schemeOf } from './url-scheme.ts'
import { withoutSecrets } from './url-secrets.ts'
import { findShapeDefect } from './url-shape.ts'

/** What an address is read for. */
export interface AddressContext {
  readonly role: Role
  /** The setting to name in problems. */
  readonly setting: string
  readonly origin: Origin | null
  /** Absolute folders in which a relative file may live, in the order to try them. */
  readonly places: readonly string[]
  /** The driver that was asked for by name, to be chosen where it accepts the scheme. */
  readonly driver?: Driver | null
}

/** What became of an address. */
export interface AddressReading {
  /** Null when it is blank or unusable. */
  readonly resolved: ResolvedTarget | null
  /** True when it says that there is no database. */
  readonly isBlank: boolean
  readonly problems: readonly Problem[]
}

const lengthLimit = 4_096

/** Reads one address in layers: blank, cleaned, placeholder, scheme, driver. Pure; never throws. */
export class DatabaseUrlValidator {
  readonly #registry: DriverRegistry
  readonly #settings: Settings

  constructor(registry: DriverRegistry, settings: Settings) {
    this.#registry = registry
    this.#settings = settings
  }

  /** What is wrong with an address; empty when it can be used as it is, or is blank. */
  validate(text: string, context: AddressContext): readonly Problem[] {
    return this.read(text, context).problems
  }

  /** A usable target, or why there is none; both when it was repaired. */
  read(given: string, context: AddressContext): AddressReading {
    const problem = problemsOf(context)
    const name = settingName(context.setting, context.origin)
    if (given.length > lengthLimit) {
      const message = `${name} is longer than ${lengthLimit} characters.`
      return unusable([problem('ADDRESS_TOO_LONG', 'error', null, message, 'Give the address alone.')])
    }
    if (isBlank(given)) return { resolved: null, isBlank: true, problems: [] }
    if (!this.#settings.database.validationEnabled) return this.#readAsIs(given, context)

    const { text, repairs, corrected } = cleanAddress(given)
    const shown = this.#isShowable(text) ? corrected : 'the address alone: scheme://user:***@host:port/name'
    const repaired = repairs.map(({ part, what, severity }) =>
      problem('ADDRESS_REPAIRED', severity, part, `${name} ${what}.`, `Write ${shown}`),
    )
    const placeholder = findPlaceholder(text)
    if (placeholder !== null) {
      const found = placeholder.text === null ? '' : ` (${maskAddress(placeholder.text)})`
      const message = `${name} holds a placeholder that nobody filled in${found}.`
      const mend = 'Put the real value in its place; Holdfast does not expand variables.'
      return unusable([...repaired, problem('ADDRESS_PLACEHOLDER', 'error', placeholder.part, message, mend)])
    }
    const defect = findShapeDefect(text, name, this.#registry)
    if (defect !== null) {
      return unusable([...repaired, problem(defect.code, 'error', defect.part, defect.message, defect.suggestion)])
    }
    const reading = readScheme(text, name, this.#registry)
    if (!('scheme' in reading) && !this.#isAccepted(text, context)) {
      return unusable([...repaired, problem(reading.code, 'error', 'scheme', reading.message, reading.suggestion)])
    }
    const parsed = this.#parse(text, context, repaired)
    if (parsed.resolved === null) return parsed
    const notes = this.#notes(text, name, parsed.resolved.driver, problem)
    return { ...parsed, problems: [...parsed.problems, ...notes] }
  }

  /** What is worth knowing of an address that is used as it stands. */
  #notes(text: string, name: string, driver: Driver, problem: MakeProblem): readonly Problem[] {
    const notes: Problem[] = []
    const note = schemeNote(text, name, driver)
    if (note !== null) notes.push(problem('ADDRESS_SCHEME_READ', 'info', 'scheme', note.message, note.suggestion))
    if (hasExamplePassword(text)) {
      const message = `The password in ${name} is a word that manuals have in its place; it is tried.`
      const mend = 'Put the real password there; if it is the real one, choose a better one.'
      notes.push(problem('ADDRESS_EXAMPLE_PASSWORD', 'warning', 'password', message, mend))
    }
    return notes
  }

  /** Hands an address to a driver, whose slips (a throw, a secret in a problem) go no further. Total. */
  parse(driver: Driver, address: Address): AddressReading {
    const problem = problemsOf(address)
    const text = address.form === 'url' ? address.text.reveal() : ''
    const password = address.form === 'parts' ? (address.password?.reveal() ?? '') : ''
    const parsed = parseWith(driver, address, this.#settings)
    if (parsed === null) {
      const message = `The driver "${driver.name}" failed while it read the address.`
      return unusable([problem('DRIVER_FAILED', 'error', null, message, 'Report it to the author of the driver.')])
    }
    const problems = parsed.problems.map((found) => withoutSecrets(found, text, [password]))
    const resolved = parsed.target === undefined ? null : { driver, target: parsed.target }
    return { resolved, isBlank: false, problems }
  }

  /** Neither repaired nor diagnosed: the scheme finds the driver, and the driver says the rest. */
  #readAsIs(text: string, context: AddressContext): AddressReading {
    if (schemeOf(text) !== null && this.#driverFor(text, context) !== null) return this.#parse(text, context, [])
    const message = `No driver takes ${settingName(context.setting, context.origin)}, which is used as it is.`
    const mend = 'Set DATABASE_VALIDATION_ENABLED=true to learn more.'
    return unusable([problemsOf(context)('ADDRESS_SCHEME_UNKNOWN', 'error', 'scheme', message, mend)])
  }

  /** What has no scheme may be a password that was pasted alone. */
  #isShowable(text: string): boolean {
    const scheme = schemeOf(text)
    return scheme !== null && (text.startsWith('://', scheme.length) || this.#registry.byScheme(scheme) !== null)
  }

  #isAccepted(text: string, context: AddressContext): boolean {
    return this.#driverFor(text, context) !== null
  }

  #driverFor(text: string, { driver }: AddressContext): Driver | null {
    const scheme = schemeOf(text)
    if (scheme === null) return null
    const named = driver ? this.#registry.accepting(scheme, driver.name) : null
    return named ?? this.#registry.byScheme(scheme)
  }

  #parse(text: string, context: AddressContext, before: readonly Problem[]): AddressReading {
    const driver = this.#driverFor(text, context)
    const scheme = schemeOf(text)
    if (driver === null || scheme === null) return unusable(before)
    const { role, setting, origin, places } = context
    const address = { form: 'url', role, setting, origin, places, scheme, text: new Secret(text) } as const
    const reading = this.parse(driver, address)
    return { ...reading, problems: [...before, ...reading.problems] }
  }
}

/** Null when the driver threw or gave what cannot be the outcome of `parse`. */
function parseWith(driver: Driver, address: Address, settings: Settings): Parsed<Target> | null {
  try {
    const parsed = driver.parse(address, settings)
    const { target, problems } = parsed
    const isWhole = target === undefined ? problems.length > 0 : typeof target.id === 'string' && target.id !== ''
    if (!isWhole || !problems.every(isProblem)) return null
    return parsed
  } catch {
    return null
  }
}

function isProblem({ message, suggestion, part }: Problem): boolean {
  return typeof message === 'string' && typeof suggestion === 'string' && (part === null || typeof part === 'string')
}

/** What people call a setting: the variable that they set, else its key. */
export function settingName(setting: string, origin: Origin | null): string {
  return origin?.from === 'environment' || origin?.from === 'secret-file' ? origin.name : setting
}

type MakeProblem = (
  code: AddressProblemCode,
  severity: Severity,
  part: string | null,
  message: string,
  mend: string,
) => Problem

function problemsOf({ setting, origin }: { setting: string; origin: Origin | null }): MakeProblem {
  return (code, severity, part, message, suggestion) => ({ code, severity, setting, origin, part, message, suggestion })
}

function unusable(problems: readonly Problem[]): AddressReading {
  return { resolved: null, isBlank: false, problems }
}
