import type { ImageColumn, ImageTable, RunStatement } from '../../../src/driver/kit/driver-kit.ts'
import { authorFunction } from './author.ts'
import { quote, quoteText } from './quote.ts'

/** Characters of a UUID: `holdfast_author` answers with two of them. */
const idLength = 36
/** What an entry takes beyond its images, about. */
const entryBytes = 200

/** A trigger as it is to be. */
export interface Trigger {
  readonly name: string
  readonly sql: string
  readonly event: 'insert' | 'update' | 'delete'
}

/** One entry of a trigger: which row it is of, and what is known of it. */
interface EntryText {
  readonly operation: 'insert' | 'update' | 'delete'
  /** `new` or `old`. */
  readonly key: string
  readonly hasOld: boolean
  readonly hasNew: boolean
}

/**
 * The statements that create the triggers of a table, or replace those whose text is another one: a trigger from before a
 * column was added would leave it out without a word.
 */
export async function triggerChanges(table: ImageTable, run: RunStatement): Promise<readonly string[]> {
  const wanted = createdTriggers(table)
  const found = await run(
    `select name, sql from sqlite_master where type = 'trigger' and lower(tbl_name) = lower(?) and name like 'holdfast\\_%' escape '\\'`,
    [table.name],
  )
  const known = new Map(found.map(({ name, sql }) => [String(name), String(sql)]))
  const drops = [...known]
    .filter(([name, sql]) => wanted.find((one) => one.name === name)?.sql !== sql)
    .map(([name]) => dropTrigger(name))
  const creates = wanted.filter(({ name, sql }) => known.get(name) !== sql).map(({ sql }) => sql)
  return [...drops, ...creates]
}

/** A row as JSON text of an image; `row` is `new`, `old` or the table's name. */
export function imageText(table: ImageTable, row: string): string {
  const values = table.columns.map((column) => `${quoteText(column.name)}, ${valueText(column, row)}`)
  return `json_object(${values.join(', ')})`
}

/** The statement that drops a trigger. */
export function dropTrigger(name: string): string {
  return `DROP TRIGGER ${quote(name)}`
}

/** The triggers of a table, in the form in which SQLite keeps them. */
export function createdTriggers(table: ImageTable): readonly Trigger[] {
  const inserted: EntryText = { operation: 'insert', key: 'new', hasOld: false, hasNew: true }
  const updated: EntryText = { operation: 'update', key: 'new', hasOld: true, hasNew: true }
  const deleted: EntryText = { operation: 'delete', key: 'old', hasOld: true, hasNew: false }
  const isKept = 'new.id IS old.id'
  return [
    triggerOf(table, 'insert', 'insert', '', [inserted]),
    triggerOf(table, 'update', 'update', ` AND ${isKept}`, [updated]),
    // Another id is another row: the primary knows no other way to say it.
    triggerOf(table, 'move', 'update', ` AND NOT (${isKept})`, [deleted, inserted]),
    triggerOf(table, 'delete', 'delete', '', [deleted]),
  ]
}

function triggerOf(
  table: ImageTable,
  suffix: string,
  event: Trigger['event'],
  when: string,
  entries: readonly EntryText[],
): Trigger {
  const name = `holdfast_${table.name}_${suffix}`
  const body = entries.map((entry) => `${entryText(table, entry)};`).join(' ')
  // Without an author nothing is journaled, nor are the images made.
  const isJournaled = `${authorFunction}() IS NOT NULL${when}`
  return {
    name,
    event,
    sql: `CREATE TRIGGER ${quote(name)} AFTER ${event.toUpperCase()} ON ${quote(table.name)} WHEN ${isJournaled} BEGIN ${body} END`,
  }
}

/**
 * Nothing in it may break a rule of `holdfast_journal`: under INSERT OR IGNORE the entry would be left out without a word.
 * LIMIT 1 keeps SQLite from making the inner select a part of the outer one, in which images would be made twice.
 */
function entryText(table: ImageTable, { operation, key, hasOld, hasNew }: EntryText): string {
  const base = hasOld ? 'old.holdfast_attempt' : 'NULL'
  const oldImage = hasOld ? imageText(table, 'old') : 'NULL'
  const newImage = hasNew ? imageText(table, 'new') : 'NULL'
  const last = 'SELECT transaction_id FROM holdfast_journal ORDER BY sequence DESC LIMIT 1'
  const waiting = 'SELECT total(bytes) FROM holdfast_address'
  return [
    'INSERT INTO holdfast_journal',
    '(address, transaction_id, attempt, is_first, table_name, row_id, operation, base, old_image, new_image, bytes)',
    `SELECT (SELECT address FROM holdfast_life), substr(author, 1, ${idLength}), substr(author, ${idLength + 1}),`,
    `(${last}) IS NOT substr(author, 1, ${idLength}), ${quoteText(table.name)}, ${key}.id, '${operation}', ${base},`,
    `old_image, new_image, ${entryBytes} + coalesce(octet_length(old_image), 0) + coalesce(octet_length(new_image), 0)`,
    `FROM (SELECT ${authorFunction}((${waiting})) AS author, ${oldImage} AS old_image, ${newImage} AS new_image LIMIT 1)`,
    'WHERE author IS NOT NULL',
  ].join(' ')
}

/** Exact: SQLite's own text of a number reads back as the same one. A BLOB, which no kind is, is refused by `json_object`. */
function valueText({ name, kind, scale = 0 }: ImageColumn, row: string): string {
  const value = `${row}.${quote(name)}`
  const text = `iif(typeof(${value}) = 'blob', ${value}, cast(${value} AS text))`
  if (kind === 'decimal' && scale > 0) return decimalText(value, scale, text)
  // SQLite writes "Inf", which other databases do not read.
  return kind === 'number' ? `replace(${text}, 'Inf', 'Infinity')` : text
}

/** A whole number of the smallest units with its point. What has more digits than a decimal is no value of ours, and stays. */
function decimalText(value: string, scale: number, text: string): string {
  const [unit, most] = [10 ** scale, '9'.repeat(18)]
  const digits = `format('%s%d.%0${scale}d', iif(${value} < 0, '-', ''), abs(${value}) / ${unit}, abs(${value}) % ${unit})`
  return `iif(typeof(${value}) = 'integer' AND ${value} BETWEEN -${most} AND ${most}, ${digits}, ${text})`
}
