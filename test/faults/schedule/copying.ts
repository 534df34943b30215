import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { until } from '../../support/until.ts'
import type { Actor, Answer } from '../stage/actor.ts'
import { fallbackFile, readCopy, readJournal } from '../stage/fallback-file.ts'
import { createServiceDatabase } from '../stage/stage.ts'
import { copying, type World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import type { Schedule } from './schedule.ts'

/** Older than the overlap of each poll, so that a whole copy knows of it. */
const oldId = '01890000-0000-7000-8000-000000000000'

/** Waits until the copy has each row that is in the primary now. */
async function copied(world: World, { service }: Actor): Promise<void> {
  const nowMs = Date.now()
  const isWhole = (): boolean => {
    const copy = readCopy(fallbackFile(service.dir))
    return copy?.isWhole === true && copy.asOfMs > nowMs
  }
  await until(isWhole, { withinMs: 40_000, what: 'the copy' })
  world.watch()
}

function insertText(world: World, id: string, token: string, slug: string | null = null): string {
  const quote = world.kind === 'mysql' ? '`' : '"'
  const columns = ['createdAt', 'updatedAt'].map((name) => `${quote}${name}${quote}`).join(', ')
  const value = slug === null ? 'null' : `'${slug}'`
  return `insert into item (id, token, slug, ${columns}, version) values ('${id}', '${token}', ${value}, now(), now(), 1)`
}

function idsOf({ body }: Answer): readonly unknown[] {
  const rows = body?.items as readonly { readonly id: unknown }[] | undefined // Of a list.
  return rows?.map(({ id }) => id) ?? []
}

async function whole(world: World): Promise<void> {
  const actor = await world.first({ env: copying })
  const ids: string[] = []
  for (let at = 0; at < 3; at += 1) ids.push(acknowledged(await actor.create(), 'primary'))
  const [first = '', second = ''] = ids
  const theirs = randomUUID()
  await world.sql(insertText(world, theirs, 'theirs'))
  await copied(world, actor)
  const last = acknowledged(await actor.create(), 'primary')
  await world.outage(actor)
  const list = await actor.list()
  assert.deepEqual([list.partial, new Set(idsOf(list))], [false, new Set([...ids, theirs, last])])
  assert.ok(list.asOfMs !== null && list.asOfMs <= Date.now())
  assert.equal((await actor.get(theirs)).body?.token, 'theirs')
  assert.equal((await actor.get(oldId)).status, 404)
  assert.equal((await actor.get(randomUUID())).code, 'INCOMPLETE', 'an id that says nothing of its time')
  acknowledged(await actor.change(theirs), 'fallback')
  assert.equal((await actor.remove(first)).status, 204)
  assert.equal((await actor.get(first)).status, 404)
  acknowledged(await actor.change(second, { base: (await actor.get(second)).attempt }), 'fallback')
  const made = await actor.keep()
  await world.back(actor)
  await world.applied(made.write)
  await settles(world)
  assert.equal(await tokenOf(world, first), null)
  assert.notEqual(await tokenOf(world, theirs), 'theirs')
}

async function changedThere(world: World): Promise<void> {
  const actor = await world.first({ env: copying })
  const [one, two, three] = [await actor.create(), await actor.create(), await actor.create()]
  const ids = [one, two, three].map((written) => acknowledged(written, 'primary')) as [string, string, string] // Of three.
  await copied(world, actor)
  await world.outage(actor)
  await world.changeElsewhere(ids[0])
  await world.removeElsewhere(ids[1])
  await world.sql(`update item set token = 'raw' where id = '${ids[2]}'`)
  for (const id of ids) acknowledged(await actor.change(id), 'fallback')
  const last = await actor.keep()
  await world.back(actor)
  await world.applied(last.write)
  await settles(world, 3)
  assert.equal(await tokenOf(world, ids[0]), 'other')
  assert.equal(await tokenOf(world, ids[1]), null, 'it does not come back')
  assert.equal(await tokenOf(world, ids[2]), 'raw')
}

async function notJournaled(world: World): Promise<void> {
  const actor = await world.first({ env: copying })
  acknowledged(await actor.create(), 'primary')
  await world.sql(insertText(world, randomUUID(), 'theirs'))
  await copied(world, actor)
  await world.outage(actor)
  const created = await actor.create()
  acknowledged(created, 'fallback')
  assert.deepEqual(
    readJournal(fallbackFile(actor.service.dir)).map(({ token }) => token),
    [created.write.token],
  )
  await world.back(actor)
  await settles(world)
}

/** Keys that a hold finds in the statements of the copy. */
const manyIds = (at: number): string => `0190a1b2-0000-7000-8000-${at.toString(16).padStart(12, '0')}`
const many = 4_000

async function halfCopied(world: World): Promise<void> {
  const before = await world.first()
  const { dir } = before.service
  const values = Array.from({ length: many }, (_, at) => `('${manyIds(at)}', 'many-${at}', now(), now(), 1)`)
  await world.sql(`insert into item (id, token, "createdAt", "updatedAt", version) values ${values.join(', ')}`)
  await before.kill()
  // The second page names the last key of the first.
  const held = world.proxy.hold(/0190a1b2-0000-7000-8000-/)
  const actor = await world.start({ dir, env: copying, serves: 'primary' })
  await held.met
  const file = fallbackFile(dir)
  await until(() => (readCopy(file)?.rows ?? 0) > 0, { withinMs: 20_000, what: 'a part of the copy' })
  assert.ok((readCopy(file)?.rows ?? many) < many, 'it is a part')
  world.watch()
  await world.outage(actor)
  held.release()
  assert.equal((await actor.list()).partial, true)
  assert.equal((await actor.get(manyIds(0))).code, 'INCOMPLETE')
  assert.equal((await actor.get(manyIds(many - 1))).code, 'INCOMPLETE')
  assert.equal((await actor.get(oldId)).code, 'INCOMPLETE')
  await world.back(actor)
  await copied(world, actor)
  await world.outage(actor)
  assert.equal((await actor.get(manyIds(many - 1))).status, 200)
  await world.back(actor)
  await settles(world)
}

async function deletedThere(world: World): Promise<void> {
  const actor = await world.first({ env: copying })
  const [gone, kept] = [await actor.create(), await actor.create()].map((one) => acknowledged(one, 'primary')) as [
    string,
    string,
  ] // Of two.
  await copied(world, actor)
  await world.removeElsewhere(gone)
  await copied(world, actor)
  await world.outage(actor)
  assert.deepEqual(idsOf(await actor.list()), [kept])
  assert.notEqual((await actor.get(gone)).status, 200)
  await world.back(actor)
  await settles(world)
}

/** What waits for one primary is left alone by the copy of another. */
async function twoPrimaries(world: World): Promise<void> {
  const first = await world.first({ env: copying })
  const { dir } = first.service
  const id = acknowledged(await first.create(), 'primary')
  await copied(world, first)
  await world.outage(first)
  const changed = await first.change(id)
  acknowledged(changed, 'fallback')
  const created = await first.create()
  const made = acknowledged(created, 'fallback')
  await first.kill()
  await world.proxy.accept()
  const database = await createServiceDatabase(world.stage)
  const elsewhere = await world.start({ dir, database, env: copying, serves: 'primary' })
  await until(() => world.server.query(insertText(world, id, 'elsewhere'), database).catch(() => null), {
    what: 'the table',
  })
  const nowMs = Date.now()
  await until(() => (readCopy(fallbackFile(dir))?.asOfMs ?? 0) > nowMs, { withinMs: 20_000, what: 'its copy' })
  await elsewhere.kill()
  await world.proxy.refuse()
  const again = await world.start({ dir, env: copying, serves: 'fallback' })
  assert.equal((await again.get(id)).body?.token, changed.write.token)
  assert.equal((await again.get(made)).body?.token, created.write.token)
  await world.back(again)
  await world.applied(created.write)
  await settles(world)
}

async function refusedThere(world: World): Promise<void> {
  const actor = await world.first({ env: copying })
  acknowledged(await actor.create({ slug: 'taken' }), 'primary')
  await copied(world, actor)
  // Nothing corrects the copy any more.
  const held = world.proxy.hold(/holdfast source/)
  await held.met
  const refused = await actor.create({ slug: 'taken' })
  assert.equal(refused.status, 409)
  await world.outage(actor)
  held.release()
  const list = await actor.list()
  assert.equal(list.partial, false)
  assert.equal(idsOf(list).length, 1, 'what was refused is nowhere')
  await world.back(actor)
  await settles(world)
}

async function otherSource(world: World): Promise<void> {
  const first = await world.first({ env: copying })
  const { dir } = first.service
  const id = acknowledged(await first.create(), 'primary')
  await copied(world, first)
  await first.kill()
  await world.proxy.refuse()
  const database = await createServiceDatabase(world.stage)
  const elsewhere = await world.start({ dir, database, env: copying, serves: 'fallback' })
  const list = await elsewhere.list()
  assert.deepEqual([list.partial, list.asOfMs, idsOf(list)], [true, null, []])
  assert.equal((await elsewhere.get(id)).code, 'INCOMPLETE')
  await elsewhere.kill()
  const again = await world.start({ dir, env: copying, serves: 'fallback' })
  assert.equal((await again.get(id)).status, 200, 'it is still the copy of the first')
  await world.back(again)
  await settles(world)
}

/** What a fallback with a copy of the primary shows and accepts in an outage. */
export const copies: readonly Schedule[] = [
  { name: 'outage with a whole copy: lists, 404, changes', run: whole },
  { name: 'copied rows changed there and here: parked', run: changedThere },
  { name: 'rows that are copied are not journaled', run: notJournaled, on: ['postgresql'] },
  { name: 'outage in the middle of the first copy', run: halfCopied, on: ['postgresql'] },
  { name: 'row deleted by another client before an outage', run: deletedThere },
  { name: 'copy of another primary over rows that wait', run: twoPrimaries, on: ['postgresql'], isLong: true },
  { name: 'create that the primary refused, then an outage', run: refusedThere, on: ['postgresql'] },
  { name: 'file with the copy of another primary', run: otherSource, on: ['postgresql'], isLong: true },
]
