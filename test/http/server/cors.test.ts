import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HoldfastError } from '../../../src/errors.ts'
import { sendJson } from '../../../src/http/server/answers.ts'
import type { App } from '../../../src/http/server/app.ts'
import { serve } from '../support.ts'

const page = 'https://app.example.com'

function routes(app: App): void {
  app.post('/rows', (_req, res) => sendJson(res, 201, '{}', { ETag: '"1"' }))
  app.get('/lost', () => {
    throw new HoldfastError('ROW_NOT_FOUND')
  })
}

function preflight(origin: string): RequestInit {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'holdfast-token',
  }
  return { method: 'OPTIONS', headers }
}

describe('pages of other origins', () => {
  it('are no one’s without a declaration: no answer says anything of origins', async (t) => {
    const { base } = await serve(t, routes)
    for (const init of [preflight(page), { method: 'POST', headers: { origin: page } }]) {
      const answer = await fetch(`${base}/rows`, init)
      const names = [...answer.headers.keys()].filter((name) => name.startsWith('access-control') || name === 'vary')
      assert.deepEqual(names, [])
    }
  })

  it('may use the service from a declared origin, and from no other', async (t) => {
    const { base } = await serve(t, routes, { http: { corsOrigins: ['http://localhost:5173', page] } })
    const asked = await fetch(`${base}/rows`, preflight(page))
    assert.equal(asked.status, 204)
    assert.equal(asked.headers.get('access-control-allow-origin'), page)
    assert.equal(asked.headers.get('access-control-allow-credentials'), null)
    assert.equal(asked.headers.get('access-control-max-age'), '600')
    assert.match(asked.headers.get('access-control-allow-methods') ?? '', /PUT,PATCH,DELETE/)
    const allowed = (asked.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(',')
    for (const name of ['authorization', 'holdfast-token', 'content-type', 'idempotency-key', 'if-match', 'prefer']) {
      assert.ok(allowed.includes(name), name)
    }
    const made = await fetch(`${base}/rows`, { method: 'POST', headers: { origin: page } })
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('access-control-allow-origin'), page)
    assert.match(
      made.headers.get('access-control-expose-headers') ?? '',
      /ETag.*Holdfast-Store.*Link.*RateLimit-Policy/,
    )
    assert.equal(made.headers.get('vary'), 'Origin')
    const lost = await fetch(`${base}/lost`, { headers: { origin: page } })
    assert.deepEqual([lost.status, lost.headers.get('access-control-allow-origin')], [404, page], 'errors are readable')
    const long = await fetch(`${base}/rows?${'x'.repeat(4_000)}`, { headers: { origin: page } })
    assert.deepEqual([long.status, long.headers.get('access-control-allow-origin')], [414, page])
    for (const origin of ['https://app.example.com.evil.example', 'http://app.example.com', 'null']) {
      for (const init of [preflight(origin), { method: 'POST', headers: { origin } }]) {
        const answer = await fetch(`${base}/rows`, init)
        assert.equal(answer.headers.get('access-control-allow-origin'), null, origin)
        assert.equal(answer.headers.get('vary'), 'Origin', 'a cache must not give it to the declared origin')
      }
    }
    const plain = await fetch(`${base}/rows`, { method: 'OPTIONS' })
    assert.equal(plain.headers.get('allow'), 'POST, OPTIONS', 'a question for the methods is no preflight')
  })

  it('may come from anywhere with *, never with cookies', async (t) => {
    const { base } = await serve(t, routes, { http: { corsOrigins: ['*'] } })
    const made = await fetch(`${base}/rows`, { method: 'POST', headers: { origin: page } })
    assert.equal(made.headers.get('access-control-allow-origin'), '*')
    assert.equal(made.headers.get('access-control-allow-credentials'), null)
  })
})
