import { randomUUID } from 'node:crypto'
import type { Problem } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import type { MysqlTarget } from './target.ts'

/** The format of our own tables that this release writes. */
export const ownFormat = 1

/** Of ids nothing is compared but their bytes. InnoDB, whatever the server takes else: other engines know no COMMIT. */
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

/** Makes what is missing. DDL commits by itself here, and each statement bears a rival. Repeatable. */
export async function makeTables(client: SafeClient): Promise<void> {
  for (const statement of statements) await client.run(statement)
  // A rival may have been first: its row is the identity.
  const insert = 'insert into holdfast_identity (id, format) values (?, ?) on duplicate key update id = id'
  await client.run(insert, [randomUUID(), ownFormat])
}

/** The format of the tables that are there: a later release may have made them. Null: they were never finished. */
export async function formatOf(client: SafeClient): Promise<number | null> {
  const { rows } = await client.run('select format from holdfast_identity', [], { phase: 'open' })
  return rows[0] === undefined ? null : Number(rows[0].format ?? ownFormat)
}

/** What an operator is told where a later release has made our tables. */
export function newerProblem(target: MysqlTarget, format: number): Problem {
  return {
    code: 'FORMAT_NEWER',
    severity: 'warning',
    setting: target.setting,
    origin: target.origin,
    part: null,
    message: `Holdfast's own tables in the database have format ${format}; this release writes ${ownFormat}. The primary serves, and its fallback takes no writes.`,
    suggestion: 'Run the later release everywhere.',
  }
}

/** A write of ours that was committed, and leaves nothing: an attempt that is taken back. */
export async function writeProof(client: SafeClient): Promise<void> {
  const attempt = randomUUID()
  await client.run('insert into holdfast_attempt (id) values (?)', [attempt])
  await client.run('delete from holdfast_attempt where id = ?', [attempt])
}

/** What an operator is told where our tables are missing and may not be made. `account` is as the server names it: `user@host`. */
export function tablesProblem(target: MysqlTarget, account: string | null, why: string): Problem {
  const user = quotedAccount(account ?? `${target.user}@%`)
  const place = quoted(target.database)
  const insert = `insert ignore into ${place}.holdfast_identity (id, format) values (uuid(), ${ownFormat})`
  const grants = [
    `grant select, insert, update on ${place}.holdfast_identity to ${user}`,
    `grant select, insert, delete on ${place}.holdfast_attempt to ${user}`,
  ]
  const made = statements.map((text) => text.replace(/\s+/g, ' ').replace(/holdfast_/, `${place}.holdfast_`))
  return {
    code: 'MYSQL_TABLES',
    severity: 'warning',
    setting: target.setting,
    origin: target.origin,
    part: null,
    message: `Holdfast's own tables are not in the database: ${why}. The primary serves; its fallback takes no writes.`,
    suggestion: `As a user who may run: ${[...made, insert, ...grants].join('; ')}`,
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

function quotedAccount(account: string): string {
  const at = account.lastIndexOf('@')
  return [account.slice(0, at), account.slice(at + 1)].map((part) => `'${part.replace(/['\\]/g, '\\$&')}'`).join('@')
}
