import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HealthRow } from '../../../src/database/machine/state.ts'
import { addHealthRoutes } from '../../../src/http/status/health.ts'
import type { StatusSource } from '../../../src/http/status/status-source.ts'
import { adminToken, createSource, refusedFault } from '../source.ts'
import { serve } from '../support.ts'

type Policy = ReturnType<StatusSource['policy']>
const lazy: Policy = { boot: 'lazy', readiness: 'any' }
const eager: Policy = { boot: 'eager', readiness: 'any' }
const required: Policy = { boot: 'required', readiness: 'any' }
const primaryOnly: Policy = { boot: 'lazy', readiness: 'primary' }

const table: readonly (readonly [HealthRow, Policy, number, number, string])[] = [
  ['not-asked', lazy, 200, 200, 'pass'],
  ['connecting-first', lazy, 200, 200, 'warn'],
  ['connecting-first', eager, 503, 200, 'warn'],
  ['connecting-first', required, 503, 200, 'warn'],
  ['connecting-later', eager, 200, 200, 'warn'],
  ['connecting-later-alone', lazy, 503, 200, 'warn'],
  ['primary', primaryOnly, 200, 200, 'pass'],
  ['local', primaryOnly, 200, 200, 'pass'],
  ['fallback', lazy, 200, 200, 'warn'],
  ['fallback', primaryOnly, 503, 200, 'warn'],
  ['error', lazy, 503, 503, 'fail'],
]

for (const [row, policy, ready, health, status] of table) {
  test(`${row} (${policy.boot}, ready on ${policy.readiness}) is ready ${ready}, health ${health} ${status}`, async (t) => {
    const source = createSource({ row }, { policy: () => policy })
    const { base } = await serve(t, (app) => addHealthRoutes(app, source))
    assert.equal((await fetch(`${base}/health/live`)).status, 200)
    assert.equal((await fetch(`${base}/health/ready`)).status, ready)
    const answer = await fetch(`${base}/health`)
    assert.equal(answer.status, health)
    assert.equal(answer.headers.get('content-type'), 'application/health+json')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const body = JSON.parse(await answer.text())
    assert.equal(body.status, status)
    assert.equal('output' in body, status !== 'pass')
    for (const [name, checks] of Object.entries(body.checks)) {
      assert.match(name, /^\w+:\w+$/)
      assert.ok(Array.isArray(checks) && checks.length > 0)
    }
  })
}

test('a copy is counted next to a primary; one that is not complete is no warning', async (t) => {
  const lineOf = (collection: string, isWhole: boolean) => ({
    ...{ collection, isWhole, asOfMs: isWhole ? Date.now() : null },
    ...{ rows: 1, bytes: 1, why: isWhole ? null : 'it is being copied' },
  })
  const copy = () => [lineOf('a', true), lineOf('b', false)]
  for (const [declared, expected] of [
    [true, { observedValue: 1, observedUnit: 'complete', status: 'pass' }],
    [false, undefined],
  ] as const) {
    const row = declared ? 'primary' : 'local'
    const source = createSource({ row, declared, hasFallback: true }, { copy })
    const { base } = await serve(t, (app) => addHealthRoutes(app, source))
    const body = JSON.parse(await (await fetch(`${base}/health`)).text())
    assert.equal(body.status, 'pass')
    const [check] = body.checks['fallback:copy'] ?? []
    const { observedValue, observedUnit, status } = check ?? {}
    assert.deepEqual(check && { observedValue, observedUnit, status }, expected)
  }
})

test('a primary whose fallback could not be opened is a warning', async (t) => {
  for (const [hasFallback, status] of [
    [false, 'warn'],
    [true, 'pass'],
  ] as const) {
    const { base } = await serve(t, (app) => addHealthRoutes(app, createSource({ row: 'primary', hasFallback })))
    assert.equal(JSON.parse(await (await fetch(`${base}/health`)).text()).status, status)
  }
})

