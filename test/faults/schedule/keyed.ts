import assert from 'node:assert/strict'
import { until } from '../../support/until.ts'
import type { Actor, Answer } from '../stage/actor.ts'
import { fallbackFile, readCopy } from '../stage/fallback-file.ts'
import { copying, itemCollection, shortLimits, type World } from '../stage/world.ts'
import type { Schedule } from './schedule.ts'

/** Rows with a counter: what is done twice shows. */
const files = {
  'config/collections/item.json': itemCollection({ count: { type: 'integer', minimum: 0, default: 0 } }),
}

/** A client that knows what it was answered, and repeats its requests. */
class KeyedClient {
  readonly #world: World
  /** By token: the id that each answer must have. */
  readonly #ids = new Map<string, string>()

  constructor(world: World) {
    this.#world = world
  }

  /** Creates the row of this token, or repeats that; true if the answer says that it is a repeated one. */
  async create(actor: Actor, token: string): Promise<boolean> {
    const { status, body, isReplayed, text } = await send(actor, 'POST', '/api/item', token, { token })
    assert.equal(status, 201, `${token}: ${text}`)
    const id = String(body?.id)
    assert.equal(this.#ids.get(token) ?? id, id, `${token} has one id in each answer`)
    this.#ids.set(token, id)
    return isReplayed
  }

  /** Adds one to the counter of a row, or repeats that. */
  async add(actor: Actor, token: string): Promise<void> {
    const { status, text } = await send(actor, 'PATCH', `/api/item/${this.#ids.get(token)}`, `add-${token}`, {
      $inc: { count: 1 },
    })
    assert.equal(status, 200, `${token}: ${text}`)
  }

  /** Each token has one row in the primary, with the id of the answers; its counter is `counts` of it. */
  async isThere(counts: ReadonlyMap<string, number>): Promise<boolean> {
    const rows = await this.#world.sql('select id, token, count from item')
    const wanted = [...this.#ids].map(([token, id]) => `${token} ${id} ${counts.get(token) ?? 0}`)
    return (
      rows
        .map(({ id, token, count }) => `${token} ${id} ${count}`)
        .sort()
        .join() === wanted.sort().join()
    )
  }

  async arrives(counts: ReadonlyMap<string, number>): Promise<void> {
    try {
      await until(() => this.isThere(counts), { withinMs: 30_000, everyMs: 60, what: 'one row for each token' })
    } catch {
      const rows = await this.#world.sql('select id, token, count, version from item order by token')
      assert.fail(`${JSON.stringify([...this.#ids])}\n${JSON.stringify(rows)}`)
    }
    const parked = await this.#world.sql('select reason from holdfast_conflict where settled_at is null')
    assert.deepEqual(parked, [])
  }
}

interface Sent extends Pick<Answer, 'status' | 'body'> {
  readonly isReplayed: boolean
  readonly text: string
}

/** Sends a request with its key until it gets an answer that is none of an outage, as a client does. */
async function send(actor: Actor, method: string, path: string, name: string, body: object): Promise<Sent> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': `key-of-the-request-${name}` }
  return await until(
    async () => {
      const answer = await actor.service.fetch(path, { method, headers, body: JSON.stringify(body) })
      const text = await answer.text()
      if (answer.status === 503 || (answer.status === 409 && text.includes('KEY_IN_USE'))) return null
      const isReplayed = answer.headers.get('idempotency-replayed') === 'true'
      return { status: answer.status, text, isReplayed, body: text === '' ? null : JSON.parse(text) }
    },
    { withinMs: 40_000, what: `an answer to ${method} ${name}` },
  )
}

async function repeated(world: World): Promise<void> {
  const actor = await world.first({ files, env: shortLimits })
  const { dir } = actor.service
  const client = new KeyedClient(world)
  for (const token of ['before-1', 'before-2']) assert.equal(await client.create(actor, token), false)
  assert.equal(await client.create(actor, 'before-1'), true)
  await client.add(actor, 'before-1')
  // The answer of a COMMIT is lost, together with the way to the server: the row is there, and the fallback takes it, too.
  const met = world.proxy.once(/lost-answer/, 'mute')
  const creating = client.create(actor, 'lost-answer')
  await met
  await world.proxy.refuse()
  await creating
  await actor.serves('fallback')
  for (const token of ['before-1', 'before-2', 'lost-answer']) await client.create(actor, token)
  for (const token of ['away-1', 'away-2', 'away-3']) assert.equal(await client.create(actor, token), false)
  for (const token of ['away-1', 'lost-answer', 'before-2']) assert.equal(await client.create(actor, token), true)
  await client.add(actor, 'away-1')
  await client.add(actor, 'away-1')
  await actor.kill()
  const again = await world.start({ dir, env: shortLimits, serves: 'fallback' })
  for (const token of ['away-1', 'away-2', 'before-1']) assert.equal(await client.create(again, token), true, token)
  await client.add(again, 'away-1')
  await world.back(again)
  const counts = new Map([
    ['before-1', 1],
    ['away-1', 1],
  ])
  await client.arrives(counts)
  const other = await world.start({ files, env: shortLimits, serves: 'primary' })
  for (const one of [again, other]) {
    for (const token of ['before-1', 'before-2', 'lost-answer', 'away-1', 'away-2', 'away-3']) {
      assert.equal(await client.create(one, token), true, token)
    }
    await client.add(one, 'away-1')
    await client.add(one, 'before-1')
  }
  await client.arrives(counts)
}

async function withCopy(world: World): Promise<void> {
  const actor = await world.first({ files, env: { ...shortLimits, ...copying } })
  const client = new KeyedClient(world)
  for (const token of ['before-1', 'before-2']) assert.equal(await client.create(actor, token), false)
  await client.add(actor, 'before-1')
  const nowMs = Date.now()
  const isWhole = (): boolean => {
    const copy = readCopy(fallbackFile(actor.service.dir))
    return copy?.isWhole === true && copy.asOfMs > nowMs
  }
  await until(isWhole, { withinMs: 40_000, what: 'the copy' })
  await world.outage(actor)
  for (const token of ['before-1', 'before-2']) await client.create(actor, token)
  await client.add(actor, 'before-1')
  await client.add(actor, 'before-2')
  await client.create(actor, 'away-1')
  await client.add(actor, 'away-1')
  await world.back(actor)
  const counts = new Map(['before-1', 'before-2', 'away-1'].map((token) => [token, 1]))
  await client.arrives(counts)
  for (const token of ['before-1', 'before-2', 'away-1']) {
    assert.equal(await client.create(actor, token), true, token)
    await client.add(actor, token)
  }
  await client.arrives(counts)
}

async function takenTwice(world: World): Promise<void> {
  const replicas = [await world.first({ files }), await world.start({ files, serves: 'primary' })]
  const client = new KeyedClient(world)
  for (const actor of replicas) await world.outage(actor)
  // Each fallback takes it as its own, with the ids and the attempts of the other.
  for (const actor of replicas) {
    assert.equal(await client.create(actor, 'twice'), false)
    await client.add(actor, 'twice')
  }
  for (const actor of replicas) await world.back(actor)
  const counts = new Map([['twice', 1]])
  await client.arrives(counts)
  for (const actor of replicas) {
    assert.equal(await client.create(actor, 'twice'), true)
    await client.add(actor, 'twice')
  }
  await client.arrives(counts)
}

/** What a client does that repeats its requests until they are answered. */
export const keyed: readonly Schedule[] = [
  { name: 'requests with a key, repeated through loss, fallback and return', run: repeated },
  { name: 'requests with a key, repeated where the fallback has a copy', run: withCopy },
  { name: 'requests with a key, taken by the fallbacks of two replicas', run: takenTwice },
]
