import { commonFaults, type FaultMeaning } from '../../src/driver/kit/driver-kit.ts'

const auth: FaultMeaning = {
  kind: 'auth',
  summary: 'PostgreSQL rejected the user or the password.',
  hint: 'Check both; some web pages show a password only once. In Supabase the pooler expects the user "postgres.<project>".',
}

const startup: FaultMeaning = {
  kind: 'configuration',
  summary: 'The server or its pooler rejected a connection parameter.',
  hint: 'Remove "options" from the address.',
}

const idle: FaultMeaning = {
  kind: 'transient',
  summary: 'The transaction was idle for too long, and PostgreSQL ended it.',
  hint: 'Keep transactions short, or raise TRANSACTION_TIMEOUT.',
}

/** The role lacks the right to connect, which is checked last. */
export const noConnect: FaultMeaning = {
  kind: 'auth',
  summary: 'The user may not connect to this database.',
  hint: 'Have the owner of the database run "grant connect on database".',
}

/** By SQLSTATE, or by its class of two letters. */
export const byState: Readonly<Record<string, FaultMeaning>> = {
  '28': auth,
  '3D000': commonFaults.noDatabase,
  '57P04': commonFaults.noDatabase,
  '53': commonFaults.capacity,
  '53100': commonFaults.diskFull,
  '57P03': commonFaults.starting,
  '57P01': commonFaults.terminated,
  '57P02': commonFaults.terminated,
  '57P05': commonFaults.terminated,
  '57014': commonFaults.cancelled,
  '08': commonFaults.lost,
  '40': { ...commonFaults.conflict, undone: true },
  '40003': commonFaults.lost,
  '55P03': { ...commonFaults.locked, undone: true },
  '25P03': idle,
  '25P04': idle,
  '25006': commonFaults.readOnly,
  '58': commonFaults.io,
  XX001: commonFaults.corrupt,
  XX002: commonFaults.corrupt,
  F0: startup,
  '42501': commonFaults.denied,
  '23': commonFaults.constraint,
  '23505': commonFaults.unique,
  '23P01': commonFaults.unique,
  '23502': commonFaults.required,
  '23514': commonFaults.check,
  // What a trigger raises.
  P0001: commonFaults.check,
  '23503': commonFaults.reference,
  '22001': commonFaults.value,
  '22003': commonFaults.value,
  '22008': commonFaults.value,
  // A character that the encoding of the database lacks; an entry that is too long for an index.
  '22P05': commonFaults.value,
  '54000': commonFaults.value,
}

/**
 * What poolers say under one state for everything (PgBouncer under 08P01, Supavisor and Neon's proxy under XX000 too) as
 * they close the connection, before the statement went to a server.
 */
export const byPooler: readonly (readonly [RegExp, FaultMeaning])[] = [
  [
    /pg_hba\.conf/i,
    {
      kind: 'auth',
      summary: 'pg_hba.conf has no entry for this user, host and encryption mode.',
      hint: 'Write sslmode=require if the server wants TLS, or have an entry added to pg_hba.conf.',
    },
  ],
  [/unsupported startup parameter|invalid startup packet|unsupported pkt/i, startup],
  [/authentication failed|no such user|role .* does not exist|tenant or user not found|not allowed/i, auth],
  [/no such database|does not exist|database removed/i, commonFaults.noDatabase],
  [
    /endpoint (?:id is|cannot be found|could not be found|is disabled|not found)|(?:project|branch) not found/i,
    {
      kind: 'configuration',
      summary: 'The database provider has no database at the host of the address, or has disabled it.',
      hint: 'Copy the address from its console again.',
    },
  ],
  [
    /quota/i,
    {
      kind: 'capacity',
      summary: 'The database provider reports that a limit of the plan is reached.',
      hint: 'Check the quotas in its console.',
    },
  ],
  [/no more connections|too many|max ?clients?|reached maximum|overloaded/i, commonFaults.capacity],
  [
    /query_wait_timeout/i,
    {
      kind: 'capacity',
      summary: 'The pooler had no free connection to PostgreSQL.',
      hint: 'Check the log of the pooler, or raise its pool size.',
    },
  ],
  [
    /login has been failing|server login|cannot connect to server|connect failed|server_login_retry|connect to compute|(?:control plane|console) request failed|bouncer config error/i,
    {
      kind: 'unreachable',
      summary: 'The pooler answers but cannot reach PostgreSQL.',
      hint: 'Check the log of the pooler; PgBouncer retries a failed server only after its server_login_retry.',
    },
  ],
]

/** The codes of our own guards, besides Node's. */
export const byCode: Readonly<Record<string, FaultMeaning>> = {
  PROTOCOL_BROKEN: commonFaults.garbled,
  ANSWER_TOO_LARGE: commonFaults.tooLarge,
}

/** pg's messages that come without a code. */
export const byMessage: readonly (readonly [RegExp, string, FaultMeaning])[] = [
  [/query read timeout/i, 'QUERY_TIMEOUT', commonFaults.timeout],
  [/is not queryable/i, 'NOT_SENT', commonFaults.notSent],
  [/timeout exceeded when trying to connect/i, 'POOL_EXHAUSTED', commonFaults.pool],
  [/connection timeout|timeout expired/i, 'CONNECTION_TIMEOUT', commonFaults.silent],
  [/connection terminated|connection ended/i, 'CONNECTION_TERMINATED', commonFaults.lost],
  [/after calling end on the pool/i, 'POOL_CLOSED', commonFaults.closed],
  [/client password must be|password must be a string/i, 'PASSWORD_MISSING', auth],
  [/does not support SSL/i, 'TLS_REFUSED', commonFaults.noTls],
  [/error establishing an SSL connection/i, 'SERVER_MISMATCH', commonFaults.foreign],
  [
    /unknown authenticationOk message type|unknown message|received invalid response/i,
    'SERVER_MISMATCH',
    commonFaults.foreign,
  ],
  [/^SASL:/i, 'SASL', auth],
]
