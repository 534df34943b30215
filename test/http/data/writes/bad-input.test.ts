import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { onDatabases, type Received, type Sent } from '../../../support/databases.ts'

const uuid = { type: 'string', format: 'uuid' }

const teams = { name: 'teams', fields: { label: { type: 'string' } } }

const tasks = {
  name: 'tasks',
  fields: {
    rating: { type: 'integer', minimum: 1, maximum: 5 },
    label: { type: 'string', maxLength: 40 },
    slug: { type: 'string', maxLength: 40 },
    locked: { type: 'string', maxLength: 40, readOnly: true },
    secret: { type: 'string', maxLength: 40, private: true },
    team: { ...uuid, references: 'teams' },
  },
  indexes: [{ fields: ['slug'], unique: true }],
  access: Object.fromEntries(['list', 'get', 'create', 'update', 'delete'].map((one) => [one, 'token'])),
}

/** Its rows are their owner's, and a closed one is nobody's. */
const own = {
  name: 'own',
  fields: {
    owner: { type: 'string', maxLength: 255 },
    label: { type: 'string', maxLength: 40 },
    status: { type: 'string', enum: ['open', 'closed'], default: 'open' },
  },
  owner: 'owner',
  ids: 'client',
  access: {
    create: { to: 'token', where: { status: 'open' } },
    update: { to: 'token', where: { status: 'open', label: { ne: 'fixed' } } },
    delete: 'owner',
    get: 'owner',
    list: 'owner',
  },
}

const tokens = ['writer', 'other'].map((name) => ({ name, token: `hfst_${name}_of_this_test` }))
const [writer, other] = tokens.map(({ token }) => token) as [string, string] // Of two.
const settings = tokens.map(({ name, token }) => ({
  name,
  sha256: createHash('sha256').update(token).digest('hex'),
  scopes: ['*:*'],
}))

const env = { API_TOKENS: JSON.stringify(settings), HTTP_BODY_LIMIT: '1024', HTTP_BULK_LIMIT: '100000' }

