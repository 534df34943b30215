import { type AliasedRawBuilder, type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { AggregateQuery, GroupKey, Measure } from '../query/aggregate-query.ts'
import type { Column } from './column.ts'
import { type AnyTable, compiled, type Query, slot } from './compiled-query.ts'
import { type ListOptions, whereOf } from './condition.ts'
import type { ShapedFilter } from './condition-shape.ts'
import type { Sql } from './dialect.ts'

/** Doubles are added after they were made so much smaller that no sum of as many rows as are read is beyond their range. */
export const doubleScale: number = 2 ** 20

/** Integers are added in two parts of so many bits: SQLite has no wider sum than 64 bits. */
export const partSize: number = 2 ** 32

/**
 * The statement of an aggregate. Its rows have the groups as `g0`..., and of each measure `m0`... its value, or its parts: `n` values,
 * their sum as `m`, or as `h` times `partSize` and `l`. Operands are bound as `f0`..., and `limit`.
 */
export function aggregateStatement(
  builder: Kysely<AnyTable>,
  options: ListOptions,
  { groups, measures, sort }: AggregateQuery,
  filter: ShapedFilter | null,
): Query {
  const { table, where } = options
  const parts = new AggregateParts(options)
  const selected = [
    ...groups.map((group, at) => parts.group(group).as(`g${at}`)),
    ...measures.flatMap((measure, at) => parts.measure(measure, at)),
  ]
  let rows = builder.selectFrom(table).select(selected)
  if (where !== null) rows = rows.where(sql<SqlBool>`${sql.raw(where)}`)
  if (filter !== null) rows = rows.where(whereOf(filter.shape, options, 'f'))
  for (const group of groups) rows = rows.groupBy(parts.grouped(group))
  const asked = sort.map(({ name, isDescending }) => ({ name, isDescending }))
  // Groups of equal measures have one order, too.
  const rest = groups.filter(({ name }) => sort.every((key) => key.name !== name))
  for (const { name, isDescending } of [
    ...asked,
    ...rest.map((group) => ({ name: group.name, isDescending: false })),
  ]) {
    const group = groups.find((one) => one.name === name)
    const measure = measures.find((one) => one.name === name)
    const keys = group !== undefined ? [parts.grouped(group)] : measure === undefined ? [] : parts.order(measure)
    for (const key of keys) rows = rows.orderBy(sql`${key} ${sql.raw(parts.direction(isDescending))}`)
  }
  return compiled(groups.length === 0 ? rows : rows.limit(slot('limit')))
}

/** The expressions of one table. */
class AggregateParts {
  readonly #options: ListOptions

  constructor(options: ListOptions) {
    this.#options = options
  }

  /** A group as it is read. */
  group(group: GroupKey): RawBuilder<unknown> {
    const key = this.grouped(group)
    return group.period === null && this.#column(group.field).isReadAsText ? asText(key) : key
  }

  /** What rows are grouped by. */
  grouped({ field, period }: GroupKey): Sql {
    const { dialect } = this.#options
    const column = this.#options.column(field)
    if (period !== null) return dialect.period(column, period)
    return this.#options.isOtherOrder(field) ? dialect.byBytes(column) : column
  }

  measure(measure: Measure, at: number): readonly AliasedRawBuilder<unknown, string>[] {
    const { computes, field } = measure
    if (field === null) return [sql`count(*)`.as(`m${at}`)]
    const column = this.#options.column(field)
    const count = sql`count(${column})`
    switch (computes) {
      case 'count':
        return [count.as(`m${at}`)]
      case 'distinct':
        return [sql`count(distinct ${this.#compared(field)})`.as(`m${at}`)]
      case 'min':
      case 'max': {
        const value = sql`${sql.raw(computes)}(${this.#compared(field)})`
        return [(this.#column(field).isReadAsText ? asText(value) : value).as(`m${at}`)]
      }
      case 'sum':
      case 'avg': {
        const sums = this.#sum(field)
        const [first, second] = sums
        if (second === undefined) return [count.as(`n${at}`), first.as(`m${at}`)]
        return [count.as(`n${at}`), first.as(`h${at}`), second.as(`l${at}`)]
      }
    }
  }

  /** What groups are sorted by; several keys where one would be rounded. */
  order(measure: Measure): readonly Sql[] {
    const { computes, field } = measure
    if (field === null) return [sql`count(*)`]
    const column = this.#options.column(field)
    if (computes === 'avg') return [sql`${this.#doubleSum(field)} / count(${column})`]
    if (computes === 'count' || computes === 'distinct') {
      return [computes === 'count' ? sql`count(${column})` : sql`count(distinct ${this.#compared(field)})`]
    }
    if (computes !== 'sum') return [sql`${sql.raw(computes)}(${this.#compared(field)})`]
    if (this.#column(field).field === 'number') return [this.#doubleSum(field)]
    if (this.#options.dialect.addsExactly) return [sql`sum(${column})`]
    const [high, low, size] = [
      sql`sum(${column} / ${sql.lit(partSize)})`,
      sql`sum(${column} % ${sql.lit(partSize)})`,
      sql.lit(partSize),
    ]
    const rest = sql`((${low} % ${size} + ${size}) % ${size})`
    return [sql`${high} + (${low} - ${rest}) / ${size}`, rest]
  }

  direction(isDescending: boolean): string {
    const direction = isDescending ? 'desc' : 'asc'
    if (!this.#options.dialect.saysNulls) return direction
    return `${direction} nulls ${isDescending ? 'last' : 'first'}`
  }

  #sum(field: string): readonly [Sql, Sql?] {
    const { dialect } = this.#options
    const column = this.#options.column(field)
    if (this.#column(field).field === 'number') return [this.#doubleSum(field)]
    if (dialect.addsExactly) return [dialect.text(sql`sum(${column})`)]
    const size = sql.lit(partSize)
    return [asText(sql`sum(${column} / ${size})`), asText(sql`sum(${column} % ${size})`)]
  }

  #doubleSum(field: string): Sql {
    const { dialect } = this.#options
    return sql`sum(${dialect.double(this.#options.column(field))} / ${sql.lit(doubleScale)})`
  }

  #compared(field: string): Sql {
    const column = this.#options.column(field)
    return this.#options.isOtherOrder(field) ? this.#options.dialect.byBytes(column) : column
  }

  #column(name: string): Column {
    const column = this.#options.columns.get(name)
    if (column === undefined) throw new Error(`"${this.#options.table}" has no column "${name}".`)
    return column
  }
}

function asText(value: Sql): Sql {
  return sql`cast(${value} as text)`
}
