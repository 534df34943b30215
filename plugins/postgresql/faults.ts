import { type Fault, FaultError, type FaultKind, type Phase } from '../../src/driver/driver.ts'

type Meaning = Pick<Fault, 'kind' | 'summary' | 'hint'>

const meaning = (kind: FaultKind, summary: string, hint: string): Meaning => ({ kind, summary, hint })

const reach =
  'Check host, port and firewall; some platforms (Hugging Face Spaces) document outbound ports 80, 443 and 8080 only, and some hosts (db.*.supabase.co) have IPv6 alone: take their pooler.'

const meanings = {
  unreachable: meaning('unreachable', 'PostgreSQL cannot be reached.', reach),
  noHost: meaning(
    'unreachable',
    'The host of the database is not known to the DNS.',
    'Check the host for typing errors; a host inside a private network is only known there.',
  ),
  silent: meaning('unreachable', 'Nothing answered at the host of the database in time.', reach),
  notPostgres: meaning(
    'unreachable',
    'What answers at the address is no PostgreSQL.',
    'Check the port: a web server may listen there.',
  ),
  starting: meaning('unreachable', 'PostgreSQL is starting up or shutting down.', 'Wait; it is tried again.'),
  lost: meaning(
    'lost',
    'The connection to PostgreSQL was lost.',
    'It is opened anew; look at the log of the database.',
  ),
  terminated: meaning(
    'lost',
    'PostgreSQL ended the connection.',
    'It is opened anew; an administrator, a restart or an idle limit ended it.',
  ),
  timeout: meaning(
    'lost',
    'PostgreSQL did not answer a statement within QUERY_TIMEOUT.',
    'Look for locks and slow statements, or raise QUERY_TIMEOUT.',
  ),
  notSent: meaning(
    'lost',
    'The connection was lost before the statement was sent.',
    'Try again; a new connection is opened.',
  ),
  aborted: meaning(
    'lost',
    'The operation was ended before it was done.',
    'Try again, or raise the limit that ended it.',
  ),
  closed: meaning('lost', 'The connections to PostgreSQL are closed.', 'Try again; they are opened anew.'),
  auth: meaning(
    'auth',
    'PostgreSQL refuses the user or the password.',
    'Check user and password; a password from a web page may be shown only once. In Supabase the pooler wants the user "postgres.<project>".',
  ),
  noDatabase: meaning(
    'configuration',
    'The database of this name does not exist.',
    'Create it, or correct the name in the address.',
  ),
  startup: meaning(
    'configuration',
    'The server or its pooler refuses a parameter of the connection.',
    'Take "options" out of the address.',
  ),
  tls: meaning(
    'tls',
    'No encrypted connection could be agreed with PostgreSQL.',
    'Check sslmode, sslrootcert, and the name in the certificate of the server.',
  ),
  noTls: meaning(
    'tls',
    'The address asks for TLS, and the server speaks none.',
    'Switch TLS on at the server, or write sslmode=prefer.',
  ),
  capacity: meaning(
    'capacity',
    'PostgreSQL takes no more connections.',
    'Lower POOL_SIZE, raise max_connections, or use a pooler.',
  ),
  pool: meaning(
    'capacity',
    'All connections of the pool are in use.',
    'Raise POOL_SIZE or POOL_MAX_OVERFLOW, or look for long transactions.',
  ),
  diskFull: meaning('disk-full', 'The disk of the database is full.', 'Free space on the server.'),
  conflict: meaning('transient', 'The transaction met another one.', 'Try again.'),
  cancelled: meaning(
    'transient',
    'PostgreSQL cancelled the statement.',
    'Try again; a statement_timeout of the server, or somebody, cancelled it.',
  ),
  locked: meaning('transient', 'A lock was not had in time.', 'Try again; look for long transactions.'),
  idle: meaning(
    'transient',
    'The transaction was idle for too long, and PostgreSQL ended it.',
    'Keep transactions short, or raise TRANSACTION_TIMEOUT.',
  ),
  readOnly: meaning(
    'read-only',
    'The server takes no writes: it is a standby, or set to read-only.',
    'Name the primary in the address, or all hosts of the cluster.',
  ),
  io: meaning('unwritable', 'The disk of the database answered with an error.', 'Look at the log of the database.'),
  corrupt: meaning('corrupt', 'The files of the database are damaged.', 'Restore the database from a copy.'),
  constraint: meaning(
    'constraint',
    'The row breaks a rule of the table.',
    'Change the row, or the row that it collides with.',
  ),
  statement: meaning('statement', 'The statement failed.', 'Look at the cause in the log.'),
} as const satisfies Record<string, Meaning>

