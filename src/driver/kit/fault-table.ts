import type { Fault } from '../fault.ts'

/** The meaning of an error for people: a sentence and a hint. */
export type FaultMeaning = Pick<Fault, 'kind' | 'summary' | 'hint' | 'rule' | 'undone' | 'everywhere'>

/** What errors mean that every database server has; a driver adds those of its own. */
export const commonFaults = {
  unreachable: {
    kind: 'unreachable',
    summary: 'The database server cannot be reached.',
    hint: 'Check host, port and firewall.',
  },
  noHost: {
    kind: 'unreachable',
    summary: 'The host name of the database was not found in DNS.',
    hint: 'Check the spelling of the host. A host in a private network resolves only inside it.',
  },
  silent: {
    kind: 'unreachable',
    summary: 'The host of the database did not answer in time.',
    hint: 'Check host, port and firewall; another kind of server on this port may be silent, too.',
  },
  foreign: {
    kind: 'unreachable',
    summary: 'Another kind of server answers at the address.',
    hint: 'Check the port: a web server may listen there.',
  },
  starting: {
    kind: 'unreachable',
    summary: 'The database server is starting up, shutting down, or outside its cluster.',
    hint: 'Wait; Holdfast tries again.',
  },
  lost: {
    kind: 'lost',
    summary: 'The connection to the database was lost.',
    hint: 'Holdfast reconnects; look at the log of the database.',
  },
  garbled: {
    kind: 'lost',
    summary: 'The server broke the protocol; the connection was closed.',
    hint: 'Holdfast reconnects; check the proxies and firewalls between it and the database.',
  },
  tooLarge: {
    kind: 'lost',
    summary: 'One answer would take a quarter of the memory of this process; the connection was closed.',
    hint: 'Read fewer rows at a time, or give the process more memory (--max-old-space-size).',
  },
  terminated: {
    kind: 'lost',
    summary: 'The database server closed the connection.',
    hint: 'Holdfast reconnects; an administrator, a restart or an idle limit closed it.',
  },
  timeout: {
    kind: 'lost',
    summary: 'The database did not answer a statement within QUERY_TIMEOUT.',
    hint: 'Look for locks and slow statements, or raise QUERY_TIMEOUT.',
  },
  notSent: {
    kind: 'lost',
    summary: 'The connection was lost before the statement was sent.',
    hint: 'Try again; Holdfast reconnects.',
  },
  aborted: {
    kind: 'lost',
    summary: 'The operation was aborted before it was done.',
    hint: 'Try again, or raise the limit that aborted it.',
  },
  closed: {
    kind: 'lost',
    summary: 'The connections to the database are closed.',
    hint: 'Try again; Holdfast reconnects.',
  },
  auth: {
    kind: 'auth',
    summary: 'The database server rejected the user or the password.',
    hint: 'Check user and password.',
  },
  noDatabase: {
    kind: 'configuration',
    summary: 'The database does not exist.',
    hint: 'Create it, or correct its name in the address.',
  },
  tls: {
    kind: 'tls',
    summary: 'The server and Holdfast could not agree on TLS.',
    hint: 'Check the TLS mode, the certificate authority, and the name in the certificate of the server.',
  },
  noTls: {
    kind: 'tls',
    summary: 'The address asks for TLS, which the server does not offer.',
    hint: 'Enable TLS on the server, or choose a TLS mode that allows unencrypted connections.',
  },
  capacity: {
    kind: 'capacity',
    summary: 'The database server accepts no more connections.',
    hint: 'Lower POOL_SIZE, raise max_connections or the limit of the user, or use a pooler.',
  },
  files: {
    kind: 'capacity',
    summary: 'This machine or process has too many open files for another connection.',
    hint: 'Lower POOL_SIZE, or raise the limit of open files (ulimit -n).',
  },
  pool: {
    kind: 'capacity',
    summary: 'All connections of the pool are in use.',
    hint: 'Raise POOL_SIZE or POOL_MAX_OVERFLOW, or look for long transactions.',
  },
  diskFull: { kind: 'disk-full', summary: 'The disk of the database is full.', hint: 'Free space on the server.' },
  conflict: { kind: 'transient', summary: 'The transaction conflicted with another one.', hint: 'Try again.' },
  cancelled: {
    kind: 'transient',
    summary: 'The database server cancelled the statement.',
    hint: 'Try again; a time limit of the server or an administrator cancelled it.',
  },
  locked: {
    kind: 'transient',
    summary: 'A lock was not available in time.',
    hint: 'Try again; look for long transactions.',
  },
  readOnly: {
    kind: 'read-only',
    summary: 'The server accepts no writes: it is a replica, or set to read-only.',
    hint: 'Name the primary in the address, or all hosts of the cluster.',
  },
  io: {
    kind: 'unwritable',
    summary: 'The disk of the database reported an error.',
    hint: 'Look at the log of the database.',
  },
  corrupt: {
    kind: 'corrupt',
    summary: 'The files of the database are damaged.',
    hint: 'Restore the database from a backup.',
  },
  constraint: {
    kind: 'constraint',
    summary: 'The row breaks a rule of the table.',
    hint: 'Change the row, or the row that it collides with.',
  },
  unique: {
    kind: 'constraint',
    rule: 'unique',
    summary: 'Another row has the same value for a unique key.',
    hint: 'Change the value, or update that row.',
  },
  required: {
    kind: 'constraint',
    rule: 'required',
    summary: 'A column that requires a value got none.',
    hint: 'Give it a value.',
  },
  check: {
    kind: 'constraint',
    rule: 'check',
    summary: 'The row breaks a check of the table.',
    hint: 'Change the row, or the check.',
  },
  reference: {
    kind: 'constraint',
    rule: 'reference',
    summary: 'The row refers to one that does not exist, or another row refers to it.',
    hint: 'Create the other row first, or remove what refers to this one.',
  },
  value: {
    kind: 'constraint',
    rule: 'value',
    summary: 'A value does not fit its column.',
    hint: 'Change the value, or the column.',
  },
  claimKnown: {
    kind: 'constraint',
    summary: 'The attempt has been committed before.',
    hint: 'Read the row: it has the change, unless a later one has replaced it.',
  },
  requestKnown: {
    kind: 'constraint',
    summary: 'The request has been carried out before.',
    hint: 'Read its answer in holdfast_request.',
  },
  denied: {
    kind: 'statement',
    summary: 'The user lacks the right for this statement.',
    hint: 'Grant the right, or run the statement as the owner.',
  },
  statement: { kind: 'statement', summary: 'The statement failed.', hint: 'Look at the cause in the log.' },
} as const

