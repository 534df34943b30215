import type { EntitySchema } from '@mikro-orm/core'
import { type CopiedEntities, copiedEntities, entityTables } from '../collection/table/copied-entity.ts'
import type { Problem } from '../config/problem.ts'
import { copyTargetOf, wholeCopyOf } from '../copy/whole-copy.ts'
import type { Store } from '../database/store/store.ts'
import type { CopiedTable } from '../driver/facet/feed.ts'
import type { ConfigSource } from './config-source.ts'
import type { HoldfastOptions } from './holdfast.ts'

/** The application's own entities: which of their tables are copied, and whether a fallback has the rows of all. */
export class OwnEntities {
  readonly #own: readonly EntitySchema[]
  readonly #copied: readonly (EntitySchema | string)[]
  readonly #config: () => Pick<ConfigSource, 'active' | 'current'>
  readonly #found = new WeakMap<Store, CopiedEntities>()
  readonly #tables = new WeakMap<Store, ReadonlyMap<string, readonly string[]>>()
  #problems: readonly Problem[] = []

  constructor(
    { entities = [], copyEntities }: Pick<HoldfastOptions, 'entities' | 'copyEntities'>,
    config: () => Pick<ConfigSource, 'active' | 'current'>,
  ) {
    this.#own = entities
    // Plain JavaScript may pass anything.
    this.#copied = Array.isArray(copyEntities) ? copyEntities : []
    this.#config = config
  }

  /** Why entities cannot be copied; none before a primary was open. */
  get problems(): readonly Problem[] {
    return this.#problems
  }

  /** To be called with each primary that is opened: the problems that were not known before. */
  prepare(primary: Store): readonly Problem[] {
    const known = new Set(this.#problems.map(({ message }) => message))
    this.tablesOf(primary)
    return this.#problems.filter(({ message }) => !known.has(message))
  }

  /** The tables of entities that are to be copied from this primary. */
  tablesOf(primary: Store): readonly CopiedTable[] {
    if (this.#copied.length === 0) return []
    const known = this.#found.get(primary)
    if (known !== undefined) return known.tables
    const found = copiedEntities(primary.orm, this.#copied, this.#own, this.#isCollection)
    this.#found.set(primary, found)
    this.#problems = found.problems
    return found.tables
  }

  /** Whether a session of the application may read this fallback: an EntityManager sees what the data API does not show. */
  readonly mayUse = (fallback: Store): boolean =>
    this.#own.length === 0 ? !this.#hasOthersRows(fallback) : this.asOfMs(fallback) !== null

  /**
   * When the look at the primary began of which no row of the entities in this fallback is older; null: it has not the rows of
   * each, or there are none.
   */
  readonly asOfMs = (fallback: Store): number | null => {
    if (this.#own.length === 0 || this.#copied.length === 0) return null
    const target = copyTargetOf(this.#config().current)
    let oldest: number | null = null
    for (const [table, columns] of this.#tablesIn(fallback)) {
      const whole = wholeCopyOf(fallback, table, target, columns)
      if (whole === null) return null
      oldest = Math.min(oldest ?? whole.asOfMs, whole.asOfMs)
    }
    return oldest
  }

  /** Whether rows of another primary than the declared one may be in its tables. */
  #hasOthersRows({ copy, journal }: Store): boolean {
    const source = copy?.source() ?? null
    if (source === null) return false
    return source.identity !== journal?.identity || source.target !== copyTargetOf(this.#config().current)
  }

  #tablesIn(fallback: Store): ReadonlyMap<string, readonly string[]> {
    const known = this.#tables.get(fallback)
    if (known !== undefined) return known
    const found = entityTables(fallback.orm, this.#isCollection)
    this.#tables.set(fallback, found)
    return found
  }

  readonly #isCollection = (name: string): boolean => this.#config().active.served.has(name)
}
