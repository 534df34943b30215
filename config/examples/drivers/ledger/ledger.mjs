// An example driver for a server: PostgreSQL over one host, made of nothing but the contract, the kit and its client.
import { defineDriver } from 'holdfast/driver'
import {
  ConnectionPool,
  chooseTls,
  codeOf,
  commonFaults,
  commonReaders,
  createFaultReader,
  createLeaseDriver,
  createStatements,
  findTlsProblems,
  formatHost,
  inPhase,
  isolatedOrmOptions,
  libpqTls,
  loadClient,
  loadTls,
  missingClient,
  modeOf,
  modesOf,
  nodeFaults,
  OwnTables,
  pooledConnection,
  readAddress,
  ServerCandidate,
  ServerEngine,
  timeoutError,
  tlsLimitReaders,
  tlsOrder,
  tlsSettings,
} from 'holdfast/driver-kit'

const client = {
  load: () => import('./client.mjs'),
  packages: 'pg pg-cursor',
  summary: 'The client of the ledger is not installed.',
}

const tls = libpqTls('LEDGER')

/** What an address of a ledger has of its own; the kit reads the rest. */
const addresses = {
  driver: 'ledger',
  scheme: 'ledger',
  knownSchemes: /^(?:https?|ledger)$/i,
  defaultPort: 5432,
  partParameters: { host: [], database: [] },
  parameters: {
    known: {
      sslmode: (value, options, report) => chooseTls(tls, modeOf(tls, value), value, options, report),
      sslrootcert: commonReaders.authority,
      ssl_min_protocol_version: tlsLimitReaders.minVersion,
      ssl_max_protocol_version: tlsLimitReaders.maxVersion,
      connect_timeout: commonReaders.connectTimeout,
    },
    unused: { application_name: 'The name is always "ledger".' },
    normalize: (name) => name.toLowerCase(),
    // One about TLS that is misspelt or unknown is an error: without it the connection could be weaker.
    critical: { names: /ssl|tls/, instead: modesOf(tls) },
  },
  tls,
  databaseName: { isValid: (name) => /^[a-z_][a-z0-9_]*$/.test(name), rule: 'consist of a to z, digits and "_"' },
  formatHost: (host) => formatHost(host, 5432),
  options: (common) => common,
  complete: (common) => common,
  id: (hosts, name) => `ledger:${hosts.map(({ host, port }) => `${host.toLowerCase()}:${port}`)}/${name}`,
}

/** By the class of a SQLSTATE. */
const states = [
  [/^23/, commonFaults.constraint],
  [/^28/, commonFaults.auth],
  [/^3D/, commonFaults.noDatabase],
  [/^25006/, commonFaults.readOnly],
  [/^(40|55P03)/, { ...commonFaults.conflict, undone: true }],
  [/^53/, commonFaults.capacity],
  [/^(57P0|08)/, commonFaults.lost],
]

/** What the server and its client say; the kit knows Node's errors of sockets and TLS. */
const faults = createFaultReader({
  readServer(error, phase, cause) {
    const code = codeOf(error) ?? ''
    if (!/^[0-9A-Z]{5}$/.test(code) || Object.hasOwn(nodeFaults, code)) return null
    const meaning = states.find(([pattern]) => pattern.test(code))?.[1] ?? commonFaults.statement
    return { ...inPhase(meaning, phase), code, ambiguous: phase === 'commit' && meaning.kind === 'lost', cause }
  },
  codes: { QUERY_TIMEOUT: commonFaults.timeout },
  messages: [
    [/^Connection terminated/, 'CONNECTION_LOST', commonFaults.lost],
    [/^timeout expired/, 'CONNECTION_TIMEOUT', commonFaults.silent],
    [/does not support SSL/, 'TLS_REFUSED', commonFaults.noTls],
  ],
  isRefusal: ({ severity }) => severity === 'ERROR',
})

