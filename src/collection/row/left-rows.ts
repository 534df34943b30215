import { type Kysely, sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Collection } from '../declaration/declaration.ts'

/** Rows of one collection are counted up to this number: the count must be fast in a file with millions. */
export const mostCounted = 10_000

/** Rows in the fallback that the primary does not have; nothing carries them there yet. */
export interface LeftRows {
  readonly total: number
  /** True if a collection has more rows than were counted: `total` is a minimum. */
  readonly isMore: boolean
  /** The number of rows per collection; collections without any are left out. */
  readonly collections: Readonly<Record<string, number>>
}

/**
 * Counts the rows in the fallback of a declared primary. They are counted in the file when it is opened and before the
 * primary takes over, so that a restart forgets none; in between, each row that the data API writes is added. Rows that an
 * application writes itself are included in the next count.
 */
export class RowsLeft {
  #counts: ReadonlyMap<string, number> | null = null

  /** The last count; null before the first one. */
  get known(): LeftRows | null {
    if (this.#counts === null) return null
    const found = [...this.#counts].filter(([, rows]) => rows > 0)
    const total = found.reduce((sum, [, rows]) => sum + Math.min(rows, mostCounted), 0)
    return {
      total,
      isMore: found.some(([, rows]) => rows > mostCounted),
      collections: Object.fromEntries(found.map(([name, rows]) => [name, Math.min(rows, mostCounted)])),
    }
  }

  /** Counts again. An unreadable table counts 0: its collection serves no rows from the fallback either. */
  async count(store: Store, collections: readonly Collection[]): Promise<LeftRows> {
    const counts = new Map<string, number>()
    for (const { name } of collections) counts.set(name, await countOf(store, name).catch(() => 0))
    this.#counts = counts
    return this.known ?? { total: 0, isMore: false, collections: {} }
  }

  /** Adds a row that the fallback has created, or subtracts one that it has deleted. */
  changed(collection: string, by: 1 | -1): void {
    const counts = this.#counts
    if (counts === null) return
    const rows = counts.get(collection) ?? 0
    // Above the limit the number of rows is unknown until the next count.
    if (rows <= mostCounted) this.#counts = new Map(counts).set(collection, Math.max(0, rows + by))
  }

  /** Resets the count: without a declared primary and its fallback there is none. */
  forget(): void {
    this.#counts = null
  }
}

async function countOf(store: Store, table: string): Promise<number> {
  const builder = store.orm.em.fork().getKysely() as unknown as Kysely<Record<string, Record<string, unknown>>> // Tables are known only at run time.
  const some = builder
    .selectFrom(table)
    .select(sql<number>`1`.as('one'))
    .limit(mostCounted + 1)
  const counting = builder
    .selectFrom(some.as('some'))
    .select((of) => of.fn.countAll().as('rows'))
    .compile()
  const [row] = await store.statements.read(counting.sql, counting.parameters as number[]) // The limit alone.
  return Number(row?.rows ?? 0)
}
