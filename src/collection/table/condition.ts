import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { FieldKind } from '../declaration/declaration.ts'
import type { FieldPath } from '../filter/filter.ts'
import type { Column } from './column.ts'
import { slot } from './compiled-query.ts'
import { type FilterShape, isTextual } from './condition-shape.ts'
import type { Dialect, JsonPlace, Sql } from './dialect.ts'

/** What conditions of a table are written with. */
export interface ConditionParts {
  readonly dialect: Dialect
  /** The column of a field, with its table: a name alone may be what a statement calls something that it selects. */
  column(field: string): Sql
  /** Whether the column orders text otherwise than by its bytes. */
  isOtherOrder(field: string): boolean
}

/** How the rows of one view of a table are asked for. */
export interface ListOptions extends ConditionParts {
  readonly table: string
  readonly columns: ReadonlyMap<string, Column>
  /** Only rows for which this condition is true are read. */
  readonly where: string | null
}

type Leaf = FilterShape & { readonly is: 'leaf' }

/** The condition of a filter; `prefix` tells its operands from others in the statement. */
export function conditionOf(shape: FilterShape, parts: ConditionParts, prefix: string): Sql {
  if (shape.is !== 'leaf') {
    const word = shape.is === 'and' ? sql` and ` : sql` or `
    const inner = shape.shapes.map((one) => conditionOf(one, parts, prefix))
    if (inner.length === 0) return shape.is === 'and' ? sql`1 = 1` : sql`1 = 0`
    return sql`(${sql.join(inner, word)})`
  }
  if (shape.test === 'null') return nullTest(shape, parts)
  const positive = leafOf(shape, parts, (at) => sql`${slot(`${prefix}${shape.first + at}`)}`)
  // A comparison with nothing is false, and its complement true; one that is not negated stays bare, for an index to serve it.
  return shape.isNegated ? sql`not coalesce(${positive}, false)` : positive
}

/** The same for `where`. */
export function whereOf(shape: FilterShape, parts: ConditionParts, prefix: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`${conditionOf(shape, parts, prefix)}`
}

function nullTest({ path, isNegated }: Leaf, parts: ConditionParts): Sql {
  const { dialect } = parts
  const column = parts.column(path.field)
  if (path.members.length === 0) return isNegated ? sql`${column} is not null` : sql`${column} is null`
  // What is not there has no type.
  const isNothing = sql`coalesce(${isType(dialect.member(column, path.members), dialect.jsonTypes.null)}, true)`
  return isNegated ? sql`not ${isNothing}` : isNothing
}

function leafOf(leaf: Leaf, parts: ConditionParts, operand: (at: number) => Sql): Sql {
  const { dialect } = parts
  if (leaf.test === 'has') return hasTest(leaf, parts, operand)
  const [value, kind] = comparedOf(leaf, parts)
  const scale = leaf.path.scale ?? 0
  const bound = (at: number): Sql => operandOf(dialect, kind, scale, operand(at))
  switch (leaf.test) {
    case 'eq':
      return sql`${value} = ${bound(0)}`
    case 'gt':
      return sql`${value} > ${bound(0)}`
    case 'gte':
    case 'from':
      return sql`${value} >= ${bound(0)}`
    case 'lt':
      return sql`${value} < ${bound(0)}`
    case 'lte':
      return sql`${value} <= ${bound(0)}`
    case 'between':
      return sql`(${value} >= ${bound(0)} and ${value} < ${bound(1)})`
    case 'in':
      return sql`${value} in (${sql.join(Array.from({ length: leaf.count }, (_, at) => bound(at)))})`
    case 'contains':
      return dialect.contains(value, operand(0))
    case 'endsWith':
      return dialect.endsWith(value, operand(0), operand(1))
    case 'icontains':
      return dialect.containsFolded(value, operand(0))
    case 'null':
      throw new Error('unreachable: it has no operand')
  }
}

