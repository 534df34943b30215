import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts'
import type { MetricsSource } from '../../src/observe/registry.ts'
import { archiveLike } from '../support/archive-state.ts'
import { type Cleanup, cleanLater } from '../support/temp.ts'
import { everyObservation } from './support.ts'

const run = promisify(execFile)

function createCounted(t: Cleanup, source: Partial<MetricsSource> = {}): Metrics {
  const metrics = createMetrics({
    version: '0.1.0',
    startedAt: new Date(0),
    database: () => ({
      state: 'PRIMARY_CONNECTED',
      forMs: 2_000,
      activeSessions: 4,
      connectionAttemptsCount: 9,
      declared: true,
      hosts: [{ role: 'serving' }, { role: 'standby' }, { role: 'standby' }],
      store: { shown: 'primary', driver: 'sqlite' },
      journal: { transactions: 3, entries: 5, bytes: 700, elsewhere: 2 },
    }),
    durability: () => 'primary',
    conflicts: () => 4,
    copy: () => [
      { collection: 'notes', isWhole: true, asOfMs: Date.now() - 9_000, rows: 3, bytes: 400, why: null },
      { collection: 'logs', isWhole: false, asOfMs: null, rows: 0, bytes: 0, why: 'it is not copied yet' },
    ],
    archive: () => null,
    problems: () => [{ severity: 'warning' }],
    ...source,
  })
  cleanLater(t, () => metrics.close())
  return metrics
}

/** The value of one series; undefined when there is none. */
function sampleOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

test('the archive is measured where there is one', async (t) => {
  assert.doesNotMatch((await createCounted(t).render()).text, /^holdfast_archive_\w+(?:\{.*\})? /m)
  const archive = archiveLike({
    ...{ lagS: 0.75, storedBytes: 900, storedObjects: 7, failures: 2, spoolBytes: 40, phase: 'waiting' },
    snapshotAtMs: Date.now() - 9_000,
    drill: { atMs: Date.now() - 3_000, rows: 4_210, tookMs: 1_100, failure: null },
  })
  const { text } = await createCounted(t, { archive: () => archive }).render()
  assert.equal(sampleOf(text, 'holdfast_archive_phase{phase="waiting"}'), 1)
  assert.equal(sampleOf(text, 'holdfast_archive_lag_seconds'), 0.75)
  assert.equal(sampleOf(text, 'holdfast_archive_stored_bytes_total'), 900)
  assert.equal(sampleOf(text, 'holdfast_archive_stored_objects_total'), 7)
  assert.equal(sampleOf(text, 'holdfast_archive_failures_total'), 2)
  assert.equal(sampleOf(text, 'holdfast_archive_spool_bytes'), 40)
  assert.equal(sampleOf(text, 'holdfast_archive_proven_rows'), 4_210)
  assert.equal(Math.floor(sampleOf(text, 'holdfast_archive_snapshot_age_seconds') ?? 0), 9)
  assert.equal(Math.floor(sampleOf(text, 'holdfast_archive_proven_age_seconds') ?? 0), 3)
  const failed = archiveLike({ lagS: null, drill: { atMs: 0, rows: 0, tookMs: 0, failure: 'It is damaged.' } })
  const without = (await createCounted(t, { archive: () => failed }).render()).text
  assert.equal(sampleOf(without, 'holdfast_archive_lag_seconds'), undefined)
  assert.equal(sampleOf(without, 'holdfast_archive_proven_age_seconds'), undefined)
})

test('state, time in state, sessions, store and durability are there', async (t) => {
  const metrics = createCounted(t)
  metrics.observe(everyObservation['connection.changed'])
  const { contentType, text } = await metrics.render()
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(sampleOf(text, 'holdfast_state{state="PRIMARY_CONNECTED"}'), 1)
  assert.equal(sampleOf(text, 'holdfast_state{state="CONNECTION_ERROR"}'), 0)
  assert.equal(sampleOf(text, 'holdfast_state_age_seconds'), 2)
  assert.equal(sampleOf(text, 'holdfast_state_seconds_total{state="CONNECTING_PRIMARY"}'), 1.5)
  assert.equal(sampleOf(text, 'holdfast_state_seconds_total{state="PRIMARY_CONNECTED"}'), 2)
  const labels = 'from="CONNECTING_PRIMARY",to="CONNECTING_FALLBACK",reason="primary.failed",fault="unreachable"'
  assert.equal(sampleOf(text, `holdfast_transitions_total{${labels}}`), 1)
  assert.equal(sampleOf(text, 'holdfast_active_sessions'), 4)
  assert.equal(sampleOf(text, 'holdfast_connection_attempts_total'), 9)
  assert.equal(sampleOf(text, 'holdfast_primary_declared'), 1)
  assert.equal(sampleOf(text, 'holdfast_primary_hosts{role="standby"}'), 2)
  assert.equal(sampleOf(text, 'holdfast_store{shown="primary",driver="sqlite"}'), 1)
  assert.equal(sampleOf(text, 'holdfast_write_durability{durability="primary"}'), 1)
  assert.equal(sampleOf(text, 'holdfast_journal_transactions'), 3)
  assert.equal(sampleOf(text, 'holdfast_journal_entries'), 5)
  assert.equal(sampleOf(text, 'holdfast_journal_bytes'), 700)
  assert.equal(sampleOf(text, 'holdfast_journal_elsewhere'), 2)
  assert.equal(sampleOf(text, 'holdfast_copy_complete{collection="notes"}'), 1)
  assert.equal(sampleOf(text, 'holdfast_copy_complete{collection="logs"}'), 0)
  assert.equal(Math.round(sampleOf(text, 'holdfast_copy_age_seconds{collection="notes"}') ?? 0), 9)
  assert.equal(sampleOf(text, 'holdfast_copy_age_seconds{collection="logs"}'), undefined)
  assert.equal(sampleOf(text, 'holdfast_copy_rows{collection="notes"}'), 3)
  assert.equal(sampleOf(text, 'holdfast_copy_bytes{collection="notes"}'), 400)
  assert.equal(sampleOf(text, 'holdfast_conflicts_open'), 4)
  assert.equal(sampleOf(text, 'holdfast_problems{severity="warning"}'), 1)
})

