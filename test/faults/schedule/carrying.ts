import assert from 'node:assert/strict'
import { until } from '../../support/until.ts'
import type { Actor, Written } from '../stage/actor.ts'
import { createServiceDatabase } from '../stage/stage.ts'
import { shortLimits, type World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import { insertElsewhere } from './killed.ts'
import type { Schedule } from './schedule.ts'

/** Three rows of business code in one transaction, the second of which takes a unique key. */
function threeRows(actor: Actor, slug: string | null): Promise<Written> {
  const slugs = [null, slug, null]
  return actor.run((token) => slugs.map((taken) => ({ do: 'create', row: { token, slug: taken } }) as const), {
    rows: 3,
  })
}

async function parkedWhole(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const three = await threeRows(actor, 'taken')
  acknowledged(three, 'fallback')
  for (const id of three.write.ids) acknowledged(await actor.change(id), 'fallback')
  const other = await threeRows(actor, 'free')
  acknowledged(other, 'fallback')
  await world.sql(insertElsewhere(world, 'taken'))
  await world.back(actor)
  await world.applied(other.write)
  // What builds on what is parked is parked, and nothing else.
  await settles(world, 4)
  const reasons = (await world.audit.parked()).filter(({ attempt }) => attempt === three.write.attempt)
  assert.equal(reasons.filter(({ reason }) => reason === 'with_transaction').length, 2)
}

async function parkedBehind(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await Promise.all([1, 2, 3, 4, 5, 6].map((one) => actor.create({ slug: one === 4 ? 'taken' : null })))
  for (const one of created) acknowledged(one, 'fallback')
  const parked = created[3]?.write.ids[0] ?? ''
  acknowledged(await actor.change(parked), 'fallback')
  assert.equal((await actor.remove(created[0]?.write.ids[0] ?? '')).status, 204)
  await world.sql(insertElsewhere(world, 'taken'))
  await world.back(actor)
  await settles(world, 2)
  assert.equal(await tokenOf(world, created[0]?.write.ids[0] ?? ''), null, 'a delete in the same batch is carried')
}

async function oversized(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((one) => actor.create({ note: 'x'.repeat(one === 3 ? 100 : 5) })),
  )
  for (const one of created) acknowledged(one, 'fallback')
  const narrower = world.kind === 'mysql' ? 'modify note varchar(20)' : 'alter column note type varchar(20)'
  await world.sql(`alter table item ${narrower}`)
  await world.back(actor)
  await settles(world, 1)
}

async function deferred(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await Promise.all(
    [1, 2, 3, 4, 5].map((one) => actor.create({ note: one === 2 ? 'forbidden' : 'fine' })),
  )
  for (const one of created) acknowledged(one, 'fallback')
  await world.sql(
    `create function forbid() returns trigger language plpgsql as $$ begin
       if new.note = 'forbidden' then raise exception 'forbidden' using errcode = '23514'; end if; return null;
     end $$;
     create constraint trigger forbid after insert on item deferrable initially deferred for each row execute function forbid()`,
  )
  await world.back(actor)
  await settles(world, 1)
}

async function fullDisk(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create()
  acknowledged(created, 'fallback')
  await world.sql(
    `create function full_disk() returns trigger language plpgsql as $$ begin
       raise exception 'no space' using errcode = '53100';
     end $$;
     create trigger full_disk before insert on item for each row execute function full_disk()`,
  )
  const met = world.proxy.once(new RegExp(created.write.token), 'pass')
  await world.proxy.accept()
  await met
  assert.equal(await actor.state(), 'FALLBACK_CONNECTED', 'a primary that cannot take what is owed does not serve')
  await world.sql('drop trigger full_disk on item')
  await actor.serves('primary')
  await settles(world)
}

async function locked(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  await world.outage(actor)
  const created = [await actor.create(), await actor.create()]
  for (const one of created) acknowledged(one, 'fallback')
  // Longer than a statement may take: the first rounds of replay fail, and nothing is parked for it.
  const locking = world.sql('begin; lock table item in exclusive mode; select pg_sleep(3.5); commit')
  await world.proxy.accept()
  await locking
  await actor.serves('primary')
  await settles(world)
}

async function deadlocked(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = [await actor.create({ slug: 'one' }), await actor.create({ slug: 'two' })]
  for (const one of created) acknowledged(one, 'fallback')
  // Another client takes the keys in the opposite order, and gives them up.
  const elsewhere = (slug: string): string => insertElsewhere(world, slug)
  const holding = world
    .sql(`begin; ${elsewhere('two')}; select pg_sleep(0.6); update item set slug = 'one' where slug = 'two'; rollback`)
    .catch(() => undefined)
  await world.proxy.accept()
  await holding
  await actor.serves('primary')
  await settles(world)
}

