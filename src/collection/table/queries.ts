import { type AliasedRawBuilder, type Kysely, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { versionColumn } from '../../driver/facet/feed.ts'
import type { MikroORM } from '../../driver/orm.ts'
import type { Column } from './column.ts'
import { type AnyTable, compiled, type Query, slot } from './compiled-query.ts'

/** How the statements of a table differ from the plain ones. */
export interface QueryOptions {
  /** Reads and writes give the version of each row, too, by this expression, and the texts of its JSON. */
  readonly version?: string
  /** Only rows for which this condition is true are read. */
  readonly where?: string
}

/** What the statements of a table are made of. */
export interface QueryParts {
  readonly builder: Kysely<AnyTable>
  readonly table: string
  readonly names: readonly string[]
  /** All rows that are read. */
  readonly rows: SelectQueryBuilder<AnyTable, string, Record<string, unknown>>
  /** What each row comes with besides its columns, its version first. */
  readonly extras: readonly AliasedRawBuilder<unknown, string>[]
}

/** The column of the text of a JSON column: some clients give its value alone, which has lost digits of large numbers. */
export function textColumn(name: string): string {
  return `holdfast text of ${name}`
}

/** How many update statements are cached, one per set of changed columns. */
const maxUpdateShapes = 64

/**
 * The statements of one table in one store, each compiled once by kysely in the dialect of the store. Values are always
 * bound, never part of the text.
 */
export class Queries {
  readonly get: Query
  readonly first: Query
  readonly after: Query
  readonly count: Query
  /** Whether an update returns the rows that it changed; otherwise they are read in its transaction. */
  readonly returning: boolean
  /** What statements of many rows are made of. */
  readonly parts: QueryParts
  readonly #builder: Kysely<AnyTable>
  readonly #table: string
  readonly #names: readonly string[]
  readonly #columns: readonly Column[]
  /** What each row comes with besides its columns. */
  readonly #extras: readonly AliasedRawBuilder<unknown, string>[]
  readonly #updates = new Map<string, Query>()
  readonly #others = new Map<string, Query>()

  constructor(orm: MikroORM, table: string, columns: readonly Column[], options: QueryOptions = {}) {
    // A fork: the global EntityManager may be inside a transaction of the application.
    this.#builder = orm.em.fork().getKysely() as unknown as Kysely<AnyTable> // Tables are known only at run time.
    this.#table = table
    this.#names = columns.map(({ name }) => name)
    this.#columns = columns
    this.returning = orm.em.getPlatform().usesReturningStatement()
    this.#extras = options.version === undefined ? [] : extrasOf(table, columns, options.version)
    const all = this.#builder
      .selectFrom(table)
      .select([...columns.map((column) => selected(column, table) ?? column.name), ...this.#extras])
    const rows = options.where === undefined ? all : all.where(sql<SqlBool>`${sql.raw(options.where)}`)
    this.parts = { builder: this.#builder, table, names: this.#names, rows, extras: this.#extras }
    const page = rows.orderBy('id', 'desc').limit(slot('limit'))
    this.get = compiled(rows.where('id', '=', slot('id')))
    this.first = compiled(page)
    this.after = compiled(page.where('id', '<', slot('after')))
    this.count = compiled(this.#builder.selectFrom(table).select((of) => of.fn.countAll().as('rows')))
  }

  /** The statement that inserts a row. `claims`: with the claim of its attempt, here and below. */
  insert(claims: boolean): Query {
    return this.#once(`insert ${claims}`, () => {
      const insert = claims ? this.#claimedInsert() : this.#insert()
      const [version] = this.#extras
      return compiled(version === undefined ? insert : insert.returning(version))
    })
  }

  /** The statement that deletes a row. `matching`: only of one attempt. */
  remove(matching: boolean, claims: boolean): Query {
    return this.#once(`remove ${matching} ${claims}`, () => {
      const remove = claims
        ? withClaim(this.#builder).deleteFrom(this.#table).using(claim)
        : this.#builder.deleteFrom(this.#table)
      const one = remove.where(this.#column('id'), '=', slot('id'))
      return compiled(matching ? one.where(this.#column('holdfast_attempt'), '=', slot('match')) : one)
    })
  }

  /** The statement that updates these columns, the version, the time and the attempt. `matching`: only for one attempt. */
  update(changed: readonly string[], matching: boolean, claims: boolean): Query {
    const key = `${claims ? '!' : ''}${matching ? '=' : ''}${changed.join(',')}`
    const known = this.#updates.get(key)
    if (known !== undefined) return known
    const made = this.#compileUpdate(changed, matching, claims)
    const oldest = this.#updates.keys().next()
    if (this.#updates.size >= maxUpdateShapes && !oldest.done) this.#updates.delete(oldest.value)
    this.#updates.set(key, made)
    return made
  }

  /** An insert of the row of one id, which never exists: it needs the rights of an insert and changes nothing. */
  insertNone(): Query {
    const row = this.#builder
      .selectFrom(this.#table)
      .select([...this.#names])
      .where('id', '=', slot('id'))
    return compiled(
      this.#builder
        .insertInto(this.#table)
        .columns([...this.#names])
        .expression(row),
    )
  }

  #insert() {
    const values = this.#names.map((name) => [name, slot(name)])
    return this.#builder.insertInto(this.#table).values(Object.fromEntries(values))
  }

  /** The row is selected from its claim, so that the claim is made before the row: otherwise either may come first. */
  #claimedInsert() {
    const row = this.#builder.selectFrom(claim).select(this.#names.map((name) => sql<unknown>`${slot(name)}`.as(name)))
    return withClaim(this.#builder)
      .insertInto(this.#table)
      .columns([...this.#names])
      .expression(row)
  }

  #compileUpdate(changed: readonly string[], matching: boolean, claims: boolean): Query {
    const names = [...changed, 'updatedAt', 'holdfast_attempt']
    const update = claims
      ? withClaim(this.#builder).updateTable(this.#table).from(claim)
      : this.#builder.updateTable(this.#table)
    let query = update
      .set(Object.fromEntries(names.map((name) => [name, slot(name)])))
      .set((of) => ({ version: of(of.ref(this.#column('version')), '+', of.lit(1)) }))
      .where(this.#column('id'), '=', slot('id'))
    if (matching) query = query.where(this.#column('holdfast_attempt'), '=', slot('match'))
    if (!this.returning) return compiled(query)
    const columns = this.#columns.map((column) => selected(column, this.#table) ?? this.#column(column.name))
    return compiled(query.returning([...columns, ...this.#extras]))
  }

  /** With the table: a claim has an `id`, too. */
  #column(name: string): string {
    return `${this.#table}.${name}`
  }

  #once(key: string, compile: () => Query): Query {
    const known = this.#others.get(key)
    if (known !== undefined) return known
    const made = compile()
    this.#others.set(key, made)
    return made
  }
}

/**
 * The text of a column that the client would round, under its name; null: the column is selected as it is. A sort must name the
 * column with its table: by its name alone it would sort the text.
 */
export function selected({ name, isReadAsText }: Column, table: string): AliasedRawBuilder<string, string> | null {
  return isReadAsText ? sql<string>`cast(${sql.ref(`${table}.${name}`)} as text)`.as(name) : null
}

/** The version first. */
function extrasOf(
  table: string,
  columns: readonly Column[],
  version: string,
): readonly AliasedRawBuilder<unknown, string>[] {
  const documents = columns.filter(({ kind }) => kind === 'json')
  return [
    sql<unknown>`${sql.raw(version)}`.as(versionColumn),
    ...documents.map(({ name }) => sql<unknown>`cast(${sql.ref(`${table}.${name}`)} as text)`.as(textColumn(name))),
  ]
}

/** The name of the claim inside a statement that makes it. */
const claim = 'holdfast_claim'

/** What follows claims the attempt of the row first, in the same statement. */
function withClaim(builder: Kysely<AnyTable>) {
  return builder.with(claim, (db) =>
    db
      .insertInto('holdfast_attempt')
      .values({ id: slot('holdfast_attempt') })
      .returning('id'),
  )
}
