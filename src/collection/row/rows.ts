import { faultOf } from '../../database/machine/faults.ts'
import type { Demand, Store } from '../../database/store/store.ts'
import { afterWrite, failedStore, withFailedStore } from '../../database/work/failure.ts'
import type { Outcome, RunWork, Session, WorkOptions } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { HoldfastError } from '../../errors.ts'
import type { Collection, Operation } from '../declaration/declaration.ts'
import { indexNames } from '../declaration/names.ts'
import { type FieldValue, Validator } from '../declaration/validator.ts'
import type { TableReports } from '../table/tables.ts'
import { etagOf, isNamed, type Precondition } from './etag.ts'
import type { RowsLeft } from './left-rows.ts'
import { decodeCursor } from './page.ts'
import { type AnsweredRow, RowTable } from './row-table.ts'

/** The result of a request for one row. */
export type RowResult =
  | AnsweredRow
  | { readonly is: 'removed' }
  | { readonly is: 'missing' }
  /** The row exists, but `If-Match` does not name it. */
  | { readonly is: 'mismatch' }

/** The dependencies of `Rows`. */
export interface RowsDeps {
  readonly run: RunWork
  readonly tables: TableReports
  /** Checks the tables of a store again, on which a statement failed that should have worked. Never rejects. */
  readonly recheck?: (store: Store) => Promise<void>
  /** Counts the rows that a fallback creates and deletes. */
  readonly left?: Pick<RowsLeft, 'changed'>
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
    let tries = 0
    return await this.#deps.run(
      async (session) => {
        const table = this.#table(session, 'create')
        const row = table.encode(values)
        const inserting = this.#insert(session, table, row, id, attempt, ++tries > 1)
        // The text is made while the database writes.
        const text = table.serialize(row, true)
        await inserting
        if (session.shown === 'fallback') this.#deps.left?.changed(this.collection.name, 1)
        const stored = this.#mayRewrite(session) ? await afterWrite(session, this.#written(session, id, attempt)) : null
        if (stored?.is === 'row') return stored
        return { is: 'row', id, etag: etagOf(attempt), text }
      },
      this.#writeOptions(attempt, demand),
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
      return await this.#table(session, 'list').page(session, limit, after)
    }, readOptions)
  }

  /** Reads a row. */
  get(id: string): Promise<Outcome<RowResult>> {
    return this.#deps.run(async (session) => {
      return (await this.#table(session, 'get').row(session, id)) ?? missing
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
    let tries = 0
    return this.#deps.run(
      async (session) => {
        const table = this.#table(session, 'update')
        const isAgain = ++tries > 1
        const expected = await expectation(session, table, id, match, isAgain ? attempt : null)
        if (expected.settled !== null) return expected.settled
        const query = table.queries.update(changed, expected.attempt !== null)
        const bound = table.encode(values)
        if (expected.attempt !== null) bound.match = table.encodeId(expected.attempt)
        const isReturned = table.queries.returning && !this.#mayRewrite(session)
        const apply = async (): Promise<RowResult> => {
          const { rows, changed: count } = await session.statements.write(query.sql, query.bind(bound))
          if (isReturned && rows[0] !== undefined) return resultOf(table, rows[0])
          const [found] = await table.read(session, id)
          return count > 0 || found?.holdfast_attempt === attempt
            ? resultOf(table, found)
            : untouched(found, expected.attempt)
        }
        // Without RETURNING, a transaction keeps others from changing the row before it is read back.
        return isReturned ? apply() : session.em.transactional(apply)
      },
      this.#writeOptions(attempt, demand),
      (session) => this.#written(session, id, attempt),
    )
  }

  /** Deletes a row. */
  remove(id: string, match: Precondition | null, demand?: Demand): Promise<Outcome<RowResult>> {
    const attempt = drawId()
    let sentTo: string | null = null
    return this.#deps.run(
      async (session) => {
        const table = this.#table(session, 'delete')
        // An earlier try may have deleted the row, but only in the store that received the statement.
        const isAgain = sentTo === session.store.target.id
        const expected = await expectation(session, table, id, match, null)
        if (expected.settled?.is === 'missing' && isAgain) return { is: 'removed' }
        if (expected.settled !== null) return expected.settled
        const { queries } = table
        const query = expected.attempt === null ? queries.remove : queries.removeMatching
        const bound = query.bind({ id: table.encodeId(id), match: table.encodeId(expected.attempt ?? id) })
        const removed = table.quota?.removing()
        sentTo = session.store.target.id
        const { changed } = await session.statements.write(query.sql, bound)
        if (changed > 0) {
          removed?.()
          if (session.shown === 'fallback') this.#deps.left?.changed(this.collection.name, -1)
          return { is: 'removed' }
        }
        const result = untouched((await table.read(session, id))[0], expected.attempt)
        return isAgain && result.is === 'missing' ? { is: 'removed' } : result
      },
      this.#writeOptions(attempt, demand),
      async (session) =>
        (await this.#table(session, 'delete').read(session, id)).length > 0 ? null : { is: 'removed' },
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
      const [row] = await table.read(session, id)
      const isWanted = row === undefined || match === null || isNamed(match, row.holdfast_attempt)
      return isWanted ? resultOf(table, row) : { is: 'mismatch' }
    }, readOptions)
  }

  /** Inserts within the row limit. On a retry, an earlier try whose response was lost may have created the row. */
  async #insert(
    session: Session,
    table: RowTable,
    row: Row,
    id: string,
    attempt: string,
    isAgain: boolean,
  ): Promise<void> {
    if (isAgain && (await table.read(session, id))[0]?.holdfast_attempt === attempt) return
    const { insert } = table.queries
    const { quota } = table
    const reservation = quota === null ? null : (quota.reserveNow() ?? (await quota.reserve()))
    let isCreated = false
    try {
      const bound = insert.bind(row as Parameters<typeof insert.bind>[0]) // Encoded values.
      const { changed } = await session.statements.write(insert.sql, bound)
      // A trigger that writes the row elsewhere, such as into a partition, leaves nothing to count.
      isCreated = changed > 0 || (await afterWrite(session, table.read(session, id)))[0]?.holdfast_attempt === attempt
      if (!isCreated) throw new HoldfastError('WRITE_DISCARDED')
    } catch (error) {
      // The earlier try was still running and conflicted with this one: it is the same row.
      const [found] = isAgain ? await table.read(session, id).catch(() => []) : []
      if (found?.holdfast_attempt !== attempt) throw error
    } finally {
      reservation?.settle(isCreated)
    }
  }

  /** The row as this attempt wrote it; null if it does not exist or has been written since. */
  async #written(session: Session, id: string, attempt: string): Promise<RowResult | null> {
    const table = this.#table(session, 'get')
    const [row] = await table.read(session, id)
    return row?.holdfast_attempt === attempt ? resultOf(table, row) : null
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
    const options = { kind: 'write', rerun: 'always', attempt, keys: this.#keys } as const
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

function strongest(one: Demand | undefined, other: Demand | undefined): Demand | undefined {
  return one === 'primary' || other === 'primary' ? 'primary' : (one ?? other)
}

const missing: RowResult = { is: 'missing' }

function resultOf(table: RowTable, row: Row | undefined): RowResult {
  return row === undefined ? missing : table.answered(row)
}

/**
 * The result of a change or delete that matched no row; `found` is the row after it, `expected` the attempt that it had to
 * have (null: any). Throws WRITE_DISCARDED if the row is there as expected.
 */
function untouched(found: Row | undefined, expected: string | null): RowResult {
  if (found === undefined) return { is: 'missing' }
  if (expected !== null && found.holdfast_attempt !== expected) return { is: 'mismatch' }
  throw new HoldfastError('WRITE_DISCARDED')
}

/** The attempt that the statement must find in the row, or the result if it is already known. */
interface Expectation {
  /** Null matches any row. */
  readonly attempt: string | null
  readonly settled: RowResult | null
}

/** `own`: the attempt of an earlier try whose response was lost. */
async function expectation(
  session: Session,
  table: RowTable,
  id: string,
  match: Precondition | null,
  own: string | null,
): Promise<Expectation> {
  if (own === null && (match === null || match === '*')) return { attempt: null, settled: null }
  if (own === null && match?.length === 1) return { attempt: match[0] ?? null, settled: null }
  const [row] = await table.read(session, id)
  if (row === undefined) return { attempt: null, settled: { is: 'missing' } }
  if (own !== null && row.holdfast_attempt === own) return { attempt: null, settled: resultOf(table, row) }
  if (match === null || match === '*') return { attempt: null, settled: null }
  if (!isNamed(match, row.holdfast_attempt)) return { attempt: null, settled: { is: 'mismatch' } }
  return { attempt: String(row.holdfast_attempt), settled: null }
}
