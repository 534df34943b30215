import { OwnTables, type OwnTablesDialect, ownFormat, type Upgrade } from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { faults } from './faults.ts'

/** The key of Holdfast's advisory lock: a random 64-bit number. */
export const schemaLockKey = '5214763398472157001'

const statements: readonly string[] = [
  `create table if not exists holdfast_identity (
    singleton boolean primary key default true check (singleton),
    id uuid not null,
    format integer not null,
    made_at timestamptz not null default now(),
    watermark uuid
  )`,
  `create table if not exists holdfast_attempt (
    id uuid primary key,
    made_at timestamptz not null default now()
  )`,
  `create table if not exists holdfast_conflict (
    attempt uuid not null,
    entry integer not null,
    transaction uuid not null,
    source text not null,
    collection text not null,
    row_id text not null,
    operation text not null,
    reason text not null,
    base uuid,
    old_image text,
    ours text,
    theirs text,
    parked_at timestamptz not null default now(),
    settled_at timestamptz,
    settled_as text,
    primary key (attempt, entry)
  )`,
  `create table if not exists holdfast_request (
    id uuid primary key,
    holdfast_attempt uuid,
    fingerprint text,
    status integer,
    headers text,
    body text,
    made_at timestamptz not null default now()
  )`,
  'create index if not exists holdfast_request_made_at on holdfast_request (made_at)',
]

const upgrades: readonly string[] = ['alter table holdfast_identity add column if not exists watermark uuid']

const requestUpgrades: readonly string[] = [
  `alter table holdfast_request add column if not exists holdfast_attempt uuid,
    add column if not exists fingerprint text, add column if not exists status integer,
    add column if not exists headers text, add column if not exists body text`,
  'create index if not exists holdfast_request_made_at on holdfast_request (made_at)',
]

/** The rights to each of the own tables. */
export const ownRights: Readonly<Record<string, readonly string[]>> = {
  holdfast_identity: ['select', 'insert', 'update'],
  holdfast_attempt: ['select', 'insert', 'delete'],
  holdfast_conflict: ['select', 'insert', 'update'],
  holdfast_request: ['select', 'insert', 'update', 'delete'],
}

/** The key of `alone` is not asked for where locks exclude nobody or fail. */
const dialectOf = (hasLocks: boolean): OwnTablesDialect<SafeClient> => ({
  statements,
  upgrades,
  requestUpgrades,
  insertIdentity: 'insert into holdfast_identity (id, format) values ($1, $2) on conflict do nothing',
  async alone(client, create) {
    try {
      await client.run('begin')
      if (hasLocks) await client.run('select pg_advisory_xact_lock($1)', [schemaLockKey])
      await create()
      await client.run('commit')
    } catch (error) {
      if (client.status !== 'I' && client.isReady) await client.run('rollback').catch(() => client.evict())
      throw error
    }
  },
  isDenied: (error) => faults.classify(error, 'commit').code === '42501',
})

/** The own tables of this address; `schema` is where they would be created; `hasLocks`: advisory locks exclude each other. */
export function ownTablesOf(
  client: SafeClient,
  target: PostgresqlTarget,
  { schema, hasLocks }: { readonly schema: string | null; readonly hasLocks: boolean },
): OwnTables<SafeClient> {
  const [user, folder] = [quoted(target.user ?? 'user'), quoted(schema ?? 'public')]
  // Servers before 13 have no gen_random_uuid() of their own.
  const id = 'md5(random()::text || clock_timestamp()::text)::uuid'
  const remedy = ({ isOlder, requests }: Upgrade): string =>
    [
      ...statements.map(oneLine),
      ...(requests === 'older' ? requestUpgrades : []).map(oneLine),
      ...(isOlder ? [...upgrades, `update holdfast_identity set format = ${ownFormat}`] : []).map(oneLine),
      `insert into holdfast_identity (id, format) values (${id}, ${ownFormat}) on conflict do nothing`,
      `grant usage on schema ${folder} to ${user}`,
      ...Object.entries(ownRights).map(
        ([table, rights]) => `grant ${rights.join(', ')} on ${folder}.${table} to ${user}`,
      ),
    ].join('; ')
  return new OwnTables(client, dialectOf(hasLocks), target, remedy)
}

/** A name as it stands in a statement. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
