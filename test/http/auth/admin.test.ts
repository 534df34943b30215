import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../src/config/secret.ts'
import { isAdmin, requireAdmin } from '../../../src/http/auth/admin.ts'
import { request } from './request.ts'

const token = new Secret('correct horse')

test('the token is taken from Authorization and from Holdfast-Token', () => {
  assert.equal(isAdmin(request({ authorization: 'Bearer correct horse' }), token), true)
  assert.equal(isAdmin(request({ authorization: 'bearer   correct horse ' }), token), true)
  assert.equal(isAdmin(request({ 'holdfast-token': 'correct horse' }), token), true)
})

test('a platform may use Authorization for a token of its own beside ours', () => {
  const both = { authorization: 'Bearer hf_platform', 'holdfast-token': 'correct horse' }
  assert.equal(isAdmin(request(both), token), true)
})

test('no token, or no bearer, is TOKEN_MISSING; a wrong one is TOKEN_INVALID', () => {
  for (const headers of [
    {},
    { authorization: 'Basic YTpi' },
    { authorization: 'Bearer ' },
    { 'holdfast-token': ' ' },
  ]) {
    assert.throws(() => requireAdmin(request(headers), token), { code: 'TOKEN_MISSING', status: 401 })
  }
  for (const headers of [{ authorization: 'Bearer wrong' }, { 'holdfast-token': 'correct hors' }]) {
    assert.throws(() => requireAdmin(request(headers), token), { code: 'TOKEN_INVALID', status: 401 })
  }
})

test('a token beyond ASCII is compared by the bytes that were sent', () => {
  const accented = new Secret('pässwörd')
  const sent = Buffer.from('pässwörd', 'utf8').toString('latin1')
  assert.equal(isAdmin(request({ 'holdfast-token': sent }), accented), true)
})