async function terminated(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  for (let made = 0; made < 5; made += 1) acknowledged(await actor.create({ token: `kept-${made}` }), 'fallback')
  // The first two tries lose their connection while they write: too few to suspect what they carry.
  const first = world.proxy.once(/kept-0/, 'reset')
  await world.proxy.accept()
  await first
  await world.proxy.once(/kept-0/, 'reset')
  await actor.serves('primary')
  await settles(world)
}

async function otherIdentity(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const created = await first.create()
  acknowledged(created, 'fallback')
  await first.kill()
  await world.proxy.accept()
  const database = await createServiceDatabase(world.stage)
  const elsewhere = await world.start({ dir, database, serves: 'primary' })
  await elsewhere.hasProblem('JOURNAL_ELSEWHERE')
  const [count] = await world.server.query('select count(*) as n from item', database)
  assert.equal(Number(count?.n), 0, 'another primary never gets it')
  await elsewhere.kill()
  const again = await world.start({ dir, serves: 'primary' })
  await world.applied(created.write)
  await again.hasProblem('JOURNAL_ELSEWHERE', false)
  await settles(world)
}

async function wentBack(world: World): Promise<void> {
  const actor = await world.first()
  const { dir } = actor.service
  await world.outage(actor)
  const created = await actor.create()
  const id = acknowledged(created, 'fallback')
  const before = await rowsOf(world)
  await world.back(actor)
  await world.applied(created.write)
  await actor.kill()
  // An older state is restored: neither the row nor its claim is there.
  assert.deepEqual(before, [])
  await world.sql('delete from item')
  await world.sql('delete from holdfast_attempt')
  await restoreAudit(world)
  const again = await world.start({ dir, serves: 'primary' })
  await world.applied(created.write)
  await again.hasProblem('PRIMARY_WENT_BACK')
  assert.notEqual(await tokenOf(world, id), null)
  await settles(world)
}

async function rowsOf(world: World): Promise<readonly unknown[]> {
  return await world.sql('select id from item')
}

/** The audit is a part of the primary's state. */
async function restoreAudit(world: World): Promise<void> {
  await world.sql(world.kind === 'mysql' ? `delete from ${world.database}_audit.line` : 'delete from audit.line')
}

async function readOnly(world: World): Promise<void> {
  const actor = await world.first()
  const { database, server } = world
  const setReadOnly = async (change: string): Promise<void> => {
    await server.query(`alter database ${database} ${change}`)
    await server.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and usename = 'service'`,
    )
  }
  await setReadOnly('set default_transaction_read_only = on')
  await until(async () => (await actor.create()).side === 'fallback', { withinMs: 40_000, what: 'the fallback' })
  acknowledged(await actor.create(), 'fallback')
  await setReadOnly('reset default_transaction_read_only')
  await actor.serves('primary')
  await settles(world)
}

async function rawSql(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create()
  const id = acknowledged(created, 'fallback')
  const columns = '(id, token, "createdAt", "updatedAt", version)'
  const raw = async (sql: string, token: string, row: string): Promise<void> => {
    const run = await actor.run(() => [{ do: 'sql', sql, values: [row, token] }], { ids: [row], token })
    acknowledged(run, 'fallback')
    // No attempt is in such a row.
    run.write.attempt = null
  }
  const now = "strftime('%s', 'now') * 1000"
  await raw(`replace into item ${columns} values (?, ?, ${now}, ${now}, 1)`, 'replaced', id)
  const upsert = `insert into item ${columns} values (?, ?, ${now}, ${now}, 1) on conflict (id) do update set token = excluded.token`
  await raw(upsert, 'upserted', id)
  await raw(upsert, 'inserted', '0190a000-0000-7000-8000-00000000000b')
  const last = await actor.keep()
  await world.back(actor)
  await world.applied(last.write)
  await settles(world)
  assert.equal(await tokenOf(world, id), 'upserted')
}

/** How a journal is carried, and what stays behind. */
export const carrying: readonly Schedule[] = [
  { name: 'transaction of three with one conflict: parked whole, with what builds on it', run: parkedWhole },
  { name: 'one conflict among creates, changes and deletes', run: parkedBehind },
  { name: 'value that the primary does not accept', run: oversized },
  { name: 'constraint that fails at COMMIT', run: deferred, on: ['postgresql'] },
  { name: 'primary full while the journal is carried', run: fullDisk, on: ['postgresql'] },
  { name: 'table locked while the journal is carried', run: locked, on: ['postgresql'] },
  { name: 'keys locked in the opposite order', run: deadlocked, on: ['postgresql'] },
  { name: 'connections reset while the journal is carried', run: terminated },
  { name: 'primary of another identity, and back', run: otherIdentity },
  { name: 'primary set back', run: wentBack },
  { name: 'primary read-only', run: readOnly, on: ['postgresql'] },
  { name: 'REPLACE, upsert and SQL without an attempt', run: rawSql },
]
