import { faultOf } from '../../database/machine/faults.ts'
import type { Demand, Store } from '../../database/store/store.ts'
import { strongest } from '../../database/work/durability.ts'
import { afterWrite, claimFirst, failedStore, isClaimKnown, withFailedStore } from '../../database/work/failure.ts'
import type { Outcome, RunWork, Session, WorkOptions } from '../../database/work/session.ts'
import { withinTransaction } from '../../database/work/work-session.ts'
import type { Journal } from '../../driver/facet/journal.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { HoldfastError } from '../../errors.ts'
import type { Collection, Operation } from '../declaration/declaration.ts'
import { indexNames } from '../declaration/names.ts'
import { type FieldValue, Validator } from '../declaration/validator.ts'
import type { ValuesByName } from '../table/queries.ts'
import type { TableReports } from '../table/tables.ts'
import { etagOf, isNamed, type Precondition } from './etag.ts'
import { decodeCursor } from './page.ts'
import { absent, expectation, type RowResult, stale, untouched } from './precondition.ts'
import { type AnsweredRow, RowTable } from './row-table.ts'

/** The dependencies of `Rows`. */
export interface RowsDeps {
  readonly run: RunWork
  readonly tables: TableReports
  /** Checks the tables of a store again, on which a statement failed that should have worked. Never rejects. */
  readonly recheck?: (store: Store) => Promise<void>
  /** The journal of the fallback next to the primary that serves, while anything in it waits to be carried; else null. */
  readonly unreplayed?: () => Journal | null
  /** A monotonic clock in milliseconds. */
  readonly now: () => number
  /** The most memory in which one collection keeps what was read of it, for as long as it stays the same; absent: none. */
  readonly keptBytes?: number
}

/**
 * The rows of one collection: the five operations, on compiled statements. Each rejects with the errors of `RunWork`;
 * creates and changes also with ROW_INVALID, creates with COLLECTION_FULL, lists with CURSOR_INVALID. `demand` is the
 * minimum durability that the client accepts; the declaration may demand more.
 */
export class Rows {
  readonly collection: Collection
  readonly #validator: Validator
  readonly #deps: RowsDeps
  readonly #fields: readonly string[]
  readonly #keys: ReadonlyMap<string, readonly string[]>
  readonly #stores = new WeakMap<Store, RowTable>()
  #checkedAt = Number.NEGATIVE_INFINITY
  #rechecked: Promise<void> | null = null

  constructor(collection: Collection, deps: RowsDeps) {
    this.collection = collection
    this.#validator = new Validator(collection)
    this.#deps = deps
    this.#fields = Object.keys(collection.fields)
    const names = indexNames(collection)
    this.#keys = new Map((collection.indexes ?? []).map(({ fields }, at) => [names[at] ?? '', fields]))
  }

