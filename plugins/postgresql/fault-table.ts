import type { Fault, FaultKind } from '../../src/driver/kit/driver-kit.ts'

/** What a kind of error means, to people too. */
export type Meaning = Pick<Fault, 'kind' | 'summary' | 'hint'>

const meaning = (kind: FaultKind, summary: string, hint: string): Meaning => ({ kind, summary, hint })

const reach = 'Check host, port and firewall.'

/** The words for them. */
type Known =
  | 'unreachable'
  | 'noHost'
  | 'silent'
  | 'notPostgres'
  | 'garbled'
  | 'tooLarge'
  | 'starting'
  | 'behind'
  | 'waited'
  | 'quota'
  | 'noEndpoint'
  | 'lost'
  | 'terminated'
  | 'timeout'
  | 'notSent'
  | 'aborted'
  | 'closed'
  | 'auth'
  | 'noRule'
  | 'noConnect'
  | 'noDatabase'
  | 'startup'
  | 'tls'
  | 'noTls'
  | 'capacity'
  | 'pool'
  | 'diskFull'
  | 'conflict'
  | 'cancelled'
  | 'locked'
  | 'idle'
  | 'readOnly'
  | 'io'
  | 'corrupt'
  | 'constraint'
  | 'denied'
  | 'statement'

/** Every meaning that this driver knows. */
export const meanings: Readonly<Record<Known, Meaning>> = {
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
  garbled: meaning(
    'lost',
    'What the server sent is no message of PostgreSQL; the connection was ended.',
    'It is opened anew; look at what stands between here and the database.',
  ),
  tooLarge: meaning(
    'lost',
    'The rows of one answer would take a quarter of the memory of this process; the connection was ended.',
    'Read fewer rows at a time, or give the process more memory (--max-old-space-size).',
  ),
  starting: meaning('unreachable', 'PostgreSQL is starting up or shutting down.', 'Wait; it is tried again.'),
  behind: meaning(
    'unreachable',
    'A pooler answers, and reaches no PostgreSQL behind it.',
    'Look at the log of the pooler; PgBouncer tries a server that failed again after its server_login_retry only.',
  ),
  waited: meaning(
    'capacity',
    'The pooler had no connection to PostgreSQL to give.',
    'Look at the log of the pooler, or raise its pool size.',
  ),
  quota: meaning(
    'capacity',
    'The provider of the database says that a limit of the plan is reached.',
    'Look at the quotas in its console.',
  ),
  noEndpoint: meaning(
    'configuration',
    'The provider knows no database at the host of the address, or has disabled it.',
    'Copy the address from its console again.',
  ),
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
  noRule: meaning(
    'auth',
    'PostgreSQL has no rule that lets this user in from here in this way.',
    'Write sslmode=require where the server wants TLS, or have a line for it added to pg_hba.conf.',
  ),
  noConnect: meaning(
    'auth',
    'The user may not connect to this database.',
    'Have "grant connect on database" run for it by the owner of the database.',
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
  denied: meaning('statement', 'The role may not do that.', 'Grant the right to it, or let its owner do it.'),
  statement: meaning('statement', 'The statement failed.', 'Look at the cause in the log.'),
}

/** By SQLSTATE; its class of two letters where the state itself is not here. */
export const byState: Readonly<Record<string, Meaning>> = {
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
  '42501': meanings.denied,
  '23': meanings.constraint,
  '22001': meanings.constraint,
  '22003': meanings.constraint,
}

/**
 * What poolers say under one state for everything (PgBouncer under 08P01, Supavisor and Neon's proxy under XX000 too), as
 * they end the connection. All but what is not here come before the statement was given to a server.
 */
export const byPooler: readonly (readonly [RegExp, Meaning])[] = [
  [/pg_hba\.conf/i, meanings.noRule],
  [/unsupported startup parameter|invalid startup packet|unsupported pkt/i, meanings.startup],
  [/authentication failed|no such user|role .* does not exist|tenant or user not found|not allowed/i, meanings.auth],
  [/no such database|does not exist|database removed/i, meanings.noDatabase],
  [
    /endpoint (?:id is|cannot be found|could not be found|is disabled|not found)|(?:project|branch) not found/i,
    meanings.noEndpoint,
  ],
  [/quota/i, meanings.quota],
  [/no more connections|too many|max ?clients?|reached maximum|overloaded/i, meanings.capacity],
  [/query_wait_timeout/i, meanings.waited],
  [
    /login has been failing|server login|cannot connect to server|connect failed|server_login_retry|connect to compute|(?:control plane|console) request failed|bouncer config error/i,
    meanings.behind,
  ],
]

/** By the codes of Node. `cut` ones depend on the phase. */
export const byNode: Readonly<Record<string, Meaning>> = {
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
  PROTOCOL_BROKEN: meanings.garbled,
  ANSWER_TOO_LARGE: meanings.tooLarge,
  ERR_STREAM_DESTROYED: meanings.lost,
  ERR_STREAM_WRITE_AFTER_END: meanings.lost,
  EMFILE: meanings.capacity,
  ENFILE: meanings.capacity,
  ABORT_ERR: meanings.aborted,
}

/** Those of Node that say that nothing was sent: there was no connection yet. */
export const beforeSending: ReadonlySet<Meaning> = new Set<Meaning>([
  meanings.unreachable,
  meanings.noHost,
  meanings.capacity,
])

/** How Node names what is wrong with a certificate or a handshake. */
export const tlsCode: RegExp =
  /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO)/

/** Where the client gives no code, its message is all there is. The last column: the statement was not sent. */
export const byMessage: readonly (readonly [RegExp, string, Meaning, boolean])[] = [
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
  [
    /unknown authenticationOk message type|unknown message|received invalid response/i,
    'NOT_POSTGRESQL',
    meanings.notPostgres,
    true,
  ],
  [/^SASL:/i, 'SASL', meanings.auth, true],
  [/aborted|timed out/i, 'ABORTED', meanings.aborted, false],
]
