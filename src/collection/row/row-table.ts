import type { WholeCopy } from '../../copy/whole-copy.ts'
import { faultOf } from '../../database/machine/faults.ts'
import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import { currentTurn } from '../../database/work/turn.ts'
import type { Image } from '../../driver/facet/image.ts'
import type { ReadNote, Row, Value, Written } from '../../driver/facet/statements.ts'
import type { VisibleFields } from '../access/visible-fields.ts'
import type { Collection } from '../declaration/declaration.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { cursorCodec } from '../query/cursor.ts'
import { newestFirst } from '../query/sort.ts'
import { type Column, columnsOf } from '../table/column.ts'
import type { Query, ValuesByName } from '../table/compiled-query.ts'
import { ManyQueries } from '../table/many-queries.ts'
import { Queries } from '../table/queries.ts'
import { rowImage } from '../table/row-image.ts'
import { etagOf } from './etag.ts'
import { type AnsweredPage, pageOf } from './page.ts'
import { Quota } from './quota.ts'
import { ReadCache } from './read-cache.ts'
import { createSerializer, type Serializer } from './serializer.ts'

/** A row as it is answered. */
export interface AnsweredRow {
  readonly is: 'row'
  readonly id: string
  readonly etag: string | null
  /** JSON. */
  readonly text: string
}

/** How a unit of work sees the table of a collection. */
export interface TableView {
  readonly queries: Queries
  /** Only rows for which this condition is true may be shown; null: all. */
  readonly where: string | null
  /** On a fallback: the copy that the table is; null: its copy is not whole, or it is not a fallback. */
  readonly whole: WholeCopy | null
}

/** How many serializers of some columns are kept. */
const maxSerializers = 64

/** A collection in one store, created at its first use there: compiled statements, conversions, the row limit. */
export class RowTable {
  /** Of the collection, and of the table. */
  readonly name: string
  /** All rows. */
  readonly plain: TableView
  readonly serialize: Serializer
  readonly #store: Store
  /** In the order of responses, then the attempt. */
  readonly columns: readonly Column[]
  readonly #createQuota: () => Quota | null
  #quota: Quota | null
  /** The poll of the copy whose rows the quota has counted. */
  #counted: string | null = null
  #fed: TableView | null = null
  #returnsVersions = true
  readonly #many = new WeakMap<Queries, ManyQueries>()
  #own: { readonly where: string; readonly view: TableView } | null = null
  readonly #kept: ReadCache<AnsweredRow>
  readonly #keptPages: ReadCache<AnsweredPage>
  readonly #cursorOf: (row: Row) => string
  readonly #serializers = new Map<string, Serializer>()
  readonly #byName: ReadonlyMap<string, Column>
  readonly #encodeId: (id: string) => Value

  /** `keptBytes`: the most memory for what was read and may be asked for again. */
  constructor(store: Store, collection: Collection, now: () => number, keptBytes: number = 0) {
    this.name = collection.name
    this.#kept = new ReadCache(keptBytes / 2)
    this.#keptPages = new ReadCache(keptBytes / 2)
    const columns = columnsOf(store.orm, collection)
    this.plain = { queries: new Queries(store.orm, collection.name, columns), where: null, whole: null }
    this.#store = store
    this.columns = columns
    // The last column is the attempt, which no body contains.
    this.serialize = createSerializer(columns.slice(0, -1))
    this.#byName = new Map(columns.map((column) => [column.name, column]))
    this.#encodeId = this.#byName.get('id')?.toDatabase ?? ((id) => id)
    const cursors = cursorCodec(collection, newestFirst)
    this.#cursorOf = ({ id }) => cursors.encode({ after: [String(id)] })
    const { maxRows } = collection
    const count = () => countRows(store, this.plain.queries)
    this.#createQuota = () => (maxRows === undefined ? null : new Quota(maxRows, count, now))
    this.#quota = this.#createQuota()
  }

  /** All rows, with what a copy of the primary needs to know of each. */
  get fed(): TableView {
    this.#fed ??= this.#makeFed(this.#store.feed?.returned?.(this.name))
    return this.#fed
  }

  /** The statements about many rows of a view. */
  many({ queries }: TableView): ManyQueries {
    const known = this.#many.get(queries)
    if (known !== undefined) return known
    const made = new ManyQueries(queries.parts)
    this.#many.set(queries, made)
    return made
  }

  /** Whether a row that was inserted must be read to know its version: PostgreSQL returns none of a partitioned table. */
  isReadBack(view: TableView): boolean {
    return !this.#returnsVersions && view === this.#fed
  }

  /** Inserts a row on a primary. */
  insert(session: Session, view: TableView, row: ValuesByName, attempt: string): Promise<Written> {
    const claims = session.claims === 'with'
    const { queries } = this.isReadBack(view) ? this.plain : view
    const inserting = this.write(session, queries.insert(claims), row, attempt)
    if (queries === this.plain.queries) return inserting
    return inserting.catch(async (error: unknown) => {
      if (faultOf(session.store.driver, error, 'statement').kind !== 'statement') throw error
      const written = await this.write(session, this.plain.queries.insert(claims), row, attempt)
      this.#returnsVersions = false
      return written
    })
  }

