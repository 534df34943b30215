import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HealthRow } from '../../../src/database/machine/state.ts'
import { readinessOf } from '../../../src/http/status/readiness.ts'

const lazy = { boot: 'lazy', readiness: 'any', hasFallback: true, isRestoring: false } as const
const eager = { ...lazy, boot: 'eager' } as const
const strict = { ...lazy, readiness: 'primary' } as const

/** DESIGN's table: ready when lazy, when eager, with READINESS=primary; the word of /health. */
const table: Readonly<Record<HealthRow, readonly [number, number, number, string]>> = {
  'not-asked': [200, 200, 200, 'pass'],
  'connecting-first': [200, 503, 200, 'warn'],
  'connecting-later': [200, 200, 200, 'warn'],
  'connecting-later-alone': [503, 503, 503, 'warn'],
  failover: [200, 200, 200, 'warn'],
  primary: [200, 200, 200, 'pass'],
  local: [200, 200, 200, 'pass'],
  fallback: [200, 200, 503, 'warn'],
  error: [503, 503, 503, 'fail'],
}

for (const [name, [whenLazy, whenEager, whenStrict, health]] of Object.entries(table)) {
  const row = name as HealthRow // A key of the table above.
  test(`${name}: ready ${whenLazy} lazy, ${whenEager} eager, ${whenStrict} with READINESS=primary, health ${health}`, () => {
    assert.equal(readinessOf(row, lazy).ready, whenLazy)
    assert.equal(readinessOf(row, eager).ready, whenEager)
    assert.equal(readinessOf(row, strict).ready, whenStrict)
    assert.equal(readinessOf(row, lazy).health, health)
  })
}

test('a primary without a fallback that could open warns', () => {
  assert.equal(readinessOf('primary', { ...lazy, hasFallback: false }).health, 'warn')
})

test('while rows are restored the service is not ready, whatever the connection does', () => {
  for (const name of Object.keys(table)) {
    const row = name as HealthRow // A key of the table above.
    assert.deepEqual(readinessOf(row, { ...lazy, isRestoring: true }), { ready: 503, health: 'warn' })
  }
})