onDatabases('bad writes', { collections: [teams, tasks, own], env }, (api) => {
  const call = (method: string, path: string, sent: Sent = {}) => api().call(method, path, { token: writer, ...sent })
  const make = async (path: string, body: object, token: string = writer) => {
    const made = await call('POST', path, { body, token })
    assert.equal(made.status, 201, made.text)
    return made.json
  }
  const pointers = ({ json }: Received) => json.errors?.map(({ pointer }: { pointer: string }) => pointer)
  const count = async () => (await api().call('GET', '/api/tasks?limit=1&count=exact')).json.count

  it('of many rows name the bad one, and leave nothing', async () => {
    const before = await count()
    const body = Array.from({ length: 500 }, (_, at) => ({ rating: at === 3 ? 'x' : 1 }))
    const refused = await call('POST', '/api/tasks', { body })
    assert.deepEqual([refused.status, refused.json.code, pointers(refused)], [422, 'ROW_INVALID', ['/3/rating']])
    const all = await call('POST', '/api/tasks', { body: body.map(() => ({ rating: 0 })) })
    assert.equal(pointers(all).length, 20)
    assert.equal(await count(), before)
  })

  it('of fields that the caller may not write are refused, and those of private ones as unknown', async () => {
    const refused = await call('POST', '/api/tasks', { body: [{ locked: 'x' }] })
    assert.deepEqual([refused.status, pointers(refused)], [422, ['/0/locked']])
    const hidden = await call('POST', '/api/tasks', { body: { secret: 'x' } })
    const unknown = await call('POST', '/api/tasks', { body: { sacred: 'x' } })
    assert.equal(hidden.status, 422)
    assert.deepEqual(hidden.json.errors[0].message, unknown.json.errors[0].message)
    assert.doesNotMatch(unknown.text, /secret/)
    const { id } = await make('/api/tasks', { rating: 1 })
    for (const body of [{ locked: 'x' }, { $inc: { locked: 1 } }]) {
      assert.equal((await call('PATCH', `/api/tasks/${id}`, { body })).status, 422)
    }
    const admin = await api().call('PATCH', `/api/tasks/${id}`, { body: { locked: 'set', secret: 'kept' } })
    assert.deepEqual([admin.status, admin.json.locked, admin.json.secret], [200, 'set', 'kept'])
    const replaced = await call('PUT', `/api/tasks/${id}`, { body: { rating: 2 } })
    assert.deepEqual([replaced.status, replaced.json.locked, 'secret' in replaced.json], [200, 'set', false])
    assert.equal(
      (await api().call('GET', `/api/tasks/${id}`)).json.secret,
      'kept',
      'a replacement keeps what it cannot see',
    )
  })

  it('past a bound of an increment, or of another id than the path, change nothing', async () => {
    const row = await make('/api/tasks', { rating: 5 })
    for (const body of [{ $inc: { rating: 1 } }, { $inc: { label: 1 } }, { id: randomUUID(), rating: 1 }]) {
      const method = 'id' in body ? 'PUT' : 'PATCH'
      assert.equal((await call(method, `/api/tasks/${row.id}`, { body })).status, 422)
    }
    assert.deepEqual((await call('GET', `/api/tasks/${row.id}`)).json, row)
  })

  it('against a key or a reference name the field and no value', async () => {
    await make('/api/tasks', { slug: 'taken-by-one' })
    const { id } = await make('/api/tasks', { slug: 'another' })
    const nothing = randomUUID()
    for (const [method, path, body, code, field] of [
      ['POST', '/api/tasks', { slug: 'taken-by-one' }, 'CONFLICT', '/slug'],
      ['PATCH', `/api/tasks/${id}`, { slug: 'taken-by-one' }, 'CONFLICT', '/slug'],
      ['PUT', `/api/tasks/${id}`, { slug: 'taken-by-one' }, 'CONFLICT', '/slug'],
      ['POST', '/api/tasks', { team: nothing }, 'REFERENCE_MISSING', '/team'],
      ['PUT', `/api/tasks/${id}`, { team: nothing }, 'REFERENCE_MISSING', '/team'],
    ] as const) {
      const refused = await call(method, path, { body })
      assert.deepEqual([refused.status, refused.json.code, pointers(refused)], [409, code, [field]], refused.text)
      assert.equal(refused.text.includes(nothing) || refused.text.includes('taken-by-one'), false)
    }
    const team = await api().call('POST', '/api/teams', { body: {} })
    await make('/api/tasks', { team: team.json.id })
    const referred = await api().call('DELETE', `/api/teams/${team.json.id}`)
    assert.deepEqual([referred.status, referred.json.code], [409, 'REFERENCED'])
  })

  it('too large, of a type that is none, or without a token are refused first', async () => {
    const text = JSON.stringify({ label: 'x'.repeat(200_000) })
    assert.equal((await call('POST', '/api/tasks', { body: text })).status, 413)
    const known = await call('POST', '/api/tasks', {
      body: Array.from({ length: 50 }, () => ({ label: 'x'.repeat(30) })),
    })
    assert.equal(known.status, 201, 'a body with a token may be larger than one without')
    const json = { 'content-type': 'application/json-patch+json' }
    const { id } = await make('/api/tasks', {})
    assert.equal((await call('PATCH', `/api/tasks/${id}`, { body: '[]', headers: json })).status, 415)
    assert.equal(
      (await call('POST', '/api/tasks', { body: '{}', headers: { 'content-type': 'text/plain' } })).status,
      415,
    )
    const none = await call('POST', '/api/tasks', { body: {}, token: null })
    assert.deepEqual([none.status, none.json.code], [401, 'TOKEN_MISSING'])
    const denied = await call('POST', '/api/teams', { body: {} })
    assert.equal(denied.status, 403)
    const batch = await call('POST', '/api', {
      body: {
        operations: [
          { method: 'POST', path: '/api/tasks', body: {} },
          { method: 'POST', path: '/api/teams', body: {} },
        ],
      },
    })
    assert.deepEqual([batch.status, batch.json.operation], [403, 1])
  })

  it('on rows that a rule hides find none, and changes that leave the rule are refused', async () => {
    const row = await make('/api/own', { label: 'mine' })
    assert.equal(row.owner, 'token:writer')
    const path = `/api/own/${row.id}`
    assert.equal((await call('DELETE', path, { token: other })).status, 404)
    assert.equal((await call('GET', path, { token: other })).status, 404)
    const closed = await call('POST', '/api/own', { body: { status: 'closed' } })
    assert.deepEqual([closed.status, closed.json.code], [403, 'RULE_REFUSED'])
    const many = await call('POST', '/api/own', { body: [{ label: 'open' }, { status: 'closed' }] })
    assert.deepEqual([many.status, many.json.code, pointers(many)], [403, 'RULE_REFUSED', ['/1']])
    const fixed = await call('PATCH', path, { body: { label: 'fixed' } })
    assert.deepEqual([fixed.status, fixed.json.code], [403, 'RULE_REFUSED'])
    assert.deepEqual((await call('GET', path)).json, row)
    const merged = { 'content-type': 'application/merge-patch+json' }
    assert.equal((await call('PATCH', path, { body: { status: 'closed' }, headers: merged })).status, 403)
    assert.equal((await call('PUT', path, { body: { status: 'closed' } })).status, 403)
    const kept = await call('PUT', path, { body: { label: 'put' } })
    assert.deepEqual([kept.status, kept.json.owner, kept.json.label], [200, 'token:writer', 'put'])
    assert.equal((await call('PUT', `/api/own/${randomUUID()}`, { body: { status: 'closed' } })).status, 403)
    const forged = await call('POST', '/api/own', { body: { owner: 'token:other' } })
    assert.deepEqual([forged.status, pointers(forged)], [422, ['/owner']])
    assert.equal((await api().call('PATCH', path, { body: { status: 'closed' } })).status, 200, 'the admin has no rule')
    assert.equal((await call('PATCH', path, { body: { label: 'x' } })).status, 404)
    assert.equal((await call('PUT', path, { body: { label: 'x' } })).status, 404)
    assert.equal((await call('DELETE', path)).status, 204)
  })

  it('of rows by condition leave those that a rule hides', async () => {
    const mine = await make('/api/own', { label: 'many' })
    const theirs = await make('/api/own', { label: 'many' }, other)
    const done = await call('DELETE', '/api/own?label=many&max=10')
    assert.deepEqual([done.status, done.json], [200, { deleted: 1 }])
    assert.equal((await call('GET', `/api/own/${mine.id}`)).status, 404)
    assert.equal((await call('GET', `/api/own/${theirs.id}`, { token: other })).status, 200)
  })
})
