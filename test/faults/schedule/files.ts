import assert from 'node:assert/strict'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import type { LogLine } from '../../support/log.ts'
import { makeWorkingDir } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import type { Actor } from '../stage/actor.ts'
import { copyFallback, fallbackFile } from '../stage/fallback-file.ts'
import { itemCollection, type World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import type { Schedule } from './schedule.ts'

/** A service with a copy of the other one's file, and its own way to the server. */
async function replicaOf(world: World, actor: Actor): Promise<Actor> {
  const dir = await makeWorkingDir(world.t)
  await copyFallback(fallbackFile(actor.service.dir), dir)
  return await world.start({ dir, proxy: await world.anotherProxy(), serves: 'primary' })
}

async function copied(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const [first, second] = [await actor.create(), await actor.create()]
  const [one, two] = [first, second].map((written) => acknowledged(written, 'fallback')) as [string, string] // Of two.
  const replica = await replicaOf(world, actor)
  await world.applied(second.write)
  acknowledged(await replica.change(two, { base: second.attempt }), 'primary')
  await world.removeElsewhere(one)
  const last = await actor.keep()
  await world.back(actor)
  await world.applied(last.write)
  await settles(world)
  assert.equal(await tokenOf(world, one), null, 'it does not come back')
}

async function forked(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create()
  const id = acknowledged(created, 'fallback')
  const dir = await makeWorkingDir(world.t)
  await copyFallback(fallbackFile(actor.service.dir), dir)
  const fork = await world.start({ dir, serves: 'fallback' })
  // Both change the same row, and each creates one of its own with the same sequence.
  for (const one of [actor, fork]) {
    acknowledged(await one.create(), 'fallback')
    acknowledged(await one.change(id, { seen: created.attempt }), 'fallback')
  }
  const lasts = [await actor.keep(), await fork.keep()]
  await world.proxy.accept()
  for (const one of [actor, fork]) await one.serves('primary')
  for (const { write } of lasts) await world.applied(write)
  // One change was first; the other parks.
  await settles(world, 1)
}

async function setBack(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const kept = await first.create()
  const id = acknowledged(kept, 'fallback')
  const saved = await makeWorkingDir(world.t)
  await copyFallback(fallbackFile(dir), saved)
  const carried = await first.create()
  await world.back(first)
  await world.applied(carried.write)
  await world.removeElsewhere(id)
  await first.kill()
  await restore(saved, dir)
  await world.proxy.refuse()
  // Its next entry has the sequence that `carried` had.
  const second = await world.start({ dir, serves: 'fallback' })
  const next = await second.create()
  acknowledged(next, 'fallback')
  await world.back(second)
  await world.applied(next.write)
  await settles(world)
  assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

/** Puts a saved file where the service has its own, which has ended. */
async function restore(saved: string, dir: string): Promise<void> {
  await rm(join(dir, 'data'), { recursive: true })
  await mkdir(join(dir, 'data'))
  await copyFile(fallbackFile(saved), fallbackFile(dir))
}

async function shared(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  const others = [await world.start({ dir, serves: 'primary' }), await world.start({ dir, serves: 'primary' })]
  for (const other of others) await other.hasProblem('FILE_SHARED')
  await world.outage(first)
  acknowledged(await first.create(), 'fallback')
  for (const other of others) {
    const refused = await other.create()
    assert.equal(refused.status, 503, 'it has no fallback')
    assert.equal(refused.write.ending, 'refused')
  }
  await world.back(first)
  for (const other of others) await other.serves('primary')
  await first.kill()
  // One of them has the file now.
  const isFree = (): boolean => others.some(({ service }) => hasOpenedFallback(service.log()))
  await until(isFree, { withinMs: 40_000, everyMs: 100, what: 'another process to own the file' })
  await settles(world)
}

function hasOpenedFallback(log: readonly LogLine[]): boolean {
  return log.some(({ event, role }) => event === 'store.opened' && role === 'fallback')
}

async function opensLate(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const created = await first.create()
  const id = acknowledged(created, 'fallback')
  await first.kill()
  const owner = new Database(`${fallbackFile(dir)}.owner`)
  owner.exec('begin exclusive')
  await world.proxy.accept()
  const second = await world.start({ dir, serves: 'primary' })
  await second.hasProblem('FILE_SHARED')
  assert.equal(await tokenOf(world, id), null)
  owner.close()
  const loading = keepCreating(second)
  await world.applied(created.write, 45_000)
  for (const one of await loading.end()) acknowledged(one, 'primary')
  const left = second.service
    .log()
    .filter(({ event, from }) => event === 'connection.changed' && from === 'PRIMARY_CONNECTED')
  assert.deepEqual(left, [], 'a healthy primary is never left')
  await settles(world)
}

/** Creates one row after another. */
function keepCreating(actor: Actor): { end(): Promise<readonly Awaited<ReturnType<Actor['create']>>[]> } {
  let isOver = false
  const running = (async () => {
    const written = []
    while (!isOver) written.push(await actor.create())
    return written
  })()
  return {
    end: () => {
      isOver = true
      return running
    },
  }
}

async function addresses(world: World): Promise<void> {
  const good = await world.first()
  const { dir } = good.service
  acknowledged(await good.create(), 'primary')
  await world.outage(good)
  acknowledged(await good.create(), 'fallback')
  await good.kill()
  const unset = await world.start({ dir, proxy: null })
  const local = acknowledged(await unset.create(), 'local')
  await unset.kill()
  const mistyped = await world.start({ dir, env: { DATABASE_URL: 'postgress//nowhere' } })
  acknowledged(await mistyped.create(), 'fallback')
  assert.equal((await mistyped.get(local)).code, 'INCOMPLETE', 'a row of the local store is not a row of the fallback')
  await mistyped.kill()
  await world.proxy.accept()
  const again = await world.start({ dir, serves: 'primary' })
  const last = await again.keep()
  await world.applied(last.write)
  await settles(world)
  assert.equal(await tokenOf(world, local), null, 'rows of a local store are not carried by themselves')
  await again.kill()
  const unsetAgain = await world.start({ dir, proxy: null })
  assert.equal((await unsetAgain.get(local)).status, 200, 'the local store has its rows')
}

async function growsUp(world: World): Promise<void> {
  const before = await world.start({ proxy: null })
  const { dir } = before.service
  const local = acknowledged(await before.create(), 'local')
  await before.kill()
  const declared = await world.first({ dir })
  await declared.hasProblem('ROWS_LOCAL')
  await world.outage(declared)
  assert.equal((await declared.get(local)).code, 'INCOMPLETE')
  acknowledged(await declared.create(), 'fallback')
  await declared.kill()
  const unset = await world.start({ dir, proxy: null })
  assert.equal((await unset.get(local)).status, 200)
  acknowledged(await unset.create(), 'local')
  await unset.kill()
  await world.proxy.accept()
  const again = await world.start({ dir, serves: 'primary' })
  await again.hasProblem('ROWS_LOCAL')
  await settles(world)
  assert.equal(await tokenOf(world, local), null, 'rows of a local store are not carried by themselves')
}

async function unwritable(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const created = await first.create()
  const id = acknowledged(created, 'fallback')
  await first.kill()
  const data = join(dir, 'data')
  await rename(data, `${data}-away`)
  await writeFile(data, 'no folder can be made here')
  await world.proxy.accept()
  const second = await world.start({ dir, serves: 'primary' })
  acknowledged(await second.create(), 'primary')
  assert.equal(await tokenOf(world, id), null)
  await second.kill()
  await rm(data)
  await rename(`${data}-away`, data)
  await world.start({ dir, serves: 'primary' })
  await world.applied(created.write)
  await settles(world)
}

async function fallbackOff(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const created = await first.create()
  acknowledged(created, 'fallback')
  await first.kill()
  await world.proxy.accept()
  const off = await world.start({ dir, env: { ENABLE_FALLBACK: 'false' }, serves: 'primary' })
  acknowledged(await off.create(), 'primary')
  await off.kill()
  await world.start({ dir, serves: 'primary' })
  await world.applied(created.write)
  await settles(world)
}

async function journalFull(world: World): Promise<void> {
  const actor = await world.first({ env: { JOURNAL_MAX_BYTES: '1048576' } })
  await world.outage(actor)
  const isFull = async (): Promise<boolean> =>
    (await actor.create({ note: 'x'.repeat(19_000) })).code === 'JOURNAL_FULL'
  await until(isFull, { withinMs: 40_000, everyMs: 1, what: 'the journal to be full' })
  await world.proxy.accept()
  await actor.serves('primary')
  const last = await actor.keep()
  acknowledged(last, 'primary')
  const { acknowledged: taken } = await settles(world)
  assert.ok(taken > 2, 'what was taken before is carried')
}

async function damaged(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const lost = await first.create()
  acknowledged(lost, 'fallback')
  await first.kill()
  const file = fallbackFile(dir)
  const kept = join(dirname(file), 'kept')
  await mkdir(kept)
  for (const end of ['', '-wal', '-shm'])
    await rename(`${file}${end}`, join(kept, `production.db${end}`)).catch(() => undefined)
  await writeFile(file, 'garbage '.repeat(4_000))
  await world.proxy.accept()
  const second = await world.start({ dir, serves: 'primary' })
  await second.hasProblem('SQLITE_SET_ASIDE')
  acknowledged(await second.create(), 'primary')
  await second.kill()
  // An operator puts back what was saved: nothing of it was given up.
  for (const end of ['', '-wal', '-shm', '.owner']) await rm(`${file}${end}`, { force: true })
  await restore(await withFile(world, kept), dir)
  await world.start({ dir, serves: 'primary' })
  await world.applied(lost.write)
  await settles(world)
}

/** A folder as a working directory whose fallback is the file that was kept. */
async function withFile(world: World, kept: string): Promise<string> {
  const dir = await makeWorkingDir(world.t)
  await copyFallback(join(kept, 'production.db'), dir)
  return dir
}

async function fieldAdded(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  acknowledged(await first.create(), 'fallback')
  await first.kill()
  const files = { 'config/collections/item.json': itemCollection({ mood: { type: 'string', maxLength: 20 } }) }
  const second = await world.start({ dir, files, serves: 'fallback' })
  const created = await second.send('POST', '/api/item', { token: 'with-mood', mood: 'glad' })
  assert.equal(created.status, 201)
  await world.back(second)
  await world.applied({ token: 'with-mood' })
  const [row] = await world.sql("select mood from item where token = 'with-mood'")
  assert.equal(row?.mood, 'glad', 'a field that was added in the outage is carried')
  await settles(world)
}

async function columnMissing(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  await first.kill()
  const files = { 'config/collections/item.json': itemCollection({ mood: { type: 'string', maxLength: 20 } }) }
  const env = { SCHEMA_APPLY: 'none' }
  const second = await world.start({ dir, files, env, serves: 'fallback' })
  const created = await second.create()
  acknowledged(created, 'fallback')
  await world.back(second)
  await settles(world, 1)
  const [conflict] = await world.audit.parked()
  assert.equal(conflict?.reason, 'target_column_missing')
}

/** What happens to the fallback's file. */
export const files: readonly Schedule[] = [
  { name: 'file copied, both replicas carry it', run: copied },
  { name: 'file forked, both written on', run: forked },
  { name: 'file set back and written on', run: setBack },
  { name: 'three replicas on one directory', run: shared, on: ['postgresql'], isLong: true },
  { name: 'fallback opens late and owes', run: opensLate, on: ['postgresql'] },
  { name: 'address good, unset, mistyped, good', run: addresses, on: ['postgresql'] },
  { name: 'address set for the first time, unset, set', run: growsUp, on: ['postgresql'], isLong: true },
  { name: 'directory unwritable for a start', run: unwritable, on: ['postgresql'], isLong: true },
  { name: 'file damaged, then put back', run: damaged, on: ['postgresql'] },
  { name: 'fallback off with a journal that owes', run: fallbackOff, on: ['postgresql'] },
  { name: 'journal full', run: journalFull, on: ['postgresql'] },
  { name: 'field added in an outage', run: fieldAdded },
  { name: 'column missing in the primary', run: columnMissing },
]
