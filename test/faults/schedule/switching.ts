import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { makeWorkingDir } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { copyFallback, fallbackFile } from '../stage/fallback-file.ts'
import type { World } from '../stage/world.ts'
import { acknowledged, settles } from './expect.ts'
import type { Schedule } from './schedule.ts'

async function stream(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  acknowledged(await actor.create(), 'fallback')
  const streaming = await actor.service.fetch('/stream/long')
  await world.back(actor)
  acknowledged(await actor.create(), 'primary')
  await actor.release('long')
  assert.equal((await streaming.text()).trim(), 'fallback')
  await settles(world)
}

async function openTransaction(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const running = actor.run((token) => [
    { do: 'create', row: { token } },
    { do: 'flush' },
    { do: 'wait', name: 'inside' },
  ])
  await until(async () => (await actor.status()).database.state === 'FALLBACK_CONNECTED')
  await world.proxy.accept()
  // It has written: the switch waits for it, and lets others in again meanwhile.
  await until(async () => (await actor.status()).database.recovery === 'switching', {
    withinMs: 40_000,
    everyMs: 5,
    what: 'the switch',
  })
  await actor.release('inside')
  acknowledged(await running, 'fallback')
  await actor.serves('primary')
  await settles(world)
}

async function lostInTheHold(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create({ token: 'in-the-hold' })
  acknowledged(created, 'fallback')
  const held = world.proxy.hold(/in-the-hold/)
  await world.proxy.accept()
  await held.met
  const writing = Array.from({ length: 8 }, () => actor.create())
  await world.proxy.refuse()
  world.proxy.dropAll()
  for (const one of await Promise.all(writing)) acknowledged(one, 'fallback')
  await world.back(actor)
  await settles(world)
}

async function load(world: World): Promise<void> {
  const actor = await world.first()
  let isOver = false
  const clients = Array.from({ length: 6 }, async () => {
    while (!isOver) {
      const created = await actor.create()
      assert.equal(created.status, 201, `a create is refused: ${created.code}`)
      const changed = await actor.change(created.write.ids[0] ?? '', { base: created.attempt })
      // Right after the switch its entry may be on its way.
      assert.ok([200, 503].includes(changed.status), `a change is answered ${changed.status} ${changed.code}`)
    }
  })
  const running = Promise.all(clients)
  await world.outage(actor)
  await until(() => world.history.writes.filter(({ side }) => side === 'fallback').length > 100, {
    withinMs: 40_000,
    what: 'a hundred writes on the fallback',
  })
  await world.back(actor)
  isOver = true
  await running
  await settles(world)
}

async function etags(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create()
  const id = acknowledged(created, 'fallback')
  const etag = created.attempt
  const replica = await world.start({ proxy: await world.anotherProxy(), serves: 'primary' })
  await world.back(actor)
  await world.applied(created.write)
  assert.equal((await replica.get(id)).attempt, etag, 'the row has the ETag that was acknowledged')
  acknowledged(await replica.change(id, { base: etag }), 'primary')
  const stale = await actor.change(id, { base: etag })
  assert.equal(stale.status, 412)
  await world.outage(actor)
  const away = await actor.change(id, { base: etag })
  assert.equal(away.code, 'INCOMPLETE', 'nobody here knows whether that is the version')
  await settles(world)
}

/** A handler that flushes twice: its second transaction comes when the first has been carried, by a copy of the file. */
async function twoFlushes(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const [first, second] = ['flushed-first', 'flushed-second']
  const begun = world.history.begin({ client: 'handler', operation: 'transaction', token: first })
  const running = actor.run(
    () => [
      { do: 'create', row: { token: first } },
      { do: 'flush' },
      { do: 'wait', name: 'between' },
      { do: 'create', row: { token: second } },
    ],
    { at: '/handler', token: second },
  )
  const file = fallbackFile(actor.service.dir)
  await until(() => hasToken(file, first), { what: 'the first flush' })
  begun.ending = 'acknowledged'
  begun.side = 'fallback'
  const dir = await makeWorkingDir(world.t)
  await copyFallback(file, dir)
  await world.start({ dir, proxy: await world.anotherProxy(), serves: 'primary' })
  await world.applied({ token: first })
  await actor.release('between')
  const done = await running
  acknowledged(done, 'fallback')
  const last = await actor.keep()
  await world.back(actor)
  await world.applied(last.write)
  await settles(world)
}