test('searches for another host are counted by what they ended with, and their time is summed up', async (t) => {
  const metrics = createCounted(t)
  const ended = { ...everyObservation['connection.changed'], isFailover: true }
  metrics.observe({ ...ended, from: 'PRIMARY_CONNECTED', to: 'CONNECTING_PRIMARY' })
  metrics.observe({ ...ended, to: 'PRIMARY_CONNECTED' })
  metrics.observe({ ...ended, to: 'PRIMARY_CONNECTED', isFailover: false })
  metrics.observe({ ...ended, to: 'CONNECTING_FALLBACK', lastedMs: 3_000 })
  metrics.observe({ ...ended, to: 'CONNECTION_ERROR' })
  metrics.observe({ ...ended, to: 'DISCONNECTED' })
  const { text } = await metrics.render()
  const counted = (outcome: string) => sampleOf(text, `holdfast_failovers_total{outcome="${outcome}"}`)
  assert.deepEqual([counted('found'), counted('fallback'), counted('error')], [1, 1, 1])
  assert.equal(sampleOf(text, 'holdfast_failover_seconds_total'), 6)
})

test('requests are counted by route pattern, before the first scrape and after it', async (t) => {
  const metrics = createCounted(t)
  const seen = everyObservation['request.answered']
  metrics.observe(seen)
  await metrics.render()
  metrics.observe({ ...seen, durationMs: 700 })
  metrics.observe({ ...seen, method: 'PROPFIND', status: 405 })
  const { text } = await metrics.render()
  const name = 'holdfast_http_request_duration_seconds'
  const labels = 'route="/api/:collection",method="GET",status="2xx"'
  assert.equal(sampleOf(text, `${name}_count{${labels}}`), 2)
  assert.equal(sampleOf(text, `${name}_bucket{le="0.5",${labels}}`), 1)
  assert.equal(sampleOf(text, `${name}_bucket{le="1",${labels}}`), 2)
  assert.equal(sampleOf(text, `${name}_bucket{le="+Inf",${labels}}`), 2)
  assert.equal(sampleOf(text, `${name}_sum{${labels}}`)?.toFixed(4), '0.7012')
  assert.equal(sampleOf(text, `${name}_count{route="/api/:collection",method="other",status="4xx"}`), 1)
})

test('whatever is asked for, the number of series is bounded', async (t) => {
  const metrics = createCounted(t)
  for (let at = 0; at < 12_000; at++) {
    metrics.observe({ ...everyObservation['request.answered'], route: `/r/${at}`, path: `/r/${at}` })
    metrics.observe({ ...everyObservation['store.checked'], label: `l${at}` })
  }
  const { text } = await metrics.render()
  assert.ok(text.split('\n').filter((line) => line.includes('_count{')).length <= 101)
  assert.ok(
    (sampleOf(text, 'holdfast_http_request_duration_seconds_count{route="(other)",method="GET",status="2xx"}') ?? 0) >
      9_000,
  )
})

test('the event loop and the process are measured', async (t) => {
  const metrics = createCounted(t)
  metrics.observe(everyObservation['http.listening'])
  await metrics.render()
  await new Promise((resolve) => setTimeout(resolve, 60))
  const until = performance.now() + 150
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 60))
  const { text } = await metrics.render()
  const worst = sampleOf(text, 'holdfast_event_loop_delay_seconds{quantile="1"}') ?? 0
  assert.ok(worst > 0.1 && worst < 5, `the worst delay was ${worst}`)
  assert.ok((sampleOf(text, 'process_resident_memory_bytes') ?? 0) > 1e7)
  assert.ok((sampleOf(text, 'process_cpu_seconds_total') ?? 0) > 0)
})

test('two renderings at once do not disturb each other, and counters do not fall', async (t) => {
  const metrics = createCounted(t)
  metrics.observe(everyObservation['connection.dropped'])
  const both = await Promise.all([metrics.render(), metrics.render()])
  for (const { text } of [...both, await metrics.render()]) {
    assert.equal(sampleOf(text, 'holdfast_connections_refused_total{reason="limit"}'), 1)
  }
})

test('composing loads no metrics library and keeps no process alive', async () => {
  const url = new URL('../../src/observe/metrics.ts', import.meta.url).href
  const code = `import { registerHooks } from 'node:module'
    registerHooks({ load(url, context, next) { if (url.includes('prom-client')) console.log('loaded'); return next(url, context) } })
    const { createMetrics } = await import(${JSON.stringify(url)})
    const metrics = createMetrics({ version: '1', startedAt: new Date(), database: () => ({}), durability: () => null, left: () => null, problems: () => [] })
    metrics.observe({ type: 'connection.dropped', limit: 1 })
    console.log('end')`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { timeout: 10_000 })
  assert.equal(stdout, 'end\n')
})
