import type { ResolvedSettings } from '../../config/settings.ts'
import type { Life } from '../../driver/address.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import { type DatabaseConfig, type ResolvedTarget, targetFiles } from './config.ts'
import { PrimaryReader } from './primary.ts'
import { reporterOf, settingName } from './problems.ts'
import { schemeOf } from './scheme.ts'
import { type AddressReading, DatabaseUrlValidator } from './validator.ts'

/**
 * Turns settings into databases: a primary, if one is declared, and a fallback. Pure, and never throws: an unusable
 * address is a problem, and a usable one replaces it.
 */
export class DatabaseUrlResolver {
  readonly #registry: DriverRegistry

  constructor(registry: DriverRegistry) {
    this.#registry = registry
  }

  /**
   * @param folders Absolute folders for Holdfast's own files, in the order to try them; at least one. A declared primary
   * is used in the first or not at all, the fallback and the local store in the first that works.
   */
  resolve(resolved: ResolvedSettings, folders: readonly string[]): DatabaseConfig {
    const reading = new PrimaryReader(this.#registry, resolved, folders.slice(0, 1)).read()
    const { declared, absence, resolved: primary } = reading
    const base = { declared, absence, primary }
    // A fallback that is not wanted has no problems.
    if (declared && !resolved.settings.fallback.enabled) return { ...base, fallback: null, problems: reading.problems }
    const fallback = new FallbackReader(this.#registry, resolved, folders, declared ? 'fallback' : 'local').read(
      primary,
    )
    const problems = [...reading.problems, ...fallback.problems]
    const files = new Set(targetFiles(primary))
    const isSame =
      primary !== null &&
      (primary.target.id === fallback.resolved?.target.id ||
        targetFiles(fallback.resolved).some((file) => files.has(file)))
    if (!isSame) return { ...base, fallback: fallback.resolved, problems }
    const message = 'Primary and fallback are the same database, so there is no fallback.'
    const suggestion = 'Nothing to do; or name another file in FALLBACK_DATABASE_URL.'
    const same = reporterOf(fallbackContext(resolved))('FALLBACK_IS_PRIMARY', 'info', null, message, suggestion)
    return { ...base, fallback: null, problems: [...problems, same] }
  }
}

function fallbackContext(resolved: ResolvedSettings) {
  return { role: 'fallback', setting: 'fallback.url', origin: resolved.originOf('fallback.url') } as const
}

/** The address that works wherever the built-in drivers are: relative to the data directory. */
const defaultFallback = 'sqlite:///./production.db'

/** Reads FALLBACK_DATABASE_URL for its life; the default replaces an unusable one. Pure; never throws. */
class FallbackReader {
  readonly #registry: DriverRegistry
  readonly #resolved: ResolvedSettings
  readonly #folders: readonly string[]
  readonly #life: Life
  readonly #validator: DatabaseUrlValidator

  constructor(registry: DriverRegistry, resolved: ResolvedSettings, folders: readonly string[], life: Life) {
    this.#registry = registry
    this.#resolved = resolved
    this.#folders = folders
    this.#life = life
    this.#validator = new DatabaseUrlValidator(registry, resolved.settings)
  }

  /** The fallback for this primary. */
  read(primary: ResolvedTarget | null): Pick<AddressReading, 'resolved' | 'problems'> {
    const report = reporterOf(fallbackContext(this.#resolved))
    const text = this.#resolved.settings.fallback.url.reveal()
    // `config/default.json` contains the default, so its origin does not show whether it was chosen.
    const given = text === defaultFallback ? null : this.#readText(text)
    if (given?.resolved?.driver.embedded !== undefined) return this.#apart(given, primary)
    const problems = [...(given?.problems ?? [])]
    if (given !== null && given.resolved !== null) {
      const name = settingName('fallback.url', this.#resolved.originOf('fallback.url'))
      const { driver } = given.resolved
      const message = `${name} is an address for "${driver.name}", which is not embedded: it needs a server. The default is used.`
      const suggestion = `Write ${this.#defaultText()} or another file.`
      problems.push(report('FALLBACK_NOT_EMBEDDED', 'error', null, message, suggestion))
    }
    const fallback = this.#apart(this.#readText(this.#defaultText()), primary)
    problems.push(...fallback.problems)
    if (fallback.resolved === null) {
      const message = 'No loaded driver can be the fallback.'
      problems.push(
        report('FALLBACK_DRIVER_MISSING', 'error', null, message, 'Add "sqlite" to DRIVERS: it is built in.'),
      )
    }
    return { resolved: fallback.resolved, problems }
  }

  #readText(text: string): AddressReading {
    return this.#validator.read(text, { ...fallbackContext(this.#resolved), folders: this.#folders, life: this.#life })
  }

  /** The fallback may move to a later folder, but never into the primary's own file: two stores on one file lose rows. */
  #apart(reading: AddressReading, primary: ResolvedTarget | null): AddressReading {
    const taken = new Set(targetFiles(primary))
    const isTaken = ({ resolved }: AddressReading): boolean => targetFiles(resolved).some((file) => taken.has(file))
    if (!isTaken(reading)) return reading
    const safe = this.#folders.filter((folder) => !isTaken(this.#validator.readIn([folder], reading)))
    const [first] = this.#folders
    // In the first folder they are the same database, which is reported.
    return first !== undefined && safe.includes(first) ? this.#validator.readIn(safe, reading) : reading
  }

  /** Without the default's own driver, the first that can be a fallback replaces it. */
  #defaultText(): string {
    const scheme = schemeOf(defaultFallback) ?? ''
    if (this.#registry.byScheme(scheme)?.embedded !== undefined) return defaultFallback
    const other = this.#registry.all.find((driver) => driver.embedded !== undefined)?.schemes[0]
    return other === undefined ? '' : other + defaultFallback.slice(scheme.length)
  }
}
