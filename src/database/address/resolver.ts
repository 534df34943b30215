import type { Problem } from '../../config/problem.ts'
import type { ResolvedSettings } from '../../config/settings.ts'
import type { DriverRegistry } from '../../driver/registry.ts'
import type { DatabaseConfig, ResolvedTarget } from './config.ts'
import { targetFiles } from './target-files.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { FallbackReader } from './url-fallback.ts'
import { PrimaryReader } from './url-primary.ts'
import type { AddressReading } from './url-validator.ts'

/** A resolution, with the reason where no primary is declared. */
export interface Resolution extends DatabaseConfig {
  /** One sentence for the log: why no primary is declared. Null when one is. */
  readonly absence: string | null
}

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
    const { declared, absence } = primary
    const base = { declared, absence, primary: primary.resolved }
    // What is wrong with a fallback that nobody wants is nobody's problem.
    if (declared && !resolved.settings.fallback.enabled) return { ...base, fallback: null, problems: primary.problems }
    const fallback = this.#readFallback(resolved, places, primary.resolved)
    const problems = [...primary.problems, ...fallback.problems]
    const isSame = primary.resolved !== null && primary.resolved.target.id === fallback.resolved?.target.id
    if (!isSame) return { ...base, fallback: fallback.resolved, problems }
    return { ...base, fallback: null, problems: [...problems, samenessProblem(resolved)] }
  }

  /** The fallback may move to a later place, but never into the primary's own file: two stores of one file lose rows. */
  #readFallback(resolved: ResolvedSettings, places: readonly string[], primary: ResolvedTarget | null): AddressReading {
    const read = (among: readonly string[]) => new FallbackReader(this.#registry, resolved, among).read()
    const taken = new Set(targetFiles(primary))
    const safe = places.filter((place) => !targetFiles(read([place]).resolved).some((file) => taken.has(file)))
    const [first] = places
    // In the first place they are the same database, which is said; there is nothing to keep apart.
    return read(first !== undefined && safe.includes(first) ? safe : places)
  }
}

function samenessProblem(resolved: ResolvedSettings): Problem {
  const code: AddressProblemCode = 'FALLBACK_IS_PRIMARY'
  return {
    code,
    severity: 'info',
    setting: 'fallback.url',
    origin: resolved.originOf('fallback.url'),
    part: null,
    message: 'Primary and fallback are the same database, so there is no fallback.',
    suggestion: 'Nothing needs to be done; or name another file in FALLBACK_DATABASE_URL.',
  }
}
