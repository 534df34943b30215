import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { namedEntries, readEntries } from '../../../src/archive/entries/format.ts'
import type { EntriesObservation } from '../../../src/archive/entries/observation.ts'
import { EntriesShipper } from '../../../src/archive/entries/shipper.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { entryOf, unreachable } from './support.ts'

const process = '0190a1b2-0000-7000-8000-00000000000a'

function bench(t: TestContext, isStarted = true) {
  const [clock, target, journal] = [new FakeClock(), new MemoryTarget(), new ScriptedJournal()]
  const seen: EntriesObservation[] = []
  const settings = () => ({ intervalS: 1 })
  const parts = { target, journal, process, settings, clock, observe: (one: EntriesObservation) => void seen.push(one) }
  const shipper = new EntriesShipper(parts)
  t.after(() => shipper.close(0))
  if (isStarted) shipper.start()
  /** Commits entries of these sequences. */
  const commit = (...sequences: readonly number[]): void => {
    journal.kept = [...journal.kept, ...sequences.map((sequence) => entryOf(sequence))]
  }
  /** The sequences that an object has. */
  const stored = (): readonly number[] =>
    target.keys().flatMap((key) => {
      const named = namedEntries(key)
      const read = named === null ? null : readEntries(named, target.objects.get(key) ?? new Uint8Array())
      return read?.is === 'read' ? read.entries.map(({ sequence }) => sequence) : []
    })
  return { clock, target, journal, shipper, seen, commit, stored }
}

test('what was committed is in the archive within the interval, and again nothing is asked of the target', async (t) => {
  const { clock, target, shipper, commit, stored } = bench(t)
  await clock.advance(10_000)
  assert.deepEqual([target.requests, shipper.state.phase, shipper.state.lagS], [[], 'idle', 0])
  commit(1, 2)
  await clock.advance(1_000)
  assert.deepEqual([stored(), shipper.state.phase, shipper.state.lagS], [[1, 2], 'shipping', 0])
  commit(3)
  await clock.advance(1_000)
  assert.deepEqual(stored(), [1, 2, 3])
  const asked = target.requests.length
  await clock.advance(100_000)
  assert.equal(target.requests.length, asked)
})

test('what a file brings from before is shipped at once', async (t) => {
  const { journal, shipper, stored } = bench(t, false)
  journal.kept = [entryOf(41), entryOf(43)]
  shipper.start()
  await settle()
  assert.deepEqual(stored(), [41, 43])
})

test('one object serves all who wait, and those who come meanwhile share the next one', async (t) => {
  const { target, shipper, commit } = bench(t)
  const gate = Promise.withResolvers<void>()
  target.before = () => gate.promise
  const done: number[] = []
  const write = (sequence: number): Promise<void> => {
    commit(sequence)
    return shipper.confirmed().then(() => void done.push(sequence))
  }
  const first = [write(1), write(2), write(3)]
  await settle()
  const second = [write(4), write(5)]
  await settle()
  assert.deepEqual([done, target.requests.length], [[], 1])
  gate.resolve()
  await Promise.all([...first, ...second])
  assert.deepEqual(done, [1, 2, 3, 4, 5])
  assert.deepEqual(target.requests.length, 2)
  await shipper.confirmed()
  assert.deepEqual(target.requests.length, 2)
})

test('nothing is confirmed before it is synced and stored', async (t) => {
  const { target, journal, shipper, commit } = bench(t)
  const [synced, stored] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  journal.onSync = () => synced.promise
  target.before = () => stored.promise
  let isConfirmed = false
  commit(1)
  const confirmed = shipper.confirmed().then(() => (isConfirmed = true))
  await settle()
  assert.deepEqual([target.requests, isConfirmed], [[], false])
  synced.resolve()
  await settle()
  assert.deepEqual([target.requests.length, isConfirmed], [1, false])
  stored.resolve()
  await confirmed
})

test('while the archive does not answer nothing is confirmed, it is said, and then all of it is shipped', async (t) => {
  const { clock, target, shipper, seen, commit, stored } = bench(t)
  target.before = () => Promise.reject(unreachable())
  commit(1)
  const limit = new AbortController()
  const confirmed = shipper.confirmed(limit.signal)
  confirmed.catch(() => {})
  await clock.advance(0)
  limit.abort()
  await assert.rejects(confirmed, (error) => error instanceof HoldfastError && error.code === 'ARCHIVE_UNCONFIRMED')
  assert.equal(shipper.canConfirm, false)
  await clock.advance(100_000)
  const { phase, lagS, problems, failures } = shipper.state
  assert.deepEqual([phase, problems.map(({ code }) => code)], ['waiting', ['ARCHIVE_UNREACHABLE', 'ARCHIVE_LAG']])
  assert.ok(lagS !== null && lagS >= 100 && lagS <= 101)
  assert.ok(failures >= 5 && failures <= 10, `${failures} tries in 100 seconds`)
  target.before = () => {}
  commit(2)
  await clock.advance(30_000)
  assert.deepEqual([stored(), shipper.canConfirm, shipper.state.problems], [[1, 2], true, []])
  assert.deepEqual(
    seen.map(({ type }) => type),
    ['entries.failed', 'entries.resumed'],
  )
})

