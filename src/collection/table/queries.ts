import type { Kysely } from 'kysely'
import type { Value } from '../../driver/facet/statements.ts'
import type { MikroORM } from '../../driver/orm.ts'
import type { Column } from './column.ts'

/** A compiled statement: its text, and the position of each value in it. */
export interface Query {
  readonly sql: string
  /** Puts named values into the order of the text. */
  bind(values: ValuesByName): Value[]
}

/** Values by column name, and `limit`, `after` and `match`. */
export type ValuesByName = Readonly<Record<string, Value>>

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
  readonly insert: Query
  readonly count: Query
  readonly remove: Query
  readonly removeMatching: Query
  /** Whether an update returns the rows that it changed; otherwise they are read in its transaction. */
  readonly returning: boolean
  readonly #builder: Kysely<AnyTable>
  readonly #table: string
  readonly #names: readonly string[]
  readonly #updates = new Map<string, Query>()

  constructor(orm: MikroORM, table: string, columns: readonly Column[]) {
    // A fork: the global EntityManager may be inside a transaction of the application.
    this.#builder = orm.em.fork().getKysely() as unknown as Kysely<AnyTable> // Tables are known only at run time.
    this.#table = table
    this.#names = columns.map(({ name }) => name)
    this.returning = orm.em.getPlatform().usesReturningStatement()
    const rows = this.#builder.selectFrom(table).select([...this.#names])
    const page = rows.orderBy('id', 'desc').limit(slot('limit'))
    this.get = compiled(rows.where('id', '=', slot('id')))
    this.first = compiled(page)
    this.after = compiled(page.where('id', '<', slot('after')))
    this.insert = compiled(
      this.#builder.insertInto(table).values(Object.fromEntries(this.#names.map((name) => [name, slot(name)]))),
    )
    this.count = compiled(this.#builder.selectFrom(table).select((of) => of.fn.countAll().as('rows')))
    const remove = this.#builder.deleteFrom(table).where('id', '=', slot('id'))
    this.remove = compiled(remove)
    this.removeMatching = compiled(remove.where('holdfast_attempt', '=', slot('match')))
  }

  /** The statement that updates these columns, the version, the time and the attempt. `matching`: only for one attempt. */
  update(changed: readonly string[], matching: boolean): Query {
    const key = `${matching ? '=' : ''}${changed.join(',')}`
    const known = this.#updates.get(key)
    if (known !== undefined) return known
    const made = this.#compileUpdate(changed, matching)
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

  #compileUpdate(changed: readonly string[], matching: boolean): Query {
    const names = [...changed, 'updatedAt', 'holdfast_attempt']
    let query = this.#builder
      .updateTable(this.#table)
      .set(Object.fromEntries(names.map((name) => [name, slot(name)])))
      .set((of) => ({ version: of(of.ref('version'), '+', of.lit(1)) }))
      .where('id', '=', slot('id'))
    if (matching) query = query.where('holdfast_attempt', '=', slot('match'))
    return compiled(this.returning ? query.returning([...this.#names]) : query)
  }
}

/** Any table: the declaration has the names. */
type AnyTable = Record<string, Record<string, unknown>>

/** A placeholder for a value at compile time, found again among the parameters. */
class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Typed as `never`, because the builder wants values of the column and gets a placeholder. */
function slot(name: string): never {
  return new Slot(name) as never
}

function compiled(query: { compile(): { readonly sql: string; readonly parameters: readonly unknown[] } }): Query {
  const { sql, parameters } = query.compile()
  const names = parameters.map((parameter) => {
    if (!(parameter instanceof Slot)) throw new Error(`A value without a name in: ${sql}`)
    return parameter.name
  })
  return {
    sql,
    bind: (values) => {
      const bound: Value[] = []
      for (const name of names) {
        const value = values[name]
        if (value === undefined) throw new Error(`No value for "${name}" in: ${sql}`)
        bound.push(value)
      }
      return bound
    },
  }
}
