import type { Problem, Severity } from '../../config/problem.ts'
import type { ResolvedSettings } from '../../config/settings.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import type { ResolvedTarget } from './config.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { schemeOf } from './url-scheme.ts'
import { type AddressReading, DatabaseUrlValidator, settingName } from './url-validator.ts'

/** The address that always works where the house's own drivers are: relative to the data directory. */
const defaultFallback = 'sqlite:///./production.db'

/** Reads `FALLBACK_DATABASE_URL`; the default takes the place of a bad one. Pure; never throws. */
export class FallbackReader {
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
