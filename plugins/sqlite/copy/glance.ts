import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { CopyGlance } from '../../../src/driver/kit/driver-kit.ts'
import { Handle } from '../handle.ts'
import { FileJournalView } from '../journal/view.ts'
import { FileCopyView } from './view.ts'

/** How long a lock is waited for; in WAL mode nobody's is. */
const waitMs = 1_000

/**
 * What a file knows of its copy at one moment. A service may use the file, or have left a WAL: then the connection can write
 * nothing, not even a checkpoint. Otherwise it may, so that SQLite removes again what it needs for reading.
 */
export function glanceAt<R>(path: string, read: (glance: CopyGlance) => R): R | null {
  if (!existsSync(path)) return null
  const readonly = existsSync(`${path}-wal`) || existsSync(`${path}-journal`)
  const native = new Database(path, { readonly, fileMustExist: true, timeout: waitMs })
  try {
    native.pragma('query_only = on')
    return native.transaction(() => {
      const handle = new Handle(native)
      const view = FileCopyView.of(handle)
      if (view === null) return null
      const identity = FileJournalView.of(handle, waitMs)?.identity ?? null
      return read({ source: () => view.source(), state: (table) => view.state(table), identity })
    })()
  } finally {
    native.close()
  }
}
