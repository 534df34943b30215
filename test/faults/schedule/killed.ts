import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../support/until.ts'
import type { World } from '../stage/world.ts'
import { acknowledged, settles, tokenOf } from './expect.ts'
import type { Schedule } from './schedule.ts'

async function server(world: World): Promise<void> {
  const actor = await world.first()
  await Promise.all(Array.from({ length: 8 }, () => actor.create()))
  const creating = Array.from({ length: 16 }, () => actor.create())
  await Promise.any(creating)
  await world.proxy.refuse()
  await world.server.kill()
  for (const { status, code } of await Promise.all(creating)) assert.equal(status, 201, `no create fails: ${code}`)
  await actor.serves('fallback')
  acknowledged(await actor.create({ slug: 'taken' }), 'fallback')
  acknowledged(await actor.create(), 'fallback')
  await world.server.start()
  // Other clients come first.
  await world.sql(insertElsewhere(world, 'taken'))
  await world.back(actor)
  await settles(world, 1)
}

/** A row of another client that takes a unique key. */
export function insertElsewhere({ kind }: World, slug: string): string {
  const quote = kind === 'mysql' ? '`' : '"'
  const columns = ['createdAt', 'updatedAt'].map((name) => `${quote}${name}${quote}`).join(', ')
  const id = '0190a000-0000-7000-8000-00000000000a'
  return `insert into item (id, token, slug, ${columns}, version) values ('${id}', 'other', '${slug}', now(), now(), 1)`
}

/** Where the service is killed while it carries: at which bytes of it, and whether they still reach the server. */
const steps = {
  'before it claims': { at: 'claim', reaches: false },
  'before it writes': { at: 'row', reaches: false },
  'after it wrote': { at: 'row', reaches: true },
  'at COMMIT': { at: 'commit', reaches: false },
  'after COMMIT': { at: 'commit', reaches: true },
} as const

async function whileCarrying(world: World, step: keyof typeof steps): Promise<void> {
  const { at, reaches } = steps[step]
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const created = [
    await first.create({ token: 'carried-1' }),
    await first.create({ token: 'carried-2' }),
    await first.create({ token: 'carried-3' }),
  ]
  const [id = ''] = created.map((one) => acknowledged(one, 'fallback'))
  await first.kill()
  const second = await world.start({ dir, serves: 'fallback' })
  assert.equal((await second.get(id)).status, 200, 'the fallback kept it')
  const stopped = (pattern: RegExp): Promise<void> =>
    reaches ? world.proxy.once(pattern, 'mute') : world.proxy.hold(pattern).met
  const written = at === 'commit' ? world.proxy.once(/carried-1/, 'pass') : null
  const met = written !== null ? null : stopped(at === 'row' ? /carried-1/ : new RegExp(`${created[0]?.attempt}`))
  await world.proxy.accept()
  // The prober proves the primary by writes of its own: the COMMIT that is meant comes after a row.
  if (written !== null) await written.then(() => stopped(/\bcommit\b/i))
  await met
  if (step === 'after COMMIT') {
    await until(async () => (await tokenOf(world, id)) !== null, { what: 'the COMMIT' })
    await world.removeElsewhere(id)
  }
  await second.kill()
  const third = await world.start({ dir })
  const last = await third.keep()
  await third.serves('primary')
  await world.applied(last.write)
  await settles(world)
  if (step === 'after COMMIT') assert.equal(await tokenOf(world, id), null, 'it does not come back')
}

async function parkedAndGone(world: World): Promise<void> {
  const actor = await world.first()
  await world.outage(actor)
  acknowledged(await actor.create({ slug: 'taken' }), 'fallback')
  await world.sql(insertElsewhere(world, 'taken'))
  await world.back(actor)
  await until(async () => (await world.audit.parked()).length > 0, { withinMs: 40_000, what: 'the conflict' })
  await actor.kill()
  const { dir } = actor.service
  await rm(join(dir, 'data'), { recursive: true })
  const again = await world.start({ dir, serves: 'primary' })
  acknowledged(await again.create(), 'primary')
  await settles(world, 1)
}

async function inOutage(world: World): Promise<void> {
  const first = await world.first()
  const { dir } = first.service
  await world.outage(first)
  const creating = Array.from({ length: 24 }, () => first.create())
  await Promise.any(creating)
  await first.kill()
  await Promise.all(creating)
  const second = await world.start({ dir, serves: 'fallback' })
  const last = await second.keep()
  await world.back(second)
  await world.applied(last.write)
  await settles(world)
}

export const killed: readonly Schedule[] = [
  { name: 'server killed under creates, other clients first', run: server, ownServer: true },
  { name: 'service killed in an outage', run: inOutage, on: ['postgresql'] },
  ...(Object.keys(steps) as (keyof typeof steps)[]).map((step) => ({
    name: `service killed while it carries, ${step}`,
    run: (world: World) => whileCarrying(world, step),
  })),
  { name: 'conflict parked, then the data directory is deleted', run: parkedAndGone, on: ['postgresql'] },
]
