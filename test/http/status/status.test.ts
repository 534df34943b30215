import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addAdminRoutes, type Reloaded } from '../../../src/http/admin/admin-routes.ts'
import { addMetricsRoute, addStatusRoute } from '../../../src/http/status/status-routes.ts'
import { until } from '../../support/until.ts'
import { adminToken, createSource, refusedFault } from '../source.ts'
import { serve } from '../support.ts'

const admin = { 'holdfast-token': adminToken }

test('the status is for the admin only', async (t) => {
  const { base } = await serve(t, (app) => addStatusRoute(app, createSource()))
  const without = await fetch(`${base}/status`)
  assert.equal(without.status, 401)
  assert.equal(without.headers.get('www-authenticate'), 'Bearer realm="holdfast"')
  assert.equal((await fetch(`${base}/status`, { headers: { 'holdfast-token': 'wrong' } })).status, 401)
  const answer = await fetch(`${base}/status`, { headers: admin })
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.equal(answer.status, 200)
})

test('the status tells everything but secrets', async (t) => {
  const { base } = await serve(t, (app) => addStatusRoute(app, createSource({ row: 'fallback', why: refusedFault })))
  const text = await (await fetch(`${base}/status`, { headers: admin })).text()
  assert.doesNotMatch(text, /hunter2|an admin token/)
  const status = JSON.parse(text)
  assert.deepEqual(status.health, { status: 'warn', ready: true })
  assert.equal(status.database.why.summary, refusedFault.summary)
  assert.equal(status.database.store.disk.kind, 'durable')
  assert.deepEqual(status.settings, [
    { name: 'database.url', value: 'postgresql://carol:***@db7/x', origin: 'environment DATABASE_URL' },
  ])
  assert.equal(status.adminToken.path, '/srv/private/admin-token')
})

test('the status says what an outage means for each collection', async (t) => {
  const line = { collection: 'feedback', isWhole: true, asOfMs: 1_790_000_000_000, rows: 3, bytes: 200, why: null }
  const { base } = await serve(t, (app) => addStatusRoute(app, createSource({}, { copy: () => [line] })))
  const { copy } = JSON.parse(await (await fetch(`${base}/status`, { headers: admin })).text())
  assert.deepEqual(copy, [
    { collection: 'feedback', complete: true, asOf: '2026-09-21T14:13:20.000Z', rows: 3, bytes: 200, why: null },
  ])
})

test('the metrics are open, in the format that they say', async (t) => {
  const render = async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'a 1\n' })
  const { base } = await serve(t, (app) => addMetricsRoute(app, render))
  const answer = await fetch(`${base}/metrics`)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(await answer.text(), 'a 1\n')
})

test('a reload is for the admin, runs once for all who ask, and says what changed', async (t) => {
  let calls = 0
  const gate = Promise.withResolvers<void>()
  const report: Reloaded = { applied: true, changed: ['log.level'], needsRestart: ['http.port'], problems: [] }
  const reload = async () => {
    calls++
    await gate.promise
    return report
  }
  let asked = 0
  const { token } = createSource().adminToken()
  const parts = {
    token: () => {
      asked += 1
      return token
    },
    reload,
  }
  const { base } = await serve(t, (app) => addAdminRoutes(app, parts))
  const post = (headers: Record<string, string>) => fetch(`${base}/admin/reload`, { method: 'POST', headers })
  assert.equal((await post({})).status, 401)
  assert.equal((await fetch(`${base}/admin/reload`, { headers: admin })).status, 405)
  asked = 0
  const both = [post(admin), post(admin)]
  await until(() => asked === 2, { what: 'both requests' })
  gate.resolve()
  for (const answer of await Promise.all(both)) assert.deepEqual(await answer.json(), report)
  assert.equal(calls, 1)
  await post(admin)
  assert.equal(calls, 2)
})
