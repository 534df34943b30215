import type { Insight } from '../../src/driver/driver.ts'
import type { MysqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { faults } from './faults.ts'
import { ownRights } from './own-tables.ts'

/** What the first questions found. */
interface Known {
  readonly account: string | null
  readonly hasTables: boolean
}

/** The connection and the user's rights, by looking alone. Changes nothing. */
export async function insightOf(client: SafeClient, target: MysqlTarget, known: Known): Promise<Insight> {
  const begun = performance.now()
  await client.run('select 1', [], { phase: 'open' })
  const roundTripMs = performance.now() - begun
  const rights = await rightsOf(client, known.account)
  return {
    encryption: await encryptionOf(client, target),
    schema: target.database,
    mayMakeTables: rights.may(['CREATE'], null),
    mayWriteOwnTables: known.hasTables ? mayWrite(rights) : null,
    isReadOnly: false,
    roundTripMs,
  }
}

/** False where any right is missing, null where any is unknown. */
function mayWrite(rights: Rights): boolean | null {
  const answers = Object.entries(ownRights).map(([table, own]) =>
    rights.may(
      own.map((right) => right.toUpperCase()),
      table,
    ),
  )
  return answers.includes(false) ? false : answers.includes(null) ? null : true
}

/** A Unix socket never leaves the machine. */
async function encryptionOf(client: SafeClient, target: MysqlTarget): Promise<string | null> {
  const { rows } = await client.run("show session status like 'Ssl_version'", [], { phase: 'open' })
  const version = String(rows[0]?.Value ?? '')
  return version === '' ? (target.host?.startsWith('/') ? 'local' : 'none') : version
}

interface Rights {
  /** Null where it is unknown: a role may give what the user lacks. */
  may(privileges: readonly string[], table: string | null): boolean | null
}

/** From the server's own tables of rights, which leave out those that a role gives. */
async function rightsOf(client: SafeClient, account: string | null): Promise<Rights> {
  if (account === null) return { may: () => null }
  const at = account.lastIndexOf('@')
  const grantee = `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`
  const question = `select privilege_type as kind, null as place from information_schema.user_privileges where grantee = ?
    union select privilege_type, null from information_schema.schema_privileges
      where grantee = ? and database() like table_schema
    union select privilege_type, table_name from information_schema.table_privileges
      where grantee = ? and table_schema = database()`
  const { rows } = await client.run(question, [grantee, grantee, grantee], { phase: 'open' })
  const hasRole = await usesRole(client)
  const has = (privilege: string, table: string | null): boolean =>
    rows.some(({ kind, place }) => kind === privilege && (place === null || place === table))
  return {
    may: (privileges, table) => privileges.every((privilege) => has(privilege, table)) || (hasRole ? null : false),
  }
}

/** Old servers have no roles, and no such function. */
async function usesRole(client: SafeClient): Promise<boolean> {
  try {
    const { rows } = await client.run('select current_role() as role', [], { phase: 'open' })
    const role = rows[0]?.role ?? null
    return role !== null && role !== 'NONE'
  } catch (error) {
    if (faults.classify(error, 'statement').kind !== 'statement') throw error
    return false
  }
}
