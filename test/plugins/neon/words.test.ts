import assert from 'node:assert/strict'
import { test } from 'node:test'
import driver from '../../../plugins/neon/neon.ts'

/** What Neon's proxy says under one state for everything, from its source; and the kind that it has. */
const words: readonly (readonly [string, string])[] = [
  ["password authentication failed for user 'app'", 'auth'],
  ['This IP address 192.0.2.1 is not allowed to connect to this endpoint.', 'auth'],
  [
    'Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support',
    'configuration',
  ],
  ['Control plane request failed: endpoint cannot be found', 'configuration'],
  ['Control plane request failed: endpoint is disabled', 'configuration'],
  ['unsupported startup parameter: search_path. Please use unpooled connection', 'configuration'],
  ['database "nope" does not exist', 'configuration'],
  ['Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.', 'capacity'],
  ['Control plane request failed: endpoint is temporarily unavailable. Check your quotas', 'capacity'],
  ['Too many connections attempts', 'capacity'],
  ['the database is temporarily overloaded; please retry', 'capacity'],
  ["Couldn't connect to compute node", 'unreachable'],
  ['Control plane request failed', 'unreachable'],
  ['Internal error', 'unreachable'],
]

for (const [message, kind] of words) {
  test(`"${message}" while a connection is opened is "${kind}"`, () => {
    for (const severity of ['ERROR', 'FATAL']) {
      const error = Object.assign(new Error(message), { code: 'XX000', severity })
      const fault = driver.classify(error, 'open')
      assert.deepEqual([fault.kind, fault.ambiguous], [kind, false])
    }
  })
}

test('an internal error of a statement leads nowhere, whatever it says', () => {
  for (const [message] of words) {
    const error = Object.assign(new Error(message), { code: 'XX000', severity: 'ERROR' })
    assert.equal(driver.classify(error, 'statement').kind, 'statement', message)
  }
})