  /** Creates a row. Draws its id, which is also its attempt, and its times once, so that each try writes the same row. */
  async create(body: unknown, demand?: Demand): Promise<Outcome<AnsweredRow>> {
    const given = this.#validator.create(body)
    const [id, now] = [drawId(), new Date()]
    const attempt = id
    const values = new Map<string, FieldValue>([['id', id]])
    for (const [at, name] of this.#fields.entries()) values.set(name, given[at] ?? null)
    values.set('createdAt', now).set('updatedAt', now).set('version', 1).set('holdfast_attempt', attempt)
    return await this.#deps.run(
      async (session) => {
        const table = this.#table(session, 'create')
        const row = table.encode(values)
        const inserting = this.#insert(session, table, row, id, attempt)
        // The text is made while the database writes.
        const text = table.serialize(row, true)
        await inserting
        const stored = this.#mayRewrite(session) ? await afterWrite(session, this.#written(session, id, attempt)) : null
        if (stored?.is === 'row') return stored
        return { is: 'row', id, etag: etagOf(attempt), text }
      },
      { ...this.#writeOptions(attempt, demand), elsewhere: true },
      async (session) => {
        const found = await this.#written(session, id, attempt)
        return found?.is === 'row' ? found : null
      },
    )
  }

  /** Lists rows, newest first, as the JSON of the response. Throws CURSOR_INVALID. */
  async list(limit: number, cursor: string | null): Promise<Outcome<string>> {
    const after = cursor === null ? null : decodeCursor(cursor)
    return await this.#deps.run(async (session) => {
      const isPartial =
        session.shown === 'fallback' || this.#unreplayed(session)?.mayWait(this.collection.name) === true
      return await this.#table(session, 'list').page(session, limit, after, isPartial)
    }, readOptions)
  }

  /** Reads a row. */
  get(id: string): Promise<Outcome<RowResult>> {
    return this.#deps.run(async (session) => {
      const table = this.#table(session, 'get')
      this.#refuseUnreplayed(session, id)
      return (await table.row(session, id)) ?? absent(session, { table, id, match: null })
    }, readOptions)
  }

  /** Changes the fields in the body, in one statement; null clears a field. An empty body changes nothing. */
  async change(id: string, body: unknown, match: Precondition | null, demand?: Demand): Promise<Outcome<RowResult>> {
    const changes = this.#validator.change(body)
    if (changes.size === 0) return this.#unchanged(id, match)
    const [attempt, now] = [drawId(), new Date()]
    const changed = [...changes.keys()].map((at) => this.#fields[at] ?? '')
    const values = new Map([...changes.values()].map((value, at) => [changed[at] ?? '', value]))
    values.set('id', id).set('updatedAt', now).set('holdfast_attempt', attempt)
    const known = async (session: Session): Promise<RowResult | null> => await this.#written(session, id, attempt)
    return this.#deps.run(
      this.#claimed(attempt, known, async (session) => {
        const table = this.#table(session, 'update')
        this.#refuseUnreplayed(session, id)
        const wanted = { table, id, match }
        const expected = await expectation(session, wanted)
        if (expected.settled !== null) return { settled: expected.settled }
        const bound = table.encode(values)
        if (expected.attempt !== null) bound.match = table.encodeId(expected.attempt)
        const isReturned = table.queries.returning && !this.#mayRewrite(session)
        const query = table.queries.update(changed, expected.attempt !== null, session.claims === 'with')
        const apply = async (inside: Session): Promise<RowResult> => {
          const { rows, changed: count } = await table.write(inside, query, bound, attempt)
          if (isReturned && rows[0] !== undefined) return table.answered(rows[0])
          const [found] = await table.read(inside, id)
          if (found !== undefined && (count > 0 || found.holdfast_attempt === attempt)) return table.answered(found)
          return untouched(session, wanted, found, expected.attempt)
        }
        if (isReturned) return await apply(session)
        // Without RETURNING, a transaction keeps others from changing the row before it is read back.
        return await session.em.transactional((em) => apply(withinTransaction(session, em)))
      }),
      this.#writeOptions(attempt, demand),
      known,
    )
  }

  /** Deletes a row. */
  remove(id: string, match: Precondition | null, demand?: Demand): Promise<Outcome<RowResult>> {
    const attempt = drawId()
    const known = async (session: Session): Promise<RowResult | null> =>
      (await this.#table(session, 'delete').read(session, id)).length > 0 ? null : { is: 'removed' }
    return this.#deps.run(
      this.#claimed(attempt, known, async (session) => {
        const table = this.#table(session, 'delete')
        this.#refuseUnreplayed(session, id)
        const wanted = { table, id, match }
        const expected = await expectation(session, wanted)
        if (expected.settled !== null) return { settled: expected.settled }
        const query = table.queries.remove(expected.attempt !== null, session.claims === 'with')
        const values = {
          id: table.encodeId(id),
          match: table.encodeId(expected.attempt ?? id),
          holdfast_attempt: table.encodeId(attempt),
        }
        const removed = table.quota?.removing()
        const { changed } = await table.write(session, query, values, attempt)
        if (changed === 0) return untouched(session, wanted, (await table.read(session, id))[0], expected.attempt)
        removed?.()
        return { is: 'removed' }
      }),
      this.#writeOptions(attempt, demand),
      known,
    )
  }

  /**
   * The error to answer with when an operation failed: COLLECTION_UNAVAILABLE if the table turns out to be missing, changed
   * or closed to this service, else the same error. Never rejects.
   */
  async explained(error: unknown, operation: Operation): Promise<unknown> {
    const store = failedStore(error)?.store
    const cause = error instanceof HoldfastError ? error.cause : error
    if (store === undefined || cause === undefined || !concernsTable(store, cause)) return error
    const { now, tables, recheck } = this.#deps
    // A trigger of the table may raise an error for each request.
    if (now() - this.#checkedAt >= recheckPauseMs) {
      this.#checkedAt = now()
      tables.suspect(store, this.collection.name)
      this.#rechecked = recheck?.(store) ?? null
    }
    // Those that failed at the same time get the same answer.
    await this.#rechecked
    try {
      tables.check(store, this.collection.name, operation)
      return error
    } catch (unavailable) {
      return withFailedStore(unavailable, failedStore(error))
    }
  }

  #unchanged(id: string, match: Precondition | null): Promise<Outcome<RowResult>> {
    return this.#deps.run(async (session) => {
      const table = this.#table(session, 'get')
      this.#refuseUnreplayed(session, id)
      const [row] = await table.read(session, id)
      if (row === undefined) return absent(session, { table, id, match })
      const isWanted = match === null || isNamed(match, row.holdfast_attempt)
      return isWanted ? table.answered(row) : stale(session, { table, id, match })
    }, readOptions)
  }

  /** Inserts within the row limit, which counts in a complete table alone. */
  async #insert(session: Session, table: RowTable, row: ValuesByName, id: string, attempt: string): Promise<void> {
    const quota = session.shown === 'fallback' ? null : table.quota
    const reservation = quota === null ? null : (quota.reserveNow() ?? (await quota.reserve()))
    let isCreated = false
    try {
      const insert = table.queries.insert(session.claims === 'with')
      const { changed } = await table.write(session, insert, row, attempt)
      // A trigger that writes the row elsewhere, such as into a partition, leaves nothing to count.
      isCreated = changed > 0 || (await afterWrite(session, table.read(session, id)))[0]?.holdfast_attempt === attempt
      if (!isCreated) throw new HoldfastError('WRITE_DISCARDED')
    } catch (error) {
      if (!isClaimKnown(session.store, error)) throw error
      isCreated = (await table.read(session, id))[0]?.holdfast_attempt === attempt
      // An earlier try created the row, and it was changed or deleted since.
      if (!isCreated) throw new HoldfastError('COMMIT_UNKNOWN', { cause: error })
    } finally {
      reservation?.settle(isCreated)
    }
  }

  /**
   * A change or delete whose earlier try may have committed: where the claim says so, the result is what `known` finds, or
   * COMMIT_UNKNOWN. A result that was settled without a statement counts only once the attempt is claimed.
   */
  #claimed(
    attempt: string,
    known: (session: Session) => Promise<RowResult | null>,
    apply: (session: Session) => Promise<RowResult | { readonly settled: RowResult }>,
  ): (session: Session) => Promise<RowResult> {
    let tries = 0
    return async (session) => {
      tries += 1
      try {
        const result = await apply(session)
        if ('is' in result) return result
        if (tries > 1 && session.claims !== null) await claimFirst(session, attempt)
        return result.settled
      } catch (error) {
        if (!isClaimKnown(session.store, error)) throw error
        const found = await known(session)
        if (found === null) throw new HoldfastError('COMMIT_UNKNOWN', { cause: error })
        return found
      }
    }
  }

  #unreplayed({ shown }: Session): Journal | null {
    return shown === 'primary' ? (this.#deps.unreplayed?.() ?? null) : null
  }

  /** The primary has an older version of a row while its change waits to be carried. */
  #refuseUnreplayed(session: Session, id: string): void {
    if (this.#unreplayed(session)?.history(this.collection.name, id).isWaiting !== true) return
    throw new HoldfastError('REPLAYING', { retryAfterS: 1 })
  }

  /** The row as this attempt wrote it; null if it does not exist or has been written since. */
  async #written(session: Session, id: string, attempt: string): Promise<RowResult | null> {
    const table = this.#table(session, 'get')
    const [row] = await table.read(session, id)
    return row?.holdfast_attempt === attempt ? table.answered(row) : null
  }

  #mayRewrite({ store }: Session): boolean {
    return this.#deps.tables.of(store)?.rewriting.has(this.collection.name) ?? false
  }

  #table({ store }: Session, operation: Operation): RowTable {
    this.#deps.tables.check(store, this.collection.name, operation)
    const known = this.#stores.get(store)
    if (known !== undefined) return known
    const made = new RowTable(store, this.collection, this.#deps.now, this.#deps.keptBytes)
    this.#stores.set(store, made)
    return made
  }

  #writeOptions(attempt: string, wanted: Demand | undefined): WorkOptions {
    const demand = strongest(wanted, this.collection.durability)
    const options = { kind: 'write', rerun: 'always', attempt, claims: true, keys: this.#keys } as const
    return demand === undefined ? options : { ...options, demand }
  }
}

/** The shortest time between checks of a table because of failed statements. */
const recheckPauseMs = 1_000

/** Whether the error may come from a table that no longer fits its declaration: a missing column, a right, a type. */
function concernsTable({ driver }: Store, cause: unknown): boolean {
  const { kind } = faultOf(driver, cause, 'statement')
  return kind === 'statement' || kind === 'constraint'
}

const readOptions: WorkOptions = { kind: 'read', rerun: 'always' }