function hasTest({ path, count }: Leaf, parts: ConditionParts, operand: (at: number) => Sql): Sql {
  const { dialect } = parts
  const item: FieldPath = { ...path, kind: path.items?.kind ?? 'text' }
  const scale = path.items?.scale ?? 0
  const tests = Array.from({ length: count }, (_, at) =>
    dialect.hasItem(parts.column(path.field), (place) => {
      const value = valueIn(place, { ...item, scale }, dialect)
      return sql`${value} = ${operandOf(dialect, item.kind, scale, operand(at))}`
    }),
  )
  return sql`(${sql.join(tests, sql` and `)})`
}

/** What is compared: a column, or a member, which is null where it is not what it should be. */
function comparedOf({ path, test }: Leaf, parts: ConditionParts): readonly [Sql, FieldKind | 'undeclared'] {
  const { dialect } = parts
  const column = parts.column(path.field)
  if (path.members.length > 0) return [valueIn(dialect.member(column, path.members), path, dialect), path.kind]
  const isBare = !parts.isOtherOrder(path.field) || (dialect.equatesBytes && (test === 'eq' || test === 'in'))
  return [isBare ? column : dialect.byBytes(column), path.kind]
}

/** The value of a place in JSON in a form that is compared by the kind of the path. */
function valueIn(place: JsonPlace, path: FieldPath, dialect: Dialect): Sql {
  const { jsonTypes } = dialect
  const { kind, scale = 0 } = path
  if (kind === 'undeclared') return undeclaredIn(place, dialect)
  if (isTextual(kind)) {
    const text = dialect.jsonText(place)
    const form = kind === 'date' || kind === 'instant' ? sql` and ${text} like ${sql.lit(forms[kind])}` : sql``
    return dialect.byBytes(when(sql`${isType(place, jsonTypes.text)}${form}`, text))
  }
  switch (kind) {
    case 'integer':
      return when(isType(place, jsonTypes.whole), when(isExact(place, dialect), dialect.jsonNumber(place)))
    case 'number':
      return when(isType(place, jsonTypes.number), dialect.jsonNumber(place))
    case 'boolean':
      return when(isType(place, jsonTypes.boolean), dialect.jsonBoolean(place))
    case 'decimal':
    case 'int64': {
      const text = dialect.jsonText(place)
      const digits = when(dialect.isDigits(text), dialect.digits(text, kind === 'decimal' ? scale : 0))
      return when(isType(place, jsonTypes.text), digits)
    }
    default:
      throw new Error(`A value of kind "${kind}" is compared with nothing.`)
  }
}

/** What the canonical text of a kind looks like. */
const forms = { date: '____-__-__', instant: '____-__-__T__:__:__.___Z' }

/** The text of a string, a boolean or a whole number: other numbers print differently in each database. */
function undeclaredIn(place: JsonPlace, dialect: Dialect): Sql {
  const { jsonTypes } = dialect
  const text = dialect.jsonText(place)
  const isPlain = isType(place, [...jsonTypes.text, ...jsonTypes.boolean])
  const whole = when(isExact(place, dialect), text)
  return dialect.byBytes(
    sql`case when ${isPlain} then ${text} when ${isType(place, jsonTypes.whole)} then ${whole} end`,
  )
}

/** A whole number that JSON represents exactly. */
function isExact(place: JsonPlace, dialect: Dialect): Sql {
  const most = sql.lit(Number.MAX_SAFE_INTEGER)
  return sql`${dialect.jsonText(place)} not like '%.%' and abs(${dialect.jsonNumber(place)}) <= ${most}`
}

function when(condition: Sql, value: Sql): Sql {
  return sql`case when ${condition} then ${value} end`
}

function isType({ type }: JsonPlace, words: readonly string[]): Sql {
  return sql`${type} in (${sql.join(words.map((word) => sql.lit(word)))})`
}

function operandOf(dialect: Dialect, kind: FieldKind | 'undeclared', scale: number, operand: Sql): Sql {
  switch (kind) {
    case 'integer':
    case 'number':
    case 'boolean':
    case 'int64':
      return dialect[kind](operand)
    case 'decimal':
      return dialect.decimal(operand, scale)
    default:
      return operand
  }
}
