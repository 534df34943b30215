import {
  type CopiedTable,
  type FeedQuery,
  type ImageColumn,
  type KeyRange,
  sourceColumn,
  type TableQueries,
  versionColumn,
} from '../../src/driver/kit/driver-kit.ts'
import { arrayText } from './attempts.ts'
import { columnText, exactNumbers } from './column-text.ts'
import { quoted } from './own-tables.ts'

/** Whether the primary of the identity, the first value, runs this statement: `1`, else `0`. */
export const sourceText = `case when (select id::text = $1 from holdfast_identity limit 1) and not pg_is_in_recovery()
  then '1' else '0' end`

const source = quoted(sourceColumn)

/** The statements for a table. Where its column does not sort as keys do, they read the whole table. */
export function queriesOf(table: CopiedTable, isSorted: boolean): TableQueries {
  const parts = partsOfTable(table, isSorted)
  const first = (values: readonly string[], text: (list: string[]) => string): FeedQuery => {
    const list = [...values]
    return { text: text(list), values: list }
  }
  return {
    digest: (identity, after, limit) =>
      first([identity], (values) => digestText(parts, rangeText(parts, { after, last: null }, values), limit)),
    versions: (identity, range) =>
      first(
        [identity],
        (values) => `select ${sourceText} as ${source}, null as key, null as version
          union all select null, ${parts.keyText}, ${parts.version} from ${parts.from}
          where ${rangeText(parts, range, values)}`,
      ),
    page: (identity, after, limit) =>
      first([identity], (values) => {
        const range = rangeText(parts, { after, last: null }, values)
        return rowsText(table, parts, `where ${range} order by ${parts.sort} limit ${limit}`)
      }),
    rows: (identity, keys) => ({
      text: rowsText(table, parts, `where ${parts.sort} = any($2)`),
      values: [identity, arrayText(keys)],
    }),
    pageBytes: (after, limit) =>
      first([], (values) => {
        const range = rangeText(parts, { after, last: null }, values)
        return bytesText(table, `${parts.from} where ${range} order by ${parts.sort} limit ${limit}`)
      }),
    rowsBytes: (keys) => ({
      text: bytesText(table, `${parts.from} where ${parts.sort} = any($1)`),
      values: [arrayText(keys)],
    }),
  }
}

/** Of a table in a statement: outputs may have the names of its columns, so each is named with the table. */
interface Parts {
  readonly from: string
  /** The key as a text, and as it sorts. */
  readonly keyText: string
  readonly sort: string
  /** The greatest of several `sort`: not every server has one of UUIDs. */
  readonly last: string
  readonly version: string
}

function partsOfTable({ name, key, keyOrder }: CopiedTable, isSorted: boolean): Parts {
  const keyText = columnText(key, name)
  return {
    from: quoted(name),
    keyText,
    sort: isSorted ? `${quoted(name)}.${quoted(key.name)}` : `(${keyText} collate "C")`,
    last: keyOrder === 'number' ? 'max(sort)::text' : 'max(key collate "C")',
    version: `${quoted(name)}.xmin::text`,
  }
}

function rangeText({ sort }: Parts, { after, last }: KeyRange, values: string[]): string {
  const conditions: string[] = []
  if (after !== null) conditions.push(`${sort} > $${values.push(after)}`)
  if (last !== null) conditions.push(`${sort} <= $${values.push(last)}`)
  return conditions.length === 0 ? 'true' : conditions.join(' and ')
}

/** The marks as of `markOf`: eight bytes as one number of 64 bits. */
function digestText({ from, keyText, sort, last, version }: Parts, range: string, limit: number): string {
  return `select ${sourceText} as ${source}, count(*)::text as count, ${last} as last,
      coalesce(sum((mark >> 32) & 4294967295), 0)::text as high, coalesce(sum(mark & 4294967295), 0)::text as low
    from (
      select key, sort,
        ('x' || encode(substr(sha256(convert_to(key || ' ' || version, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint as mark
      from (
        select ${keyText} as key, ${sort} as sort, ${version} as version
        from ${from} where ${range} order by ${sort} limit ${limit}
      ) as chunk
      offset 0
    ) as marked`
}

function rowsText({ name: table, columns }: CopiedTable, { from, version }: Parts, range: string): string {
  const texts = columns.map((column) => columnText(column, table))
  const names = columns.map(({ name }) => `null as ${quoted(name)}`)
  const isExact = columns.some(({ kind }) => kind === 'number')
  return `select ${isExact ? `case when ${exactNumbers} is null then '0' else ${sourceText} end` : sourceText} as ${source},
      null as ${quoted(versionColumn)}, ${names.join(', ')}
    union all (select null, ${version}, ${texts.join(', ')} from ${from} ${range})`
}

/** Only texts and JSON have no limit of their own. */
function bytesText({ name, columns }: CopiedTable, rows: string): string {
  const sizes = columns.filter(isLong).map((column) => `coalesce(octet_length(${columnText(column, name)}), 0)`)
  return `select coalesce(sum(size), 0)::text as bytes from (select ${['0', ...sizes].join(' + ')} as size from ${rows}) as part`
}

function isLong({ kind }: ImageColumn): boolean {
  return kind === 'text' || kind === 'json'
}