/** By SQLSTATE; its class of two letters where the state itself is not here. */
const byState: Readonly<Record<string, Meaning>> = {
  '28': meanings.auth,
  '3D000': meanings.noDatabase,
  '57P04': meanings.noDatabase,
  '53': meanings.capacity,
  '53100': meanings.diskFull,
  '57P03': meanings.starting,
  '57P01': meanings.terminated,
  '57P02': meanings.terminated,
  '57P05': meanings.terminated,
  '57014': meanings.cancelled,
  '08': meanings.lost,
  '40': meanings.conflict,
  '40003': meanings.lost,
  '55P03': meanings.locked,
  '25P03': meanings.idle,
  '25P04': meanings.idle,
  '25006': meanings.readOnly,
  '58': meanings.io,
  XX001: meanings.corrupt,
  XX002: meanings.corrupt,
  F0: meanings.startup,
  '23': meanings.constraint,
  '22001': meanings.constraint,
  '22003': meanings.constraint,
}

/** By the codes of Node. `cut` ones depend on the phase. */
const byNode: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: meanings.unreachable,
  EHOSTUNREACH: meanings.unreachable,
  ENETUNREACH: meanings.unreachable,
  EADDRNOTAVAIL: meanings.unreachable,
  EHOSTDOWN: meanings.unreachable,
  ENETDOWN: meanings.unreachable,
  ENOENT: meanings.unreachable,
  EACCES: meanings.unreachable,
  EPERM: meanings.unreachable,
  ENOTFOUND: meanings.noHost,
  EAI_AGAIN: meanings.noHost,
  EAI_NODATA: meanings.noHost,
  ECONNRESET: meanings.lost,
  ECONNABORTED: meanings.lost,
  ETIMEDOUT: meanings.lost,
  EPIPE: meanings.lost,
  ERR_STREAM_DESTROYED: meanings.lost,
  ERR_STREAM_WRITE_AFTER_END: meanings.lost,
  EMFILE: meanings.capacity,
  ENFILE: meanings.capacity,
  ABORT_ERR: meanings.aborted,
}

/** Those of Node that say that nothing was sent: there was no connection yet. */
const beforeSending: ReadonlySet<Meaning> = new Set<Meaning>([meanings.unreachable, meanings.noHost, meanings.capacity])

const tlsCode =
  /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO)/

/** Where the client gives no code, its message is all there is. The last column: the statement was not sent. */
const byMessage: readonly (readonly [RegExp, string, Meaning, boolean])[] = [
  [/query read timeout/i, 'QUERY_TIMEOUT', meanings.timeout, false],
  [/is not queryable/i, 'NOT_SENT', meanings.notSent, true],
  [/timeout exceeded when trying to connect/i, 'POOL_EXHAUSTED', meanings.pool, true],
  [/connection timeout|timeout expired/i, 'CONNECTION_TIMEOUT', meanings.silent, true],
  [/connection terminated|connection ended/i, 'CONNECTION_TERMINATED', meanings.lost, false],
  [
    /after calling end on the pool|driver has already been destroyed|pool is closed/i,
    'POOL_CLOSED',
    meanings.closed,
    true,
  ],
  [/client password must be|password must be a string/i, 'PASSWORD_MISSING', meanings.auth, true],
  [/does not support SSL/i, 'TLS_REFUSED', meanings.noTls, true],
  [/error establishing an SSL connection/i, 'NOT_POSTGRESQL', meanings.notPostgres, true],
  [/unknown authenticationOk message type|unknown message/i, 'NOT_POSTGRESQL', meanings.notPostgres, true],
  [/^SASL:/i, 'SASL', meanings.auth, true],
  [/aborted|timed out/i, 'ABORTED', meanings.aborted, false],
]

/** Reads any thrown value. Total; the same value gives an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  try {
    for (const link of chainOf(error)) {
      const fault = faultOf(link, phase, error)
      if (fault !== null) return fault
    }
  } catch {
    // A value whose own getters throw: nothing more can be known of it.
  }
  return { ...meanings.statement, code: 'POSTGRESQL_UNKNOWN', ambiguous: false, cause: error }
}

function chainOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  let link = error
  while (link !== undefined && link !== null && chain.length < 8 && !chain.includes(link)) {
    chain.push(link)
    link = typeof link === 'object' && 'cause' in link ? link.cause : undefined
  }
  return chain
}

function faultOf(link: unknown, phase: Phase, cause: unknown): Fault | null {
  if (typeof link !== 'object' || link === null) return null
  const known = 'fault' in link ? link.fault : null
  // By its shape, not only by its class: MikroORM's exceptions copy the members of what they wrap.
  if (isFault(known)) return known
  const code = codeOf(link)
  if (code !== null) {
    const fault = byCode(code, 'severity' in link ? link.severity : null, phase, cause)
    if (fault !== null) return fault
  }
  const name = 'name' in link ? link.name : null
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { ...inPhase(meanings.aborted, phase), code: 'ABORTED', ambiguous: phase === 'commit', cause }
  }
  const message = 'message' in link && typeof link.message === 'string' ? link.message : ''
  const found = byMessage.find(([pattern]) => pattern.test(message))
  if (found === undefined) return null
  const [, word, meant, isUnsent] = found
  return { ...inPhase(meant, phase), code: word, ambiguous: phase === 'commit' && !isUnsent, cause }
}

/** One address after another was tried for a host of several: what they have in common is in the first. */
function codeOf(link: object): string | null {
  if ('code' in link && typeof link.code === 'string') return link.code
  return null
}