const tables = {
  statements: [
    'create table if not exists holdfast_identity (singleton boolean primary key default true check (singleton), id uuid not null, format integer not null, made_at timestamptz not null default now(), watermark uuid)',
    'create table if not exists holdfast_attempt (id uuid primary key, made_at timestamptz not null default now())',
    'create table if not exists holdfast_conflict (attempt uuid, entry integer, transaction uuid not null, source text not null, collection text not null, row_id text not null, operation text not null, reason text not null, base uuid, old_image text, ours text, theirs text, parked_at timestamptz not null default now(), settled_at timestamptz, settled_as text, primary key (attempt, entry))',
    'create table if not exists holdfast_request (id uuid primary key, holdfast_attempt uuid, fingerprint text, status integer, headers text, body text, made_at timestamptz not null default now())',
    'create index if not exists holdfast_request_made_at on holdfast_request (made_at)',
  ],
  upgrades: ['alter table holdfast_identity add column if not exists watermark uuid'],
  requestUpgrades: [
    'alter table holdfast_request add column if not exists holdfast_attempt uuid, add column if not exists fingerprint text, add column if not exists status integer, add column if not exists headers text, add column if not exists body text',
  ],
  insertIdentity: 'insert into holdfast_identity (id, format) values ($1, $2) on conflict do nothing',
  isDenied: (error) => codeOf(error) === '42501',
}

async function verify(connection, target, want) {
  const question = `select current_setting('server_version') as version, (select count(*)::int from unnest(array
    ['holdfast_identity', 'holdfast_attempt', 'holdfast_conflict', 'holdfast_request']) as name
    where to_regclass(name) is not null) as tables, to_regclass('holdfast_identity') is null as none,
    exists (select from pg_attribute where attrelid = to_regclass('holdfast_request') and attname = 'fingerprint') as requests`
  const { rows } = await connection.run(question)
  const own = new OwnTables(connection, tables, target, () => tables.statements.join('; '))
  const exist = rows[0].none ? 'none' : rows[0].tables === 4 ? 'all' : 'some'
  const requests = rows[0].requests ? 'whole' : exist === 'all' ? 'older' : 'none'
  const rights = { exist, requests, mayCreate: null, mayRead: null, mayWrite: null }
  const found = want.proof === 'look' ? await own.look(rights) : await own.prove(want, rights)
  return { version: rows[0].version, path: null, ephemeral: false, pooled: false, ...found }
}

/** Native statements, each its own transaction or part of the EntityManager's. */
class LedgerPool extends ConnectionPool {
  statements = createStatements(this, {
    options: () => ({}),
    async run(client, sql, values) {
      const { rows, rowCount } = await client.run(sql, values)
      return { rows, changed: rowCount ?? 0 }
    },
    retry(error) {
      throw error
    },
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
    late: () => timeoutError(),
  }
  return target.hosts.map(({ host, port }) => {
    const open = new Set()
    const createClient = (ssl) => new LedgerClient({ ...target, host, port, ssl }, limits, open)
    return new ServerCandidate({
      label: `ledger ${formatHost({ host, port }, 5432)}/${target.database}`,
      async ways() {
        const files = await loadTls(tls, target.encryption, host)
        return tlsOrder(target.encryption.mode).map((isEncrypted) => isEncrypted && files)
      },
      createClient,
      connect: (connection) => connection.connect(),
      mayTryNext: (error) => faults.classify(error, 'open').kind === 'tls',
      verify: (connection, want) => verify(connection, target, want),
      engine: (way) =>
        new ServerEngine({
          ormOptions(use) {
            const Connection = pooledConnection(PostgreSqlConnection, {
              makePool() {
                const pool = new LedgerPool({
                  limits,
                  open,
                  create: () => createClient(way()),
                  unopened: faults.unopened,
                })
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
            const { database, user } = target
            return isolatedOrmOptions({ driver: LedgerDriver, dbName: database, host, port, user }, limits.echo)
          },
        }),
    })
  })
}

export const driver = defineDriver({
  contract: 1,
  name: 'ledger',
  schemes: ['ledger'],
  settings: tlsSettings(tls),
  parse: (address, settings) => readAddress(addresses, address, settings),
  inspect: async (target) => ({
    problems: [...(await missingClient(client, target)), ...(await findTlsProblems(tls, target))],
    path: null,
  }),
  describe: ({ hosts, database }) => `ledger ${hosts.map(addresses.formatHost)}/${database}`,
  classify: faults.classify,
  connect,
  sqlDialect: 'postgresql',
})

export default driver
