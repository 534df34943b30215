import type Database from 'better-sqlite3'
import type { Native } from '../handle.ts'

const kept = new WeakMap<Native, Map<string, Database.Statement<unknown[], unknown>>>()

/**
 * A statement of a handle, compiled with its first use; always to be used in the same mode (`raw`, `pluck`). Its texts are
 * few. @throws what the client throws
 */
export function keptStatement<R>(native: Native, sql: string): Database.Statement<unknown[], R> {
  const statements = kept.get(native) ?? new Map<string, Database.Statement<unknown[], unknown>>()
  kept.set(native, statements)
  const statement = statements.get(sql) ?? native.prepare<unknown[], unknown>(sql)
  statements.set(sql, statement)
  return statement as Database.Statement<unknown[], R> // As with `prepare`: what the rows are is the caller's to know.
}
