import { type RawBuilder, sql } from 'kysely'
import type { SqlDialect } from '../../driver/driver.ts'
import type { Value } from '../../driver/facet/statements.ts'

/** A part of a statement. */
export type Sql = RawBuilder<unknown>

/** A value inside JSON: the word for its type, and the value as the dialect gives it. */
export interface JsonPlace {
  readonly type: Sql
  readonly value: Sql
}

/** Periods that instants are grouped by. */
export type Period = 'hour' | 'day' | 'month' | 'year'

/** What SQL does not say the same in every database. Operands are placeholders; only names and constants are text. */
export interface Dialect {
  readonly name: SqlDialect
  /** Whether an index serves the comparison of several columns with several values at once. */
  readonly comparesRows: boolean
  /** Whether the order of a column that may be null must say that null is the smallest value. */
  readonly saysNulls: boolean
  /** Whether texts are equal only if their bytes are, whatever the order of the column. */
  readonly equatesBytes: boolean
  /** Text of a column or of JSON that compares by its bytes, where another order is its own. */
  byBytes(text: Sql): Sql
  contains(text: Sql, part: Sql): Sql
  /** `count`: the characters of `end`. */
  endsWith(text: Sql, end: Sql, count: Sql): Sql
  /** `part` has its ASCII letters in lower case; those of `text` are compared as if they had. */
  containsFolded(text: Sql, part: Sql): Sql
  /** A whole number of 53 bits, whatever the width of the column that it is compared with. */
  integer(operand: Sql): Sql
  number(operand: Sql): Sql
  boolean(operand: Sql): Sql
  int64(operand: Sql): Sql
  decimal(operand: Sql, scale: number): Sql
  /** A decimal or int64 inside JSON, as its operand is bound. */
  exactValue(text: string): Value
  member(column: Sql, members: readonly string[]): JsonPlace
  /** True if a condition holds for an item of an array. */
  hasItem(column: Sql, holds: (item: JsonPlace) => Sql): Sql
  readonly jsonTypes: JsonTypes
  jsonText(place: JsonPlace): Sql
  jsonNumber(place: JsonPlace): Sql
  jsonBoolean(place: JsonPlace): Sql
  /** True if text is digits with at most a sign and a point. */
  isDigits(text: Sql): Sql
  /** The decimal or int64 that text of digits is; a decimal as the column of one has it. */
  digits(text: Sql, scale: number): Sql
  /** Whether a sum of integers or decimals has as many digits as it needs. */
  readonly addsExactly: boolean
  /** As text with all of its digits. */
  text(value: Sql): Sql
  /** As a double. */
  double(value: Sql): Sql
  /** The first instant of the period, as text in the form of an answer. */
  period(column: Sql, period: Period): Sql
}

/** The dialect's words for the types of JSON values. */
export interface JsonTypes {
  readonly text: readonly string[]
  readonly number: readonly string[]
  /** Those without a fraction; null: they have no word of their own. */
  readonly whole: readonly string[]
  readonly boolean: readonly string[]
  readonly null: readonly string[]
}

/** The path of a member, as SQLite and MariaDB have it. Members consist of letters, digits, "_" and "-". */
function jsonPath(members: readonly string[]): Sql {
  return sql.lit(`$${members.map((member) => `."${member}"`).join('')}`)
}

const sqlite: Dialect = {
  name: 'sqlite',
  comparesRows: true,
  saysNulls: false,
  equatesBytes: false,
  byBytes: (text) => sql`(${text}) collate binary`,
  contains: (text, part) => sql`instr(${text}, ${part}) > 0`,
  endsWith: (text, end, count) => sql`substr(${text}, -${count}) = ${end}`,
  // A third of the time of `lower`, and ASCII's letters are the only ones that it folds, too.
  containsFolded: (text, part) => sql`(${text} like '%' || ${literally(part)} || '%' escape '\\')`,
  integer: (operand) => operand,
  number: (operand) => operand,
  boolean: (operand) => operand,
  int64: (operand) => operand,
  decimal: (operand) => operand,
  exactValue: (text) => BigInt(text.replace('.', '')),
  member: (column, members) => ({
    type: sql`json_type(${column}, ${jsonPath(members)})`,
    value: sql`json_extract(${column}, ${jsonPath(members)})`,
  }),
  hasItem: (column, holds) => {
    const item = { type: sql`item.type`, value: sql`item.value` }
    return sql`exists (select 1 from json_each(${column}) as item where ${holds(item)})`
  },
  jsonTypes: {
    text: ['text'],
    number: ['integer', 'real'],
    whole: ['integer'],
    boolean: ['true', 'false'],
    null: ['null'],
  },
  jsonText: ({ type, value }) =>
    sql`case ${type} when 'true' then 'true' when 'false' then 'false' else cast(${value} as text) end`,
  jsonNumber: ({ value }) => value,
  jsonBoolean: ({ value }) => value,
  isDigits: (text) => sql`${text} not glob '*[^0-9.-]*'`,
  digits: (text) => sql`cast(replace(${text}, '.', '') as integer)`,
  addsExactly: false,
  text: (value) => sql`cast(${value} as text)`,
  double: (value) => sql`cast(${value} as real)`,
  period: (column, period) => sql`strftime(${sql.lit(strftime[period])}, ${column} / 1000.0, 'unixepoch')`,
}

/** Text as it stands in a pattern of LIKE. SQLite computes it once for a statement. */
function literally(part: Sql): Sql {
  return sql`replace(replace(replace(${part}, '\\', '\\\\'), '%', '\\%'), '_', '\\_')`
}

