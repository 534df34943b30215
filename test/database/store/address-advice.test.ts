import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressAdvice, diskAdvice } from '../../../src/database/store/address-advice.ts'
import type { Target } from '../../../src/driver/address.ts'
import type { Facts, Insight } from '../../../src/driver/driver.ts'

function targetWith(tls: string | null, host: string | null = 'db.example.com'): Target {
  return { driver: 'postgresql', id: 'x', host, port: 5432, database: 'app', user: 'me', tls }
}

function factsWith(given: Partial<Insight> = {}, pooled = false): Facts {
  const insight = {
    encryption: null,
    schema: 'public',
    mayMakeTables: true,
    mayWriteOwnTables: true,
    isReadOnly: false,
    roundTripMs: 1,
    ...given,
  }
  return { version: '15', path: null, ephemeral: false, pooled, problems: [], insight }
}

test('an address that does not insist on TLS is advised to, in the words of its kind', () => {
  const says = (tls: string, encryption: string | null) => addressAdvice(targetWith(tls), factsWith({ encryption }))
  assert.deepEqual(says('prefer', 'TLSv1.3'), [
    'The address does not insist on TLS: with sslmode=require every connection is encrypted.',
  ])
  assert.deepEqual(says('preferred', 'TLSv1.3'), [
    'The address does not insist on TLS: with ssl-mode=REQUIRED every connection is encrypted.',
  ])
  assert.match(says('prefer', 'none')[0] ?? '', /is not encrypted: use sslmode=require/)
  assert.match(says('disable', null)[0] ?? '', /is not encrypted/)
  for (const mode of ['require', 'verify-ca', 'verify-full', 'required']) assert.deepEqual(says(mode, 'TLSv1.3'), [])
})

test('nobody listens in on this machine', () => {
  for (const host of ['localhost', '127.0.0.1', '::1', '/var/run/postgresql', null]) {
    assert.deepEqual(addressAdvice(targetWith('prefer', host), factsWith({ encryption: 'none' })), [])
  }
  assert.deepEqual(addressAdvice(targetWith('disable'), factsWith({ encryption: 'local' })), [])
})

test('a pooler, and a database that is far away, are worth a word', () => {
  assert.match(addressAdvice(targetWith('require'), factsWith({}, true))[0] ?? '', /through a pooler/)
  assert.match(addressAdvice(targetWith('require'), factsWith({ roundTripMs: 83.4 }))[0] ?? '', /takes 83 ms/)
})

test('what a store in this process would lose is said of an ephemeral disk alone', () => {
  assert.equal(diskAdvice('durable', 'fallback', false), null)
  assert.match(diskAdvice('ephemeral', 'fallback', false) ?? '', /^The fallback is .* while the primary is away/)
  assert.match(diskAdvice('ephemeral', 'local', false) ?? '', /^The database is .* declare a primary\.$/)
})

test('with an archive, what is lost with an ephemeral disk is less, and said so', () => {
  assert.equal(diskAdvice('durable', 'local', true), null)
  for (const shown of ['fallback', 'local'] as const)
    assert.doesNotMatch(diskAdvice('ephemeral', shown, true) ?? 'lost', /lost with the container/)
  assert.match(diskAdvice('ephemeral', 'primary', true) ?? '', /lost with the container/)
})
