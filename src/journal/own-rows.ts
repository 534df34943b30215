import type { Kysely } from 'kysely'
import type { Store } from '../database/store/store.ts'
import type { Row, Value } from '../driver/facet/statements.ts'
import { type ParkedEntry, rowId } from './judge.ts'
import { portionsOf } from './layers.ts'
import type { LocalTransaction } from './local-transaction.ts'

/** Rows of one statement, and values in one list. */
const rowsMax = 200

/** Holdfast's own tables as far as replay reads and writes them itself. */
interface OwnTableRows {
  holdfast_identity: { watermark: string | null }
  holdfast_attempt: { id: string }
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
    settled_at: string | null
  }
}

interface Compiled {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** Holdfast's own tables in a primary. Its methods join the open EntityManager transaction. */
export class OwnRows {
  readonly #store: Store
  readonly #builder: Kysely<OwnTableRows>

  constructor(store: Store) {
    this.#store = store
    // A fork: the global EntityManager may be inside a transaction of the application.
    this.#builder = store.orm.em.fork().getKysely() as unknown as Kysely<OwnTableRows> // No entity describes these tables.
  }

  /** What the claims of are deleted: local transactions below it. Null: no claim ever was. */
  async watermark(): Promise<string | null> {
    const [row] = await this.#read(this.#builder.selectFrom('holdfast_identity').select('watermark').compile())
    return row === undefined || row.watermark === null ? null : String(row.watermark).toLowerCase()
  }

  /** Whether the attempt is known to have committed. */
  async isClaimed(attempt: string): Promise<boolean> {
    const claims = this.#builder.selectFrom('holdfast_attempt').select('id').where('id', '=', attempt)
    if ((await this.#read(claims.compile())).length > 0) return true
    const requests = this.#builder.selectFrom('holdfast_request').select('id').where('id', '=', attempt)
    return (await this.#read(requests.compile())).length > 0
  }

  /** Parks whole local transactions; what is parked already stays as it is. `source`: the file that they come from. */
  async park(
    parked: readonly { readonly transaction: LocalTransaction; readonly parked: readonly ParkedEntry[] }[],
    source: string,
  ): Promise<void> {
    const rows = parked.flatMap((one) => one.parked.map((entry) => conflictOf(one.transaction, entry, source)))
    for (const some of portionsOf(rows, rowsMax)) {
      const attempts = [...new Set(some.map(({ attempt }) => attempt))]
      const there = this.#builder
        .selectFrom('holdfast_conflict')
        .select(['attempt', 'entry'])
        .where('attempt', 'in', attempts)
      const known = new Set(
        (await this.#read(there.compile())).map((row) => rowId(String(row.attempt), String(row.entry))),
      )
      const fresh = some.filter(({ attempt, entry }) => !known.has(rowId(attempt, String(entry))))
      if (fresh.length > 0)
        await this.#write(
          this.#builder
            .insertInto('holdfast_conflict')
            .values(fresh.map((row) => ({ ...row, settled_at: null })))
            .compile(),
        )
    }
  }

  /** How many parked transactions are not settled. */
  async countOpen(): Promise<number> {
    const open = this.#builder
      .selectFrom('holdfast_conflict')
      .select((of) => of.fn.count('attempt').distinct().as('open'))
      .where('settled_at', 'is', null)
    const [row] = await this.#read(open.compile())
    return Number(row?.open ?? 0)
  }

  async #read({ sql, parameters }: Compiled): Promise<readonly Row[]> {
    return await this.#store.statements.read(sql, parameters as readonly Value[]) // Bound above: texts and numbers.
  }

  async #write({ sql, parameters }: Compiled): Promise<number> {
    return (await this.#store.statements.write(sql, parameters as readonly Value[])).changed // Bound above: texts and numbers.
  }
}

function conflictOf(
  { id }: LocalTransaction,
  { entry, position, reason, theirs }: ParkedEntry,
  source: string,
): Omit<OwnTableRows['holdfast_conflict'], 'settled_at'> {
  return {
    attempt: entry.attempt,
    entry: position,
    transaction: id,
    source,
    collection: entry.table,
    row_id: entry.key,
    operation: entry.operation,
    reason,
    // Another program may have written anything; the old image has it.
    base: entry.base !== null && isUuid(entry.base) ? entry.base : null,
    old_image: jsonOf(entry.old),
    ours: jsonOf(entry.new),
    theirs: jsonOf(theirs),
  }
}

function jsonOf(image: ParkedEntry['theirs']): string | null {
  return image === null ? null : JSON.stringify(image)
}

function isUuid(text: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)
}
