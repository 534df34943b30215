import { OwnTables, type OwnTablesDialect, ownFormat } from '../../src/driver/kit/driver-kit.ts'
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
    made_at datetime(3) not null default current_timestamp(3)
  ) ${engine}`,
  `create table if not exists holdfast_attempt (
    id ${id} not null primary key,
    made_at datetime(3) not null default current_timestamp(3)
  ) ${engine}`,
]

/** The right is missing: to the database, to a table, to a column, or at all. */
const deniedCodes: ReadonlySet<string> = new Set(['1044', '1142', '1143', '1227'])

const dialect: OwnTablesDialect<SafeClient> = {
  statements,
  insertIdentity: 'insert into holdfast_identity (id, format) values (?, ?) on duplicate key update id = id',
  isDenied: (error) => deniedCodes.has(faults.classify(error, 'commit').code),
  // InnoDB locks the gaps between the attempts of several proofs.
  isDeadlock: (error) => faults.classify(error, 'statement').code === '1213',
}

/** The own tables of this address. `account` is as the server names it: `user@host`. */
export function ownTablesOf(client: SafeClient, target: MysqlTarget, account: string | null): OwnTables<SafeClient> {
  const [user, database] = [quotedAccount(account ?? `${target.user}@%`), quoted(target.database)]
  const remedy = [
    ...statements.map((text) => text.replace(/\s+/g, ' ').replace(/holdfast_/, `${database}.holdfast_`)),
    `insert ignore into ${database}.holdfast_identity (id, format) values (uuid(), ${ownFormat})`,
    `grant select, insert, update on ${database}.holdfast_identity to ${user}`,
    `grant select, insert, delete on ${database}.holdfast_attempt to ${user}`,
  ]
  return new OwnTables(client, dialect, target, remedy.join('; '))
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

function quotedAccount(account: string): string {
  const at = account.lastIndexOf('@')
  return [account.slice(0, at), account.slice(at + 1)].map((part) => `'${part.replace(/['\\]/g, '\\$&')}'`).join('@')
}
