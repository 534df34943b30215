import type { Problem, Severity } from '../../src/driver/kit/driver-kit.ts'
import type { JournalMode, SyncMode } from './target.ts'

/** What the parameters of an address ask for. */
export interface Wishes {
  journalMode: JournalMode
  sync: SyncMode
  isMemory: boolean
  isReadOnly: boolean
}

/** Tells a problem of the address; the caller knows its setting and origin. */
export type Tell = (
  code: string,
  severity: Severity,
  part: Problem['part'],
  message: string,
  suggestion: string,
) => void

type Take = (value: string, wishes: Wishes, tell: Tell) => void

/** Parameters of other languages' clients that have no meaning here, and why. */
const harmless: Readonly<Record<string, string>> = {
  check_same_thread: 'it has no meaning in Node',
  cached_statements: 'statements are cached anyway',
  uri: 'every address is read as one',
  detect_types: 'types follow the declared columns',
  isolation_level: 'each transaction begins immediate',
  timeout: 'QUERY_TIMEOUT says how long a write waits',
  busy_timeout: 'QUERY_TIMEOUT says how long a write waits',
  _busy_timeout: 'QUERY_TIMEOUT says how long a write waits',
  socket_timeout: 'QUERY_TIMEOUT says how long a write waits',
  connection_limit: 'SQLite has one writer',
  pool_size: 'SQLite has one writer',
  cache: 'the handles share one process',
  charset: 'text is UTF-8',
}

const taken: Readonly<Record<string, Take>> = {
  journal_mode: takeJournalMode,
  _journal_mode: takeJournalMode,
  synchronous: takeSynchronous,
  _synchronous: takeSynchronous,
  mode: takeMode,
  foreign_keys: takeForeignKeys,
  _foreign_keys: takeForeignKeys,
}

/** Reads `?journal_mode=WAL&...`: each parameter is used, or told. Total. */
export function readParameters(query: string, wishes: Wishes, tell: Tell): void {
  if (query === '') return
  for (const [name, value] of new URLSearchParams(query)) {
    const key = name.toLowerCase()
    const take = Object.hasOwn(taken, key) ? taken[key] : undefined
    const reason = Object.hasOwn(harmless, key) ? harmless[key] : undefined
    if (take !== undefined) take(value.trim().toLowerCase(), wishes, tell)
    else if (reason !== undefined) {
      tell('SQLITE_PARAMETER_UNNEEDED', 'info', 'query', `"${key}" is not needed: ${reason}.`, `Leave "${key}" out.`)
    } else tellUnknown(name, query, tell)
  }
}

function takeJournalMode(value: string, wishes: Wishes, tell: Tell): void {
  if (value === 'wal') {
    wishes.journalMode = 'wal'
  } else if (value === 'delete' || value === 'truncate' || value === 'persist') {
    wishes.journalMode = 'delete'
  } else {
    tell(
      'SQLITE_PARAMETER_IGNORED',
      'warning',
      'query',
      'The journal mode is not one that keeps what was acknowledged; WAL is used.',
      'Use journal_mode=WAL or journal_mode=DELETE.',
    )
  }
}

function takeSynchronous(value: string, wishes: Wishes, tell: Tell): void {
  if (value === 'full' || value === 'extra' || value === '2' || value === '3') {
    wishes.sync = 'full'
    return
  }
  tell(
    'SQLITE_PARAMETER_IGNORED',
    'warning',
    'query',
    'A weaker "synchronous" is not taken: a write is answered only when it is on the disk.',
    'Leave "synchronous" out.',
  )
}

function takeMode(value: string, wishes: Wishes, tell: Tell): void {
  if (value === 'memory') wishes.isMemory = true
  else if (value === 'ro') wishes.isReadOnly = true
  else if (value !== 'rwc' && value !== 'rw') {
    tell('SQLITE_PARAMETER_IGNORED', 'warning', 'query', 'The "mode" is unknown and not used.', 'Leave "mode" out.')
  }
}

function takeForeignKeys(value: string, _wishes: Wishes, tell: Tell): void {
  if (['on', '1', 'true', 'yes'].includes(value)) return
  tell('SQLITE_PARAMETER_IGNORED', 'warning', 'query', 'Foreign keys are always checked.', 'Leave "foreign_keys" out.')
}

/** The name is shown only when it looks like one: `?hunter2` may be a password that lost its place. */
function tellUnknown(name: string, query: string, tell: Tell): void {
  const isName = /^[a-z][a-z0-9_.-]{0,39}$/i.test(name) && query.includes(`${name}=`)
  const what = isName ? `The parameter "${name}"` : 'A parameter'
  tell('SQLITE_PARAMETER_UNKNOWN', 'warning', 'query', `${what} is unknown and not used.`, 'Leave it out.')
}
