import type { LeftRows } from '../../collection/row/left-rows.ts'
import type { Durability } from '../../database/store/store.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'

/** The state of the service in a sentence for people. Names no host. */
export function stateSentence(database: DatabaseSessionContext): string {
  const unusable = database.usable ? null : 'the address of the primary is not usable; “holdfast check” says why.'
  const driver = database.store?.driver ?? 'database'
  switch (database.row) {
    case 'not-asked':
      return 'Ready. The database is opened by the first request that needs it.'
    case 'connecting-first':
    case 'connecting-later':
    case 'connecting-later-alone':
      return 'Connecting to the primary database.'
    case 'local':
      return `Serving from its own embedded database (${driver}).`
    case 'primary':
      return `Serving from the primary database (${driver}).`
    case 'fallback':
      return `Serving from the fallback (${driver}${database.writeBlock === null ? '' : ', for reading only'}): ${unusable ?? 'the primary database cannot be used at the moment and is tried again by itself.'}`
    case 'error':
      if (unusable !== null) return `No database can be reached: ${unusable}`
      return 'No database can be reached at the moment. It is tried again by itself; until then requests that need one are answered 503.'
  }
}

/** Rows that stay behind, in a sentence without its full stop. */
export function leftSentence({ total, isMore }: LeftRows): string {
  const rows = total === 1 && !isMore ? '1 row stays' : `${isMore ? 'More than ' : ''}${total} rows stay`
  return `${rows} in the fallback that the primary does not have; nothing carries them there yet`
}

/** Collections without a table that fits, in a sentence. */
export function lackingSentence(names: readonly string[]): string {
  const what = names.length === 1 ? 'The table of the collection' : 'The tables of the collections'
  const is = names.length === 1 ? 'is missing or does not fit' : 'are missing or do not fit'
  return `${what} ${names.join(', ')} ${is}: requests to ${names.length === 1 ? 'it' : 'them'} are answered 503.`
}

/** How safe a write is, in a sentence for people. */
export function durabilitySentence(durability: Durability | null): string {
  switch (durability) {
    case 'primary':
      return 'A write is answered once the primary database has committed it; it is as safe as that database.'
    case 'journal':
      return 'A write is on a disk that outlives a restart before it is answered, and is carried to the primary when that is back.'
    case 'journal-ephemeral':
      return 'A write is on disk before it is answered and survives a crash; a restart of the machine or container may lose what the primary has not seen.'
    case 'fallback-only':
      return 'A write is on this service’s own disk before it is answered; nothing carries it to the primary.'
    case 'local':
      return 'A write is on disk before it is answered, and that disk outlives a restart.'
    case 'local-ephemeral':
      return 'A write is on disk before it is answered and survives a crash, but a restart of the machine or container may lose it. Put DATA_DIR on a lasting disk.'
    case null:
      return 'As durable as the database that answers; every write says it in the header Holdfast-Durability.'
  }
}
