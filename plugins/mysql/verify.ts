import type { Facts, Want } from '../../src/driver/driver.ts'
import { FaultError, faultError, type RequestsState, type TablesRights } from '../../src/driver/kit/driver-kit.ts'
import type { MysqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { type ServerFacts, waiting } from './client/session.ts'
import {
  clusterWords,
  isMember,
  isOn,
  isReadOnly,
  membershipOf,
  showVariables,
  stallOf,
  standingIn,
  standingVariables,
  type Variables,
} from './membership.ts'
import { ownRights, ownTablesOf } from './own-tables.ts'
import { insightOf } from './privileges.ts'

/** What is asked of the server besides its standing. */
const variables = [
  ...standingVariables,
  'version',
  'tx_read_only',
  'transaction_read_only',
  'max_allowed_packet',
  'innodb_rollback_on_timeout',
  'log_bin',
  'binlog_format',
  'wsrep_provider_options',
] as const

/** What the server reports of itself and of our account. */
interface Seen {
  readonly values: Variables
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
  const { values } = seen
  assertNewEnough(values.version ?? '')
  noteServer(client.config.server, values, target)
  await assertWritable(client, values)
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
  // Then whatever was committed before, on any member, is in the position of this one.
  if (isMember(values) && isMariaDb(values) && want.proof === 'write') {
    await client.run(waiting('select 1'), [], { phase: 'open' })
  }
  const membership = await membershipOf(client, values)
  const stallMs = stallOf(values)
  return {
    version: values.version ?? 'unknown',
    path: null,
    ephemeral: false,
    // Poolers of this protocol track session state, so nothing has to be left out for them.
    pooled: false,
    ...tables,
    standing: standingIn(values, membership),
    ...(stallMs === 0 ? {} : { stallMs }),
    ...(insight === null ? {} : { insight: { ...insight, cluster: clusterWords(values, membership) } }),
  }
}

/** What the connections to this server need to know of it. */
function noteServer(server: ServerFacts, values: Variables, { syncWait }: MysqlTarget): void {
  server.packetBytes = Number(values.max_allowed_packet) || null
  server.rollsBackOnTimeout = values.innodb_rollback_on_timeout === 'ON'
  server.logsStatements = values.log_bin === 'ON' && values.binlog_format === 'STATEMENT'
  server.stallMs = stallOf(values)
  // MySQL cannot set a variable for one statement alone.
  server.syncWait = !isMember(values) ? 'off' : syncWait === 'read' && !isMariaDb(values) ? 'all' : syncWait
}

function isMariaDb({ version = '' }: Variables): boolean {
  return /mariadb/i.test(version)
}

async function look(client: SafeClient): Promise<Seen> {
  const values = await showVariables(client, variables)
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
async function assertWritable(client: SafeClient, values: Variables): Promise<void> {
  if (isReadOnly(values)) {
    throw faultError(
      'read-only',
      '1290',
      'The server is set to read-only, as replicas are.',
      'Name the primary in the address, or all hosts of the cluster: Holdfast finds the one that accepts writes.',
    )
  }
  const name = ['tx_read_only', 'transaction_read_only'].find((one) => isOn(values, one))
  if (name === undefined) return
  const { rows } = await client.run(`select @@global.${name} as isSet`, [], { phase: 'open' })
  throw new FaultError({
    kind: 'read-only',
    code: '1792',
    summary: 'Transactions are set to read-only.',
    hint: 'Check transaction_read_only (tx_read_only) of the server, and its init_connect.',
    ambiguous: false,
    cause: null,
    // What the server does not ask of each session, it asks of this account.
    ...(Number(rows[0]?.isSet) === 1 ? {} : { everywhere: true }),
  })
}
