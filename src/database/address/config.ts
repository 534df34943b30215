import type { Problem } from '../../config/problem.ts'
import type { Target } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'

/** An address that a driver has read. */
export interface ResolvedTarget {
  readonly driver: Driver
  readonly target: Target
}

/** The databases that the settings declare. Made by `DatabaseUrlResolver`, which never throws. */
export interface DatabaseConfig {
  /** True when a primary is declared, usable or not: then the other store is its fallback, else it is the local store. */
  readonly declared: boolean
  /** Why no primary is declared, as a sentence for the log; null when one is. */
  readonly absence: string | null
  /** Null when none is declared, or the declared one cannot be used (`problems` has the reason). */
  readonly primary: ResolvedTarget | null
  /**
   * The fallback, or the local store when no primary is declared. Null when a primary is declared and the fallback is
   * disabled or is the same database.
   */
  readonly fallback: ResolvedTarget | null
  readonly problems: readonly Problem[]
}

/** The one owner of the database configuration. */
export interface DatabaseConfigSource {
  /** From memory. */
  readonly current: DatabaseConfig
  /** Re-reads the secret files first, so that a rotated secret counts from the next connection on. Never rejects. */
  fresh(): Promise<DatabaseConfig>
  /** A fingerprint of the secret files; it changes when one is rewritten. Never rejects. */
  secretsFingerprint(): Promise<string>
}

/** A configuration that never changes, for a supervisor of your own. */
export function fixedConfig(current: DatabaseConfig): DatabaseConfigSource {
  return { current, fresh: async () => current, secretsFingerprint: async () => '' }
}

/** The files that a target may use, in the order to try them; none when its driver fails to say. */
export function targetFiles(resolved: ResolvedTarget | null): readonly string[] {
  try {
    return resolved?.driver.embedded?.files(resolved.target) ?? []
  } catch {
    return []
  }
}