async function flushAcrossTheSwitch(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const [first, second] = ['flushed-first', 'flushed-second']
  const begun = world.history.begin({ client: 'handler', operation: 'transaction', token: first })
  const running = actor.run(
    () => [
      { do: 'create', row: { token: first } },
      { do: 'flush' },
      { do: 'wait', name: 'between' },
      { do: 'create', row: { token: second } },
    ],
    { at: '/handler', token: second },
  )
  await until(() => hasToken(fallbackFile(actor.service.dir), first), { what: 'the first flush' })
  begun.ending = 'acknowledged'
  begun.side = 'fallback'
  await world.back(actor)
  await actor.release('between')
  const refused = await running
  // Its session is the fallback's, which accepts no changes any more.
  assert.deepEqual([refused.status, refused.write.ending], [503, 'refused'], `${refused.code}`)
  await settles(world)
  assert.equal((await world.audit.lines()).filter(({ newToken }) => newToken === second).length, 0)
}

function hasToken(file: string, token: string): boolean {
  const database = new Database(file, { readonly: true })
  try {
    return database.prepare('select 1 from item where token = ?').get(token) !== undefined
  } finally {
    database.close()
  }
}

async function honest(world: World): Promise<void> {
  const actor = await world.first()
  const created = await actor.create()
  const id = acknowledged(created, 'primary')
  await world.outage(actor)
  assert.equal((await actor.get(id)).code, 'INCOMPLETE', 'the primary has it')
  assert.equal((await actor.change(id)).code, 'INCOMPLETE')
  assert.equal((await actor.change(id, { base: created.attempt })).code, 'INCOMPLETE')
  assert.equal((await actor.remove(id)).code, 'INCOMPLETE')
  assert.equal((await actor.list()).partial, true)
  assert.equal((await actor.create({}, 'durability=primary')).code, 'DURABILITY_UNMET')
  const here = await actor.create()
  acknowledged(here, 'fallback')
  assert.equal(here.durability, 'journal')
  assert.equal((await actor.remove(here.write.ids[0] ?? '')).status, 204)
  assert.equal((await actor.get(here.write.ids[0] ?? '')).status, 404, 'its own journal deleted it')
  await world.back(actor)
  assert.equal((await actor.get(id)).status, 200)
  assert.equal((await actor.list()).partial, false)
  await settles(world)
}

async function foreign(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const id = acknowledged(await actor.create(), 'fallback')
  const database = new Database(fallbackFile(actor.service.dir))
  try {
    for (const sql of [`update item set token = 'foreign' where id = '${id}'`, 'delete from item']) {
      assert.throws(() => database.exec(sql), /no such function/, 'what is not journaled is refused')
    }
  } finally {
    database.close()
  }
  await world.back(actor)
  await settles(world)
}

/** What clients and readers meet in an outage and on the way back. */
export const switching: readonly Schedule[] = [
  { name: 'honest while incomplete', run: honest, on: ['postgresql'] },
  { name: 'stream open across the switch', run: stream, on: ['postgresql'] },
  { name: 'transaction open across the switch', run: openTransaction, on: ['postgresql'] },
  { name: 'primary lost in the hold', run: lostInTheHold, on: ['postgresql'] },
  { name: 'load during the return', run: load },
  { name: 'ETag across replicas and the switch', run: etags, on: ['postgresql'] },
  { name: 'handler that flushes twice, the first carried before the second', run: twoFlushes, on: ['postgresql'] },
  { name: 'handler that flushes twice across the switch', run: flushAcrossTheSwitch, on: ['postgresql'] },
  { name: 'foreign connection to the fallback', run: foreign, on: ['postgresql'] },
]
