import type { Handle } from '../handle.ts'
import type { RunAlone } from '../own-changes.ts'

/**
 * Runs what `Handle.alone` runs without its sync: a power cut may take it back, with nothing that was committed before it.
 * Only in a WAL, where the next sync covers it; elsewhere the sync keeps the file whole. How the handle syncs is asked once.
 */
export function unsyncedOn(handle: Handle): RunAlone {
  const { native } = handle
  const isSyncing = native.pragma('synchronous', { simple: true }) === 2
  if (!isSyncing || native.pragma('journal_mode', { simple: true }) !== 'wal') return (work) => handle.alone(work)
  return (work) => {
    native.pragma('synchronous = normal')
    try {
      return handle.alone(work)
    } finally {
      if (native.open) native.pragma('synchronous = full')
    }
  }
}
