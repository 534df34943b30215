import type { Fault, FaultKind } from '../../src/driver/kit/driver-kit.ts'

/** What a kind of error means, to people too. */
export type Meaning = Pick<Fault, 'kind' | 'summary' | 'hint'>

const meaning = (kind: FaultKind, summary: string, hint: string): Meaning => ({ kind, summary, hint })

const reach =
  'Check host, port and firewall; some platforms (Hugging Face Spaces) document outbound ports 80, 443 and 8080 only.'

/** The words for them. */
type Known =
  | 'unreachable'
  | 'noHost'
  | 'silent'
  | 'notMysql'
  | 'tooLarge'
  | 'clearPassword'
  | 'starting'
  | 'blocked'
  | 'lost'
  | 'terminated'
  | 'timeout'
  | 'notSent'
  | 'aborted'
  | 'closed'
  | 'auth'
  | 'hostRefused'
  | 'noAccess'
  | 'expired'
  | 'noDatabase'
  | 'tls'
  | 'noTls'
  | 'needsTls'
  | 'capacity'
  | 'pool'
  | 'diskFull'
  | 'conflict'
  | 'cancelled'
  | 'locked'
  | 'readOnly'
  | 'io'
  | 'corrupt'
  | 'constraint'
  | 'packet'
  | 'denied'
  | 'statement'

