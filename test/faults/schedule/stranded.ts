import assert from 'node:assert/strict'
import type { Stranded } from '../../support/servers/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import type { Actor, Written } from '../stage/actor.ts'
import { shortLimits, type World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import type { Schedule } from './schedule.ts'

interface StrandedCreate {
  readonly actor: Actor
  readonly stranded: Stranded
  readonly id: string
  readonly created: Written
  /** The last write of the outage. */
  readonly last: Written
}

/** A create that lies before a server which does not run: the service gave it up and took the row on the fallback. */
async function strandCreate(world: World): Promise<StrandedCreate> {
  const actor = await world.first({ env: shortLimits })
  const stranded = world.proxy.strand(/stranded/)
  const creating = actor.create({ token: 'stranded' })
  await stranded.met
  await world.proxy.refuse()
  const created = await creating
  const id = acknowledged(created, 'fallback')
  await stranded.left
  return { actor, stranded, id, created, last: await actor.keep() }
}

async function createBefore(world: World): Promise<void> {
  const { actor, stranded, id, created, last } = await strandCreate(world)
  await stranded.release()
  await world.applied(created.write)
  await world.removeElsewhere(id)
  await world.back(actor)
  await world.applied(last.write)
  await settles(world)
  assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

async function createAfter(world: World): Promise<void> {
  const { actor, stranded, id, created, last } = await strandCreate(world)
  await world.back(actor)
  await world.applied(created.write)
  await world.applied(last.write)
  await world.removeElsewhere(id)
  await stranded.release()
  await settles(world)
  assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

async function createDuring(world: World): Promise<void> {
  const { actor, stranded, created, last } = await strandCreate(world)
  // Replay has claimed, and is about to write the row.
  const held = world.proxy.hold(/stranded/)
  await world.proxy.accept()
  await held.met
  const answered = stranded.release()
  await until(async () => (await blocked(world)) > 0, { withinMs: 500, everyMs: 10 }).catch(() => undefined)
  held.release()
  await answered
  await actor.serves('primary')
  await world.applied(created.write)
  await world.applied(last.write)
  await settles(world)
}

/** What ends a change: MariaDB returns no changed row, so that one is read back in the transaction. */
function endOfChange({ kind }: World): RegExp {
  return kind === 'mysql' ? /\bcommit\b/i : /stranded/
}

async function change(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const id = acknowledged(await actor.create(), 'primary')
  const stranded = world.proxy.strand(/stranded/)
  const changing = actor.change(id, { token: 'stranded' })
  await stranded.met
  world.proxy.dropAll()
  const { write } = await changing
  // A busy machine may take the primary for lost; then nothing was written, which is right, too.
  assert.notEqual(write.ending, 'unknown')
  await world.changeElsewhere(id)
  await stranded.release()
  await settles(world)
  assert.equal(await tokenOf(world, id), 'other', "the other client's change stays")
}

async function changeTimedOut(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const id = acknowledged(await actor.create(), 'primary')
  const stranded = world.proxy.strand(/stranded/)
  const changing = actor.change(id, { token: 'stranded' })
  await stranded.met
  const { status, write } = await changing
  assert.equal(status, 503)
  assert.equal(write.ending, 'refused', 'nobody but this attempt can have claimed it')
  await stranded.release()
  await settles(world)
}

async function changeFirst(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const id = acknowledged(await actor.create(), 'primary')
  // Its answer is lost: it has happened, and the row is changed before it is run again.
  const met = world.proxy.once(endOfChange(world), 'mute')
  const changing = actor.change(id, { token: 'stranded' })
  await met
  await until(async () => (await tokenOf(world, id)) === 'stranded', { what: 'the change', everyMs: 5 })
  await world.changeElsewhere(id)
  const { status, code } = await changing
  // It matched, and was overwritten since: nobody can tell that from a row that was not there.
  assert.ok(status === 200 || code === 'COMMIT_UNKNOWN', `answered ${status} ${code}`)
  await settles(world)
  assert.equal(await tokenOf(world, id), 'other', "the other client's change stays")
}

async function removal(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const id = acknowledged(await actor.create(), 'primary')
  const stranded = world.proxy.strand(new RegExp(`${id}|${id.replaceAll('-', '')}`))
  const removing = actor.remove(id)
  await stranded.met
  world.proxy.dropAll()
  assert.equal((await removing).status, 204)
  // Brought back by another client, who means it.
  await world.sql(
    `insert into item (id, token, ${quoted(world, 'createdAt')}, ${quoted(world, 'updatedAt')}, version) ` +
      `values ('${id}', 'other', now(), now(), 1)`,
  )
  await stranded.release()
  await settles(world)
  assert.equal(await tokenOf(world, id), 'other', "the other client's row stays")
}

function quoted({ kind }: World, name: string): string {
  return kind === 'mysql' ? `\`${name}\`` : `"${name}"`
}

async function business(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const stranded = world.proxy.strand(/\bcommit\b/i)
  const running = actor.run((token) => [1, 2, 3].map(() => ({ do: 'create', row: { token } }) as const), { rows: 3 })
  await stranded.met
  await world.proxy.refuse()
  const { code } = await running
  // It carries no claim: it is neither run again nor taken elsewhere.
  assert.equal(code, 'COMMIT_UNKNOWN')
  await stranded.release()
  await settles(world)
}

async function businessAgain(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  const stranded = world.proxy.strand(/\bcommit\b/i)
  const steps = (token: string) => [1, 2, 3].map(() => ({ do: 'create', row: { token } }) as const)
  const running = actor.run(steps, { rows: 3, rerun: 'always' })
  await stranded.met
  await stranded.release()
  const { write } = await running
  assert.notEqual(write.ending, 'refused')
  await settles(world)
}

/** Transactions at the server that wait for another one's lock. */
async function blocked(world: World): Promise<number> {
  const text =
    world.kind === 'mysql'
      ? "select count(*) as n from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"
      : "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
  const [row] = await world.sql(text)
  return Number(row?.n)
}

async function stoppedServer(world: World): Promise<void> {
  const actor = await world.first({ env: shortLimits })
  await Promise.all(Array.from({ length: 8 }, () => actor.create()))
  world.server.pause()
  const creates = await Promise.all(Array.from({ length: 8 }, () => actor.create()))
  for (const created of creates) acknowledged(created, 'fallback')
  world.server.resume()
  await actor.serves('primary')
  for (const { write } of creates) await world.applied(write)
  await settles(world)
}

/** What was sent to a server arrives late: before, during or after its entry is carried, or it is run again. */
export const strandedWrites: readonly Schedule[] = [
  { name: 'late create, before it is carried, deleted in between', run: createBefore },
  { name: 'late create, while it is carried', run: createDuring },
  { name: 'late create, after it was carried and deleted', run: createAfter },
  { name: 'late change, after it was run again and overwritten', run: change },
  { name: 'late change, after it was answered that nothing was written', run: changeTimedOut },
  { name: 'change whose answer is lost, overwritten before it is run again', run: changeFirst },
  { name: 'late delete, after it was run again and the row is back', run: removal },
  { name: 'late COMMIT of business code: unknown, once', run: business },
  { name: 'late COMMIT of business code that may run again: once', run: businessAgain },
  { name: 'server stopped with creates in its buffers', run: stoppedServer, ownServer: true },
]
