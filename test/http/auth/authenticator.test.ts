import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiTokenSha256, drawApiToken } from '../../../src/http/auth/api-tokens.ts'
import type { Authenticator } from '../../../src/http/auth/authenticator.ts'
import { callerNameOf } from '../../../src/http/server/caller-name.ts'
import { request } from './request.ts'
import { createAuthenticator } from './support.ts'

const [ingest, old] = [drawApiToken(), drawApiToken()]
const entries = [
  { name: 'ingest', sha256: apiTokenSha256(ingest), scopes: ['feedback:create'] },
  { name: 'old', sha256: apiTokenSha256(old), scopes: ['*:*'], expires: '2020-01-01' },
]

function authenticator(tokens = entries): Authenticator {
  return createAuthenticator('the admin token', () => ({ tokens }))
}

test('callers are known by either header, and their names by the log', () => {
  const known = authenticator()
  const named = (headers: Readonly<Record<string, string>>) => {
    const req = request(headers)
    const caller = known.identify(req)
    assert.ok(!(caller instanceof Promise))
    return [caller.is, callerNameOf(req)]
  }
  assert.deepEqual(named({}), ['public', 'public'])
  assert.deepEqual(named({ authorization: 'Bearer the admin token' }), ['admin', 'admin'])
  assert.deepEqual(named({ authorization: `Bearer ${ingest}` }), ['token', 'token:ingest'])
  assert.deepEqual(named({ 'holdfast-token': ingest }), ['token', 'token:ingest'])
  assert.deepEqual(named({ authorization: 'Bearer hf_platform', 'holdfast-token': ingest }), ['token', 'token:ingest'])
  assert.deepEqual(named({ authorization: 'Bearer the admin token', 'holdfast-token': ingest }), ['admin', 'admin'])
})

test('a token that is none of ours counts as none, and one that was ours is refused', () => {
  const known = authenticator()
  assert.deepEqual(known.identify(request({ authorization: 'Bearer hf_platform' })), {
    is: 'public',
    hasUnknownToken: true,
  })
  assert.deepEqual(known.identify(request({ authorization: 'Basic YTpi' })), { is: 'public' })
  for (const [token, detail] of [
    [drawApiToken(), /API_TOKENS does not have this token/],
    [old, /expired/],
    [`${ingest}x`, /does not have/],
  ] as const) {
    assert.throws(() => known.identify(request({ authorization: `Bearer ${token}` })), {
      code: 'TOKEN_INVALID',
      detail,
    })
  }
})

test('a reload replaces the tokens', () => {
  let tokens = entries
  const known = createAuthenticator('the admin token', () => ({ tokens }))
  const req = request({ authorization: `Bearer ${ingest}` })
  assert.deepEqual(known.identify(req), { is: 'token', name: 'ingest', scopes: ['feedback:create'] })
  tokens = []
  assert.throws(() => known.identify(req), { code: 'TOKEN_INVALID' })
})
