// An example driver for a server: PostgreSQL over one host, made of nothing but the contract, the kit and its client.
import { defineDriver } from 'holdfast/driver'
import {
  ConnectionPool,
  createLeaseDriver,
  createStatementRunner,
  faultError,
  isolatedOrmOptions,
  loadClient,
  missingClient,
  OwnTables,
  pooledConnection,
  readError,
  ServerCandidate,
  ServerEngine,
} from 'holdfast/driver-kit'

const client = {
  load: () => import('./client.mjs'),
  packages: 'pg pg-cursor',
  summary: 'The client of the ledger is not installed.',
}

/** By the class of a SQLSTATE, or by the system's own code. */
const kinds = [
  [/^23/, 'constraint'],
  [/^(28|3D)/, 'auth'],
  [/^25006/, 'read-only'],
  [/^(40|55P03)/, 'transient'],
  [/^53/, 'capacity'],
  [/^(57P0|08)|^ECONNRESET|^EPIPE|^QUERY_TIMEOUT/, 'lost'],
  [/^E(CONNREFUSED|NOTFOUND|TIMEDOUT|HOSTUNREACH|AI_AGAIN)/, 'unreachable'],
]

function classify(error, phase) {
  const fault = (kind, code) => ({
    kind,
    code,
    summary: `The ledger reported ${kind}.`,
    hint: 'See the cause in the log.',
    ambiguous: phase === 'commit' && kind === 'lost',
    cause: error,
  })
  const found = readError(error, ({ code, name, message }) => {
    const kind = kinds.find(([pattern]) => pattern.test(String(code)))?.[1]
    if (kind !== undefined) return fault(kind, String(code))
    if (/^(Abort|Timeout)Error$/.test(name)) return fault('unreachable', 'ABORTED')
    return /^(Connection terminated|timeout expired)/.test(message) ? fault('lost', 'CONNECTION_LOST') : null
  })
  return found ?? fault('statement', 'LEDGER_STATEMENT')
}

function parse({ form, text, setting, origin }, { database }) {
  const url = form === 'url' ? URL.parse(text.reveal().replace(/^ledger:/, 'http:')) : null
  const name = url === null ? '' : url.pathname.slice(1)
  if (url === null || !/^[a-z_][a-z0-9_]*$/.test(name) || url.username === '' || /%/.test(url.username + url.host)) {
    const message = 'The address does not have the form ledger://user:password@host:port/name.'
    const suggestion = 'Write ledger://user:***@host:5432/name.'
    const problem = { code: 'ADDRESS_MALFORMED', severity: 'error', setting, origin, part: null, message, suggestion }
    return { problems: [problem] }
  }
  const shown = { host: url.hostname, port: Number(url.port || 5432), database: name, user: url.username, tls: null }
  const mayMakeTables = database.schemaApply !== 'none'
  const id = `ledger:${shown.host}:${shown.port}/${name}`
  return { target: { driver: 'ledger', id, ...shown, text, setting, origin, mayMakeTables }, problems: [] }
}

const dialect = {
  statements: [
    'create table if not exists holdfast_identity (singleton boolean primary key default true check (singleton), id uuid not null, format integer not null, made_at timestamptz not null default now())',
    'create table if not exists holdfast_attempt (id uuid primary key, made_at timestamptz not null default now())',
  ],
  insertIdentity: 'insert into holdfast_identity (id, format) values ($1, $2) on conflict do nothing',
  placeholder: '$1',
  isDenied: (error) => classify(error, 'statement').cause?.code === '42501',
}

async function verify(connection, target, want) {
  const question =
    "select current_setting('server_version') as version, to_regclass('holdfast_attempt') is not null as exist"
  const { rows } = await connection.run(question)
  const own = new OwnTables(connection, dialect, target, dialect.statements.join('; '))
  const rights = { exist: rows[0].exist, mayCreate: null, mayRead: null, mayWrite: null }
  const tables = want.proof === 'look' ? await own.look(rights) : await own.prove(want, rights)
  return { version: rows[0].version, path: null, ephemeral: false, pooled: false, ...tables }
}

/** Native statements, each its own transaction or part of the EntityManager's. */
class LedgerPool extends ConnectionPool {
  statements = createStatementRunner(this, {
    options: () => ({}),
    retry(error) {
      throw error
    },
    changed: ({ rowCount }) => rowCount ?? 0,
  })
}

async function connect(target, limits) {
  const { LedgerClient, createPortions, PostgresDialect } = await loadClient(client)
  const { PostgreSqlConnection, PostgreSqlDriver } = await import('@mikro-orm/postgresql')
  const lease = {
    begin: () => ['begin'],
    quoted: (name) => `"${name}"`,
    releaseSavepoint: 'release',
    async execute(connection, { sql, parameters }) {
      const { command, rowCount, rows } = await connection.run(sql, parameters)
      return command === 'SELECT' ? { rows } : { rows, numAffectedRows: BigInt(rowCount ?? 0) }
    },
    stream: (connection, { sql, parameters }) => createPortions(connection, sql, parameters),
    stop: ({ processId }) => `select pg_cancel_backend(${processId})`,
    late: () => faultError('lost', 'QUERY_TIMEOUT', 'The ledger did not answer in time.', 'Try again.'),
  }
  const label = `ledger ${target.host}:${target.port}/${target.database}`
  const open = new Set()
  const createClient = () => new LedgerClient(target.text.reveal(), limits, open)
  const candidate = new ServerCandidate({
    label,
    ways: async () => [null],
    createClient,
    connect: (connection) => connection.connect(),
    mayTryNext: () => false,
    verify: (connection, want) => verify(connection, target, want),
    engine: () =>
      new ServerEngine({
        ormOptions(use) {
          const Connection = pooledConnection(PostgreSqlConnection, {
            makePool() {
              const unopened = (error) =>
                faultError('unreachable', 'LEDGER_UNOPENED', 'The ledger could not be reached.', 'Try again.', {
                  cause: error,
                })
              const pool = new LedgerPool({ limits, open, create: createClient, unopened })
              use(pool)
              return pool
            },
            createDialect(pool, hooks) {
              const made = new PostgresDialect({ pool: null })
              made.createDriver = () => createLeaseDriver(pool, hooks, lease)
              return made
            },
          })
          class LedgerDriver extends PostgreSqlDriver {
            connection = new Connection(this.config)
          }
          const { host, port, user, database } = target
          return isolatedOrmOptions({ driver: LedgerDriver, dbName: database, host, port, user }, limits.echo)
        },
      }),
  })
  return [candidate]
}

export const driver = defineDriver({
  contract: 1,
  name: 'ledger',
  schemes: ['ledger'],
  parse,
  inspect: async (target) => ({ problems: await missingClient(client, target), path: null }),
  describe: ({ host, port, database }) => `ledger ${host}:${port}/${database}`,
  classify,
  connect,
})

export default driver
