import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { adminCaller, type Caller, publicCaller, strangerCaller } from '../../../src/collection/access/caller.ts'
import type { Collection, Operation } from '../../../src/collection/declaration/declaration.ts'
import { RequestLimits } from '../../../src/http/data/request-limits.ts'
import { hostService } from '../../support/hosted.ts'
import { httpDefaults } from '../support.ts'

const notes: Collection = {
  name: 'notes',
  fields: { text: { type: 'string' } },
  access: { create: 'public', list: 'public', get: 'public', update: 'public' },
}

const token: Caller = { is: 'token', name: 'ingest', scopes: ['*:*'] }
const user: Caller = { is: 'user', subject: 'ann', claims: {} }

/** Counts requests; returns the policy that each was counted by, or the code of the refusal, or null where nothing is limited. */
function counter(http: Partial<typeof httpDefaults> = {}) {
  const limits = { ...httpDefaults, rateLimit: 2, readRateLimit: 3, tokenRateLimit: 4, ...http }
  const known = new RequestLimits({ settings: () => limits, trustedProxies: () => 1, now: () => 0 })
  return async (caller: Caller, operation: Operation, client = '192.0.2.1', requests = 1): Promise<string | null> => {
    const req = new IncomingMessage(new Socket())
    req.headers['x-forwarded-for'] = client
    const res = new ServerResponse(req)
    const taken = known.take({ req, res, caller, collection: notes, operation }, requests)
    try {
      if (taken === null) return null
      await taken
      return String(res.getHeader('RateLimit-Policy'))
    } catch (error) {
      assert.match(String(res.getHeader('RateLimit')), /r=0/)
      return (error as { code: string }).code // RATE_LIMITED, or the test fails.
    }
  }
}

test('public creates, other public requests and each token have limits of their own; the admin has none', async () => {
  const count = counter()
  const [create, read, own] = ['"create";q=2;w=60', '"read";q=3;w=60', '"token";q=4;w=60']
  const given: readonly (readonly [Caller, Operation, string | null])[] = [
    [publicCaller, 'create', create],
    [strangerCaller, 'create', create],
    [publicCaller, 'create', 'RATE_LIMITED'],
    [publicCaller, 'list', read],
    [publicCaller, 'get', read],
    [publicCaller, 'update', read],
    [strangerCaller, 'get', 'RATE_LIMITED'],
    ...Array.from({ length: 4 }, () => [token, 'create', own] as const),
    [token, 'list', 'RATE_LIMITED'],
    [user, 'list', own],
    ...Array.from({ length: 9 }, () => [adminCaller, 'create', null] as const),
  ]
  for (const [at, [caller, operation, expected]] of given.entries())
    assert.equal(await count(caller, operation), expected, `${at} ${operation}`)
  assert.equal(await count(publicCaller, 'get', '192.0.2.2'), read, 'another client')
  assert.equal(await count(token, 'get', '192.0.2.2'), 'RATE_LIMITED', 'the same token from elsewhere')
})

test('an array of rows is as many creates', async () => {
  const count = counter({ rateLimit: 10 })
  assert.equal(await count(publicCaller, 'create', '192.0.2.1', 9), '"create";q=10;w=60')
  assert.equal(await count(publicCaller, 'create', '192.0.2.1', 2), 'RATE_LIMITED')
})

test('0 turns a limit off, and RATE_LIMIT of 0 all of them', async () => {
  const count = counter({ readRateLimit: 0, tokenRateLimit: 0 })
  assert.deepEqual([await count(publicCaller, 'get'), await count(token, 'get')], [null, null])
  assert.notEqual(await count(publicCaller, 'create'), null)
  const none = counter({ rateLimit: 0 })
  for (const caller of [publicCaller, token, user]) assert.equal(await none(caller, 'get'), null)
})

test('a PUT counts as the creates that it may be, row by row, by itself and in a batch', async (t) => {
  const drafts = { ...notes, name: 'drafts', ids: 'client' }
  const files = { 'config/collections/drafts.json': JSON.stringify(drafts) }
  const put = { method: 'PUT', path: `/api/drafts/${randomUUID()}`, body: {} }
  const many = Array.from({ length: 3 }, () => ({ id: randomUUID() }))
  const requests = [
    ['PUT', put.path, {}],
    ['PUT', '/api/drafts', many],
    ['POST', '/api', { operations: [put, put, put] }],
  ] as const
  for (const [method, path, body] of requests) {
    const service = await hostService(t, { files, env: { RATE_LIMIT: '2' } })
    const statuses: number[] = []
    for (let at = 0; at < 3; at += 1) statuses.push((await service.send(method, path, body)).status)
    assert.deepEqual(statuses, method === 'PUT' && body !== many ? [201, 200, 429] : [429, 429, 429], path)
    await service.end()
  }
})
