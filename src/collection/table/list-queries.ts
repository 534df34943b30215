import { type Kysely, type SqlBool, sql } from 'kysely'
import type { MikroORM } from '../../driver/orm.ts'
import type { AggregateQuery } from '../query/aggregate-query.ts'
import { aggregateStatement } from './aggregate-queries.ts'
import { type AnyTable, compiled, type Query, slot } from './compiled-query.ts'
import { type ListOptions, whereOf } from './condition.ts'
import type { ShapedFilter } from './condition-shape.ts'
import type { Sql } from './dialect.ts'
import type { PageSource, SortColumn } from './page-source.ts'
import { selected } from './queries.ts'

/** What the statements of a list have in common: which rows, of which source, in which order. */
export interface RowsShape {
  /** Null: all rows. */
  readonly filter: ShapedFilter | null
  readonly sort: readonly SortColumn[]
  readonly source: PageSource
  /** Rows up to this place and no further: whether it has a value for each key; null: all. */
  readonly until: readonly boolean[] | null
}

/** How many statements are kept compiled: the least recently used makes room. */
const maxShapes = 256

/**
 * The statements that filter and sort the rows of one table, each compiled once for its shape. Values are bound by these names:
 * `f0`... the operands of the filter, `a0`... the place that the rows follow, `u0`... the place that they end with, `limit`, `skip`.
 */
export class ListQueries {
  readonly #builder: Kysely<AnyTable>
  readonly #options: ListOptions
  readonly #known = new Map<string, Query>()

  constructor(orm: MikroORM, options: ListOptions) {
    this.#builder = orm.em.fork().getKysely() as unknown as Kysely<AnyTable> // Tables are known only at run time.
    this.#options = options
  }

