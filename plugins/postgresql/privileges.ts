import type { Facts, Insight } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import { formatOf, newerProblem, ownFormat, tablesProblem } from './tables.ts'
import type { PostgresqlTarget } from './target.ts'

/** What the first question has told. */
interface Known {
  readonly schema: string | null
  readonly creates: boolean
  readonly tables: boolean
  readonly standby: boolean
  readonly readonly: boolean
}

const rights = `select
  has_table_privilege(to_regclass('holdfast_identity')::oid, 'select') as reads,
  has_table_privilege(to_regclass('holdfast_identity')::oid, 'insert')
    and has_table_privilege(to_regclass('holdfast_attempt')::oid, 'insert')
    and has_table_privilege(to_regclass('holdfast_attempt')::oid, 'delete') as writes`

type Looked = Pick<Facts, 'problems'> & {
  readonly ownTables: NonNullable<Facts['ownTables']>
  readonly insight: Insight
}

/** What can be said of our tables and of the role's rights by looking alone. Changes nothing. */
export async function lookAt(client: SafeClient, target: PostgresqlTarget, known: Known): Promise<Looked> {
  const { rows } = await client.run(rights, [], { phase: 'open' })
  const { reads, writes } = rows[0] as { reads: boolean | null; writes: boolean | null } // The one row of `rights`.
  const begun = performance.now()
  await client.run('select 1', [], { phase: 'open' })
  const roundTripMs = performance.now() - begun
  const isReadOnly = known.standby || known.readonly
  const insight: Insight = {
    encryption: client.encryption,
    schema: known.schema,
    mayMakeTables: known.creates && !isReadOnly,
    mayWriteOwnTables: known.tables ? writes === true && !isReadOnly : null,
    isReadOnly,
    roundTripMs,
  }
  if (known.tables && reads === true) {
    const format = await formatOf(client)
    if (format > ownFormat) return { ownTables: 'newer', problems: [newerProblem(target, format)], insight }
    if (writes === true) return { ownTables: 'ours', problems: [], insight }
  }
  const mayMake = target.mayMakeTables && known.creates
  if (!known.tables && (mayMake || isReadOnly)) return { ownTables: 'absent', problems: [], insight }
  const why = known.tables
    ? 'the role may not read and write them'
    : target.mayMakeTables
      ? 'the role may not create tables in its schema'
      : 'SCHEMA_APPLY=none makes none'
  return { ownTables: 'absent', problems: [tablesProblem(target, known.schema, why)], insight }
}