/** Every meaning that this driver knows. */
export const meanings: Readonly<Record<Known, Meaning>> = {
  unreachable: meaning('unreachable', 'The database server cannot be reached.', reach),
  noHost: meaning(
    'unreachable',
    'The host of the database is not known to the DNS.',
    'Check the host for typing errors; a host inside a private network is only known there.',
  ),
  silent: meaning(
    'unreachable',
    'Nothing answered at the host of the database in time.',
    `${reach} What listens there may be no MySQL: a web server says nothing either until it is asked.`,
  ),
  notMysql: meaning(
    'unreachable',
    'What answers at the address is no MySQL and no MariaDB.',
    'Check the port: something else may listen there.',
  ),
  tooLarge: meaning(
    'lost',
    'An answer of the server is larger than a quarter of the memory of this process; the connection was ended.',
    'Read fewer rows at a time, or give the process more memory (--max-old-space-size).',
  ),
  clearPassword: meaning(
    'auth',
    'The server asks for the password in clear, and does not get it.',
    'Check who answers at the address, or have the user identified in another way than by mysql_clear_password.',
  ),
  starting: meaning(
    'unreachable',
    'The database server is starting up, shutting down, or not in its cluster.',
    'Wait; it is tried again.',
  ),
  blocked: meaning(
    'unreachable',
    'The server has blocked this host after too many failed connections.',
    'Run FLUSH HOSTS on the server (or mariadb-admin flush-hosts), and look at what fails.',
  ),
  lost: meaning(
    'lost',
    'The connection to the database was lost.',
    'It is opened anew; look at the log of the database.',
  ),
  terminated: meaning(
    'lost',
    'The server ended the connection.',
    'It is opened anew; an administrator, a restart or an idle limit ended it.',
  ),
  timeout: meaning(
    'lost',
    'The database did not answer a statement within QUERY_TIMEOUT.',
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
  closed: meaning('lost', 'The connections to the database are closed.', 'Try again; they are opened anew.'),
  auth: meaning(
    'auth',
    'The server refuses the user or the password.',
    'Check user and password, and from which hosts the user may connect; with ssl-mode=DISABLED, whether the server takes encrypted connections only, which MariaDB tells no other way.',
  ),
  hostRefused: meaning(
    'auth',
    'The server takes no user from this host.',
    "Make the user for the host that this service connects from, or for any: 'user'@'%'.",
  ),
  noAccess: meaning(
    'auth',
    'The user may not use this database.',
    'Grant it: GRANT ALL ON name.* TO user; and check the name of the database in the address.',
  ),
  expired: meaning('auth', 'The password of the user has expired.', 'Set a new one with ALTER USER.'),
  noDatabase: meaning(
    'configuration',
    'The database of this name does not exist.',
    'Create it, or correct the name in the address.',
  ),
  tls: meaning(
    'tls',
    'No encrypted connection could be agreed with the server.',
    'Check ssl-mode, ssl-ca, and the name in the certificate of the server.',
  ),
  noTls: meaning(
    'tls',
    'The address asks for TLS, and the server speaks none.',
    'Switch TLS on at the server, or write ssl-mode=PREFERRED.',
  ),
  needsTls: meaning(
    'tls',
    'The server takes encrypted connections only.',
    'Write ssl-mode=REQUIRED, or VERIFY_IDENTITY with ssl-ca.',
  ),
  capacity: meaning(
    'capacity',
    'The server takes no more connections.',
    'Lower POOL_SIZE, raise max_connections (or the limit of the user), or use a pooler.',
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
    'The server interrupted the statement.',
    'Try again; max_statement_time of the server, or somebody, interrupted it.',
  ),
  locked: meaning('transient', 'A lock was not had in time.', 'Try again; look for long transactions.'),
  readOnly: meaning(
    'read-only',
    'The server takes no writes: it is a replica, or set to read-only.',
    'Name the primary in the address, or all hosts of the cluster.',
  ),
  io: meaning('unwritable', 'The disk of the database answered with an error.', 'Look at the log of the database.'),
  corrupt: meaning('corrupt', 'The files of the database are damaged.', 'Restore the database from a copy.'),
  constraint: meaning(
    'constraint',
    'The row breaks a rule of the table.',
    'Change the row, or the row that it collides with.',
  ),
  packet: meaning(
    'statement',
    'The statement is larger than the server takes.',
    'Raise max_allowed_packet on the server, or send less at a time.',
  ),
  denied: meaning('statement', 'The user may not do this.', 'Grant the right to it, or let its owner do it.'),
  statement: meaning('statement', 'The statement failed.', 'Look at the cause in the log.'),
}

/** By the server's number of the error. */
export const byNumber: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  ...each(meanings.auth, 1045, 1251, 1275, 1524, 1698, 3118, 3955),
  ...each(meanings.hostRefused, 1130),
  ...each(meanings.noAccess, 1044),
  ...each(meanings.expired, 1820, 1862),
  ...each(meanings.noDatabase, 1046, 1049),
  ...each(meanings.blocked, 1129),
  ...each(meanings.unreachable, 1042, 1043, 2001, 2002, 2003, 2005, 2012),
  ...each(meanings.starting, 1047, 1053, 1077, 1079),
  ...each(meanings.lost, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 2006, 2013, 2055),
  ...each(meanings.terminated, 1927, 3169, 4031),
  ...each(meanings.needsTls, 3159, 4151),
  ...each(meanings.tls, 2026),
  ...each(meanings.capacity, 1037, 1038, 1040, 1041, 1135, 1203, 1226, 1461),
  ...each(meanings.diskFull, 20, 28, 1021, 1114),
  ...each(meanings.conflict, 1020, 1180, 1213, 1614, 3058, 3101, 3572),
  ...each(meanings.locked, 1205, 1222),
  ...each(meanings.cancelled, 1317, 1969, 3024),
  ...each(meanings.readOnly, 1207, 1792, 1836, 3906),
  ...each(meanings.io, 2, 3, 5, 6, 1004, 1015, 1016, 1024, 1025, 1026, 1030, 1296),
  ...each(meanings.corrupt, 126, 127, 144, 145, 1033, 1034, 1194, 1195, 1712, 1877),
  ...each(meanings.constraint, 1022, 1048, 1062, 1138, 1169, 1216, 1217, 1263, 1264, 1265, 1292, 1364, 1366, 1406),
  ...each(meanings.constraint, 1451, 1452, 1557, 1586, 1690, 1761, 1762, 3140, 3819, 4025),
  ...each(meanings.packet, 1153, 1162, 1301, 2020),
  ...each(meanings.denied, 1095, 1142, 1143, 1227, 1370),
])

function each(meant: Meaning, ...numbers: readonly number[]): readonly (readonly [number, Meaning])[] {
  return numbers.map((number) => [number, meant])
}

