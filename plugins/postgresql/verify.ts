import type { Facts, Insight, Want } from '../../src/driver/driver.ts'
import { faultError, type RequestsState, type TablesFacts, type TablesRights } from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlTarget, SessionWish } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { defaultReadOnlyError } from './client/reports.ts'
import { engineOf, type SoftwareSeen, untestedProblem, versionText } from './engines.ts'
import { standbyError } from './faults.ts'
import { ownRights, ownTablesOf } from './own-tables.ts'
import { standingOf } from './standing.ts'

/** What the server reports of itself and of our role, in one answer. */
interface Seen extends SoftwareSeen {
  readonly standby: boolean
  readonly readonly: boolean
  readonly pid: number
  readonly schema: string | null
  readonly creates: boolean
  readonly tables: TablesRights['exist']
  readonly requests: RequestsState
  /** Null where a table is missing. */
  readonly reads: boolean | null
  readonly writes: boolean | null
}

/** The first that has identity columns and the limit of idle transactions. */
const oldestMajor = 10

const question = `select current_setting('server_version') as version,
  version() as software,
  exists (select from pg_extension where extname = 'citus') as citus,
  pg_is_in_recovery() as standby,
  current_setting('transaction_read_only') = 'on' as readonly,
  pg_backend_pid() as pid,
  current_schema() as schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as creates,
  case when to_regclass('holdfast_identity') is null then 'none'
    when ${Object.keys(ownRights)
      .map((table) => `to_regclass('${table}')`)
      .join(' is null or ')} is null then 'some' else 'all' end as tables,
  case when to_regclass('holdfast_request') is null then 'none'
    when exists (select from pg_attribute where attrelid = to_regclass('holdfast_request') and attname = 'fingerprint'
      and not attisdropped) then 'whole' else 'older' end as requests,
  ${hasRights('holdfast_identity', ['select'])} as reads,
  ${Object.entries(ownRights)
    .map(([table, rights]) => hasRights(table, rights))
    .join(' and ')} as writes`

function hasRights(table: string, rights: readonly string[]): string {
  return rights.map((right) => `has_table_privilege(to_regclass('${table}')::oid, '${right}')`).join(' and ')
}

/**
 * Proves that this server can serve. Unless the address asks otherwise it is not a standby, accepts writes, and committed a
 * write of ours; where our own tables may not be created, being no standby and not read-only has to do.
 */
export async function verifyServer(client: SafeClient, target: PostgresqlTarget, want: Want): Promise<Facts> {
  assertNewEnough(client.reports.version)
  const { rows } = await client.run(question, [], { phase: 'open' })
  const seen = rows[0] as Seen // The one row of `question`.
  assertWished(target.session, seen)
  if (target.session === 'read-write' && seen.readonly) throw await readOnlyError(client)
  const standing = await standingOf(client, target.encryption)
  const version = versionText(seen)
  const engine = engineOf(version)
  const { tables, insight } = await tablesFacts(client, target, want, { ...seen, hasLocks: engine?.hasLocks !== false })
  const untested = engine === null ? [] : [untestedProblem(engine, target, want.proof === 'look')]
  return {
    version,
    path: null,
    ephemeral: false,
    // A pooler reports a number of its own for the connection, or none.
    pooled: target.pooled === 'yes' || (target.pooled === 'auto' && seen.pid !== client.processId),
    standing,
    ...tables,
    problems: [...tables.problems, ...untested],
    ...(insight === null ? {} : { insight }),
  }
}

async function tablesFacts(
  client: SafeClient,
  target: PostgresqlTarget,
  want: Want,
  seen: Seen & { readonly hasLocks: boolean },
): Promise<{ readonly tables: TablesFacts; readonly insight: Insight | null }> {
  const isReadOnly = seen.standby || seen.readonly
  const own = ownTablesOf(client, target, seen)
  const { reads, writes } = seen
  const known = { exist: seen.tables, requests: seen.requests, mayCreate: seen.creates, mayWrite: writes }
  if (want.proof !== 'look') {
    return { tables: isReadOnly ? readOnlyAsWished(target) : await own.prove(want, known), insight: null }
  }
  const begun = performance.now()
  await client.run('select 1', [], { phase: 'open' })
  const insight: Insight = {
    encryption: client.encryption,
    schema: seen.schema,
    mayMakeTables: seen.creates && !isReadOnly,
    mayWriteOwnTables: seen.tables === 'all' ? writes === true && !isReadOnly : null,
    isReadOnly,
    roundTripMs: performance.now() - begun,
  }
  const rights = { ...known, mayRead: reads }
  return { tables: isReadOnly ? readOnlyAsWished(target) : await own.look(rights), insight }
}

/** Checked before any statement: the very first uses what older servers lack. */
function assertNewEnough(version: string | null): void {
  const major = Number.parseInt(version ?? '', 10)
  if (Number.isNaN(major) || major >= oldestMajor) return
  const summary = `PostgreSQL ${major} is older than ${oldestMajor}, the oldest version that this driver supports.`
  throw faultError(
    'configuration',
    'SERVER_TOO_OLD',
    summary,
    'Upgrade the server; this version no longer receives updates.',
  )
}

/** @throws FaultError where libpq would pass this server over. */
function assertWished(session: SessionWish, { standby, readonly }: Seen): void {
  const isReadOnly = standby || readonly
  if ((session === 'read-write' || session === 'primary') && standby) throw standbyError()
  if (session === 'read-only' ? isReadOnly : session !== 'standby' || standby) return
  const summary = `The address asks for target_session_attrs=${session}, but the server accepts writes.`
  throw faultError('configuration', 'SESSION_ATTRS', summary, 'Name a standby in the address, or write read-write.')
}

/** No write can prove anything, and no write of a fallback could be carried there. */
function readOnlyAsWished({ session, setting, origin }: PostgresqlTarget): TablesFacts {
  const message = `target_session_attrs=${session}: the server accepts no writes. Rows can be read; neither the primary nor its fallback accepts writes.`
  const suggestion = 'To write rows, use target_session_attrs=read-write, or remove the parameter.'
  return {
    ownTables: 'absent',
    problems: [{ code: 'ADDRESS_READ_ONLY', severity: 'warning', setting, origin, part: null, message, suggestion }],
  }
}

/** Of a server that is no standby; `source` tells what each host of the cluster has from what this one's own file says. */
async function readOnlyError(client: SafeClient): Promise<Error> {
  const { rows } = await client.run(sourceQuestion, [], { phase: 'open' })
  const { source } = rows[0] as { source: string } // The one row of that setting.
  if (!source.startsWith('configuration')) return defaultReadOnlyError()
  const { kind, code, summary } = defaultReadOnlyError().fault
  return faultError(kind, code, summary, 'Check default_transaction_read_only in the configuration of the server.')
}

const sourceQuestion = "select source from pg_settings where name = 'default_transaction_read_only'"
