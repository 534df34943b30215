import { createHash } from 'node:crypto'
import {
  commonFaults,
  type FaultError,
  faultError,
  OwnTables,
  type OwnTablesDialect,
  ownFormat,
  type Upgrade,
} from '../../src/driver/kit/driver-kit.ts'
import type { MysqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { faults } from './faults.ts'

/** Ids compare by their bytes alone. InnoDB, whatever the server's default: other engines have no COMMIT. */
const engine = 'engine = InnoDB default charset = utf8mb4'
const id = 'char(36) character set ascii collate ascii_bin'

const statements: readonly string[] = [
  `create table if not exists holdfast_identity (
    singleton tinyint(1) not null default 1 primary key check (singleton = 1),
    id ${id} not null,
    format int not null,
    made_at datetime(3) not null default current_timestamp(3),
    watermark ${id} null
  ) ${engine}`,
  `create table if not exists holdfast_attempt (
    id ${id} not null primary key,
    made_at datetime(3) not null default current_timestamp(3)
  ) ${engine}`,
  `create table if not exists holdfast_conflict (
    attempt ${id} not null,
    entry int not null,
    transaction ${id} not null,
    source text not null,
    collection varchar(255) not null,
    row_id varchar(255) not null,
    operation varchar(255) not null,
    reason varchar(255) not null,
    base ${id} null,
    old_image longtext null,
    ours longtext null,
    theirs longtext null,
    parked_at datetime(3) not null default current_timestamp(3),
    settled_at datetime(3) null,
    settled_as varchar(255) null,
    primary key (attempt, entry)
  ) ${engine} collate utf8mb4_bin`,
  `create table if not exists holdfast_request (
    id ${id} not null primary key,
    holdfast_attempt ${id} null,
    fingerprint varchar(255) null,
    status int null,
    headers longtext null,
    body longtext null,
    made_at datetime(3) not null default current_timestamp(3),
    key holdfast_request_made_at (made_at)
  ) ${engine} collate utf8mb4_bin`,
]

/** Without `if not exists`, which MySQL does not know. */
const upgrades: readonly string[] = [`alter table holdfast_identity add column watermark ${id} null`]

/** All or none of it is done. */
const requestUpgrades: readonly string[] = [
  `alter table holdfast_request add column holdfast_attempt ${id} null, add column fingerprint varchar(255) null,
    add column status int null, add column headers longtext null, add column body longtext null,
    add key holdfast_request_made_at (made_at)`,
]

/** The column exists. */
const duplicateColumn = '1060'

/** The rights to each of the own tables. */
export const ownRights: Readonly<Record<string, readonly string[]>> = {
  holdfast_identity: ['select', 'insert', 'update'],
  holdfast_attempt: ['select', 'insert', 'delete'],
  holdfast_conflict: ['select', 'insert', 'update'],
  holdfast_request: ['select', 'insert', 'update', 'delete'],
}

const probes: readonly string[] = [
  'update holdfast_identity set format = format where false',
  'insert into holdfast_attempt select * from holdfast_attempt where false',
  'delete from holdfast_attempt where false',
  'insert into holdfast_conflict select * from holdfast_conflict where false',
  'update holdfast_conflict set entry = entry where false',
  'insert into holdfast_request select * from holdfast_request where false',
  'update holdfast_request set made_at = made_at where false',
  'delete from holdfast_request where false',
]

/** The right is missing: to the database, to a table, to a column, or at all. */
const deniedCodes: ReadonlySet<string> = new Set(['1044', '1142', '1143', '1227'])

/** How long a process waits for another one that changes the own tables, in seconds. */
const lockWaitS = 10

const dialect: OwnTablesDialect<SafeClient> = {
  statements,
  upgrades,
  requestUpgrades,
  isUpgraded: (error) => faults.classify(error, 'statement').code === duplicateColumn,
  probes,
  // Of the session, since DDL commits by itself.
  async alone(client, create) {
    const name = schemaLockName(client.config.database)
    const { rows } = await client.run('select get_lock(?, ?) as had', [name, lockWaitS])
    if (Number(rows[0]?.had) !== 1) throw lockedError()
    try {
      await create()
    } finally {
      await client.run('select release_lock(?)', [name]).catch(() => client.evict())
    }
  },
  insertIdentity: 'insert into holdfast_identity (id, format) values (?, ?) on duplicate key update id = id',
  isDenied: (error) => deniedCodes.has(faults.classify(error, 'commit').code),
  // InnoDB locks the gaps between the attempts of several proofs.
  isDeadlock: (error) => faults.classify(error, 'statement').code === '1213',
}

/** The own tables of this address. `account` is as the server names it: `user@host`. */
export function ownTablesOf(client: SafeClient, target: MysqlTarget, account: string | null): OwnTables<SafeClient> {
  const [user, database] = [quotedAccount(account ?? `${target.user}@%`), quoted(target.database)]
  const here = (text: string): string => text.replace(/\s+/g, ' ').replace(/holdfast_/, `${database}.holdfast_`)
  const remedy = ({ isOlder, requests }: Upgrade): string =>
    [
      ...statements.map(here),
      ...(requests === 'older' ? requestUpgrades : []).map(here),
      ...(isOlder ? [...upgrades, `update holdfast_identity set format = ${ownFormat}`] : []).map(here),
      `insert ignore into ${database}.holdfast_identity (id, format) values (uuid(), ${ownFormat})`,
      ...Object.entries(ownRights).map(
        ([table, rights]) => `grant ${rights.join(', ')} on ${database}.${table} to ${user}`,
      ),
    ].join('; ')
  return new OwnTables(client, dialect, target, remedy)
}

/** Of the lock for schema changes: names are the whole server's and at most 64 letters. */
export function schemaLockName(database: string): string {
  return `holdfast_schema_${createHash('sha256').update(database).digest('hex').slice(0, 32)}`
}

function lockedError(): FaultError {
  const { kind, summary, hint } = commonFaults.locked
  return faultError(kind, 'SCHEMA_LOCKED', summary, hint)
}

/** A name as it stands in a statement. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

function quotedAccount(account: string): string {
  const at = account.lastIndexOf('@')
  return [account.slice(0, at), account.slice(at + 1)].map((part) => `'${part.replace(/['\\]/g, '\\$&')}'`).join('@')
}
