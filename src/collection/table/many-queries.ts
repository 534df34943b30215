import { sql } from 'kysely'
import { versionColumn } from '../../driver/facet/feed.ts'
import type { Statement, Value } from '../../driver/facet/statements.ts'
import { compiled, type Query, slot, type ValuesByName } from './compiled-query.ts'
import type { QueryParts } from './queries.ts'

/** Rows of one statement. More would not be faster, and fewer texts are compiled. */
const rowsMax = 100

/** Ids of one statement. */
const idsMax = 128

/**
 * The statements about many rows of one table, for transactions. Few texts serve any number: rows are taken in hundreds and
 * powers of two, and lists of ids are filled up with their last one.
 */
export class ManyQueries {
  readonly #parts: QueryParts
  readonly #known = new Map<string, Query>()

  constructor(parts: QueryParts) {
    this.#parts = parts
  }

  /** Inserts the rows. The statements give the id and the version of each, where a copy needs it. */
  insert(rows: readonly ValuesByName[]): readonly Statement[] {
    const { names } = this.#parts
    const queries: Statement[] = []
    for (let from = 0; from < rows.length; ) {
      const count = portionOf(rows.length - from)
      const part = rows.slice(from, from + count)
      const values = part.flatMap((row) => names.map((name) => valueIn(row, name)))
      queries.push({ sql: this.#insert(count).sql, values })
      from += count
    }
    return queries
  }

  /** Reads the rows of these ids, in the order of their ids. `isLocked`: and keeps others from changing them. */
  read(ids: readonly Value[], isLocked: boolean): readonly Statement[] {
    return this.#inParts(ids, (count) =>
      this.#once(`read ${count} ${isLocked}`, () => {
        const { table, rows } = this.#parts
        const some = rows.where(`${table}.id`, 'in', slots(count)).orderBy(`${table}.id`)
        return compiled(isLocked ? some.forUpdate() : some)
      }),
    )
  }

  /** Reads what tells the last write of each row of these ids. */
  lastWrites(ids: readonly Value[]): readonly Statement[] {
    return this.#inParts(ids, (count) =>
      this.#once(`last writes ${count}`, () => {
        const { builder, table } = this.#parts
        const columns = ['id', 'version', 'holdfast_attempt'] as const
        return compiled(
          builder
            .selectFrom(table)
            .select([...columns])
            .where('id', 'in', slots(count)),
        )
      }),
    )
  }

  /** Reads ids of rows whose `field` has one of these values, `limit` at most. `isLocked`: as above. */
  referring(field: string, ids: readonly Value[], limit: number, isLocked: boolean): readonly Statement[] {
    return this.#inParts(ids, (count) =>
      this.#once(`referring ${field} ${count} ${limit} ${isLocked}`, () => {
        const some = this.#parts.rows
          .clearSelect()
          .select('id')
          .where(field, 'in', slots(count))
          .orderBy('id')
          .limit(sql.lit(limit))
        return compiled(isLocked ? some.forUpdate() : some)
      }),
    )
  }

  /** Reads the id of the row that has these values in these columns. */
  byKey(fields: readonly string[], key: ValuesByName): Statement {
    const { sql: text, bind } = this.#once(`key ${fields.join()}`, () => {
      let rows = this.#parts.rows.clearSelect().select('id').limit(sql.lit(1))
      for (const field of fields) rows = rows.where(field, '=', slot(field))
      return compiled(rows)
    })
    return { sql: text, values: bind(key) }
  }

  /** Deletes the rows of these ids. */
  remove(ids: readonly Value[]): readonly Statement[] {
    return this.#inParts(ids, (count) =>
      this.#once(`remove ${count}`, () => {
        const { builder, table } = this.#parts
        return compiled(builder.deleteFrom(table).where('id', 'in', slots(count)))
      }),
    )
  }

  /** Sets one column of the rows of these ids to null, as a change of theirs by this attempt. */
  clear(field: string, ids: readonly Value[], changed: ValuesByName): readonly Statement[] {
    return this.#inParts(
      ids,
      (count) =>
        this.#once(`clear ${field} ${count}`, () => {
          const { builder, table } = this.#parts
          return compiled(
            builder
              .updateTable(table)
              .set({ [field]: sql`null`, updatedAt: slot('updatedAt'), holdfast_attempt: slot('holdfast_attempt') })
              .set((of) => ({ version: of(of.ref('version'), '+', of.lit(1)) }))
              .where('id', 'in', slots(count)),
          )
        }),
      changed,
    )
  }

  #insert(count: number): Query {
    return this.#once(`insert ${count}`, () => {
      const { builder, table, names, extras } = this.#parts
      const rows = Array.from({ length: count }, (_, at) =>
        Object.fromEntries(names.map((name) => [name, slot(`${name} ${at}`)])),
      )
      const insert = builder.insertInto(table).values(rows)
      const [version] = extras
      return compiled(version === undefined ? insert : insert.returning(['id', version]))
    })
  }

  #inParts(ids: readonly Value[], query: (count: number) => Query, others: ValuesByName = {}): readonly Statement[] {
    const queries: Statement[] = []
    for (let from = 0; from < ids.length; from += idsMax) {
      const part = ids.slice(from, from + idsMax)
      const count = powerAbove(part.length)
      const last = part.at(-1) ?? null
      const named = Object.fromEntries(Array.from({ length: count }, (_, at) => [`id ${at}`, part[at] ?? last]))
      const { sql: text, bind } = query(count)
      queries.push({ sql: text, values: bind({ ...others, ...named }) })
    }
    return queries
  }

  #once(key: string, compile: () => Query): Query {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const made = compile()
    this.#known.set(key, made)
    return made
  }
}

/** The version that a statement gave for each row that it inserted, by id. */
export function versionsOf(rows: readonly Readonly<Record<string, unknown>>[]): ReadonlyMap<string, unknown> {
  return new Map(rows.map((row) => [String(row.id), row[versionColumn]]))
}

function slots(count: number): never[] {
  return Array.from({ length: count }, (_, at) => slot(`id ${at}`))
}

function valueIn(row: ValuesByName, name: string): Value {
  const value = row[name]
  if (value === undefined) throw new Error(`No value for "${name}".`)
  return value
}

/** How many of so many rows one statement takes. */
function portionOf(left: number): number {
  if (left >= rowsMax) return rowsMax
  let count = 1
  while (count * 2 <= left) count *= 2
  return count
}

function powerAbove(length: number): number {
  let count = 1
  while (count < length) count *= 2
  return count
}