  /** Of a fallback: all rows, or those that were written in it where its copy is not whole. */
  inFallback(whole: WholeCopy | null): TableView {
    if (whole !== null) return { ...this.plain, whole }
    const where = this.#store.copy?.ownRows(this.name)
    if (where === undefined) return this.plain
    if (this.#own?.where !== where) {
      const queries = new Queries(this.#store.orm, this.name, this.columns, { where })
      this.#own = { where, view: { queries, where, whole: null } }
    }
    return this.#own.view
  }

  /** Formats rows of these columns alone, in this order. */
  serializerOf(names: readonly string[]): Serializer {
    const key = names.join()
    const known = this.#serializers.get(key)
    if (known !== undefined) return known
    const columns = names.flatMap((name) => this.#byName.get(name) ?? [])
    const made = createSerializer(columns)
    if (this.#serializers.size >= maxSerializers) this.#serializers.clear()
    this.#serializers.set(key, made)
    return made
  }

  /** Formats rows for a caller who sees these fields; absent: all. */
  serializerFor(fields: VisibleFields | undefined): Serializer {
    return fields === undefined || fields.isWhole ? this.serialize : this.serializerOf(fields.answered)
  }

  /** The row limit; null: there is none, or not all rows are here to be counted. */
  quota({ shown }: Session, { whole }: TableView): Quota | null {
    if (shown !== 'fallback' || this.#quota === null) return this.#quota
    if (whole === null) return null
    if (this.#counted !== whole.polled) this.#quota = this.#createQuota()
    this.#counted = whole.polled
    return this.#quota
  }

  /** The image of a row that was read, or encoded. */
  image(row: Row): Image {
    return rowImage(this.columns, row)
  }

  /** The values as this store saves them. */
  encode(values: ReadonlyMap<string, FieldValue>): Record<string, Value> {
    const encoded: Record<string, Value> = {}
    for (const [name, value] of values) encoded[name] = this.#byName.get(name)?.toDatabase(value) ?? null
    return encoded
  }

  /** An id or attempt as this store saves it. */
  encodeId(id: string): Value {
    return this.#encodeId(id)
  }

  /** Reads the row of this id; the result has one row or none. */
  read(session: Session, id: string, view: TableView = this.plain, note?: ReadNote): Promise<readonly Row[]> {
    return session.statements.read(view.queries.get.sql, [this.encodeId(id)], note)
  }

  /** The row of this id as it is answered to a caller who sees these fields; null if there is none. */
  async row(
    session: Session,
    id: string,
    view: TableView,
    fields: VisibleFields | undefined,
    note: ReadNote | undefined,
  ): Promise<AnsweredRow | null> {
    const generation = generationOf(session)
    // A row that may be shown in one view, or to one caller, may not be shown in another.
    const ofView = view === this.#own?.view ? `own ${id}` : id
    const key = fields === undefined || fields.isWhole ? ofView : `${ofView} ${fields.answered.join()}`
    const kept = this.#kept.get(generation, key)
    if (kept !== undefined) return kept
    const [found] = await this.read(session, id, view, note)
    if (found === undefined) return null
    const row = this.answered(found, fields)
    this.#kept.set(generation, key, row, row.text.length)
    return row
  }

  /** A page as it is answered: the newest `limit` rows; with `after`, those older than that id. `isPartial`: others may be missing. */
  async page(
    session: Session,
    limit: number,
    after: string | null,
    isPartial: boolean,
    view: TableView,
  ): Promise<AnsweredPage> {
    // What is partial on a fallback is the view of its own rows: the two are never mixed.
    return await this.keptPage(session, `${limit} ${after ?? ''} ${isPartial}`, async () => {
      // One extra row shows whether there is a next page.
      const rows = await this.list(session, limit + 1, after, view)
      return pageOf(this.serialize, rows, limit, isPartial, this.#cursorOf)
    })
  }

  /** The page that was read for this key while nothing in the database has changed since, else the one that is read now. */
  async keptPage(session: Session, key: string, read: () => Promise<AnsweredPage>): Promise<AnsweredPage> {
    const generation = generationOf(session)
    const kept = this.#keptPages.get(generation, key)
    if (kept !== undefined) return kept
    const page = await read()
    this.#keptPages.set(generation, key, page, page.text.length)
    return page
  }

  /** Runs a statement that writes a row; the driver claims the attempt where the statement does not. */
  write(
    { statements, claims }: Session,
    { sql, bind }: Query,
    values: ValuesByName,
    attempt: string,
  ): Promise<Written> {
    const note = claims === 'driver' ? ({ attempt, claims: true } as const) : { attempt }
    return statements.write(sql, bind(values), note)
  }

  /** A row that was read, as it is answered to a caller who sees these fields; absent: all. */
  answered(row: Row, fields?: VisibleFields): AnsweredRow {
    const text = this.serializerFor(fields)(row)
    return { is: 'row', id: String(row.id), etag: etagOf(row.holdfast_attempt), text }
  }

  /** Reads the newest `limit` rows; with `after`, those older than that id. */
  list(
    session: Session,
    limit: number,
    after: string | null,
    { queries }: TableView = this.plain,
  ): Promise<readonly Row[]> {
    const query = after === null ? queries.first : queries.after
    const values: ValuesByName = after === null ? { limit } : { limit, after: this.encodeId(after) }
    return session.statements.read(query.sql, query.bind(values))
  }

  #makeFed(version: string | undefined): TableView {
    if (version === undefined) return this.plain
    return { ...this.plain, queries: new Queries(this.#store.orm, this.name, this.columns, { version }) }
  }
}

/** Null: the database cannot tell whether it has changed. */
function generationOf({ statements }: Session): number | null {
  return statements.generation?.(currentTurn()) ?? null
}

async function countRows(store: Store, queries: Queries): Promise<number> {
  const [row] = await store.statements.read(queries.count.sql, [])
  return Number(row?.rows ?? 0)
}