/** Node's codes for sockets, and for a signal that aborted. */
export const nodeFaults: Readonly<Record<string, FaultMeaning>> = {
  ECONNREFUSED: commonFaults.unreachable,
  EHOSTUNREACH: commonFaults.unreachable,
  ENETUNREACH: commonFaults.unreachable,
  EADDRNOTAVAIL: commonFaults.unreachable,
  EHOSTDOWN: commonFaults.unreachable,
  ENETDOWN: commonFaults.unreachable,
  ENOENT: commonFaults.unreachable,
  EACCES: commonFaults.unreachable,
  EPERM: commonFaults.unreachable,
  ENOTSOCK: commonFaults.unreachable,
  ENOTFOUND: commonFaults.noHost,
  EAI_AGAIN: commonFaults.noHost,
  EAI_NODATA: commonFaults.noHost,
  ECONNRESET: commonFaults.lost,
  ECONNABORTED: commonFaults.lost,
  ETIMEDOUT: commonFaults.lost,
  EPIPE: commonFaults.lost,
  ERR_STREAM_DESTROYED: commonFaults.lost,
  ERR_STREAM_WRITE_AFTER_END: commonFaults.lost,
  ERR_STREAM_PREMATURE_CLOSE: commonFaults.lost,
  EMFILE: commonFaults.files,
  ENFILE: commonFaults.files,
  ABORT_ERR: commonFaults.aborted,
}

/** Node's codes for a certificate or a handshake that is not valid. */
export const tlsFault: RegExp =
  /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO)/