function isFault(value: unknown): value is Fault {
  if (typeof value !== 'object' || value === null) return false
  const { kind, code, ambiguous } = value as Partial<Fault> // Read member by member, each checked.
  return typeof kind === 'string' && typeof code === 'string' && typeof ambiguous === 'boolean'
}

function byCode(code: string, severity: unknown, phase: Phase, cause: unknown): Fault | null {
  if (/^[0-9A-Z]{5}$/.test(code) && (typeof severity === 'string' || Object.hasOwn(byState, code))) {
    return byServer(code, severity, phase, cause)
  }
  if (tlsCode.test(code)) return { ...meanings.tls, code, ambiguous: false, cause }
  const meant = Object.hasOwn(byNode, code) ? byNode[code] : undefined
  if (meant === undefined) return /^[0-9A-Z]{5}$/.test(code) ? byServer(code, severity, phase, cause) : null
  return { ...inPhase(meant, phase), code, ambiguous: phase === 'commit' && !beforeSending.has(meant), cause }
}

function byServer(code: string, severity: unknown, phase: Phase, cause: unknown): Fault {
  const meant = stateMeaning(code, phase)
  // An ERROR says that nothing was committed; what ended the connection may have come after the commit.
  const isEnd =
    severity === 'FATAL' || severity === 'PANIC' || code.startsWith('08') || code.startsWith('57P') || code === '40003'
  return { ...meant, code, ambiguous: phase === 'commit' && isEnd, cause }
}

function stateMeaning(code: string, phase: Phase): Meaning {
  // How PgBouncer refuses a parameter of the startup packet.
  if (code === '08P01' && phase === 'open') return meanings.startup
  const own = Object.hasOwn(byState, code) ? byState[code] : undefined
  const group = code.slice(0, 2)
  const meant = own ?? (Object.hasOwn(byState, group) ? byState[group] : undefined) ?? meanings.statement
  return inPhase(meant, phase)
}

/** What is lost in the middle of work cannot be reached while it is opened. */
function inPhase(meant: Meaning, phase: Phase): Meaning {
  if (phase !== 'open') return meant
  if (meant === meanings.aborted) return meanings.silent
  return meant === meanings.lost || meant === meanings.terminated ? meanings.unreachable : meant
}

/** A fault of the driver's own making, ready to throw. */
export function faultError(
  kind: FaultKind,
  code: string,
  summary: string,
  hint: string,
  more: { readonly cause?: unknown; readonly ambiguous?: boolean } = {},
): FaultError {
  return new FaultError({ kind, code, summary, hint, ambiguous: more.ambiguous ?? false, cause: more.cause ?? null })
}

/** What a caller gets for this error in this phase; errors of the server that keep the connection stay what they are. */
export function withPhase(error: unknown, phase: Phase): unknown {
  if (error instanceof FaultError) return error
  const fault = classify(error, phase)
  const isOfServer = typeof error === 'object' && error !== null && 'severity' in error && error.severity === 'ERROR'
  return isOfServer && !fault.ambiguous ? error : new FaultError(fault)
}

/** The pool was closed under the caller. */
export function closedError(): FaultError {
  return new FaultError({ ...meanings.closed, code: 'POOL_CLOSED', ambiguous: false, cause: null })
}

/** The lease of a connection is over: the statement would run on somebody else's. */
export function overError(): FaultError {
  return faultError('statement', 'TRANSACTION_OVER', 'The transaction is over.', 'Begin another one.')
}

/** PostgreSQL answers the COMMIT of a failed transaction with the tag ROLLBACK, and no error. */
export function rolledBackError(): FaultError {
  return faultError(
    'statement',
    'COMMIT_ROLLED_BACK',
    'The transaction was rolled back instead of committed: a statement in it had failed, and its error was swallowed.',
    'Let errors of statements end the transaction, or set a savepoint before them.',
  )
}

/** A read of rows stood still for too long. */
export function timeoutError(): FaultError {
  return new FaultError({ ...meanings.timeout, code: 'QUERY_TIMEOUT', ambiguous: false, cause: null })
}
