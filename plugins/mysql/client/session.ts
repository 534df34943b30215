/** What is known of a server once one of its connections was proved. */
export interface ServerFacts {
  /** The largest statement that it takes, in bytes; null before it was asked. */
  packetBytes: number | null
  /** Whether a lock that was not had in time rolls the whole transaction back, not the statement alone. */
  rollsBackOnTimeout: boolean
}

/** A server of which nothing is known yet. */
export function unknownServer(): ServerFacts {
  return { packetBytes: null, rollsBackOnTimeout: false }
}

/** How much longer than QUERY_TIMEOUT a statement that nobody waits for any more may run, or hold its place in a line of locks. */
const afterlifeS = 1

/**
 * Whole, not added to what the server has: with NO_BACKSLASH_ESCAPES an escaped value would break out of its quotes, with
 * ANSI_QUOTES texts would be names. Strict, so that nothing is cut off or made up in silence.
 */
const sqlMode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'

/**
 * What each session is set to, in the order to try: the first may name what a server does not know. Of constants alone:
 * poolers such as ProxySQL follow those, and keep a connection apart for its client where they cannot.
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
  // A zombie behind a black hole must not hold its locks for hours; and a server notices that a caller has left only when
  // it has something to say. MySQL has no such limits for what writes, nor has what a proxy may hide.
  return [`${text}, idle_transaction_timeout = ${idleS}, max_statement_time = ${waitS}`, text]
}

/** The same statement without the limit of its session: of a stream each portion has one, and the whole may take long. */
export function withoutLimit(text: string): string {
  return `set statement max_statement_time = 0 for ${text}`
}
