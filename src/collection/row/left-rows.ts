import { type Kysely, sql } from 'kysely'
import type { Store } from '../../database/store/store.ts'
import type { Collection } from '../declaration/declaration.ts'

/** Rows of one collection are counted up to here: the count must be short also where a file holds millions. */
export const mostCounted = 10_000

/** Rows in the fallback that the primary does not have: nothing carries them there yet. */
export interface LeftRows {
  readonly total: number
  /** True when a collection has more than are counted: `total` is the least. */
  readonly isMore: boolean
  /** Only those that have any. */
  readonly collections: Readonly<Record<string, number>>
}

/**
 * How many rows are in the fallback beside a declared primary. Counted in the file itself when it is opened and before
 * the primary takes over, so that a restart forgets none; in between each row that the data API writes is added. Rows
 * that an application writes itself are seen by the next count.
 */
export class RowsLeft {
  #counts: ReadonlyMap<string, number> | null = null

  /** What is known; null while no fallback beside a primary was looked at. */
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

  /** Counts anew. A table that cannot be read counts nothing: its collection answers no request from there either. */
  async count(store: Store, collections: readonly Collection[]): Promise<LeftRows> {
    const counts = new Map<string, number>()
    for (const { name } of collections) counts.set(name, await countOf(store, name).catch(() => 0))
    this.#counts = counts
    return this.known ?? { total: 0, isMore: false, collections: {} }
  }

  /** One row more, or less, that the fallback has taken. */
  changed(collection: string, by: 1 | -1): void {
    const counts = this.#counts
    if (counts === null) return
    const rows = counts.get(collection) ?? 0
    // Past the limit only a new count tells how many there are.
    if (rows <= mostCounted) this.#counts = new Map(counts).set(collection, Math.max(0, rows + by))
  }

  /** No primary is declared, or none has a fallback: there is nothing to be left. */
  forget(): void {
    this.#counts = null
  }
}

async function countOf(store: Store, table: string): Promise<number> {
  const builder = store.orm.em.fork().getKysely() as unknown as Kysely<Record<string, Record<string, unknown>>> // Tables are only known when the program runs.
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
