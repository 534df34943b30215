import { afterWrite, isClaimKnown } from '../../database/work/failure.ts'
import type { Outcome, Session } from '../../database/work/session.ts'
import { withinTransaction } from '../../database/work/work-session.ts'
import { versionColumn } from '../../driver/facet/feed.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { HoldfastError } from '../../errors.ts'
import { subjectOf } from '../access/caller.ts'
import type { VisibleFields } from '../access/visible-fields.ts'
import type { Collection, Operation } from '../declaration/declaration.ts'
import { type FieldValue, givenId, Validator } from '../declaration/validator.ts'
import type { ValuesByName } from '../table/compiled-query.ts'
import { claimed } from './claimed.ts'
import type { CopiedRows } from './copied-rows.ts'
import { etagOf, isNamed, type Precondition } from './etag.ts'
import { insertInFallback, isCopiedBefore, writeInFallback } from './fallback-write.ts'
import type { AnsweredPage } from './page.ts'
import {
  absent,
  expectation,
  fresh,
  matching,
  type ReadConditions,
  type RowResult,
  stale,
  unconditional,
  untouched,
} from './precondition.ts'
import type { AnsweredRow, RowTable, TableView } from './row-table.ts'
import { type RowRequest, type RowsDeps, readingWork, TableAccess } from './table-access.ts'

/**
 * The rows of one collection: the five operations, on compiled statements. Each rejects with the errors of `RunWork`;
 * creates and changes also with ROW_INVALID, creates with COLLECTION_FULL, and INCOMPLETE where
 * the rows are older than the request accepts.
 */
export class Rows {
  readonly collection: Collection
  readonly #validator: Validator
  readonly access: TableAccess
  readonly #fields: readonly string[]
  readonly #copies: CopiedRows

  constructor(collection: Collection, deps: RowsDeps) {
    this.collection = collection
    this.#validator = new Validator(collection)
    this.access = new TableAccess(collection, deps)
    this.#copies = this.access.copies
    this.#fields = Object.keys(collection.fields)
  }