test('a put whose answer was lost puts the same again', async (t) => {
  const { clock, target, commit, stored } = bench(t)
  target.after = () => Promise.reject(unreachable())
  commit(1)
  await clock.advance(1_500)
  target.after = () => {}
  commit(2)
  await clock.advance(5_000)
  assert.deepEqual([...new Set(stored())], [1, 2])
})

test('what was carried is forgotten, and what waits is not', async (t) => {
  const { clock, target, journal, commit, stored } = bench(t)
  commit(1)
  await clock.advance(1_000)
  commit(2, 3)
  await clock.advance(1_000)
  journal.kept = journal.kept.slice(2)
  await clock.advance(1_000)
  assert.deepEqual(stored(), [2, 3])
  journal.kept = []
  await clock.advance(1_000)
  assert.deepEqual(target.keys(), [])
})

test('what is to be carried again is shipped again', async (t) => {
  const { clock, journal, commit, stored } = bench(t)
  commit(1, 2)
  await clock.advance(1_000)
  journal.kept = []
  await clock.advance(1_000)
  assert.deepEqual(stored(), [])
  journal.kept = [entryOf(1), entryOf(2)]
  await clock.advance(1_000)
  assert.deepEqual(stored(), [1, 2])
})

test('early entries get the address that the journal has learnt, once', async (t) => {
  const { clock, target, journal, commit } = bench(t)
  commit(1)
  await clock.advance(2_000)
  assert.deepEqual(target.keys().length, 1)
  journal.identity = 'one'
  await clock.advance(5_000)
  const address = `entries/${process}/address.json`
  assert.equal(JSON.parse(Buffer.from(target.objects.get(address) ?? []).toString()).identity, 'one')
  assert.equal(target.requests.filter(({ method, key }) => method === 'put' && key === address).length, 1)
  journal.kept = []
  await clock.advance(2_000)
  assert.deepEqual(target.keys(), [])
})

test('a store that may not delete is said, and holds nothing up', async (t) => {
  const { clock, target, journal, shipper, commit, stored } = bench(t)
  commit(1)
  await clock.advance(1_000)
  target.before = ({ method }) => (method === 'remove' ? Promise.reject(unreachable()) : undefined)
  journal.kept = []
  await clock.advance(1_000)
  commit(2)
  await clock.advance(1_000)
  assert.deepEqual([stored(), shipper.canConfirm], [[1, 2], true])
  assert.deepEqual(
    shipper.state.problems.map(({ code }) => code),
    ['ARCHIVE_KEEPS_TOO_MUCH'],
  )
})

test('after an outage of hours there are few objects', async (t) => {
  const { clock, target, commit, stored } = bench(t)
  for (let sequence = 1; sequence <= 300; sequence += 1) {
    commit(sequence)
    await clock.advance(1_000)
  }
  assert.deepEqual(
    stored(),
    Array.from({ length: 300 }, (_, at) => at + 1),
  )
  assert.ok(target.keys().length <= 40, `${target.keys().length} objects`)
})

test('what a store without put-if-absent has stored confirms nothing, and that is said', async (t) => {
  const { clock, target, shipper, commit, stored } = bench(t)
  target.isFencing = false
  commit(1)
  await assert.rejects(shipper.confirmed(), { code: 'ARCHIVE_UNCONFIRMED' })
  await clock.advance(1_000)
  assert.deepEqual([stored(), shipper.canConfirm], [[1], false])
  assert.deepEqual(
    shipper.state.problems.map(({ code }) => code),
    ['ARCHIVE_NOT_FENCING'],
  )
})

test('the end ships what is left, within its limit', async (t) => {
  const { target, shipper, commit, stored } = bench(t)
  await settle()
  commit(1, 2)
  await shipper.close(1_000)
  assert.deepEqual(stored(), [1, 2])
  const asked = target.requests.length
  commit(3)
  await settle()
  assert.equal(target.requests.length, asked)
  await assert.rejects(shipper.confirmed(), { code: 'ARCHIVE_UNCONFIRMED' })
})

test('the end does not wait longer than its limit', async (t) => {
  const { clock, target, shipper, commit } = bench(t)
  target.putNew = (_key, _body, signal?: AbortSignal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  commit(1)
  const closed = shipper.close(1_000)
  await clock.advance(1_000)
  await closed
  assert.equal(clock.pending, 0)
})
