import {
  type CopiedTable,
  type FeedQuery,
  type ImageColumn,
  type KeyRange,
  sourceColumn,
  type TableQueries,
  versionColumn,
} from '../../src/driver/kit/driver-kit.ts'
import { columnText } from './column-text.ts'
import { quoted } from './own-tables.ts'
import { versionText } from './row-version.ts'

/** Off, as a number or as a word: newer servers have more values than two. */
function isOff(variable: string): string {
  return `cast(@@global.${variable} as char) in ('0', 'OFF')`
}

/** Whether the primary of the identity, the first value, runs this statement: `1`, else `0`. */
export const sourceText: string = `case when (select id from holdfast_identity limit 1) = ?
  and ${isOff('read_only')} and ${isOff('innodb_read_only')} then '1' else '0' end`

const source = quoted(sourceColumn)

/** The statements for a table. Where its column does not sort as keys do, they read the whole table. */
export function queriesOf(table: CopiedTable, isSorted: boolean): TableQueries {
  const key = keyOf(table, isSorted)
  const from = quoted(table.name)
  const version = versionText(table)
  const behind = (after: string | null, limit: number): FeedQuery => {
    const { text, values } = key.range({ after, last: null })
    return { text: `${from} where ${text} order by ${key.sort} limit ${limit}`, values }
  }
  const among = (keys: readonly string[]): FeedQuery => {
    const { text, values } = key.among(keys)
    return { text: `${from} where ${text}`, values }
  }
  return {
    digest(identity, after, limit) {
      const { text, values } = behind(after, limit)
      return { text: digestText(key, version, text), values: [identity, ...values] }
    },
    versions(identity, range) {
      const { text, values } = key.range(range)
      const rows = `select null, ${key.text}, ${version} from ${from} where ${text}`
      const first = `select ${sourceText} as ${source}, null as \`key\`, null as version`
      return { text: `${first} union all ${rows}`, values: [identity, ...values] }
    },
    page(identity, after, limit) {
      const { text, values } = behind(after, limit)
      return { text: rowsText(table, version, text), values: [identity, ...values] }
    },
    rows(identity, keys) {
      const { text, values } = among(keys)
      return { text: rowsText(table, version, text), values: [identity, ...values] }
    },
    pageBytes(after, limit) {
      const { text, values } = behind(after, limit)
      return { text: bytesText(table, text), values }
    },
    rowsBytes(keys) {
      const { text, values } = among(keys)
      return { text: bytesText(table, text), values }
    },
  }
}

/** The key of a table in a statement. */
interface Key {
  /** As a text, and as it sorts. */
  readonly text: string
  readonly sort: string
  /** The greatest of several `sort`. */
  readonly last: string
  range(range: KeyRange): FeedQuery
  among(keys: readonly string[]): FeedQuery
}

function keyOf({ name, key, keyOrder }: CopiedTable, isSorted: boolean): Key {
  const text = columnText(key)
  const isNumber = keyOrder === 'number'
  const isPlain = isNumber || isSorted
  const sort = isPlain ? `${quoted(name)}.${quoted(key.name)}` : bytesOf(text)
  const placeOf = (given: string): string => {
    // MySQL may compare a number with a text as doubles.
    if (key.kind === 'integer') return `cast(? as ${given.startsWith('-') ? 'signed' : 'unsigned'})`
    return isPlain ? '?' : bytesOf('?')
  }
  return {
    text,
    sort,
    last: isNumber ? 'cast(max(sort) as char)' : `convert(max(${bytesOf('`key`')}) using utf8mb4)`,
    range({ after, last }) {
      const conditions: string[] = []
      if (after !== null) conditions.push(`${sort} > ${placeOf(after)}`)
      if (last !== null) conditions.push(`${sort} <= ${placeOf(last)}`)
      const values = [after, last].filter((value) => value !== null)
      return { text: conditions.length === 0 ? 'true' : conditions.join(' and '), values }
    },
    among: (keys) => ({ text: `${sort} in (${keys.map(placeOf).join(', ')})`, values: keys }),
  }
}

/** In the letters of the connection. */
function bytesOf(text: string): string {
  return `cast(${text} as binary)`
}

/** The marks as of `markOf`: eight bytes as two numbers. */
function digestText({ text, sort, last }: Key, version: string, rows: string): string {
  return `select ${sourceText} as ${source}, cast(count(*) as char) as \`count\`, ${last} as last,
      cast(coalesce(sum(cast(conv(left(mark, 8), 16, 10) as unsigned)), 0) as char) as high,
      cast(coalesce(sum(cast(conv(substr(mark, 9), 16, 10) as unsigned)), 0) as char) as low
    from (
      select ${text} as \`key\`, ${sort} as sort, left(sha2(concat(${text}, ' ', ${version}), 256), 16) as mark
      from ${rows}
    ) as chunk`
}

function rowsText({ columns }: CopiedTable, version: string, rows: string): string {
  const texts = columns.map((column) => columnText(column))
  const names = columns.map(({ name }) => `null as ${quoted(name)}`)
  return `select ${sourceText} as ${source}, null as ${quoted(versionColumn)}, ${names.join(', ')}
    union all (select null, ${version}, ${texts.join(', ')} from ${rows})`
}

/** Only texts and JSON have no limit of their own. */
function bytesText({ columns }: CopiedTable, rows: string): string {
  const sizes = columns.filter(isLong).map((column) => `coalesce(length(${columnText(column)}), 0)`)
  return `select cast(coalesce(sum(size), 0) as char) as bytes
    from (select ${['0', ...sizes].join(' + ')} as size from ${rows}) as part`
}

function isLong({ kind }: ImageColumn): boolean {
  return kind === 'text' || kind === 'json'
}
