import { type Facts, faultError, type Problem, type Want } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import { classify } from './faults.ts'
import { lookAt } from './privileges.ts'
import { formatOf, makeTables, newerProblem, ownFormat, tablesProblem, writeProof } from './tables.ts'
import type { MysqlTarget } from './target.ts'

/** SHOW bears names that a server does not know; each of these some server has. */
const variables = [
  'version',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'tx_read_only',
  'transaction_read_only',
  'max_allowed_packet',
  'innodb_rollback_on_timeout',
] as const

type Variable = (typeof variables)[number]

/** What the server says of itself and of our account. */
interface Seen {
  readonly values: Readonly<Partial<Record<Variable, string>>>
  readonly account: string | null
  readonly hasTables: boolean
}

/**
 * Whether this server can serve: it is no replica that is set to read-only, it takes writes, and a write of ours was
 * committed. Where our own tables may not be made, that it is not set to read-only has to do.
 */
export async function verifyServer(client: SafeClient, target: MysqlTarget, want: Want): Promise<Facts> {
  const seen = await look(client)
  assertNewEnough(seen.values.version ?? '')
  const { values } = seen
  const { server } = client.config
  server.packetBytes = Number(values.max_allowed_packet) || null
  server.rollsBackOnTimeout = values.innodb_rollback_on_timeout === 'ON'
  assertWritable(values)
  const looked = want.proof === 'look' ? await lookAt(client, target, seen) : null
  const { ownTables, problems } = looked ?? (await prove(client, target, want, seen))
  return {
    version: values.version ?? 'unknown',
    path: null,
    ephemeral: false,
    // Poolers of this protocol follow what a session is set to, so that nothing has to be left out for them.
    pooled: false,
    ownTables,
    problems,
    ...(looked === null ? {} : { insight: looked.insight }),
  }
}

async function look(client: SafeClient): Promise<Seen> {
  const list = variables.map((name) => `'${name}'`).join(', ')
  const shown = await client.run(`show variables where variable_name in (${list})`, [], { phase: 'open' })
  const values = Object.fromEntries(
    shown.rows.map(({ Variable_name, Value }) => [String(Variable_name), String(Value)]),
  )
  const question = `select current_user() as account, (select count(*) from information_schema.tables
    where table_schema = database() and table_name in ('holdfast_identity', 'holdfast_attempt')) as ours`
  const [row] = (await client.run(question, [], { phase: 'open' })).rows
  const account = typeof row?.account === 'string' ? row.account : null
  return { values, account, hasTables: Number(row?.ours) === 2 }
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
  const summary = `${name} ${own}.${part} is older than ${major}.${minor}, the oldest that this driver works with.`
  throw faultError('configuration', 'SERVER_TOO_OLD', summary, 'Upgrade the server; it has long been without updates.')
}

/** An administrator may write on a replica; that it lets us is no reason to. */
function assertWritable(values: Seen['values']): void {
  const isOn = (name: Variable): boolean => !/^(?:off|0|)$/i.test(values[name] ?? '')
  if (isOn('read_only') || isOn('super_read_only') || isOn('innodb_read_only')) {
    throw faultError(
      'read-only',
      '1290',
      'The server is set to read-only, as replicas are.',
      'Name the primary in the address, or all hosts of the cluster: the one that takes writes is found.',
    )
  }
  if (!isOn('tx_read_only') && !isOn('transaction_read_only')) return
  throw faultError(
    'read-only',
    '1792',
    'Transactions are set to read-only.',
    'Look at transaction_read_only (tx_read_only) of the server.',
  )
}

interface Proven {
  readonly ownTables: NonNullable<Facts['ownTables']>
  readonly problems: readonly Problem[]
}

/** The right is missing: to the database, to a table, to a column, or at all. */
const deniedCodes: ReadonlySet<string> = new Set(['1044', '1142', '1143', '1227'])

async function prove(client: SafeClient, target: MysqlTarget, want: Want, seen: Seen): Promise<Proven> {
  const absent = (why: string): Proven => ({
    ownTables: 'absent',
    problems: [tablesProblem(target, seen.account, why)],
  })
  if (!seen.hasTables && !target.mayMakeTables) return absent('SCHEMA_APPLY=none makes none')
  try {
    if (!seen.hasTables) await makeTables(client)
    let format = await formatOf(client)
    // Whoever made them ended before the row was in.
    if (format === null && target.mayMakeTables) {
      await makeTables(client)
      format = await formatOf(client)
    }
    if (format !== null && format > ownFormat) {
      return { ownTables: 'newer', problems: [newerProblem(target, format)] }
    }
    if (want.proof === 'write') await writeProof(client)
    return { ownTables: 'ours', problems: [] }
  } catch (error) {
    // All else says something about the database.
    if (!deniedCodes.has(classify(error, 'commit').code)) throw error
    return absent(seen.hasTables ? 'the user may not read and write them' : 'the user may not make tables there')
  }
}