  /** The rows of a shape, at most `limit`. `skips`: without the first `skip`. */
  rows(shape: RowsShape, columns: readonly string[], skips: boolean = false): Query {
    return this.#once(`rows ${columns.join()} ${skips} ${keyOf(shape)}`, () => {
      const rows = this.#ordered(this.#source(shape).select(this.#selected(columns)), shape.sort).limit(slot('limit'))
      return compiled(skips ? rows.offset(slot('skip')) : rows)
    })
  }

  /** The keys of the row behind the first `skip` rows of a shape. */
  boundary(shape: RowsShape): Query {
    return this.#once(`boundary ${keyOf(shape)}`, () => {
      const keys = this.#source(shape).select(this.#selected(shape.sort.map(({ field }) => field)))
      return compiled(this.#ordered(keys, shape.sort).limit(slot('limit')).offset(slot('skip')))
    })
  }

  /** How many rows a shape has, `limit` at most. */
  count(shape: RowsShape): Query {
    return this.#once(`count ${keyOf(shape)}`, () => {
      const found = this.#source(shape).select(sql`1`.as('one')).limit(slot('limit'))
      return compiled(this.#builder.selectFrom(found.as('found')).select((of) => of.fn.countAll().as('rows')))
    })
  }

  /** How many rows match a filter. */
  countAll(filter: ShapedFilter | null): Query {
    return this.#once(`all ${filter?.key ?? ''}`, () => {
      return compiled(this.#filtered(filter).select((of) => of.fn.countAll().as('rows')))
    })
  }

  /** The groups of an aggregate. */
  aggregate(query: AggregateQuery, filter: ShapedFilter | null): Query {
    const { groups, measures, sort } = query
    const names = [...groups, { name: '' }, ...measures].map(({ name }) => name).join()
    const order = sort.map(({ name, isDescending }) => `${isDescending ? '-' : ''}${name}`).join()
    return this.#once(`aggregate ${names} ${order} ${filter?.key ?? ''}`, () =>
      aggregateStatement(this.#builder, this.#options, query, filter),
    )
  }

  /** The row of `id`, if it matches. */
  one(filter: ShapedFilter | null, columns: readonly string[]): Query {
    return this.#once(`one ${columns.join()} ${filter?.key ?? ''}`, () => {
      return compiled(this.#filtered(filter).select(this.#selected(columns)).where('id', '=', slot('id')))
    })
  }

  /** The rows whose ids are `id0`... , if they match. */
  some(filter: ShapedFilter | null, columns: readonly string[], count: number): Query {
    return this.#once(`some ${count} ${columns.join()} ${filter?.key ?? ''}`, () => {
      const ids = Array.from({ length: count }, (_, at) => slot(`id${at}`))
      return compiled(this.#filtered(filter).select(this.#selected(columns)).where('id', 'in', ids))
    })
  }

  #selected(names: readonly string[]) {
    const { table, columns } = this.#options
    return names.map((name) => {
      const column = columns.get(name)
      return (column === undefined ? null : selected(column, table)) ?? `${table}.${name}`
    })
  }

  #filtered(filter: ShapedFilter | null) {
    const { table, where } = this.#options
    const all = this.#builder.selectFrom(table)
    const rows = where === null ? all : all.where(sql<SqlBool>`${sql.raw(where)}`)
    return filter === null ? rows : rows.where(whereOf(filter.shape, this.#options, 'f'))
  }

  #source({ filter, sort, source, until }: RowsShape) {
    let rows = this.#filtered(filter)
    for (const condition of [...this.#sourceConditions(sort, source), ...this.#untilConditions(sort, source, until)]) {
      rows = rows.where(sql<SqlBool>`${condition}`)
    }
    return rows
  }

  #sourceConditions(sort: readonly SortColumn[], { fixed, rest }: PageSource): readonly Sql[] {
    const equal = fixed.map((one, at) => this.#same(sort, at, one === 'value', 'a'))
    const key = sort[fixed.length]
    if (key === undefined || rest === 'all') return equal
    const column = this.#key(key)
    if (rest === 'null') return [...equal, sql`${column} is null`]
    if (rest === 'value') return [...equal, sql`${column} is not null`]
    const later = rest === 'after' ? sort.slice(fixed.length) : [key]
    return [...equal, this.#compared(later, fixed.length, key.isDescending ? '<' : '>', 'a')]
  }

  /** The keys together on this side of a place. One key alone needs no list, which MariaDB's index would not serve. */
  #compared(keys: readonly SortColumn[], first: number, operator: '<' | '>' | '<=' | '>=', prefix: string): Sql {
    const word = sql.raw(operator)
    const bound = keys.map((key, at) => this.#bound(key, `${prefix}${first + at}`))
    if (keys.length === 1) return sql`${this.#key(keys[0] as SortColumn)} ${word} ${bound[0] as Sql}` // Of this length.
    return sql`(${sql.join(keys.map((key) => this.#key(key)))}) ${word} (${sql.join(bound)})`
  }

  #untilConditions(
    sort: readonly SortColumn[],
    { fixed, rest }: PageSource,
    until: readonly boolean[] | null,
  ): readonly Sql[] {
    if (until === null) return []
    const from = fixed.length + (rest === 'null' ? 1 : 0)
    const keys = sort.slice(from)
    const [first] = keys
    if (first === undefined) return []
    const isSimple = keys.every(
      ({ isDescending, mayBeNull }, at) => isDescending === first.isDescending && (at === 0 || !mayBeNull),
    )
    const end = first.isDescending ? '>=' : '<='
    const hasValue = until[from] === true
    if (keys.length === 1 || (isSimple && hasValue && this.#options.dialect.comparesRows)) {
      return [this.#compared(keys, from, end, 'u')]
    }
    const within = this.#notBehind(sort, from, until)
    // The walk along the index ends there.
    return hasValue ? [this.#compared([first], from, end, 'u'), within] : [within]
  }

  /** True for rows that are before the place or at it, by the keys from this one on. */
  #notBehind(sort: readonly SortColumn[], at: number, until: readonly boolean[]): Sql {
    const key = sort[at]
    if (key === undefined) return sql`1 = 1`
    const column = this.#key(key)
    const hasValue = until[at] === true
    const same = sql`(${this.#same(sort, at, hasValue, 'u')} and ${this.#notBehind(sort, at + 1, until)})`
    if (!hasValue) return key.isDescending ? sql`(${column} is not null or ${same})` : same
    const before = sql`${column} ${sql.raw(key.isDescending ? '>' : '<')} ${this.#bound(key, `u${at}`)}`
    const orNull = key.mayBeNull && !key.isDescending ? sql` or ${column} is null` : sql``
    return sql`(${before}${orNull} or ${same})`
  }

  #same(sort: readonly SortColumn[], at: number, hasValue: boolean, prefix: string): Sql {
    const key = sort[at] as SortColumn // Fixed keys and those of a place are keys of the sort.
    return hasValue ? sql`${this.#key(key)} = ${this.#bound(key, `${prefix}${at}`)}` : sql`${this.#key(key)} is null`
  }

  #key({ field }: SortColumn): Sql {
    const { dialect } = this.#options
    const column = this.#options.column(field)
    return this.#options.isOtherOrder(field) ? dialect.byBytes(column) : column
  }

  /** A value of a cursor may be one that the column cannot hold. */
  #bound({ kind, scale }: SortColumn, name: string): Sql {
    const { dialect } = this.#options
    const operand = sql`${slot(name)}`
    if (kind === 'decimal') return dialect.decimal(operand, scale)
    return kind === 'integer' || kind === 'int64' ? dialect[kind](operand) : operand
  }

  #ordered<Q extends OrderedQuery<Q>>(query: Q, sort: readonly SortColumn[]): Q {
    let ordered = query
    for (const key of sort) {
      const nulls =
        !key.mayBeNull || !this.#options.dialect.saysNulls ? '' : key.isDescending ? ' nulls last' : ' nulls first'
      ordered = ordered.orderBy(sql`${this.#key(key)} ${sql.raw(`${key.isDescending ? 'desc' : 'asc'}${nulls}`)}`)
    }
    return ordered
  }

  #once(key: string, compile: () => Query): Query {
    const known = this.#known.get(key)
    if (known !== undefined) {
      this.#known.delete(key)
      this.#known.set(key, known)
      return known
    }
    const made = compile()
    const oldest = this.#known.keys().next()
    if (this.#known.size >= maxShapes && !oldest.done) this.#known.delete(oldest.value)
    this.#known.set(key, made)
    return made
  }
}

interface OrderedQuery<Q> {
  orderBy(expression: Sql): Q
}

function keyOf({ filter, sort, source, until }: RowsShape): string {
  const keys = sort.map(({ field, isDescending }) => `${isDescending ? '-' : ''}${field}`).join()
  const ends = until === null ? '' : until.map(Number).join('')
  return `${keys} ${source.fixed.join()} ${source.rest} ${ends} ${filter?.key ?? ''}`
}
