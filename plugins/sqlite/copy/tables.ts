import type { Native } from '../handle.ts'

/**
 * What a copy keeps in a file. `holdfast_copied`: the marks, one per copied row; a numeric key is an integer, so that marks sort
 * as the primary's rows. `holdfast_copy_chunk`: the last keys of the parts that were looked at, and when; the last part ends
 * with an empty BLOB, behind every number and text. A column of type BLOB keeps each value as it is. The number of a copy is never
 * used again: what is still under way for one that has gone must not meet another.
 */
export const copyTables: readonly string[] = [
  `create table if not exists holdfast_copy_source (
  singleton integer primary key check (singleton = 1),
  identity text not null,
  target text not null,
  position text
)`,
  `create table if not exists holdfast_copy (
  number integer primary key autoincrement,
  name text not null unique,
  shape text not null,
  key_name text not null,
  is_numeric integer not null,
  is_guarded integer not null default 0,
  is_leaving integer not null,
  is_swept integer not null default 0,
  after text,
  polled text,
  rows integer not null default 0,
  bytes integer not null default 0
)`,
  `create table if not exists holdfast_copied (
  table_number integer not null,
  key blob not null,
  version text not null,
  high integer not null,
  low integer not null,
  bytes integer not null,
  primary key (table_number, key)
) without rowid`,
  `create index if not exists holdfast_copied_unverified on holdfast_copied (table_number, key) where version = ''`,
  `create table if not exists holdfast_copy_chunk (
  table_number integer not null,
  last blob not null,
  at_ms integer not null,
  primary key (table_number, last)
) without rowid`,
  'create index if not exists holdfast_copy_chunk_age on holdfast_copy_chunk (table_number, at_ms)',
]

/** Whether the file has what a copy keeps. */
export function hasCopy(native: Native): boolean {
  const last = "select 1 from sqlite_master where type = 'index' and name = 'holdfast_copy_chunk_age'"
  return native.prepare(last).get() !== undefined
}