/** Those after which the connection is over: the change may have been committed before it. */
export const endings: ReadonlySet<number> = new Set([
  1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2055, 3169, 4031,
])

/** Those that say that the commit itself failed halfway, in a cluster after it may have been sent to the others. */
export const halfway: ReadonlySet<number> = new Set([1180])

/** Those with which the server has rolled the whole transaction back. */
export const rollbacks: ReadonlySet<number> = new Set([1020, 1213, 1614, 3101])

/** By the codes of Node and of mysql2, where there is no number of the server. `cut` ones depend on the phase. */
export const byCode: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: meanings.unreachable,
  EHOSTUNREACH: meanings.unreachable,
  ENETUNREACH: meanings.unreachable,
  EADDRNOTAVAIL: meanings.unreachable,
  EHOSTDOWN: meanings.unreachable,
  ENETDOWN: meanings.unreachable,
  ENOENT: meanings.unreachable,
  EACCES: meanings.unreachable,
  EPERM: meanings.unreachable,
  ENOTSOCK: meanings.unreachable,
  ENOTFOUND: meanings.noHost,
  EAI_AGAIN: meanings.noHost,
  EAI_NODATA: meanings.noHost,
  ECONNRESET: meanings.lost,
  ECONNABORTED: meanings.lost,
  ETIMEDOUT: meanings.lost,
  EPIPE: meanings.lost,
  ERR_STREAM_DESTROYED: meanings.lost,
  ERR_STREAM_WRITE_AFTER_END: meanings.lost,
  ERR_STREAM_PREMATURE_CLOSE: meanings.lost,
  EMFILE: meanings.capacity,
  ENFILE: meanings.capacity,
  ABORT_ERR: meanings.aborted,
  PROTOCOL_CONNECTION_LOST: meanings.lost,
  PROTOCOL_ERROR: meanings.lost,
  PROTOCOL_PACKETS_OUT_OF_ORDER: meanings.lost,
  PROTOCOL_UNEXPECTED_PACKET: meanings.lost,
  PROTOCOL_INCORRECT_PACKET_SEQUENCE: meanings.lost,
  PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR: meanings.notSent,
  PROTOCOL_ENQUEUE_AFTER_QUIT: meanings.notSent,
  PROTOCOL_SEQUENCE_TIMEOUT: meanings.timeout,
  HANDSHAKE_NO_SSL_SUPPORT: meanings.noTls,
  HANDSHAKE_SSL_ERROR: meanings.tls,
  HANDSHAKE_UNKNOWN_ERROR: meanings.notMysql,
  AUTH_SWITCH_PLUGIN_ERROR: meanings.auth,
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: meanings.clearPassword,
  ANSWER_TOO_LARGE: meanings.tooLarge,
}

/** Those that say that nothing was sent: there was no connection yet, or none any more. */
export const beforeSending: ReadonlySet<Meaning> = new Set<Meaning>([
  meanings.unreachable,
  meanings.noHost,
  meanings.capacity,
  meanings.notSent,
  meanings.noTls,
  meanings.tls,
  meanings.notMysql,
  meanings.auth,
])

/** How Node names what is wrong with a certificate or a handshake. */
export const tlsCode: RegExp =
  /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO)/

/** Where the client gives no code, its message is all there is. The last column: the statement was not sent. */
export const byMessage: readonly (readonly [RegExp, string, Meaning, boolean])[] = [
  [/add new command when connection is in closed state/i, 'NOT_SENT', meanings.notSent, true],
  [/write in closed state/i, 'CONNECTION_CLOSED', meanings.lost, false],
  [/pool is closed|driver has already been destroyed/i, 'POOL_CLOSED', meanings.closed, true],
  [/connection lost/i, 'CONNECTION_LOST', meanings.lost, false],
  [/inactivity timeout/i, 'QUERY_TIMEOUT', meanings.timeout, false],
  [/unexpected packet|packets out of order|expected EOF packet/i, 'NOT_MYSQL', meanings.notMysql, false],
  [/aborted|timed out/i, 'ABORTED', meanings.aborted, false],
]
