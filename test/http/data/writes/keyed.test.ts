import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { onDatabases, type Received } from '../../../support/databases.ts'
import { until } from '../../../support/until.ts'

const notes = {
  name: 'notes',
  fields: {
    text: { type: 'string', maxLength: 200 },
    stock: { type: 'integer', minimum: 0, default: 10 },
    meta: { type: 'object', maxBytes: 200_000 },
    slug: { type: 'string', maxLength: 40 },
  },
  indexes: [{ fields: ['slug'], unique: true }],
  access: { create: 'public', get: 'public' },
}

/** Few rows fit. */
const few = { ...notes, name: 'few', maxRows: 2 }

const shapeOf = ({ status, text, headers }: Received) => ({
  status,
  text,
  etag: headers.get('etag'),
  location: headers.get('location'),
})

onDatabases('requests with a key', { collections: [notes, few] }, (api) => {
  const keyed = (key: string = randomUUID()) => ({ 'idempotency-key': key })
  const rows = async (slug: string) => (await api().call('GET', `/api/notes?slug=${slug}`)).json.items

  it('creates one row, however often the request is sent, and gives the first answer again', async () => {
    const { call } = api()
    const sent = { body: { text: 'once', meta: { a: 1 } }, headers: keyed() }
    const first = await call('POST', '/api/notes', sent)
    assert.equal(first.status, 201)
    assert.equal(first.headers.get('idempotency-replayed'), null)
    assert.match(first.json.id, /^[0-9a-f]{8}-[0-9a-f]{4}-8/)
    for (let time = 0; time < 3; time += 1) {
      const again = await call('POST', '/api/notes', sent)
      assert.equal(again.headers.get('idempotency-replayed'), 'true')
      assert.deepEqual(shapeOf(again), shapeOf(first))
    }
    assert.deepEqual((await call('GET', `/api/notes/${first.json.id}`)).json, first.json)
    const changed = await call('PATCH', `/api/notes/${first.json.id}`, { body: { text: 'changed' } })
    assert.equal(changed.status, 200)
    assert.deepEqual(shapeOf(await call('POST', '/api/notes', sent)), shapeOf(first), 'the answer of that time')
  })

  it('carries out one of many at the same time, and answers the others with it or with 409', async () => {
    const { call } = api()
    const sent = { body: { text: 'many', slug: 'many' }, headers: keyed() }
    const all = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/api/notes', sent)))
    const codes = new Set(all.map(({ status, json }) => (status === 201 ? 201 : json.code)))
    assert.ok(
      [...codes].every((code) => code === 201 || code === 'KEY_IN_USE'),
      String([...codes]),
    )
    for (const { status, headers } of all) if (status === 409) assert.equal(headers.get('retry-after'), '1')
    assert.equal((await rows('many')).length, 1)
  })

  it('refuses a key that was used for something else, and a key that is none', async () => {
    const { call } = api()
    const headers = keyed()
    assert.equal((await call('POST', '/api/notes', { body: { text: 'a' }, headers })).status, 201)
    const reused = await call('POST', '/api/notes', { body: { text: 'b' }, headers })
    assert.deepEqual([reused.status, reused.json.code], [422, 'KEY_REUSED'])
    for (const key of [
      'short',
      'fifteen-chars-x',
      'a'.repeat(256),
      'with a blank in it....',
      '"half-of-a-string-xx',
      '',
    ]) {
      const refused = await call('POST', '/api/notes', { body: { text: 'a' }, headers: keyed(key) })
      assert.deepEqual([refused.status, refused.json.code], [400, 'KEY_INVALID'], key)
    }
    const [key] = [randomUUID()]
    const bare = await call('POST', '/api/notes', { body: { text: 'a' }, headers: keyed(key) })
    const quoted = await call('POST', '/api/notes', { body: { text: 'a' }, headers: keyed(`"${key}"`) })
    assert.deepEqual(shapeOf(quoted), shapeOf(bare))
  })

  it('keeps the key of one caller, method and path apart from that of another', async () => {
    const { call } = api()
    const sent = { body: { text: 'mine' }, headers: keyed() }
    const admin = await call('POST', '/api/notes', sent)
    const other = await call('POST', '/api/notes', { ...sent, token: null })
    assert.equal(other.status, 201)
    assert.notEqual(other.json.id, admin.json.id)
    assert.equal((await call('POST', '/api/few', sent)).status, 201)
  })

  it('adds once, however often the change is sent', async () => {
    const { call } = api()
    const { json } = await call('POST', '/api/notes', { body: {} })
    const sent = { body: { $inc: { stock: -3 } }, headers: keyed() }
    const first = await call('PATCH', `/api/notes/${json.id}`, sent)
    assert.deepEqual([first.status, first.json.stock, first.json.version], [200, 7, 2])
    const again = await call('PATCH', `/api/notes/${json.id}`, sent)
    assert.deepEqual(shapeOf(again), shapeOf(first))
    assert.equal((await call('GET', `/api/notes/${json.id}`)).json.stock, 7)
  })

  it('creates the rows of an array once', async () => {
    const { call } = api()
    const sent = { body: Array.from({ length: 120 }, (_, at) => ({ text: `${at}` })), headers: keyed() }
    const first = await call('POST', '/api/notes', sent)
    const again = await call('POST', '/api/notes', sent)
    assert.equal(first.json.items.length, 120)
    assert.deepEqual(shapeOf(again), shapeOf(first))
  })

  it('keeps the ids of an answer that is too long to be kept', async () => {
    const { call } = api()
    const big = { meta: { text: 'x'.repeat(1_000) } }
    const sent = { body: Array.from({ length: 100 }, () => big), headers: keyed() }
    const first = await call('POST', '/api/notes', sent)
    assert.equal(first.status, 201)
    const again = await call('POST', '/api/notes', sent)
    assert.equal(again.status, 201)
    assert.deepEqual(again.json, { ids: first.json.items.map(({ id }: { id: string }) => id) })
    const one = { body: { meta: { text: 'x'.repeat(70_000) } }, headers: keyed() }
    const made = await call('POST', '/api/notes', one)
    const repeated = await call('POST', '/api/notes', one)
    assert.deepEqual([made.status, repeated.status], [201, 204])
    assert.equal(repeated.headers.get('location'), made.headers.get('location'))
  })

  it('keeps nothing of a request that was refused', async () => {
    const { call } = api()
    const taken = await call('POST', '/api/notes', { body: { slug: 'key-taken' } })
    const sent = { body: { slug: 'key-taken' }, headers: keyed() }
    assert.equal((await call('POST', '/api/notes', sent)).status, 409)
    assert.equal((await call('DELETE', `/api/notes/${taken.json.id}`)).status, 204)
    const made = await call('POST', '/api/notes', sent)
    assert.deepEqual([made.status, made.headers.get('idempotency-replayed')], [201, null])
  })

  it('gives the answer again where the collection has become full', async () => {
    const { call } = api()
    await call('POST', '/api/few', { body: {} })
    const sent = { body: { text: 'last' }, headers: keyed() }
    const first = await call('POST', '/api/few', sent)
    const last = first.status === 201 ? first : await call('POST', '/api/few', { body: {}, headers: keyed() })
    assert.ok([201, 507].includes(last.status))
    if (first.status === 201) assert.deepEqual(shapeOf(await call('POST', '/api/few', sent)), shapeOf(first))
    assert.equal((await call('POST', '/api/few', { body: {}, headers: keyed() })).status, 507)
  })

  it('keeps answers for a day', async (t) => {
    const { call, run, kind, start } = api()
    if (run === null) return t.skip('of a file: test/collection/write')
    const sent = { body: { text: 'kept' }, headers: keyed() }
    const first = await call('POST', '/api/notes', sent)
    const yesterday = kind === 'mariadb' ? 'utc_timestamp() - interval 25 hour' : "now() - interval '25 hours'"
    await run(`update holdfast_request set made_at = ${yesterday}`)
    const next = await start()
    await next.call('POST', '/api/notes', { body: {}, headers: keyed() })
    const left = async () => Number((await run('select count(*) as number from holdfast_request'))[0]?.number)
    await until(async () => (await left()) === 1, { what: 'old answers to be deleted' })
    assert.equal((await next.call('GET', `/api/notes/${first.json.id}`)).status, 200, 'the row stays')
  })
})