test('what warns beside the connection is named, and the state of the connection passes', async (t) => {
  const journal = { transactions: 6, entries: 9, bytes: 900, elsewhere: 0, since: '2026-05-04T03:02:01.000Z' }
  const problem = { code: 'FILE_MOVED', severity: 'warning', setting: 'x', origin: null, part: null } as const
  const problems = [{ ...problem, message: '/srv/x', suggestion: '' }]
  const blocked = { declared: true, writeBlock: 'tables-absent' } as const
  for (const [database, rest, name, said] of [
    [blocked, {}, 'fallback:writes', /^The fallback accepts no writes/],
    [
      { journal },
      {},
      'fallback:journal',
      /^6 changes wait in the journal of the fallback since 2026-05-04 03:02:01 UTC/,
    ],
    [{}, { conflicts: () => 2 }, 'primary:conflicts', /^2 changes met other changes of their rows/],
    [{}, { problems: () => problems }, 'service:problems', /^FILE_MOVED$/],
    [{}, { lacking: () => ['feedback', 'notes'] }, 'collection:tables', /^COLLECTION_UNAVAILABLE feedback notes$/],
    [{}, { keyless: () => ['feedback', 'notes'] }, 'collection:keys', /^PLAN_NEEDED feedback notes$/],
  ] as const) {
    const given = createSource({ row: 'primary', ...database }, rest)
    const { base } = await serve(t, (app) => addHealthRoutes(app, given))
    for (const path of ['/health', '/health/ready']) {
      const { status, output, checks } = JSON.parse(await (await fetch(base + path)).text())
      const [check] = checks[name]
      assert.deepEqual([status, checks['database:state'][0].status, check.status], ['warn', 'pass', 'warn'])
      assert.equal(output, `${name} ${check.output}`)
      assert.match(check.output, said)
      assert.equal('output' in checks['database:state'][0], false)
    }
  }
})

test('what fails now is the output, before a block that stands as long as the setup', async (t) => {
  const blocked = { row: 'primary', declared: true, writeBlock: 'no-replay' } as const
  for (const [database, rest, said] of [
    [{ diskFull: true }, {}, 'database:disk DISK_FULL'],
    [{}, { lacking: () => ['feedback'] }, 'collection:tables COLLECTION_UNAVAILABLE feedback'],
  ] as const) {
    const given = createSource({ ...blocked, ...database }, rest)
    const { base } = await serve(t, (app) => addHealthRoutes(app, given))
    assert.equal(JSON.parse(await (await fetch(`${base}/health`)).text()).output, said)
  }
})

test('a problem that is good to know, and an empty journal, warn about nothing', async (t) => {
  const journal = { transactions: 0, entries: 0, bytes: 0, elsewhere: 0, since: null }
  const problem = { code: 'X', severity: 'info', setting: 'x', origin: null, part: null } as const
  const problems = () => [{ ...problem, message: '', suggestion: '' }]
  const { base } = await serve(t, (app) =>
    addHealthRoutes(app, createSource({ row: 'primary', journal }, { problems })),
  )
  const { status, checks } = JSON.parse(await (await fetch(`${base}/health`)).text())
  assert.deepEqual([status, checks['fallback:journal'][0].observedValue], ['pass', 0])
})

test('a fallback whose file another process holds is named', async (t) => {
  const fault = { ...refusedFault, kind: 'transient', code: 'FILE_SHARED' } as const
  const standby = { status: 'failed', fault } as const
  const given = createSource({ row: 'primary', state: 'PRIMARY_CONNECTED', hasFallback: false, standby })
  const { base } = await serve(t, (app) => addHealthRoutes(app, given))
  const { status, output } = JSON.parse(await (await fetch(`${base}/health`)).text())
  assert.deepEqual([status, output], ['warn', 'PRIMARY_CONNECTED: the fallback is not open, FILE_SHARED'])
})

test('without the token there are states and codes only; with it also what and where', async (t) => {
  const source = createSource({ row: 'fallback', why: refusedFault })
  const { base } = await serve(t, (app) => addHealthRoutes(app, source))
  const open = await (await fetch(`${base}/health`)).text()
  assert.doesNotMatch(open, /db7|carol|hunter2|\/srv/)
  assert.equal(JSON.parse(open).output, 'FALLBACK_CONNECTED unreachable ECONNREFUSED')
  assert.equal(JSON.parse(open).checks['database:state'][0].store, 'local')
  const headers = { authorization: `Bearer ${adminToken}` }
  const closed = await (await fetch(`${base}/health`, { headers })).text()
  assert.match(closed, /db7\.internal:5432/)
  assert.doesNotMatch(closed, /hunter2/)
})

test('a service that closes is not ready, and still alive', async (t) => {
  const { base } = await serve(t, (app) => addHealthRoutes(app, createSource({}, { isClosing: () => true })))
  assert.equal((await fetch(`${base}/health/ready`)).status, 503)
  assert.equal((await fetch(`${base}/health/live`)).status, 200)
})

test('health takes less than a millisecond of the server', async (t) => {
  const { base, observations } = await serve(t, (app) => addHealthRoutes(app, createSource()))
  for (let at = 0; at < 50; at++) await (await fetch(`${base}/health`)).text()
  const times = observations.flatMap((seen) => (seen.type === 'request.answered' ? [seen.durationMs] : []))
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]
  assert.ok(median !== undefined && median < 1, `the median was ${median} ms`)
})
