import { type Facts, faultError, type Want } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import { classify } from './faults.ts'
import { lookAt } from './privileges.ts'
import { formatOf, makeTables, newerProblem, ownFormat, tablesProblem, writeProof } from './tables.ts'
import type { PostgresqlTarget, SessionWish } from './target.ts'

/** What the server says of itself and of our role, in one answer. */
interface Seen {
  readonly version: string
  readonly standby: boolean
  readonly readonly: boolean
  readonly pid: number
  readonly schema: string | null
  readonly creates: boolean
  readonly tables: boolean
}

/** The first that has identity columns and the limit of idle transactions. */
const oldestMajor = 10

const question = `select current_setting('server_version') as version,
  pg_is_in_recovery() as standby,
  current_setting('transaction_read_only') = 'on' as readonly,
  pg_backend_pid() as pid,
  current_schema() as schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as creates,
  to_regclass('holdfast_identity') is not null and to_regclass('holdfast_attempt') is not null as tables`

/**
 * Whether this server can serve. Unless the address wants another one: it is no standby, it takes writes, and a write of
 * ours was committed; where our own tables may not be made, that it is no standby and not set to read-only has to do.
 */
export async function verifyServer(client: SafeClient, target: PostgresqlTarget, want: Want): Promise<Facts> {
  assertNewEnough(client.serverVersion)
  const { rows } = await client.run(question, [], { phase: 'open' })
  const seen = rows[0] as Seen // The one row of `question`.
  assertWished(target.session, seen)
  const isReadOnly = seen.standby || seen.readonly
  const looked = want.proof === 'look' ? await lookAt(client, target, seen) : null
  const proven = isReadOnly ? readOnlyAsWished(target) : (looked ?? (await prove(client, target, want, seen)))
  return {
    version: seen.version,
    path: null,
    ephemeral: false,
    // A pooler tells a number of its own for the connection, or none.
    pooled: target.pooled === 'yes' || (target.pooled === 'auto' && seen.pid !== client.processId),
    ownTables: proven.ownTables,
    problems: proven.problems,
    ...(looked === null ? {} : { insight: looked.insight }),
  }
}

type Proven = Pick<Facts, 'problems'> & { readonly ownTables: NonNullable<Facts['ownTables']> }

async function prove(client: SafeClient, target: PostgresqlTarget, want: Want, seen: Seen): Promise<Proven> {
  const absent = (why: string): Proven => ({
    ownTables: 'absent',
    problems: [tablesProblem(target, seen.schema, why)],
  })
  const mayMake = target.mayMakeTables && seen.creates
  if (!seen.tables && !mayMake) {
    const why = target.mayMakeTables ? `the role may not create tables in its schema` : 'SCHEMA_APPLY=none makes none'
    return absent(why)
  }
  try {
    if (!seen.tables) await makeTables(client)
    const format = await formatOf(client)
    if (format > ownFormat) return { ownTables: 'newer', problems: [newerProblem(target, format)] }
    if (want.proof === 'write') await writeProof(client)
    return { ownTables: 'ours', problems: [] }
  } catch (error) {
    // They are there and not ours to write: 42501. All else says something about the database.
    if (classify(error, 'commit').code !== '42501') throw error
    return absent('the role may not read and write them')
  }
}

/** Before any statement: what older ones lack stands in the very first. */
function assertNewEnough(version: string | null): void {
  const major = Number.parseInt(version ?? '', 10)
  if (Number.isNaN(major) || major >= oldestMajor) return
  const summary = `PostgreSQL ${major} is older than ${oldestMajor}, the oldest that this driver works with.`
  throw faultError('configuration', 'SERVER_TOO_OLD', summary, 'Upgrade the server; it has long been without updates.')
}

/** @throws FaultError where libpq would pass this server over. */
function assertWished(session: SessionWish, { standby, readonly }: Seen): void {
  const isReadOnly = standby || readonly
  if (session === 'read-write' ? isReadOnly : session === 'primary' && standby) throw readOnlyError(standby)
  if (session === 'read-only' ? isReadOnly : session !== 'standby' || standby) return
  const summary = `The address asks for target_session_attrs=${session}, and the server takes writes.`
  throw faultError('configuration', 'SESSION_ATTRS', summary, 'Name a standby in the address, or write read-write.')
}

/** Nothing can be proved by a write, and nothing of a fallback could be carried there. */
function readOnlyAsWished({ session, setting, origin }: PostgresqlTarget): Proven {
  const message = `target_session_attrs=${session} was answered by a server that takes no writes: rows are read, and none is written. The fallback takes no writes either.`
  const suggestion = 'Write target_session_attrs=read-write, or take it away, where rows are to be written.'
  return {
    ownTables: 'absent',
    problems: [{ code: 'POSTGRESQL_READ_ONLY', severity: 'warning', setting, origin, part: null, message, suggestion }],
  }
}

function readOnlyError(isStandby: boolean): Error {
  const summary = isStandby ? 'The server is a standby: it takes no writes.' : 'The database is set to read-only.'
  const hint = isStandby
    ? 'Name the primary in the address, or all hosts of the cluster: the one that takes writes is found.'
    : 'Look at default_transaction_read_only of the role, the database and the server.'
  return faultError('read-only', '25006', summary, hint)
}
