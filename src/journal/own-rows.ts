import type { CompiledQuery, Kysely } from 'kysely'
import type { Store } from '../database/store/store.ts'
import type { Row, Value } from '../driver/facet/statements.ts'

/** Holdfast's own tables as far as the journal's modules read and write them. */
export interface OwnTableColumns {
  holdfast_identity: { id: string; watermark: string | null }
  holdfast_attempt: { id: string; made_at: unknown }
  holdfast_request: { id: string }
  holdfast_conflict: {
    attempt: string
    entry: number
    transaction: string
    source: string
    collection: string
    row_id: string
    operation: string
    reason: string
    base: string | null
    old_image: string | null
    ours: string | null
    theirs: string | null
    settled_at: unknown
    settled_as: string | null
  }
}

/** Compiles and runs statements on Holdfast's own tables in a primary. They join the open EntityManager transaction. */
export class OwnStatements {
  readonly builder: Kysely<OwnTableColumns>
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    // A fork: the global EntityManager may be inside a transaction of the application.
    this.builder = store.orm.em.fork().getKysely() as unknown as Kysely<OwnTableColumns> // No entity describes these tables.
  }

  async read(query: { compile(): CompiledQuery }): Promise<readonly Row[]> {
    const { sql, parameters } = query.compile()
    return await this.#store.statements.read(sql, parameters as readonly Value[]) // What the columns above hold.
  }

  /** Resolves with the number of changed rows. */
  async write(query: { compile(): CompiledQuery }): Promise<number> {
    const { sql, parameters } = query.compile()
    return (await this.#store.statements.write(sql, parameters as readonly Value[])).changed // What the columns above hold.
  }
}

/** The row of `holdfast_identity`. */
export interface PrimaryIdentity {
  /** Null: there is no row. */
  readonly id: string | null
  /** Claims of local transactions below it may be deleted. Null: none are. */
  readonly watermark: string | null
}

/** The identity and the claims in a primary. */
export class OwnRows {
  readonly #own: OwnStatements

  constructor(store: Store) {
    this.#own = new OwnStatements(store)
  }

  async identity(): Promise<PrimaryIdentity> {
    const [row] = await this.#own.read(this.#own.builder.selectFrom('holdfast_identity').select(['id', 'watermark']))
    if (row === undefined) return { id: null, watermark: null }
    return { id: String(row.id), watermark: row.watermark === null ? null : String(row.watermark).toLowerCase() }
  }

  /** Whether the attempt is known to have committed. */
  async isClaimed(attempt: string): Promise<boolean> {
    const { builder } = this.#own
    for (const table of ['holdfast_attempt', 'holdfast_request'] as const) {
      const found = await this.#own.read(builder.selectFrom(table).select('id').where('id', '=', attempt))
      if (found.length > 0) return true
    }
    return false
  }
}
