import assert from 'node:assert/strict'
import type { Actor } from '../stage/actor.ts'
import { shortLimits, type World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import type { Schedule } from './schedule.ts'

/** The primary has the row, the service never heard of it and took it on the fallback: both have the same attempt. */
interface Lost {
  readonly actor: Actor
  readonly id: string
  readonly attempt: string
}

/** A create whose COMMIT is answered, and the answer lost, together with the way to the server. */
async function loseReply(world: World): Promise<Lost> {
  const actor = await world.first({ env: shortLimits })
  const met = world.proxy.once(/answer-lost/, 'mute')
  const creating = actor.create({ token: 'answer-lost', note: 'as it was' })
  await met
  await world.proxy.refuse()
  const created = await creating
  const id = acknowledged(created, 'fallback')
  await world.applied(created.write)
  return { actor, id, attempt: created.write.attempt ?? '' }
}

/** Back to the primary; everything of the outage has been carried. */
async function carryAll(world: World, actor: Actor): Promise<void> {
  const last = await actor.keep()
  await world.back(actor)
  await world.applied(last.write)
}

async function changedElsewhere(world: World): Promise<void> {
  const { actor, id } = await loseReply(world)
  await world.changeElsewhere(id)
  await carryAll(world, actor)
  await settles(world)
  assert.equal(await tokenOf(world, id), 'other')
}

async function deletedElsewhere(world: World): Promise<void> {
  const { actor, id } = await loseReply(world)
  await world.removeElsewhere(id)
  await carryAll(world, actor)
  await settles(world)
  assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

async function setBackElsewhere(world: World): Promise<void> {
  const { actor, id } = await loseReply(world)
  await world.changeElsewhere(id)
  const attempt = await world.changeElsewhere(id)
  await world.sql(`update item set token = 'answer-lost', note = 'as it was' where id = '${id}'`)
  await carryAll(world, actor)
  const [row] = await world.sql(`select holdfast_attempt as attempt from item where id = '${id}'`)
  assert.equal(String(row?.attempt), attempt)
}

async function followed(world: World): Promise<void> {
  const { actor, id, attempt } = await loseReply(world)
  const first = await actor.change(id, { seen: attempt })
  acknowledged(first, 'fallback')
  const second = await actor.change(id, { base: first.attempt })
  acknowledged(second, 'fallback')
  const stale = await actor.change(id, { base: attempt })
  assert.equal(stale.status, 412, 'this fallback replaced that version')
  const removed = await actor.remove(id, second.attempt)
  assert.equal(removed.status, 204)
  assert.equal((await actor.get(id)).status, 404, 'the journal deleted it')
  await carryAll(world, actor)
  await settles(world)
  assert.equal(await tokenOf(world, id), null)
}

async function changedOnBothSides(world: World): Promise<void> {
  const { actor, id, attempt } = await loseReply(world)
  await world.changeElsewhere(id)
  acknowledged(await actor.change(id, { seen: attempt }), 'fallback')
  await carryAll(world, actor)
  await settles(world, 1)
  assert.equal(await tokenOf(world, id), 'other')
}

async function changedWithoutAttempt(world: World): Promise<void> {
  const { actor, id, attempt } = await loseReply(world)
  await world.sql(`update item set token = 'raw' where id = '${id}'`)
  acknowledged(await actor.change(id, { seen: attempt }), 'fallback')
  await carryAll(world, actor)
  await settles(world, 1)
  assert.equal(await tokenOf(world, id), 'raw')
}

async function changedHereWithoutAttempt(world: World): Promise<void> {
  const { actor, id, attempt } = await loseReply(world)
  const native = await actor.run((token) => [{ do: 'native', id, row: { token } }], { ids: [id] })
  acknowledged(native, 'fallback')
  // The row names the attempt of its creation all the same, and so does what is carried.
  native.write.attempt = attempt
  const raw = await actor.run(
    (token) => [{ do: 'sql', sql: 'update item set token = ? where id = ?', values: [token, id] }],
    { ids: [id] },
  )
  acknowledged(raw, 'fallback')
  raw.write.attempt = attempt
  acknowledged(await actor.change(id), 'fallback')
  await carryAll(world, actor)
  await settles(world)
}

async function removedHereChangedThere(world: World): Promise<void> {
  const { actor, id } = await loseReply(world)
  await world.changeElsewhere(id)
  assert.equal((await actor.remove(id)).status, 204)
  await carryAll(world, actor)
  const verdict = await world.settled()
  assert.deepEqual(verdict.violations, [])
  assert.deepEqual(
    (await world.audit.parked()).map(({ operation }) => operation),
    ['delete'],
  )
  assert.equal(await tokenOf(world, id), 'other')
}

async function changedHereRemovedThere(world: World): Promise<void> {
  const { actor, id, attempt } = await loseReply(world)
  await world.removeElsewhere(id)
  acknowledged(await actor.change(id, { seen: attempt }), 'fallback')
  await carryAll(world, actor)
  await settles(world, 1)
  assert.equal(await tokenOf(world, id), null)
}

async function changedInTransaction(world: World): Promise<void> {
  const { actor, id } = await loseReply(world)
  await world.changeElsewhere(id)
  const three = await actor.run(
    (token) => [
      { do: 'create', row: { token } },
      { do: 'change', id, row: { token } },
      { do: 'create', row: { token } },
    ],
    { rows: 3 },
  )
  acknowledged(three, 'fallback')
  await carryAll(world, actor)
  await settles(world, 1)
  const reasons = (await world.audit.parked()).map(({ reason }) => reason)
  assert.deepEqual(reasons.toSorted(), ['update_differing', 'with_transaction', 'with_transaction'])
  assert.equal(await tokenOf(world, id), 'other')
}

/** The answer to a COMMIT is lost, and the row has a further life before its journal entry is carried. */
export const lostReplies: readonly Schedule[] = [
  { name: 'answer lost, changed by another client', run: changedElsewhere },
  { name: 'answer lost, deleted by another client: stays deleted', run: deletedElsewhere },
  { name: 'answer lost, changed and set back by another client', run: setBackElsewhere },
  { name: 'answer lost, changed and deleted here: carried in order', run: followed },
  { name: 'answer lost, changed on both sides: parked', run: changedOnBothSides },
  { name: 'answer lost, changed by SQL without an attempt: parked by its image', run: changedWithoutAttempt },
  { name: 'changed here by SQL without an attempt: carried', run: changedHereWithoutAttempt },
  { name: 'transaction with one row that another client changed: parked whole', run: changedInTransaction },
  { name: 'answer lost, changed there and deleted here: parked', run: removedHereChangedThere },
  { name: 'answer lost, deleted there and changed here: parked', run: changedHereRemovedThere },
]
