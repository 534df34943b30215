import { randomUUID } from 'node:crypto'
import { faultError, type Life } from '../../../src/driver/kit/driver-kit.ts'
import { copyTables, hasCopy } from '../copy/tables.ts'
import { type Native, undo } from '../handle.ts'

/** What this release writes; a later one may write more. */
const lifeFormat = 2

/** Tables of Holdfast's own in its files; no row of theirs is anybody's data. */
export const ownTablePattern = 'holdfast\\_%'

const lifeTable = `create table if not exists holdfast_life (
  singleton integer primary key check (singleton = 1),
  id text not null,
  life text not null,
  format integer not null,
  made_at integer not null,
  address integer,
  settled integer not null default 0,
  carried_at integer
)`

/**
 * Counts are kept by triggers: a million entries are not counted at each opening. An entry of a transaction whose address
 * is not known yet has the one without an identity, which gets the first. `holdfast_standing`: what the primary of an
 * address was last seen to be.
 */
const journalTables = [
  `create table if not exists holdfast_address (
  number integer primary key,
  identity text,
  label text,
  transactions integer not null default 0,
  entries integer not null default 0,
  bytes integer not null default 0
)`,
  `create table if not exists holdfast_journal (
  sequence integer primary key autoincrement,
  address integer not null,
  transaction_id text not null,
  attempt text not null,
  is_first integer not null,
  table_name text not null,
  row_id text,
  operation text not null,
  base text,
  old_image text,
  new_image text,
  bytes integer not null,
  carried_at integer
)`,
  `create table if not exists holdfast_standing (
  address integer primary key,
  cluster text,
  timeline integer,
  position text
)`,
  `create index if not exists holdfast_journal_waiting on holdfast_journal (address, sequence) where carried_at is null`,
  `create index if not exists holdfast_journal_carried on holdfast_journal (address, sequence, carried_at) where carried_at is not null`,
  `create index if not exists holdfast_journal_row on holdfast_journal (row_id)`,
  `create trigger if not exists holdfast_journal_added after insert on holdfast_journal begin
  update holdfast_address set transactions = transactions + new.is_first, entries = entries + 1, bytes = bytes + new.bytes
  where number = new.address;
end`,
  `create trigger if not exists holdfast_journal_marked after update of carried_at on holdfast_journal
  when (old.carried_at is null) <> (new.carried_at is null) begin
  update holdfast_address set
    transactions = transactions + iif(new.carried_at is null, old.is_first, -old.is_first),
    entries = entries + iif(new.carried_at is null, 1, -1),
    bytes = bytes + iif(new.carried_at is null, old.bytes, -old.bytes)
  where number = old.address;
end`,
  'insert into holdfast_address (number) select 1 where not exists (select 1 from holdfast_address)',
  'update holdfast_life set address = 1 where address is null',
]

/** What a file says of itself. */
export interface FileLife {
  /** The file's own id; copies of the file share it. */
  readonly id: string
  readonly life: Life
  readonly format: number
  /** When the rows of a `local` file were carried to a primary; null: never, or it was opened for writing since. */
  readonly carriedAt: number | null
}

/** The file's life; null for one that has none yet. @throws what the client throws. */
export function readLife(native: Native): FileLife | null {
  const isThere = native.prepare("select 1 from sqlite_master where type = 'table' and name = 'holdfast_life'").get()
  if (isThere === undefined) return null
  const row = native.prepare<unknown[], LifeRow>('select id, life, format, carried_at from holdfast_life').get()
  if (row === undefined) return null
  return {
    id: row.id,
    life: row.life === 'fallback' ? 'fallback' : 'local',
    format: row.format,
    carriedAt: row.carried_at,
  }
}

interface LifeRow {
  readonly id: string
  readonly life: string
  readonly format: number
  readonly carried_at: number | null
}

/**
 * Gives a file its life, for good, and what it needs for it. Changes nothing where that is there.
 *
 * @throws FaultError when the file has the other life, or was written by a later release; what the client throws.
 */
export function settleLife(native: Native, life: Life): void {
  const known = readLife(native)
  if (known !== null) assertLife(known, life)
  const isWhole =
    known !== null && (life === 'local' || (hasJournal(native) && hasCopy(native) && known.format === lifeFormat))
  if (isWhole) return
  native.exec('begin immediate')
  try {
    native.exec(lifeTable)
    native
      .prepare('insert or ignore into holdfast_life (singleton, id, life, format, made_at) values (1, ?, ?, ?, ?)')
      .run(randomUUID(), life, lifeFormat, Date.now())
    const settled = readLife(native)
    // Another process may have been first.
    if (settled !== null) assertLife(settled, life)
    if (life === 'fallback') {
      for (const sql of [...journalTables, ...copyTables]) native.exec(sql)
      // An earlier release would show rows that were copied as if they had been written here.
      native.prepare('update holdfast_life set format = ?').run(lifeFormat)
    }
    native.exec('commit')
  } catch (error) {
    undo(native)
    throw error
  }
}

/** From here on rows may be written to a local store that were not carried. @throws what the client throws. */
export function forgetCarried(native: Native): void {
  if (readLife(native)?.carriedAt != null) native.exec('update holdfast_life set carried_at = null')
}

/** @throws FaultError for a file that stood next to a primary: its triggers would refuse every change. */
export function assertNoFallback(native: Native): void {
  if (readLife(native)?.life !== 'fallback') return
  const summary = 'The file holds rows that are on their way to a primary; it cannot be one itself.'
  throw faultError('configuration', 'SQLITE_OTHER_LIFE', summary, 'Name another file in DATABASE_URL.')
}

function hasJournal(native: Native): boolean {
  const newest = "select 1 from sqlite_master where type = 'table' and name = 'holdfast_standing'"
  return native.prepare(newest).get() !== undefined
}

function assertLife(found: FileLife, wished: Life): void {
  if (found.format > lifeFormat) {
    const summary = 'A later release of Holdfast wrote this file.'
    throw faultError('configuration', 'FORMAT_NEWER', summary, 'Run that release, or name another file.')
  }
  if (found.life === wished) return
  const summary =
    wished === 'fallback'
      ? 'The file holds the rows of a store that was local; it cannot stand next to a primary.'
      : 'The file holds rows that are on their way to a primary; it cannot be the local store.'
  throw faultError('configuration', 'SQLITE_OTHER_LIFE', summary, 'Name another file in FALLBACK_DATABASE_URL.')
}
