import { randomUUID } from 'node:crypto'
import type { Problem } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import type { PostgresqlTarget } from './target.ts'

/** The format of our own tables that this release writes. */
export const ownFormat = 1

/** Ours alone: any 64-bit number that is not chosen by somebody else in the same database. */
export const schemaLockKey = '5214763398472157001'

const statements: readonly string[] = [
  `create table if not exists holdfast_identity (
    singleton boolean primary key default true check (singleton),
    id uuid not null,
    format integer not null,
    made_at timestamptz not null default now()
  )`,
  `create table if not exists holdfast_attempt (
    id uuid primary key,
    made_at timestamptz not null default now()
  )`,
]

/** Makes what is missing, in one transaction that no second process is in at the same time. Repeatable. */
export async function makeTables(client: SafeClient): Promise<void> {
  try {
    await client.run('begin')
    await client.run('select pg_advisory_xact_lock($1)', [schemaLockKey])
    for (const statement of statements) await client.run(statement)
    // A rival may have been first: its row is the identity.
    const insert = 'insert into holdfast_identity (id, format) values ($1, $2) on conflict do nothing'
    await client.run(insert, [randomUUID(), ownFormat])
    await client.run('commit')
  } catch (error) {
    if (client.status !== 'I' && client.isReady) await client.run('rollback').catch(() => client.evict())
    throw error
  }
}

/** The format of the tables that are there: a later release may have made them. */
export async function formatOf(client: SafeClient): Promise<number> {
  const { rows } = await client.run('select format from holdfast_identity', [], { phase: 'open' })
  return Number((rows[0] as { readonly format: unknown } | undefined)?.format ?? ownFormat) // A row of ours.
}

/** What an operator is told where a later release has made our tables. */
export function newerProblem(target: PostgresqlTarget, format: number): Problem {
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
  const id = randomUUID()
  await client.run('insert into holdfast_attempt (id) values ($1)', [id])
  await client.run('delete from holdfast_attempt where id = $1', [id])
}

/** What an operator is told where our tables are missing and may not be made. */
export function tablesProblem(target: PostgresqlTarget, schema: string | null, why: string): Problem {
  const user = quoted(target.user ?? 'user')
  const place = quoted(schema ?? 'public')
  const grants = [
    `grant usage on schema ${place} to ${user}`,
    `grant select, insert on ${place}.holdfast_identity to ${user}`,
    `grant select, insert, delete on ${place}.holdfast_attempt to ${user}`,
  ]
  const sql = [...statements.map((text) => text.replace(/\s+/g, ' ')), ...grants].join('; ')
  return {
    code: 'POSTGRESQL_TABLES',
    severity: 'warning',
    setting: target.setting,
    origin: target.origin,
    part: null,
    message: `Holdfast's own tables are not in the database: ${why}. The primary serves; its fallback takes no writes.`,
    suggestion: `As the owner of the database run: ${sql}`,
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
