/** What a proof has found out about a server. */
export interface ServerFacts {
  /** The largest statement that it accepts, in bytes; null while unknown. */
  packetBytes: number | null
  /** Whether a lock timeout rolls back the whole transaction, not the statement alone. */
  rollsBackOnTimeout: boolean
  /** Whether its binary log has statements alone: then it refuses changes at READ COMMITTED. */
  logsStatements: boolean
}

/** A server about which nothing is known yet. */
export function unknownServer(): ServerFacts {
  return { packetBytes: null, rollsBackOnTimeout: false, logsStatements: false }
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
  { queryMs, transactionMs }: { readonly queryMs: number; readonly transactionMs: number },
): readonly [string, ...string[]] {
  const waitS = Math.max(1, Math.ceil(queryMs / 1_000)) + afterlifeS
  const settings = [
    'autocommit = 1',
    `sql_mode = '${sqlMode}'`,
    // Now and every TIMESTAMP are in UTC, whatever the server's zone.
    `time_zone = '+00:00'`,
    `innodb_lock_wait_timeout = ${waitS}`,
    `lock_wait_timeout = ${waitS}`,
  ]
  const text = `set session ${settings.join(', ')}`
  if (!/mariadb/i.test(version)) return [text]
  const idleS = Math.max(1, Math.ceil(transactionMs / 1_000))
  // A zombie behind a black hole must not hold its locks for hours, and a server notices a closed connection only when it
  // sends something. MySQL has no such limits for writes.
  return [`${text}, idle_transaction_timeout = ${idleS}, max_statement_time = ${waitS}`, text]
}

/** The same statement without the limit of its session: each portion of a stream has one, and the whole may take long. */
export function withoutLimit(text: string): string {
  return `set statement max_statement_time = 0 for ${text}`
}
