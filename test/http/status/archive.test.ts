import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ArchiveState } from '../../../src/archive/archive-state.ts'
import { addFrontPage } from '../../../src/http/page/front-page.ts'
import { archiveSentence } from '../../../src/http/status/archive-wording.ts'
import { addHealthRoutes } from '../../../src/http/status/health.ts'
import { addStatusRoute } from '../../../src/http/status/status-routes.ts'
import { archiveLike } from '../../support/archive-state.ts'
import type { Cleanup } from '../../support/temp.ts'
import { adminToken, createSource } from '../source.ts'
import { serve } from '../support.ts'

const browser = { accept: 'text/html' }

async function serveArchived(t: Cleanup, archive: ArchiveState | null, row: 'local' | 'connecting-first' = 'local') {
  const source = createSource({ row }, { archive: () => archive, durability: () => 'local-ephemeral' })
  const { base } = await serve(t, (app) => {
    addHealthRoutes(app, source)
    addStatusRoute(app, source)
    addFrontPage(app, source)
  })
  return {
    json: async (path: string) => JSON.parse(await (await fetch(base + path, { headers: { accept: '*/*' } })).text()),
    ready: async () => (await fetch(`${base}/health/ready`)).status,
    health: async () => (await fetch(`${base}/health`)).status,
    page: async () => await (await fetch(base, { headers: browser })).text(),
    status: async () =>
      JSON.parse(await (await fetch(`${base}/status`, { headers: { 'holdfast-token': adminToken } })).text()),
  }
}

test('health warns once the archive is more than a minute behind, and says how far it is', async (t) => {
  for (const [lagS, status] of [
    [0.8, 'pass'],
    [60, 'pass'],
    [61, 'warn'],
  ] as const) {
    const { json, health } = await serveArchived(t, archiveLike({ lagS }))
    const body = await json('/health')
    assert.equal(body.status, status)
    assert.equal(await health(), 200)
    const [check] = body.checks['archive:lag']
    assert.deepEqual([check.observedValue, check.observedUnit, check.status], [lagS, 's', status])
    assert.equal(body.output, status === 'warn' ? 'archive:lag ARCHIVE_LAG' : undefined)
  }
  const unknown = await (await serveArchived(t, archiveLike({ lagS: null }))).json('/health')
  assert.equal(unknown.checks['archive:lag'][0].observedValue, 'unknown')
  assert.equal('archive:lag' in (await (await serveArchived(t, null)).json('/health')).checks, false)
})

test('while rows are restored: not ready, alive, a warning with the progress, and the page says so', async (t) => {
  const archive = archiveLike({ phase: 'restoring', restore: { bytes: 30_000_000, ofBytes: 90_000_000 } })
  const { json, ready, health, page } = await serveArchived(t, archive, 'connecting-first')
  assert.deepEqual([await ready(), await health()], [503, 200])
  const body = await json('/health')
  assert.deepEqual([body.status, body.output], ['warn', 'RESTORING'])
  const [check] = body.checks['archive:restore']
  assert.deepEqual([check.observedValue, check.output], [30_000_000, 'RESTORING 30000000 of 90000000 bytes'])
  const shown = await page()
  assert.match(shown, /id="status">Restoring</)
  assert.match(shown, /id="state">Restoring the rows from the archive: 30.0 MB of 90.0 MB. Requests for rows get 503/)
})

test('the last drill is in health, on the page and in the status; a failed one is a check that warns', async (t) => {
  const drill = { atMs: Date.now() - 3 * 3_600_000, rows: 4_210, tookMs: 1_100.4, failure: null }
  const last = { key: 'segments/000000000007', atMs: 1_790_000_000_000 }
  const { json, page, status } = await serveArchived(t, archiveLike({ drill, last, lagS: 0.8 }))
  const [proven] = (await json('/health')).checks['archive:proven']
  assert.deepEqual([proven.status, proven.rows, proven.tookMs, proven.observedUnit], ['pass', 4_210, 1_100, 's'])
  assert.ok(Math.abs(proven.observedValue - 3 * 3_600) <= 1)
  const said =
    'The archive has all rows but those of the last 0.8 s. Last proven restorable 3 h ago: 4,210 rows in 1.1 s.'
  assert.ok((await page()).includes(`id="archive">${said}</p>`))
  const { archive } = await status()
  assert.deepEqual(archive.last, { key: last.key, at: '2026-09-21T14:13:20.000Z' })
  assert.deepEqual([archive.phase, archive.lagSeconds, archive.drill.rows], ['shipping', 0.8, 4_210])
  const failed = await serveArchived(t, archiveLike({ drill: { ...drill, failure: 'A part is damaged.' } }))
  const body = await failed.json('/health')
  assert.equal(body.checks['archive:proven'][0].output, 'ARCHIVE_DRILL_FAILED')
  assert.match(await failed.page(), /The last test of a restore failed 3 h ago: A part is damaged\./)
})

test('rows on an ephemeral disk are no danger while the archive keeps up, and are one when it does not', async (t) => {
  const words = async (archive: ArchiveState | null): Promise<string> => {
    const page = await (await serveArchived(t, archive)).page()
    return /id="status">([^<]*)/.exec(page)?.[1] ?? ''
  }
  assert.equal(await words(archiveLike({ lagS: 0.8 })), 'Working')
  const losable = /a restart may lose rows/
  for (const archive of [null, archiveLike({ lagS: null }), archiveLike({ lagS: 61 })]) {
    assert.match(await words(archive), losable)
  }
  for (const phase of ['fenced', 'refused', 'waiting'] as const) {
    assert.match(await words(archiveLike({ phase, lagS: 5 })), losable)
  }
})

test('each state of an archive has a sentence of its own', () => {
  const states: readonly Partial<ArchiveState>[] = [
    { lagS: 0 },
    { lagS: null },
    { lagS: null, snapshotAtMs: 1 },
    { lagS: 0.8 },
    { lagS: 300 },
    { phase: 'waiting', lagS: 5 },
    { phase: 'fenced' },
    { phase: 'refused' },
  ]
  assert.equal(new Set(states.map((one) => archiveSentence(archiveLike(one), Date.now()))).size, states.length)
})
