import {
  commonError,
  type Life,
  requestKnownCode,
  requestTable,
  type Statement,
} from '../../../src/driver/kit/driver-kit.ts'
import { isTaken } from '../faults.ts'
import { type Handle, type Native, undo } from '../handle.ts'
import { quoteText } from './quote.ts'
import { createdTriggers, dropTrigger, type Trigger } from './triggers.ts'

const { name: table } = requestTable

const statements: readonly string[] = [
  `create table if not exists ${table} (
  id text not null primary key,
  holdfast_attempt text,
  fingerprint text,
  status integer,
  headers text,
  body text,
  made_at integer not null default (cast(unixepoch('subsec') * 1000 as integer))
)`,
  `create index if not exists ${table}_made_at on ${table} (made_at)`,
]

/** The statements that make `holdfast_request` in a file of no life. */
export const requestStatements: readonly string[] = statements.map((text) => text.replace(/\s+/g, ' '))

/** Whether the file keeps the answers of requests with a key: it has the table, and where changes are journaled, those of it are. */
export function keepsRequests(native: Native, life: Life | null): boolean {
  const hasColumns = native.prepare('select 1 from pragma_table_info(?) where name = ?').get(table, 'fingerprint')
  return hasColumns !== undefined && (life !== 'fallback' || missing(native).length === 0)
}

/**
 * Gives the file what it needs to keep them. Changes nothing where that is there. @throws what the client throws.
 */
export function giveRequests(native: Native, life: Life | null): void {
  if (keepsRequests(native, life)) return
  native.exec('begin immediate')
  try {
    // Of an earlier release, in which only the copy wrote it.
    if (!keepsRequests(native, null)) forgetCopied(native)
    for (const sql of statements) native.exec(sql)
    if (life === 'fallback') {
      for (const { name } of found(native)) native.exec(dropTrigger(name))
      for (const { sql } of wanted) native.exec(sql)
    }
    native.exec('commit')
  } catch (error) {
    undo(native)
    throw error
  }
}

/** Deleting an old answer is no change for others: each database does it by itself. */
const wanted: readonly Trigger[] = createdTriggers(requestTable).filter(({ event }) => event !== 'delete')

function found(native: Native): readonly Pick<Trigger, 'name' | 'sql'>[] {
  const sql = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = ?"
  return native.prepare<unknown[], Pick<Trigger, 'name' | 'sql'>>(sql).all(table)
}

function missing(native: Native): readonly Trigger[] {
  const known = new Map(found(native).map(({ name, sql }) => [name, sql]))
  return wanted.filter(({ name, sql }) => known.get(name) !== sql)
}

function forgetCopied(native: Native): void {
  native.exec(`drop table if exists ${table}`)
  const hasCopies = native.prepare("select 1 from sqlite_master where type = 'table' and name = 'holdfast_copy'").get()
  if (hasCopies === undefined) return
  const number = `(select number from holdfast_copy where name = ${quoteText(table)})`
  native.exec(`delete from holdfast_copied where table_number = ${number};
    delete from holdfast_copy_chunk where table_number = ${number};
    delete from holdfast_copy where name = ${quoteText(table)}`)
}

/** The statement before another one of the same transaction. @throws FaultError where it breaks a unique key; what the client throws. */
export function writeFirst(handle: Handle, { sql, values }: Statement): void {
  try {
    handle.write(sql, handle.prepare(sql), values)
  } catch (error) {
    throw isTaken(error) ? commonError('requestKnown', requestKnownCode, { cause: error }) : error
  }
}
