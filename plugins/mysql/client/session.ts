import type { SyncWait } from '../address/target.ts'

/** What a proof has found out about a server. */
export interface ServerFacts {
  /** The largest statement that it accepts, in bytes; null while unknown. */
  packetBytes: number | null
  /** Whether a lock timeout rolls back the whole transaction, not the statement alone. */
  rollsBackOnTimeout: boolean
  /** Whether its binary log has statements alone: then it refuses changes at READ COMMITTED. */
  logsStatements: boolean
  /** How long a commit may wait until the cluster goes on without a member that is silent; 0 outside of clusters. */
  stallMs: number
  /** What waits until this member has what the others have answered; `off` outside of clusters. */
  syncWait: SyncWait
}

/** A server about which nothing is known yet. */
export function unknownServer(): ServerFacts {
  return { packetBytes: null, rollsBackOnTimeout: false, logsStatements: false, stallMs: 0, syncWait: 'off' }
}

/** What limits a session. */
interface SessionLimits {
  readonly queryMs: number
  readonly transactionMs: number
  readonly server: ServerFacts
}

/** How much longer than QUERY_TIMEOUT an abandoned statement may run, or wait for a lock. */
const afterlifeS = 1

/**
 * Replaces the server's own: with NO_BACKSLASH_ESCAPES an escaped value would break out of its quotes, and with ANSI_QUOTES
 * texts would be names. Strict, so that the server neither truncates nor invents a value.
 */
const sqlMode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'

/**
 * The statements that set up a session, in the order to try: the first may name a setting that the server does not know.
 * They hold constants alone: poolers such as ProxySQL track those, and dedicate a connection to its client otherwise.
 */
export function sessionTexts(
  version: string,
  { queryMs, transactionMs, server }: SessionLimits,
): readonly [string, ...string[]] {
  const waitS = Math.max(1, Math.ceil(Math.max(queryMs, server.stallMs) / 1_000)) + afterlifeS
  const settings = [
    'autocommit = 1',
    `sql_mode = '${sqlMode}'`,
    // Now and every TIMESTAMP are in UTC, whatever the server's zone.
    `time_zone = '+00:00'`,
    `innodb_lock_wait_timeout = ${waitS}`,
    `lock_wait_timeout = ${waitS}`,
    ...(server.syncWait === 'all' ? [`wsrep_sync_wait = ${waitMask}`] : []),
  ]
  const text = `set session ${settings.join(', ')}`
  if (!/mariadb/i.test(version)) return [text]
  const idleS = Math.max(1, Math.ceil(transactionMs / 1_000))
  // A zombie behind a black hole must not hold its locks for hours, and a server notices a closed connection only when it
  // sends something. MySQL has no such limits for writes.
  return [`${text}, idle_transaction_timeout = ${idleS}, max_statement_time = ${waitS}`, text]
}

/** The kinds of statements that wait: reads and BEGIN, UPDATE and DELETE, INSERT and REPLACE. */
const waitMask = 7

const waitPrefix = `set statement wsrep_sync_wait = ${waitMask} for `

/** The same statement, run once this member of the cluster has what the others have answered before. */
export function waiting(text: string): string {
  return waitPrefix + text
}

/** The statement itself. */
export function withoutWait(text: string): string {
  return text.startsWith(waitPrefix) ? text.slice(waitPrefix.length) : text
}

/** The same statement without the limit of its session: each portion of a stream has one, and the whole may take long. */
export function withoutLimit(text: string): string {
  return `set statement max_statement_time = 0 for ${text}`
}
