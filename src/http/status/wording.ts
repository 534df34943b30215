import { ageText, type CopyLine } from '../../copy/copy-line.ts'
import type { Durability } from '../../database/store/store.ts'
import type { DatabaseSessionContext, JournalStatus } from '../../database/supervisor/connection-status.ts'

/** The state of the service in one or two sentences. Names no host. */
export function stateSentence(database: DatabaseSessionContext): string {
  const unusable = database.usable ? null : 'the address of the primary cannot be used; “holdfast check” shows why.'
  const driver = database.store?.driver ?? 'database'
  switch (database.row) {
    case 'not-asked':
      return 'Ready. The first request that needs the database opens it.'
    case 'connecting-first':
    case 'connecting-later':
    case 'connecting-later-alone':
      return 'Connecting to the primary database.'
    case 'failover':
      return 'The primary database was lost. Requests wait for another host of it.'
    case 'local':
      return `Serving from the embedded database (${driver}).`
    case 'primary':
      return `Serving from the primary database (${driver}).`
    case 'fallback':
      return `Serving from the fallback (${driver}${database.writeBlock === null ? '' : ', read-only'}): ${unusable ?? 'the primary database is not available at the moment. Holdfast keeps trying to reach it.'}`
    case 'error':
      if (unusable !== null) return `No database is available: ${unusable}`
      return 'No database is reachable at the moment. Holdfast keeps trying; until it succeeds, requests that need a database get 503.'
  }
}

/** What waits in the journal, in a sentence; null when nothing does. */
export function journalSentence({ transactions, since }: JournalStatus): string | null {
  if (transactions === 0) return null
  const what = transactions === 1 ? '1 change' : `${transactions} changes`
  const [wait, them] = transactions === 1 ? ['waits', 'it'] : ['wait', 'them']
  const from = since === null ? '' : ` since ${since.slice(0, 10)} ${since.slice(11, 19)} UTC`
  return `${what} ${wait} in the journal of the fallback${from}; Holdfast carries ${them} to the primary.`
}

/** What an outage means for a collection, in a sentence for everyone: no counts. */
export function outageSentence({ asOfMs }: CopyLine, nowMs: number, isWritable: boolean): string {
  if (asOfMs !== null) {
    const still = isWritable ? 'readable and writable' : 'readable'
    return `Without the primary, its rows stay ${still}: the copy is ${ageText(nowMs - asOfMs)} old.`
  }
  const what = isWritable ? 'new rows are accepted, and older ones' : 'its rows'
  return `Without the primary, ${what} are not available: the copy is not complete.`
}

/** The primary serves without its fallback, in two sentences. */
export function noFallbackSentence(code: string | null): string {
  const why = code === 'FILE_SHARED' ? ': another process uses its file' : code === null ? '' : ` (${code})`
  return `The fallback is not open${why}. Holdfast keeps trying; until it succeeds, losing the primary is an outage.`
}

/** The changes that were kept aside, in a sentence. */
export function conflictSentence(open: number): string {
  return open === 1
    ? '1 change met another change of its row and is kept aside in the primary, with both versions.'
    : `${open} changes met other changes of their rows and are kept aside in the primary, with both versions.`
}

/** The collections without a usable table, in two sentences. */
export function lackingSentence(names: readonly string[]): string {
  const list = names.join(', ')
  return names.length === 1
    ? `The table of collection ${list} is missing or does not match its declaration. Requests to it get 503.`
    : `The tables of collections ${list} are missing or do not match their declarations. Requests to them get 503.`
}

/** The collections whose tables lack a key, in two sentences. */
export function keylessSentence(names: readonly string[]): string {
  const list = names.join(', ')
  const subject =
    names.length === 1 ? `The table of collection ${list} lacks` : `The tables of collections ${list} lack`
  return `${subject} a unique key or a reference that is declared. Writes get 503; /status has the SQL.`
}

/** How durable a write is, in one or two sentences. `isArchived`: an archive keeps up with the rows. */
export function durabilitySentence(durability: Durability | null, isArchived: boolean): string {
  switch (durability) {
    case 'primary':
      return 'A write is confirmed once the primary database has committed it. It is as safe as that database.'
    case 'primary-ephemeral':
      return 'A write is confirmed once the primary database has committed it to its file, but a restart of the machine or container may lose it. Put the file on a persistent disk.'
    case 'journal':
      return 'A write is confirmed once it is on a disk that survives a restart. Holdfast carries it to the primary when the primary is back.'
    case 'journal-ephemeral':
      return 'A write is confirmed once it is on disk and survives a crash. Holdfast carries it to the primary when the primary is back; a restart of the machine or container before that may lose it. Put DATA_DIR on a persistent disk.'
    case 'archived':
      return 'A write is confirmed once it is on disk and in the archive.'
    case 'local':
      return 'A write is confirmed once it is on disk, and the disk survives a restart.'
    case 'local-ephemeral':
      if (isArchived) {
        return 'A write is confirmed once it is on disk and survives a crash. A restart of the machine or container loses what the archive does not have yet. The header Holdfast-Archive-Lag of each response says how much that is.'
      }
      return 'A write is confirmed once it is on disk and survives a crash, but a restart of the machine or container may lose it. Put DATA_DIR on a persistent disk.'
    case null:
      return 'A write is as durable as the database that serves it. The header Holdfast-Durability of each response says how durable.'
  }
}
