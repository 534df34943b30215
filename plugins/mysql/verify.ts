import type { Facts, Want } from '../../src/driver/driver.ts'
import { faultError, type RequestsState, type TablesRights } from '../../src/driver/kit/driver-kit.ts'
import type { MysqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { ownRights, ownTablesOf } from './own-tables.ts'
import { insightOf } from './privileges.ts'

/** SHOW accepts names that a server does not know; each of these exists on some server. */
const variables = [
  'version',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'tx_read_only',
  'transaction_read_only',
  'max_allowed_packet',
  'innodb_rollback_on_timeout',
  'log_bin',
  'binlog_format',
] as const

type Variable = (typeof variables)[number]

/** What the server reports of itself and of our account. */
interface Seen {
  readonly values: Readonly<Partial<Record<Variable, string>>>
  readonly account: string | null
  readonly tables: TablesRights['exist']
  readonly requests: RequestsState
}

/**
 * Proves that this server can serve: it is not a read-only replica, accepts writes, and committed a write of ours.
 * Where our own tables may not be created, not being set to read-only has to do.
 */
export async function verifyServer(client: SafeClient, target: MysqlTarget, want: Want): Promise<Facts> {
  const seen = await look(client)
  assertNewEnough(seen.values.version ?? '')
  const { values } = seen
  const { server } = client.config
  server.packetBytes = Number(values.max_allowed_packet) || null
  server.rollsBackOnTimeout = values.innodb_rollback_on_timeout === 'ON'
  server.logsStatements = values.log_bin === 'ON' && values.binlog_format === 'STATEMENT'
  assertWritable(values)
  const own = ownTablesOf(client, target, seen.account)
  const insight =
    want.proof === 'look'
      ? await insightOf(client, target, { account: seen.account, hasTables: seen.tables === 'all' })
      : null
  const tables =
    insight === null
      ? await own.prove(want, { exist: seen.tables, requests: seen.requests, mayCreate: null, mayWrite: null })
      : await own.look({
          exist: seen.tables,
          requests: seen.requests,
          mayCreate: insight.mayMakeTables,
          mayRead: null,
          mayWrite: insight.mayWriteOwnTables,
        })
  return {
    version: values.version ?? 'unknown',
    path: null,
    ephemeral: false,
    // Poolers of this protocol track session state, so nothing has to be left out for them.
    pooled: false,
    ...tables,
    ...(insight === null ? {} : { insight }),
  }
}

async function look(client: SafeClient): Promise<Seen> {
  const list = variables.map((name) => `'${name}'`).join(', ')
  const shown = await client.run(`show variables where variable_name in (${list})`, [], { phase: 'open' })
  const values = Object.fromEntries(
    shown.rows.map(({ Variable_name, Value }) => [String(Variable_name), String(Value)]),
  )
  const names = Object.keys(ownRights).map((name) => `'${name}'`)
  const question = `select current_user() as account, count(table_name) as ours,
    count(case when table_name = 'holdfast_identity' then 1 end) as identities,
    count(case when table_name = 'holdfast_request' then 1 end) as requests,
    (select count(*) from information_schema.columns where table_schema = database()
      and table_name = 'holdfast_request' and column_name = 'fingerprint') as fingerprints
    from information_schema.tables where table_schema = database() and table_name in (${names.join(', ')})`
  const [row] = (await client.run(question, [], { phase: 'open' })).rows
  const account = typeof row?.account === 'string' ? row.account : null
  const isWhole = Number(row?.ours) === names.length
  const tables = Number(row?.identities) === 0 ? 'none' : isWhole ? 'all' : 'some'
  const requests = Number(row?.requests) === 0 ? 'none' : Number(row?.fingerprints) > 0 ? 'whole' : 'older'
  return { values, account, tables, requests }
}

/** The first with texts by their bytes, checks on columns, and long unique keys. */
const oldest = { mariadb: [10, 4], mysql: [5, 7] } as const

function assertNewEnough(version: string): void {
  // Behind a proxy of the cloud MariaDB calls itself "5.5.5-10.11.6-MariaDB".
  const match = /^(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, ''))
  if (match === null) return
  const [name, [major, minor]] = /mariadb/i.test(version) ? ['MariaDB', oldest.mariadb] : ['MySQL', oldest.mysql]
  const [own, part] = [Number(match[1]), Number(match[2])]
  if (own > major || (own === major && part >= minor)) return
  const summary = `${name} ${own}.${part} is older than ${major}.${minor}, the oldest version that this driver supports.`
  throw faultError(
    'configuration',
    'SERVER_TOO_OLD',
    summary,
    'Upgrade the server; this version no longer receives updates.',
  )
}

/** An administrator may write on a replica; Holdfast does not. */
function assertWritable(values: Seen['values']): void {
  const isOn = (name: Variable): boolean => !/^(?:off|0|)$/i.test(values[name] ?? '')
  if (isOn('read_only') || isOn('super_read_only') || isOn('innodb_read_only')) {
    throw faultError(
      'read-only',
      '1290',
      'The server is set to read-only, as replicas are.',
      'Name the primary in the address, or all hosts of the cluster: Holdfast finds the one that accepts writes.',
    )
  }
  if (!isOn('tx_read_only') && !isOn('transaction_read_only')) return
  throw faultError(
    'read-only',
    '1792',
    'Transactions are set to read-only.',
    'Check transaction_read_only (tx_read_only) of the server.',
  )
}
