import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeWorkingDir } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import type { Actor, Answer } from '../stage/actor.ts'
import { copyFallback, fallbackFile } from '../stage/fallback-file.ts'
import type { World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import { insertElsewhere } from './killed.ts'
import type { Schedule } from './schedule.ts'

/** A conflict that is open in the primary: three rows, one of which took a key, and a change of its first row. */
interface Open {
  readonly actor: Actor
  readonly ids: readonly string[]
  /** The attempts of the two parked transactions, in order. */
  readonly attempts: readonly [string, string]
}

async function openConflict(world: World): Promise<Open> {
  const actor = await world.first()
  await world.outage(actor)
  const three = await actor.run(
    (token) => [null, 'taken', null].map((slug) => ({ do: 'create', row: { token, slug } }) as const),
    { rows: 3 },
  )
  acknowledged(three, 'fallback')
  const [id = ''] = three.write.ids
  const changed = await actor.change(id)
  acknowledged(changed, 'fallback')
  await world.sql(insertElsewhere(world, 'taken'))
  await world.back(actor)
  await until(async () => (await world.audit.parked()).length === 4, { withinMs: 40_000, what: 'four parked entries' })
  return { actor, ids: three.write.ids, attempts: [three.write.attempt ?? '', changed.write.attempt ?? ''] }
}

function settle(actor: Actor, attempt: string, how: string): Promise<Answer> {
  return actor.send('POST', `/admin/conflicts/${attempt}/${how}`)
}

async function twice(world: World): Promise<void> {
  const { actor, ids, attempts } = await openConflict(world)
  const [first, second] = attempts
  assert.equal((await settle(actor, second, 'take/theirs')).status, 409, 'an older conflict on its row comes first')
  assert.equal((await settle(actor, first, 'retry')).status, 409, 'the key is still taken')
  await world.sql("update item set slug = null, token = 'freed' where slug = 'taken'")
  assert.equal((await settle(actor, first, 'retry')).body?.is, 'settled')
  assert.equal((await settle(actor, first, 'retry')).body?.is, 'settled-before')
  assert.equal((await settle(actor, second, 'retry')).body?.is, 'settled')
  assert.equal((await settle(actor, second, 'take/ours')).body?.is, 'settled-before')
  await settles(world, 2)
  const versions = (await world.audit.lines()).filter(({ id }) => id === ids[0])
  assert.deepEqual(
    versions.map(({ newAttempt }) => newAttempt),
    attempts,
    'each version came once, in order',
  )
}

async function moved(world: World): Promise<void> {
  const { actor, ids, attempts } = await openConflict(world)
  const [first] = attempts
  const [id = ''] = ids
  assert.equal((await actor.send('GET', `/admin/conflicts/${first}`)).status, 200)
  // Another client makes a row of this id since it was shown.
  await world.sql(insertElsewhere(world, 'free').replace(/values \('[^']+'/, `values ('${id}'`))
  assert.equal((await settle(actor, first, 'take/ours')).status, 409, 'what was shown is not what is there')
  assert.equal(await tokenOf(world, id), 'other', "the other client's row stays")
  assert.equal((await actor.send('GET', `/admin/conflicts/${first}`)).status, 200)
  assert.equal((await settle(actor, first, 'take/theirs')).body?.is, 'settled')
  assert.equal(await tokenOf(world, id), 'other')
  await settles(world, 2)
}

async function byCommand(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await actor.create()
  const id = acknowledged(created, 'fallback')
  acknowledged(await actor.create(), 'fallback')
  const saved = await makeWorkingDir(world.t)
  await copyFallback(fallbackFile(actor.service.dir), saved)
  await world.proxy.accept()
  await actor.serves('primary')
  await world.applied(created.write)
  await world.removeElsewhere(id)
  await world.command('replay', fallbackFile(saved))
  await world.command('replay', fallbackFile(saved))
  await settles(world)
  assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

async function lostWithTheMachine(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  const created = await Promise.all([1, 2, 3].map(() => actor.create()))
  for (const one of created) acknowledged(one, 'fallback')
  await actor.kill()
  const file = fallbackFile(actor.service.dir)
  const saved = join(dirname(file), 'saved.db')
  for (const end of ['', '-wal']) await rename(`${file}${end}`, `${saved}${end}`).catch(() => undefined)
  await world.proxy.accept()
  await world.command('replay', saved)
  await settles(world)
}

async function localRows(world: World): Promise<void> {
  const before = await world.start({ proxy: null })
  const { dir } = before.service
  const created = [await before.create(), await before.create()]
  for (const one of created) acknowledged(one, 'local')
  await before.kill()
  const declared = await world.first({ dir })
  await declared.kill()
  const copy = await makeWorkingDir(world.t)
  await copyFallback(fallbackFile(dir), copy)
  await world.command('replay', fallbackFile(dir), '--all-rows')
  const [first] = created.map(({ write }) => write.ids[0] ?? '')
  await world.removeElsewhere(first ?? '')
  await world.command('replay', fallbackFile(dir), '--all-rows')
  await world.command('replay', fallbackFile(copy), '--all-rows')
  const verdict = await settles(world)
  assert.equal(verdict.applied, 2, 'each row was carried once')
  assert.equal(await tokenOf(world, first ?? ''), null, 'it does not come back')
}

/** What people do about conflicts and files. */
export const settling: readonly Schedule[] = [
  { name: 'conflicts settled in order, and twice', run: twice },
  { name: 'conflict settled after the row moved', run: moved },
  { name: 'file carried by the command, after the service carried it', run: byCommand, on: ['postgresql'] },
  { name: 'file of a machine that is gone, carried by the command', run: lostWithTheMachine, on: ['postgresql'] },
  { name: 'rows of a local store, carried by the command, twice and from a copy', run: localRows },
]
