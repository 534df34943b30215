import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { onDatabases } from '../../../support/databases.ts'

const orders = {
  name: 'orders',
  fields: {
    slug: { type: 'string', maxLength: 40 },
    rating: { type: 'integer', minimum: 1, maximum: 5 },
    price: { type: 'string', format: 'decimal', scale: 2 },
    meta: { type: 'object' },
    note: { type: 'string', default: 'none' },
  },
  required: ['rating'],
  indexes: [{ fields: ['slug'], unique: true }],
}

const things = { ...orders, name: 'things', ids: 'client', maxRows: 1_200 }

onDatabases('many rows in one request', { collections: [orders, things] }, (api) => {
  it('creates all rows of an array, in their order, and answers them as they are read', async () => {
    const { call } = api()
    const body = Array.from({ length: 250 }, (_, at) => ({ rating: (at % 5) + 1, price: `${at}.5`, meta: { at } }))
    const made = await call('POST', '/api/orders', { body })
    assert.equal(made.status, 201)
    assert.equal(made.json.items.length, 250)
    const ids = new Set(made.json.items.map(({ id }: { id: string }) => id))
    assert.equal(ids.size, 250)
    for (const [at, row] of made.json.items.entries()) {
      assert.deepEqual(
        [row.rating, row.price, row.meta, row.note, row.version],
        [(at % 5) + 1, `${at}.50`, { at }, 'none', 1],
      )
    }
    for (const at of [0, 99, 100, 249]) {
      const row = made.json.items[at]
      assert.deepEqual((await call('GET', `/api/orders/${row.id}`)).json, row)
    }
  })

  it('answers with ids alone where the client prefers that', async () => {
    const { call } = api()
    const prefer = { prefer: 'return=minimal' }
    const made = await call('POST', '/api/orders', { body: [{ rating: 1 }, { rating: 2 }], headers: prefer })
    assert.equal(made.status, 201)
    assert.deepEqual(Object.keys(made.json), ['ids'])
    assert.equal(made.json.ids.length, 2)
    assert.equal(made.headers.get('preference-applied'), 'return=minimal')
    assert.equal((await call('GET', `/api/orders/${made.json.ids[1]}`)).json.rating, 2)
    const one = await call('POST', '/api/orders', { body: { rating: 3 }, headers: prefer })
    assert.equal(one.status, 204)
    assert.equal(one.text, '')
    assert.equal((await call('GET', one.headers.get('location') ?? '')).json.rating, 3)
  })

  it('writes nothing of an array with one bad row, and names it', async () => {
    const { call } = api()
    const body = Array.from({ length: 500 }, (_, at) => ({ rating: at === 3 ? 6 : 1, slug: `bad-${at}` }))
    const refused = await call('POST', '/api/orders', { body })
    assert.equal(refused.status, 422)
    assert.deepEqual(
      refused.json.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/3/rating'],
    )
    const none = await call('POST', '/api/orders', { body: [{ rating: 1, slug: 'bad-0' }] })
    assert.equal(none.status, 201, 'the key is free')
  })

  it('writes nothing of an array of which one row breaks a unique key, and names the field', async () => {
    const { call } = api()
    assert.equal((await call('POST', '/api/orders', { body: { rating: 1, slug: 'taken' } })).status, 201)
    const body = [
      { rating: 1, slug: 'free' },
      { rating: 1, slug: 'taken' },
    ]
    const refused = await call('POST', '/api/orders', { body })
    assert.equal(refused.status, 409)
    assert.equal(refused.json.code, 'CONFLICT')
    assert.deepEqual(
      refused.json.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/slug'],
    )
    assert.doesNotMatch(refused.text, /taken/)
    assert.equal((await call('POST', '/api/orders', { body: { rating: 1, slug: 'free' } })).status, 201)
  })

  it('refuses arrays without rows and with more than a thousand', async () => {
    const { call } = api()
    assert.equal((await call('POST', '/api/orders', { body: [] })).status, 422)
    const body = Array.from({ length: 1_001 }, () => ({ rating: 1 }))
    assert.equal((await call('POST', '/api/orders', { body })).status, 413)
    assert.equal((await call('POST', '/api/orders', { body: body.slice(1) })).status, 201)
  })

  it('replaces a row by its id, and creates one where clients give ids', async () => {
    const { call } = api()
    const id = randomUUID()
    const made = await call('PUT', `/api/things/${id}`, { body: { rating: 2, slug: 'put', note: 'first' } })
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('location'), `/api/things/${id}`)
    assert.equal(made.json.id, id)
    const replaced = await call('PUT', `/api/things/${id}`, { body: { id, rating: 3 } })
    assert.equal(replaced.status, 200)
    assert.deepEqual(
      [replaced.json.rating, replaced.json.slug, replaced.json.note, replaced.json.version],
      [3, null, 'none', 2],
    )
    assert.equal(replaced.json.createdAt, made.json.createdAt)
    assert.notEqual(replaced.headers.get('etag'), made.headers.get('etag'))
    assert.deepEqual((await call('GET', `/api/things/${id}`)).json, replaced.json)
  })

  it('keeps to the conditions of a replacement', async () => {
    const { call } = api()
    const path = `/api/things/${randomUUID()}`
    const body = { rating: 1 }
    const stale = await call('PUT', path, { body, headers: { 'if-match': `"${randomUUID()}"` } })
    assert.equal(stale.status, 412, 'no row has this version')
    const made = await call('PUT', path, { body, headers: { 'if-none-match': '*' } })
    assert.equal(made.status, 201)
    assert.equal((await call('PUT', path, { body, headers: { 'if-none-match': '*' } })).status, 412)
    assert.equal((await call('PUT', path, { body, headers: { 'if-match': `"${randomUUID()}"` } })).status, 412)
    const etag = made.headers.get('etag') ?? ''
    assert.equal((await call('PUT', path, { body, headers: { 'if-match': etag } })).status, 200)
    assert.equal((await call('PUT', path, { body, headers: { 'if-none-match': etag } })).status, 400)
    const other = await call('PUT', path, { body: { ...body, id: randomUUID() } })
    assert.deepEqual([other.status, other.json.errors[0].pointer], [422, '/id'])
  })

  it('answers 404 to a replacement of nothing where the service gives ids', async () => {
    const { call } = api()
    assert.equal((await call('PUT', `/api/orders/${randomUUID()}`, { body: { rating: 1 } })).status, 404)
    const { json } = await call('POST', '/api/orders', { body: { rating: 1 } })
    assert.equal((await call('PUT', `/api/orders/${json.id}`, { body: { rating: 4 } })).json.rating, 4)
  })

  it('replaces and creates the rows of an array, all of them or none', async () => {
    const { call } = api()
    const ids = Array.from({ length: 150 }, () => randomUUID())
    const body = ids.map((id, at) => ({ id, rating: (at % 5) + 1 }))
    const first = await call('PUT', '/api/things', { body: body.slice(0, 50) })
    assert.equal(first.status, 201)
    const both = await call('PUT', '/api/things', { body })
    assert.equal(both.status, 200)
    assert.deepEqual(
      both.json.items.map(({ id }: { id: string }) => id),
      ids,
    )
    assert.deepEqual(
      both.json.items.map(({ version }: { version: number }) => version),
      ids.map((_, at) => (at < 50 ? 2 : 1)),
    )
    const again = await call('PUT', '/api/things', { body: [...body, { id: ids[0], rating: 1 }] })
    assert.deepEqual([again.status, again.json.errors[0].pointer], [422, '/150/id'])
    const unnamed = await call('PUT', '/api/things', { body: [{ rating: 1 }] })
    assert.deepEqual([unnamed.status, unnamed.json.errors[0].pointer], [422, '/0/id'])
    const missing = await call('PUT', '/api/orders', { body: [{ id: ids[0], rating: 1 }] })
    assert.equal(missing.status, 404)
    assert.equal((await call('GET', `/api/things/${ids[149]}`)).json.version, 1)
  })

  it('counts the rows of an array against the limit of the collection', async () => {
    const { call } = api()
    const count = (await call('GET', '/api/things?limit=100')).json.items.length
    assert.ok(count > 0)
    const many = (length: number) => Array.from({ length }, () => ({ id: randomUUID(), rating: 1 }))
    assert.equal((await call('POST', '/api/things', { body: many(1_000) })).status, 201)
    const full = await call('POST', '/api/things', { body: many(300) })
    assert.equal(full.status, 507)
    const kept = many(1)
    assert.equal((await call('PUT', '/api/things', { body: kept })).status, 201)
    assert.equal((await call('PUT', '/api/things', { body: [...kept, ...many(300)] })).status, 507)
    assert.equal((await call('PUT', '/api/things', { body: kept })).status, 200)
  })
})
