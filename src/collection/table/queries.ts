import type { Kysely } from 'kysely'
import type { Value } from '../../driver/facet/statements.ts'
import type { MikroORM } from '../../driver/orm.ts'
import type { Column } from './column.ts'

/** A compiled statement: its text, and the place of each value in it. */
export interface Query {
  readonly sql: string
  /** The values in the order of the text, from those by name. */
  bind(values: ValuesByName): Value[]
}

/** Values by the name of their column, and `limit`, `after`, `match` beside them. */
export type ValuesByName = Readonly<Record<string, Value>>

/** Sets of changed columns whose statement is kept; a set beyond costs one compilation more. */
const maxUpdateShapes = 64

/**
 * The statements of one table in one store, each compiled once by kysely in the store's own dialect. Values are always
 * bound, never written into the text.
 */
export class Queries {
  readonly get: Query
  readonly first: Query
  readonly after: Query
  readonly insert: Query
  readonly count: Query
  readonly remove: Query
  readonly removeMatching: Query
  /** Whether an update gives the rows that it changed; else they are read in its transaction. */
  readonly returning: boolean
  readonly #builder: Kysely<Table>
  readonly #table: string
  readonly #names: readonly string[]
  readonly #updates = new Map<string, Query>()

  constructor(orm: MikroORM, table: string, columns: readonly Column[]) {
    // A fork: the global EntityManager may be inside somebody's transaction.
    this.#builder = orm.em.fork().getKysely() as unknown as Kysely<Table> // Tables are only known when the program runs.
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

  /** One statement that changes these columns, the version, the time and the attempt, where the row is as expected. */
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

/** Any table: the names come from the declaration. */
type Table = Record<string, Record<string, unknown>>

/** Stands for a value while the text is made; found again among the parameters. */
class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** The builder takes any value; the types of a column's values mean nothing before the statement runs. */
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
