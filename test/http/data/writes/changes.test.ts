import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { onDatabases } from '../../../support/databases.ts'

const items = {
  name: 'items',
  fields: {
    label: { type: 'string', maxLength: 40 },
    slug: { type: 'string', maxLength: 40 },
    stock: { type: 'integer', minimum: 0, maximum: 100, default: 10 },
    price: { type: 'string', format: 'decimal', scale: 2 },
    count: { type: 'string', format: 'int64' },
    meta: { type: 'object' },
    status: { type: 'string', enum: ['open', 'closed'], default: 'open' },
  },
  indexes: [{ fields: ['slug'], unique: true }],
}
const things = { ...items, name: 'things', ids: 'client' }

const merge = { 'content-type': 'application/merge-patch+json' }

onDatabases('changes of rows', { collections: [items, things] }, (api) => {
  const make = async (body: object = {}, collection = 'items') => {
    const { status, json, text } = await api().call('POST', `/api/${collection}`, { body })
    assert.equal(status, 201, text)
    return json
  }

  it('merge objects to the depth, and remove what is null', async () => {
    const { call } = api()
    const { id } = await make({ label: 'a', meta: { a: { b: 1, c: 2 }, d: [1, 2], e: 'x' } })
    const body = { label: null, meta: { a: { b: null, f: { g: null, h: 1 } }, d: [3] } }
    const changed = await call('PATCH', `/api/items/${id}`, { body, headers: merge })
    assert.equal(changed.status, 200)
    assert.equal(changed.json.label, null)
    assert.deepEqual(changed.json.meta, { a: { c: 2, f: { h: 1 } }, d: [3], e: 'x' })
    const set = await call('PATCH', `/api/items/${id}`, { body: { meta: { z: 1 } } })
    assert.deepEqual(set.json.meta, { z: 1 }, 'JSON alone sets whole fields')
    const made = await call('PATCH', `/api/items/${id}`, { body: { meta: null }, headers: merge })
    assert.equal(made.json.meta, null)
    const again = await call('PATCH', `/api/items/${id}`, { body: { meta: { n: 1, m: null } }, headers: merge })
    assert.deepEqual(again.json.meta, { n: 1 })
    const patch = [{ op: 'replace', path: '/label', value: 'x' }]
    const json = { 'content-type': 'application/json-patch+json' }
    assert.equal((await call('PATCH', `/api/items/${id}`, { body: patch, headers: json })).status, 415)
  })

  it('add to numbers within their bounds, whoever adds at the same time', async () => {
    const { call } = api()
    const { id } = await make({ stock: 50, price: '9.90', count: '9007199254740993' })
    const path = `/api/items/${id}`
    const added = await call('PATCH', path, { body: { $inc: { stock: -1, price: '0.15', count: '7' }, label: 'both' } })
    assert.deepEqual(
      [added.json.stock, added.json.price, added.json.count, added.json.label],
      [49, '10.05', '9007199254741000', 'both'],
    )
    const all = await Promise.all(
      Array.from({ length: 20 }, () => call('PATCH', path, { body: { $inc: { stock: 1 } } })),
    )
    assert.deepEqual([...new Set(all.map(({ status }) => status))], [200])
    assert.equal((await call('GET', path)).json.stock, 69)
    const past = await call('PATCH', path, { body: { $inc: { stock: 32 } } })
    assert.deepEqual([past.status, past.json.errors[0].pointer], [422, '/$inc/stock'])
    assert.equal((await call('PATCH', path, { body: { $inc: { stock: 31 } } })).json.stock, 100)
    for (const [field, by] of [
      ['label', 1],
      ['meta', 1],
      ['nothing', 1],
      ['stock', 'x'],
      ['stock', 1.5],
      ['price', '0.001'],
      ['price', 1],
    ] as const) {
      const refused = await call('PATCH', path, { body: { $inc: { [field]: by } } })
      assert.deepEqual([refused.status, refused.json.errors[0].pointer], [422, `/$inc/${field}`])
    }
    const twice = await call('PATCH', path, { body: { stock: 1, $inc: { stock: 1 } } })
    assert.equal(twice.status, 422)
    const { id: empty } = await make({ price: null })
    assert.equal((await call('PATCH', `/api/items/${empty}`, { body: { $inc: { price: '1' } } })).status, 422)
    assert.equal((await call('PATCH', path, { body: { $inc: 3 } })).status, 422)
  })

  it('replace or create the row of a unique key', async () => {
    const { call } = api()
    const made = await call('PUT', '/api/items?slug=home', { body: { label: 'one' } })
    assert.deepEqual([made.status, made.json.slug, made.json.label], [201, 'home', 'one'])
    const replaced = await call('PUT', '/api/items?slug=home', { body: { slug: 'home', stock: 1 } })
    assert.deepEqual(
      [replaced.status, replaced.json.id, replaced.json.label, replaced.json.stock],
      [200, made.json.id, null, 1],
    )
    const only = await call('PUT', '/api/items?slug=home', { body: {}, headers: { 'if-none-match': '*' } })
    assert.equal(only.status, 412)
    const other = await call('PUT', '/api/items?slug=home', { body: { slug: 'away' } })
    assert.deepEqual([other.status, other.json.errors[0].pointer], [422, '/slug'])
    const id = await call('PUT', '/api/items?slug=home', { body: { id: randomUUID() } })
    assert.deepEqual([id.status, id.json.errors[0].pointer], [422, '/id'])
    for (const query of ['label=x', 'slug=a&label=b', 'slug:ne=a', 'slug=a&slug=b']) {
      assert.equal((await call('PUT', `/api/items?${query}`, { body: {} })).status, 400, query)
    }
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, at) => call('PUT', '/api/items?slug=many', { body: { label: `${at}` } })),
    )
    assert.deepEqual(all.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 201])
    assert.equal((await call('GET', '/api/items?slug=many')).json.items.length, 1)
  })

  it('delete the rows that match, unless they are more than expected', async () => {
    const { call } = api()
    const body = Array.from({ length: 30 }, (_, at) => ({ label: 'gone', status: at < 25 ? 'closed' : 'open' }))
    assert.equal((await call('POST', '/api/items', { body })).status, 201)
    const query = '/api/items?label=gone&status=closed'
    for (const refused of [
      '/api/items',
      '/api/items?max=5',
      query,
      `${query}&max=0`,
      `${query}&max=1001`,
      `${query}&limit=3`,
    ]) {
      assert.equal((await call('DELETE', refused)).status, 400, refused)
    }
    const many = await call('DELETE', `${query}&max=24`)
    assert.deepEqual([many.status, many.json.code], [409, 'TOO_MANY'])
    const done = await call('DELETE', `${query}&max=25`)
    assert.deepEqual([done.status, done.json], [200, { deleted: 25 }])
    assert.equal((await call('GET', '/api/items?label=gone&limit=100')).json.items.length, 5)
    const headers = { 'idempotency-key': randomUUID() }
    const where = encodeURIComponent(JSON.stringify({ label: 'gone' }))
    const first = await call('DELETE', `/api/items?where=${where}&max=10`, { headers })
    assert.deepEqual(first.json, { deleted: 5 })
    const more = await call('POST', '/api/items', { body: Array.from({ length: 11 }, () => ({ label: 'gone' })) })
    assert.equal(more.status, 201, 'by now more rows match than may be deleted')
    const again = await call('DELETE', `/api/items?where=${where}&max=10`, { headers })
    assert.deepEqual([again.json, again.headers.get('idempotency-replayed')], [{ deleted: 5 }, 'true'])
    assert.equal((await call('GET', '/api/items?label=gone')).json.items.length, 11)
  })

  it('are carried out together in a batch, or not at all', async () => {
    const { call } = api()
    const { id } = await make({ label: 'old', stock: 5 })
    const { id: leaving } = await make({ label: 'leaving' })
    const thing = randomUUID()
    const operations = [
      { method: 'POST', path: '/api/items', body: { label: 'new' } },
      { method: 'PATCH', path: `/api/items/${id}`, body: { $inc: { stock: 1 } } },
      { method: 'PATCH', path: `/api/items/${id}`, body: { $inc: { stock: 1 }, label: 'newer' } },
      { method: 'PUT', path: `/api/things/${thing}`, body: { label: 'thing' } },
      { method: 'PUT', path: '/api/things?slug=batch', body: { label: 'keyed' } },
      { method: 'DELETE', path: `/api/items/${leaving}` },
    ]
    const done = await call('POST', '/api', { body: { operations } })
    assert.equal(done.status, 200, done.text)
    const { results } = done.json
    assert.deepEqual(
      results.map(({ status }: { status: number }) => status),
      [201, 200, 200, 201, 201, 204],
    )
    assert.equal(results[2].body.stock, 7)
    assert.equal((await call('GET', results[0].location)).json.label, 'new')
    assert.equal((await call('GET', `/api/things/${thing}`)).json.label, 'thing')
    assert.equal((await call('GET', `/api/items/${leaving}`)).status, 404)

    const fails = [
      [{ method: 'POST', path: '/api/items', body: { stock: 'x' } }, 422, 'ROW_INVALID'],
      [{ method: 'POST', path: '/api/things', body: { slug: 'batch' } }, 409, 'CONFLICT'],
      [{ method: 'PATCH', path: `/api/items/${randomUUID()}`, body: {} }, 404, 'ROW_NOT_FOUND'],
      [
        { method: 'PATCH', path: `/api/items/${id}`, body: { stock: 1 }, ifMatch: `"${randomUUID()}"` },
        412,
        'PRECONDITION_FAILED',
      ],
      [{ method: 'POST', path: '/api/nothing', body: {} }, 404, 'COLLECTION_NOT_FOUND'],
      [{ method: 'DELETE', path: '/api/items?label=x' }, 405, 'METHOD_NOT_ALLOWED'],
      [{ method: 'GET', path: `/api/items/${id}` }, 405, 'METHOD_NOT_ALLOWED'],
      [{ method: 'POST', path: '/api/items', body: [{}] }, 422, 'ROW_INVALID'],
      ['nothing', 422, 'ROW_INVALID'],
    ] as const
    for (const [operation, status, code] of fails) {
      const label = `batch ${code} ${status}`
      const body = {
        operations: [
          { method: 'POST', path: '/api/items', body: { label } },
          ...Array(2).fill(operations[1]),
          operation,
        ],
      }
      const refused = await call('POST', '/api', { body })
      assert.deepEqual([refused.status, refused.json.code, refused.json.operation], [status, code, 3], refused.text)
      assert.equal((await call('GET', `/api/items?label=${encodeURIComponent(label)}`)).json.items.length, 0)
    }
    assert.equal((await call('GET', `/api/items/${id}`)).json.stock, 7)
    const many = Array.from({ length: 101 }, () => operations[0])
    assert.equal((await call('POST', '/api', { body: { operations: many } })).status, 413)
    for (const body of [{}, [], { operations: [] }, { operations: {}, x: 1 }]) {
      assert.equal((await call('POST', '/api', { body })).status, 422)
    }
    assert.equal((await call('GET', '/api')).status, 405)
    assert.equal((await call('POST', '/api', { body: { operations: [operations[0]] }, token: null })).status, 401)
  })

  it('are carried out once in a batch with a key', async () => {
    const { call } = api()
    const { id } = await make({ stock: 5 })
    const operations = [
      { method: 'POST', path: '/api/items', body: { label: 'keyed batch' } },
      { method: 'PATCH', path: `/api/items/${id}`, body: { $inc: { stock: 1 } } },
    ]
    const headers = { 'idempotency-key': randomUUID() }
    const first = await call('POST', '/api', { body: { operations }, headers })
    const again = await call('POST', '/api', { body: { operations }, headers })
    assert.equal(first.status, 200)
    assert.equal(again.text, first.text)
    assert.equal((await call('GET', `/api/items/${id}`)).json.stock, 6)
    assert.equal((await call('GET', '/api/items?label=keyed+batch')).json.items.length, 1)
  })
})
