import type Database from 'better-sqlite3'
import { type FaultError, faultError } from '../../src/driver/kit/driver-kit.ts'

/** Takes an open transaction back. Never throws; null, or why the connection was closed. */
export function undo(native: Database.Database): FaultError | null {
  if (!native.open || !native.inTransaction) return null
  try {
    native.exec('rollback')
    return null
  } catch (cause) {
    try {
      native.close()
    } catch {
      // It is busy for ever; nobody is given it any more.
    }
    const summary = 'The SQLite file could not take a failed transaction back.'
    const hint = 'It is opened anew and checked; look at the log of the machine for disk errors.'
    return faultError('lost', 'SQLITE_ROLLBACK_FAILED', summary, hint, { cause })
  }
}