const strftime: Readonly<Record<Period, string>> = {
  hour: '%Y-%m-%dT%H:00:00.000Z',
  day: '%Y-%m-%dT00:00:00.000Z',
  month: '%Y-%m-01T00:00:00.000Z',
  year: '%Y-01-01T00:00:00.000Z',
}

const postgresql: Dialect = {
  name: 'postgresql',
  comparesRows: true,
  saysNulls: true,
  equatesBytes: true,
  byBytes: (text) => sql`(${text}) collate "C"`,
  contains: (text, part) => sql`strpos(${text}, ${part}) > 0`,
  endsWith: (text, end, count) => sql`right(${text}, ${count}) = ${end}`,
  containsFolded: (text, part) => sql`strpos(lower((${text}) collate "C"), ${part}) > 0`,
  // A parameter has the type of the column otherwise, and a number beyond it is an error.
  integer: (operand) => sql`cast(${operand} as bigint)`,
  number: (operand) => sql`cast(${operand} as double precision)`,
  boolean: (operand) => sql`cast(${operand} as boolean)`,
  int64: (operand) => sql`cast(${operand} as numeric)`,
  decimal: (operand) => sql`cast(${operand} as numeric)`,
  exactValue: (text) => text,
  member: (column, members) => {
    // `#>` would take a member of digits for the position of an item.
    const value = members.reduce<Sql>((inner, member) => sql`${inner} -> ${sql.lit(member)}`, column)
    return { type: sql`jsonb_typeof(${value})`, value: sql`(${value})` }
  },
  hasItem: (column, holds) => {
    const item = { type: sql`jsonb_typeof(item.value)`, value: sql`item.value` }
    const items = sql`case jsonb_typeof(${column}) when 'array' then ${column} else '[]' end`
    return sql`exists (select 1 from jsonb_array_elements(${items}) as item (value) where ${holds(item)})`
  },
  jsonTypes: { text: ['string'], number: ['number'], whole: ['number'], boolean: ['boolean'], null: ['null'] },
  jsonText: ({ value }) => sql`(${value} #>> '{}')`,
  jsonNumber: ({ value }) => sql`cast(${value} as double precision)`,
  jsonBoolean: ({ value }) => sql`cast(${value} as boolean)`,
  isDigits: (text) => sql`${text} ~ '^-?[0-9]+(\\.[0-9]+)?$'`,
  digits: (text) => sql`cast(${text} as numeric)`,
  addsExactly: true,
  text: (value) => sql`cast(${value} as text)`,
  double: (value) => sql`cast(${value} as double precision)`,
  period: (column, period) =>
    sql`to_char(date_trunc(${sql.lit(period)}, ${column} at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
}

const mysql: Dialect = {
  name: 'mysql',
  comparesRows: false,
  saysNulls: false,
  equatesBytes: false,
  byBytes: (text) => sql`cast(${text} as binary)`,
  contains: (text, part) => sql`instr(${text}, ${part}) > 0`,
  // Text inside JSON is compared by its bytes, of which a character may have several.
  endsWith: (text, end) => sql`right(cast(${text} as binary), octet_length(${end})) = cast(${end} as binary)`,
  containsFolded: (text, part) => sql`instr(${folded(text)}, cast(${part} as binary)) > 0`,
  integer: (operand) => sql`cast(${operand} as signed)`,
  number: (operand) => operand,
  boolean: (operand) => operand,
  int64: (operand) => sql`cast(${operand} as signed)`,
  decimal: (operand, scale) => sql`cast(${operand} as decimal(18, ${sql.lit(scale)}))`,
  exactValue: (text) => text,
  member: (column, members) => {
    const value = sql`json_extract(${column}, ${jsonPath(members)})`
    return { type: sql`json_type(${value})`, value }
  },
  hasItem: (column, holds) => {
    const item = { type: sql`json_type(item.value)`, value: sql`item.value` }
    const items = sql`json_table(${column}, '$[*]' columns (value json path '$'))`
    return sql`exists (select 1 from ${items} as item where ${holds(item)})`
  },
  jsonTypes: {
    text: ['STRING'],
    number: ['INTEGER', 'DOUBLE'],
    whole: ['INTEGER'],
    boolean: ['BOOLEAN'],
    null: ['NULL'],
  },
  jsonText: ({ value }) => sql`json_unquote(${value})`,
  jsonNumber: ({ value }) => sql`cast(${value} as double)`,
  jsonBoolean: ({ value }) => sql`cast(${value} as char) = 'true'`,
  isDigits: (text) => sql`${text} regexp '^-?[0-9]+([.][0-9]+)?$'`,
  digits: (text, scale) => sql`cast(${text} as decimal(20, ${sql.lit(scale)}))`,
  addsExactly: true,
  text: (value) => sql`cast(${value} as char)`,
  double: (value) => sql`cast(${value} as double)`,
  period: (column, period) => sql`date_format(${column}, ${sql.lit(dateFormat[period])})`,
}

const dateFormat: Readonly<Record<Period, string>> = {
  hour: '%Y-%m-%dT%H:00:00.000Z',
  day: '%Y-%m-%dT00:00:00.000Z',
  month: '%Y-%m-01T00:00:00.000Z',
  year: '%Y-01-01T00:00:00.000Z',
}

/** `lower` folds letters of all languages; of the bytes of UTF-8 taken for TIS-620, ASCII's alone have a case. */
function folded(text: Sql): Sql {
  return sql`cast(lower(convert(cast(${text} as binary) using tis620)) as binary)`
}

/** What the SQL of a family of databases looks like. */
export const dialects: Readonly<Record<SqlDialect, Dialect>> = { sqlite, postgresql, mysql }
