import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { idTimeMs } from '../../../src/copy/whole-copy.ts'

/** One entry of a journal, as its file has it. */
export interface JournalLine {
  readonly sequence: number
  readonly id: string
  readonly operation: 'insert' | 'update' | 'delete'
  readonly attempt: string
  readonly base: string | null
  /** The attempt that the row names after it; that of the entry, unless a statement left the old one there. */
  readonly newAttempt: string | null
  readonly token: string | null
  readonly oldToken: string | null
}

/** The file that a service with this working directory uses as its fallback, unless it is of another life. */
export function fallbackFile(dir: string): string {
  return join(dir, 'data/production.db')
}

/** The entries of a journal; none while the file or its journal is not there. */
export function readJournal(file: string): readonly JournalLine[] {
  if (!existsSync(file)) return []
  const database = new Database(file, { readonly: true })
  try {
    const there = database.prepare("select 1 from sqlite_master where name = 'holdfast_journal'").get()
    if (there === undefined) return []
    const rows = database.prepare("select * from holdfast_journal where table_name = 'item' order by sequence").all()
    return (rows as readonly Record<string, unknown>[]).map(lineOf) // Rows by column.
  } finally {
    database.close()
  }
}

function lineOf(row: Record<string, unknown>): JournalLine {
  const after = imageOf(row.new_image)
  return {
    sequence: Number(row.sequence),
    id: String(row.row_id),
    operation: String(row.operation) as JournalLine['operation'], // Written by the triggers.
    attempt: String(row.attempt),
    base: row.base === null ? null : String(row.base),
    newAttempt: after.holdfast_attempt ?? null,
    token: after.token ?? null,
    oldToken: imageOf(row.old_image).token ?? null,
  }
}

function imageOf(text: unknown): Readonly<Record<string, string | null>> {
  return typeof text === 'string' ? JSON.parse(text) : {}
}

/** A copy of a file in use, as it is at this moment, for a service with the working directory `dir`. */
export async function copyFallback(from: string, dir: string): Promise<void> {
  const target = fallbackFile(dir)
  await mkdir(dirname(target), { recursive: true })
  const database = new Database(from, { readonly: true })
  try {
    await database.backup(target)
  } finally {
    database.close()
  }
}

/** What a file says of its copy of `item`. */
export interface CopyInFile {
  readonly rows: number
  /** Each row was looked at, and none is to be looked at once more. */
  readonly isWhole: boolean
  /** When the oldest look or the last poll began; 0: there was none. */
  readonly asOfMs: number
}

/** Null while there is no copy. */
export function readCopy(file: string): CopyInFile | null {
  if (!existsSync(file)) return null
  const database = new Database(file, { readonly: true })
  try {
    if (database.prepare("select 1 from sqlite_master where name = 'holdfast_copy'").get() === undefined) return null
    const row = database
      .prepare<[], { rows: number; open: number; swept: number; polled: string | null; at: number | null }>(
        `select count(key) as rows, total(version = '') as open, is_swept as swept, polled,
         (select min(at_ms) from holdfast_copy_chunk where table_number = number) as at
         from holdfast_copy left join holdfast_copied on table_number = number
         where name = 'item' and is_leaving = 0 group by number`,
      )
      .get()
    if (row === undefined) return null
    const { rows, open, swept, polled, at } = row
    const polledMs = polled === null ? 0 : (idTimeMs(polled) ?? 0)
    return { rows, isWhole: swept === 1 && open === 0, asOfMs: Math.min(at ?? 0, polledMs) }
  } finally {
    database.close()
  }
}
