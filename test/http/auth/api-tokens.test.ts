import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { ApiTokens, apiTokenSha256, drawApiToken, isApiToken } from '../../../src/http/auth/api-tokens.ts'

test('a token is 256 random bits in base62 with a checksum, and each is another', () => {
  const drawn = new Set(Array.from({ length: 200 }, drawApiToken))
  assert.equal(drawn.size, 200)
  for (const token of drawn) {
    const [, random = '', sum = ''] = /^hfst_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/.exec(token) ?? []
    assert.ok(isApiToken(token))
    let value = 0
    for (const digit of sum)
      value = value * 62 + '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(digit)
    assert.equal(value, crc32(random))
  }
})

test('a token is found by its digest until it expires, on the last day still', () => {
  const [lasting, dated] = [drawApiToken(), drawApiToken()]
  const tokens = new ApiTokens([
    { name: 'lasting', sha256: apiTokenSha256(lasting).toUpperCase(), scopes: ['*:read'] },
    { name: 'dated', sha256: apiTokenSha256(dated), scopes: [], expires: '2027-01-01' },
  ])
  const at = (text: string) => Date.parse(text)
  assert.deepEqual(tokens.find(lasting, at('2099-01-01')), { is: 'token', name: 'lasting', scopes: ['*:read'] })
  assert.deepEqual(tokens.find(dated, at('2027-01-01T23:59:59.999Z')), { is: 'token', name: 'dated', scopes: [] })
  assert.equal(tokens.find(dated, at('2027-01-02T00:00:00Z')), 'expired')
  assert.equal(tokens.find(drawApiToken(), 0), null)
  assert.equal(tokens.find('', 0), null)
})
