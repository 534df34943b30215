import type { Problem } from '../../config/problem.ts'
import type { Target } from '../../driver/address.ts'
import type { Driver } from '../../driver/driver.ts'

/** An address that a driver has read. */
export interface ResolvedTarget {
  readonly driver: Driver
  readonly target: Target
}

/** What the settings say about databases: the resolution. Made by `DatabaseUrlResolver`, which never throws. */
export interface DatabaseConfig {
  /** True when a primary was declared, usable or not: then a store that serves instead of it is a fallback, not local. */
  readonly declared: boolean
  /** Null when none was declared, or what was declared is unusable (`problems` says why). */
  readonly primary: ResolvedTarget | null
  /**
   * The fallback, or the local store when nothing is declared. Null when a primary is declared and the fallback is
   * switched off or is the same database.
   */
  readonly fallback: ResolvedTarget | null
  readonly problems: readonly Problem[]
}
