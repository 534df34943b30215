import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver } from '../../src/driver/driver.ts'
import { parseAddress } from './address/address.ts'
import { classify } from './faults.ts'
import { filesOf, refusalOf, type SqliteTarget } from './target.ts'

/**
 * SQLite in this process, on files of this machine: the local store, the fallback, or a declared primary.
 *
 * A single statement cannot be interrupted: SQLite runs it synchronously. `queryMs` bounds the wait for the one writer
 * and for foreign locks, not the statement itself.
 */
export const driver: Driver<SqliteTarget> = defineDriver<SqliteTarget>({
  contract: 1,
  name: 'sqlite',
  schemes: ['sqlite', 'sqlite3', 'file', 'sqlite+pysqlite', 'sqlite+aiosqlite'],
  exclusive: 'sqlite',
  settings: {
    sync: {
      doc: 'How commits reach the disk: async (fdatasync off the event loop), full (by SQLite itself), auto (async where the file system is known to sync reliably). Both promise the same.',
      format: ['auto', 'async', 'full'],
      default: 'auto',
      env: 'SQLITE_SYNC',
    },
  },
  parse: parseAddress,
  async inspect(target) {
    const { inspectTarget } = await import('./proof/inspect.ts')
    return await inspectTarget(target)
  },
  describe: (target) => `sqlite ${target.database ?? ':memory:'}`,
  classify,
  async connect(target, limits) {
    const { createCandidates } = await import('./candidate.ts')
    return createCandidates(target, limits)
  },
  embedded: {
    files: (target) => filesOf(target),
    async glance(path, read) {
      const { glanceAt } = await import('./copy/glance.ts')
      return glanceAt(path, read)
    },
    archive: {
      async missing(target, connectMs) {
        const { missingFile } = await import('./archive/missing.ts')
        return await missingFile(target, connectMs)
      },
      async rebuild(path) {
        const { beginRebuild } = await import('./archive/rebuild.ts')
        return await beginRebuild(path)
      },
      async prove(path, signal) {
        const { proveFile } = await import('./archive/child.ts')
        return await proveFile(path, signal)
      },
      refusal: refusalOf,
    },
  },
  journals: true,
  integersOnly: true,
  sqlDialect: 'sqlite',
})

export default driver
