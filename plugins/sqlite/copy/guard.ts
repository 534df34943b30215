import type { CopiedTable, ImageKind } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { guardFunction } from '../journal/author.ts'
import { quote } from '../journal/quote.ts'

/** Types that keep each value as it is bound, and compare numbers as numbers. */
const types: Readonly<Record<ImageKind, string>> = {
  text: 'text',
  json: 'text',
  integer: 'integer',
  number: 'real',
  decimal: 'integer',
  boolean: 'integer',
  instant: 'integer',
}

const events = ['insert', 'update', 'delete'] as const

/** Whether the changes of a table are journaled: it is one of a collection. */
export function isJournaled(native: Native, table: string): boolean {
  const sql = "select 1 from sqlite_master where type = 'trigger' and name = ? and lower(tbl_name) = lower(?)"
  return native.prepare(sql).get(`holdfast_${table}_insert`, table) !== undefined
}

/**
 * Gives the file a table that only the copy may change. It has no rule but its key: what the primary accepts is to be shown.
 *
 * @throws what the client throws, also where there is such a table.
 */
export function createGuarded(native: Native, { name, key, columns }: CopiedTable): void {
  const list = columns.map((column) => {
    const rule = column.name === key.name ? ' not null primary key' : ''
    return `${quote(column.name)} ${types[column.kind]}${rule}`
  })
  native.exec(`create table ${quote(name)} (${list.join(', ')})`)
  for (const event of events)
    native.exec(
      `create trigger ${quote(`holdfast_${name}_guard_${event}`)} before ${event} on ${quote(name)}
       begin select ${guardFunction}(); end`,
    )
}

/** Its rows are gone before, in steps. */
export function dropGuarded(native: Native, name: string): void {
  native.exec(`drop table if exists ${quote(name)}`)
}