  /** Creates a row. Draws its id, which is also its attempt, and its times once, so that each try writes the same row. */
  async create(body: unknown, { demand, age, granted }: RowRequest = {}): Promise<Outcome<AnsweredRow>> {
    const now = new Date()
    const owner = granted === undefined ? null : subjectOf(granted.caller)
    const given = this.#validator.create(body, { fields: granted?.fields, owner, now })
    // A client may give the id of a row that was deleted: its attempt was claimed.
    const attempt = drawId()
    const id = (this.collection.ids === 'client' ? givenId(body) : null) ?? attempt
    const values = new Map<string, FieldValue>([['id', id]])
    for (const [at, name] of this.#fields.entries()) values.set(name, given[at] ?? null)
    values.set('createdAt', now).set('updatedAt', now).set('version', 1).set('holdfast_attempt', attempt)
    return await this.access.deps.run(
      async (session) => {
        const table = this.access.table(session, 'create')
        const view = this.#copies.viewForWrite(session, table, age)
        const row = table.encode(values)
        const inserting = this.#insert(session, table, view, row, id, attempt)
        // The text is made while the database writes.
        const text = table.serializerFor(granted?.fields)(row, true)
        const version = await inserting
        if (this.access.mayRewrite(session) || table.isReadBack(view)) {
          const stored = await afterWrite(session, this.#written(session, id, attempt, granted?.fields))
          if (stored?.is === 'row') return stored
        } else this.#copies.wrote(session, table, id, row, version)
        return { is: 'row', id, etag: etagOf(attempt), text }
      },
      { ...this.access.writeOptions(attempt, demand), elsewhere: true },
      async (session) => {
        const found = await this.#written(session, id, attempt, granted?.fields)
        return found?.is === 'row' ? found : null
      },
    )
  }

  /** Lists all rows, newest first; with `after`, those older than that id. */
  async list(limit: number, after: string | null, { age }: RowRequest = {}): Promise<Outcome<AnsweredPage>> {
    return await this.access.deps.run(async (session) => {
      const table = this.access.table(session, 'list')
      const view = this.#copies.view(session, table, age)
      return await table.page(session, limit, after, this.access.isPartial(session, view), view)
    }, readingWork)
  }

  /** Reads a row. */
  get(
    id: string,
    { age, granted }: RowRequest = {},
    { match, hasVersion }: ReadConditions = unconditional,
  ): Promise<Outcome<RowResult>> {
    return this.access.deps.run(async (session) => {
      const table = this.access.table(session, 'get')
      this.access.refuseUnreplayed(session, id)
      const view = this.#copies.view(session, table, age)
      const row = await table.row(session, id, view, granted?.fields, hasVersion ? fresh : undefined)
      return matching(session, row, { table, view, id, match })
    }, readingWork)
  }

  /** Changes the fields in the body, in one statement; null clears a field. An empty body changes nothing. */
  async change(
    id: string,
    body: unknown,
    match: Precondition | null,
    request: RowRequest = {},
  ): Promise<Outcome<RowResult>> {
    const { demand, age, granted } = request
    const changes = this.#validator.change(body, { fields: granted?.fields })
    if (changes.size === 0) return this.#unchanged(id, match, request)
    const [attempt, now] = [drawId(), new Date()]
    const changed = [...changes.keys()].map((at) => this.#fields[at] ?? '')
    const values = new Map([...changes.values()].map((value, at) => [changed[at] ?? '', value]))
    values.set('id', id).set('updatedAt', now).set('holdfast_attempt', attempt)
    const known = async (session: Session): Promise<RowResult | null> =>
      await this.#written(session, id, attempt, granted?.fields)
    return this.access.deps.run(
      claimed(attempt, known, async (session) => {
        const table = this.access.table(session, 'update')
        this.access.refuseUnreplayed(session, id)
        const view = this.#copies.viewForWrite(session, table, age)
        const wanted = { table, view, id, match }
        const expected = await expectation(session, wanted)
        if (expected.settled !== null) return { settled: expected.settled }
        const bound = table.encode(values)
        if (expected.attempt !== null) bound.match = table.encodeId(expected.attempt)
        const isReturned = view.queries.returning && !this.access.mayRewrite(session)
        const query = view.queries.update(changed, expected.attempt !== null, session.claims === 'with')
        let written: Row | undefined
        const apply = async (inside: Session): Promise<RowResult> => {
          const { rows, changed: count } =
            isReturned && session.shown === 'fallback'
              ? await writeInFallback(session, { table, view, id, query, values: bound, attempt, isNew: false })
              : await table.write(inside, query, bound, attempt)
          const [found] = isReturned && rows.length > 0 ? rows : await table.read(inside, id, view, fresh)
          const isWritten = found !== undefined && (count > 0 || found.holdfast_attempt === attempt)
          if (!isWritten) return untouched(session, wanted, found, expected.attempt)
          written = found
          return table.answered(found, granted?.fields)
        }
        // Without RETURNING, a transaction keeps others from changing the row before it is read back.
        const result = isReturned
          ? await apply(session)
          : await session.em.transactional((em) => apply(withinTransaction(session, em)))
        // Committed by now.
        if (written !== undefined) this.#copies.wrote(session, table, id, written)
        return result
      }),
      this.access.writeOptions(attempt, demand),
      known,
    )
  }

  /** Deletes a row. */
  remove(id: string, match: Precondition | null, { demand, age }: RowRequest = {}): Promise<Outcome<RowResult>> {
    const attempt = drawId()
    const known = async (session: Session): Promise<RowResult | null> => {
      const table = this.access.table(session, 'delete')
      if ((await table.read(session, id, table.plain, fresh)).length > 0) return null
      return this.#removed(session, id)
    }
    return this.access.deps.run(
      claimed(attempt, known, async (session) => {
        const table = this.access.table(session, 'delete')
        this.access.refuseUnreplayed(session, id)
        const view = this.#copies.view(session, table, age)
        const wanted = { table, view, id, match }
        const expected = await expectation(session, wanted)
        if (expected.settled !== null) return { settled: expected.settled }
        const query = view.queries.remove(expected.attempt !== null, session.claims === 'with')
        const values = {
          id: table.encodeId(id),
          match: table.encodeId(expected.attempt ?? id),
          holdfast_attempt: table.encodeId(attempt),
        }
        const removed = table.quota(session, view)?.removing()
        const { changed } = await table.write(session, query, values, attempt)
        if (changed === 0)
          return untouched(session, wanted, (await table.read(session, id, view, fresh))[0], expected.attempt)
        removed?.()
        return this.#removed(session, id)
      }),
      this.access.writeOptions(attempt, demand),
      known,
    )
  }

  /**
   * The error to answer with when an operation failed: COLLECTION_UNAVAILABLE if the table turns out to be missing, changed
   * or closed to this service, else the same error. Never rejects.
   */
  explained(error: unknown, operation: Operation): Promise<unknown> {
    return this.access.explained(error, operation)
  }

  #removed(session: Session, id: string): RowResult {
    this.#copies.removed(session, id)
    return { is: 'removed' }
  }

  #unchanged(id: string, match: Precondition | null, { age, granted }: RowRequest): Promise<Outcome<RowResult>> {
    return this.access.deps.run(async (session) => {
      const table = this.access.table(session, 'get')
      this.access.refuseUnreplayed(session, id)
      const view = this.#copies.view(session, table, age)
      const [row] = await table.read(session, id, view, fresh)
      if (row === undefined) return absent(session, { table, view, id, match })
      const isWanted = match === null || isNamed(match, row.holdfast_attempt)
      return isWanted ? table.answered(row, granted?.fields) : stale(session, { table, view, id, match })
    }, readingWork)
  }

  /** Inserts within the row limit. Resolves with the row's version where the statement returns it. */
  async #insert(
    session: Session,
    table: RowTable,
    view: TableView,
    row: ValuesByName,
    id: string,
    attempt: string,
  ): Promise<unknown> {
    const quota = table.quota(session, view)
    const reservation = quota === null ? null : (quota.reserveNow() ?? (await quota.reserve()))
    let isCreated = false
    try {
      // What a trigger rewrites is read back, with the version that it has then.
      const { changed, rows } =
        session.shown === 'fallback'
          ? await insertInFallback(session, table, view, row, id, attempt)
          : await table.insert(session, this.access.mayRewrite(session) ? table.plain : view, row, attempt)
      // A trigger that writes the row elsewhere, such as into a partition, leaves nothing to count.
      isCreated = changed > 0 || (await afterWrite(session, table.read(session, id)))[0]?.holdfast_attempt === attempt
      if (!isCreated) throw new HoldfastError('WRITE_DISCARDED')
      return rows[0]?.[versionColumn]
    } catch (error) {
      if (!isClaimKnown(session.store, error) && !(await isCopiedBefore(session, table, id, error))) throw error
      isCreated = (await table.read(session, id))[0]?.holdfast_attempt === attempt
      // An earlier try created the row, and it was changed or deleted since.
      if (!isCreated) throw new HoldfastError('COMMIT_UNKNOWN', { cause: error })
      return undefined
    } finally {
      reservation?.settle(isCreated)
    }
  }

  /** The row as this attempt wrote it; null if it does not exist or has been written since. */
  async #written(
    session: Session,
    id: string,
    attempt: string,
    fields: VisibleFields | undefined,
  ): Promise<RowResult | null> {
    const table = this.access.table(session, 'get')
    const [row] = await table.read(session, id, this.#copies.viewForWrite(session, table, undefined), fresh)
    if (row?.holdfast_attempt !== attempt) return null
    this.#copies.wrote(session, table, id, row)
    return table.answered(row, fields)
  }
}
