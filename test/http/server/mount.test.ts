import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { mountPrefixOf, noteMount } from '../../../src/http/server/mount.ts'

function prefixOf(url: string, given: object): string {
  const req = Object.assign(new IncomingMessage(new Socket()), { url }, given)
  noteMount(req)
  return mountPrefixOf(req)
}

test('the prefix is what Express, Polka or code has cut off', () => {
  assert.equal(prefixOf('/api/a', {}), '')
  assert.equal(prefixOf('/api/a', { baseUrl: '', originalUrl: '/api/a' }), '')
  assert.equal(prefixOf('/api/a', { baseUrl: '/v1/data', originalUrl: '/v1/data/api/a' }), '/v1/data')
  assert.equal(prefixOf('/api/a?x=1', { originalUrl: '/data/api/a?x=1' }), '/data')
  assert.equal(prefixOf('/?x=/', { originalUrl: '/data?x=/' }), '/data')
  assert.equal(prefixOf('/api/a', { originalUrl: '/api/a' }), '')
  assert.equal(prefixOf('/api/a', { baseUrl: '/data/' }), '/data')
})

test('no prefix leads to another host, or out of an attribute of the page', () => {
  const hostile = [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/a//b',
    '/a"><b',
    '/a b',
    '/a\r\nX: y',
    7,
    null,
  ]
  for (const baseUrl of hostile) assert.equal(prefixOf('/api/a', { baseUrl }), '', String(baseUrl))
  assert.equal(prefixOf('/api/a', { originalUrl: '//evil.example/api/a' }), '')
})
