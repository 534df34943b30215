import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DailyExport } from '../../../src/archive/export/daily.ts'
import type { ExportedTable } from '../../../src/archive/export/exporter.ts'
import type { ExportObservation } from '../../../src/archive/export/observation.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { MemoryTarget } from '../../support/memory-target.ts'

const hourMs = 3_600_000

const one: ExportedTable = {
  name: 'one',
  async *lines() {
    yield ['{"id":1}\n']
  },
}

function bench(t: TestContext, clock = new FakeClock(), target = new MemoryTarget()) {
  const seen: ExportObservation[] = []
  const state = { isWanted: true, tables: [one] as readonly ExportedTable[] | null }
  const daily = new DailyExport({
    target,
    isWanted: () => state.isWanted,
    tables: () => (state.tables === null ? null : { tables: state.tables, source: 'file' }),
    clock,
    observe: (some) => void seen.push(some),
  })
  t.after(() => daily.close())
  daily.start()
  return { clock, target, seen, state, daily }
}

const exports = (target: MemoryTarget): number =>
  target.requests.filter(({ method, key }) => method === 'put' && key === 'tables/export.json').length

test('exports a minute after the start, and from then on once a day', async (t) => {
  const { clock, target, seen } = bench(t)
  await clock.advance(59_000)
  assert.equal(target.requests.length, 0)
  await clock.advance(1_000)
  assert.deepEqual([exports(target), seen.map(({ type }) => type)], [1, ['archive.exported']])
  await clock.advance(23 * hourMs)
  assert.equal(exports(target), 1)
  await clock.advance(2 * hourMs)
  assert.equal(exports(target), 2)
})

test('a restart does not export again before the day is over', async (t) => {
  const first = bench(t)
  await first.clock.advance(10 * hourMs)
  await first.daily.close()
  const { clock, target } = bench(t, first.clock, first.target)
  await clock.advance(13 * hourMs)
  assert.equal(exports(target), 1)
  await clock.advance(2 * hourMs)
  assert.equal(exports(target), 2)
})

test('asks the target for nothing while it is off, or while there is nothing to export from', async (t) => {
  const { clock, target, state } = bench(t)
  state.isWanted = false
  await clock.advance(48 * hourMs)
  assert.equal(target.requests.length, 0)
  state.isWanted = true
  state.tables = null
  await clock.advance(48 * hourMs)
  assert.equal(target.requests.length, 0)
  state.tables = [one]
  await clock.advance(hourMs)
  assert.equal(exports(target), 1)
})

test('an export that failed is said, and tried again', async (t) => {
  const { clock, target, seen, daily } = bench(t)
  target.isAway = true
  await clock.advance(hourMs)
  assert.deepEqual(
    daily.problems.map(({ code }) => code),
    ['ARCHIVE_EXPORT_FAILED'],
  )
  target.isAway = false
  await clock.advance(hourMs)
  assert.deepEqual([exports(target), daily.problems, seen.at(-1)?.type], [1, [], 'archive.exported'])
})

test('the end does not wait for an export', async (t) => {
  const { clock, target, daily } = bench(t)
  target.put = (_key, _body, signal?: AbortSignal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  await clock.advance(60_000)
  await daily.close()
  assert.equal(clock.pending, 0)
  assert.deepEqual(daily.problems, [])
})
