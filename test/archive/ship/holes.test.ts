import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSnapshotKey, provenKey } from '../../../src/archive/format/names.ts'
import { TargetError } from '../../../src/archive/target/target.ts'
import { faultError } from '../../../src/driver/kit/driver-kit.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { heads, makeFile, restored, ScriptedProcess } from './rig.ts'

test('a full spool ends the chain; that is said, the WAL is still carried, and a snapshot begins a new chain', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.write('before')
  await process.shipped()
  process.settings = { intervalS: 1, spoolMaxBytes: 5_000 }
  process.target.isAway = true
  for (let round = 0; round < 20; round += 1) {
    process.write(`row ${round}`)
    process.source.isCheckpointDue = true
    await process.until(() => !process.source.isCheckpointDue, 'a checkpoint')
  }
  assert.ok(process.archiver.state.spoolBytes <= 6_500, `${process.archiver.state.spoolBytes} bytes`)
  assert.equal(process.archiver.state.lagS, null)
  assert.deepEqual(process.problems(), ['ARCHIVE_UNREACHABLE', 'ARCHIVE_HOLE'])
  assert.equal(file.carried, file.rows.length)
  const before = await restored(store)
  assert.ok(before.includes('before') && before.length < file.rows.length)
  process.target.isAway = false
  await process.ready()
  assert.deepEqual(process.problems(), [])
  process.write('after')
  await process.shipped()
  assert.deepEqual(await restored(store), file.rows)
  assert.equal(heads(store).filter(({ kind }) => kind === 'gap').length, 1)
  await process.close()
  const next = await new ScriptedProcess(store, file).start().ready()
  assert.deepEqual(await restored(store), file.rows)
  await next.close()
})

test('a process that dies with a hole is followed by a snapshot', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.settings = { intervalS: 1, spoolMaxBytes: 2_000 }
  process.target.isAway = true
  for (let round = 0; round < 8; round += 1) {
    process.write(`row ${round}`)
    process.source.isCheckpointDue = true
    await process.until(() => !process.source.isCheckpointDue, 'a checkpoint')
  }
  await process.kill()
  const next = await new ScriptedProcess(store, file).start().ready()
  next.write('after')
  await next.shipped()
  assert.deepEqual(await restored(store), file.rows)
  await next.close()
})

test('changes that another program has carried are a hole, which a snapshot closes', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.write('one', 'two')
  file.foreign += 1
  file.carried = 2
  const confirmed = assert.rejects(process.archiver.confirmed(), { code: 'ARCHIVE_UNCONFIRMED' })
  await process.until(() => process.seen.some(({ type }) => type === 'archive.hole'), 'the hole')
  await confirmed
  await process.ready()
  assert.deepEqual(process.problems(), [])
  process.write('three')
  await process.shipped()
  assert.deepEqual(await restored(store), ['one', 'two', 'three'])
  await process.close()
})

test('a disk without room for a snapshot is said; changes are archived all the same, and it is tried again', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  process.source.faults.set('snapshot', faultError('disk-full', 'SQLITE_NO_ROOM', 'The disk is full.', 'Free space.'))
  process.archiver.snapshotNow()
  await process.until(() => process.problems().length > 0, 'the problem')
  assert.deepEqual(process.problems(), ['ARCHIVE_SNAPSHOT_NO_ROOM'])
  process.write('one')
  await process.passing(process.archiver.confirmed())
  assert.deepEqual(await restored(store), ['one'])
  await process.until(() => process.problems().length === 0, 'the next try', 30_000)
  assert.equal(manifests(store).length, 2)
  await process.close()
})

test('a snapshot is due when much has changed, or once a day where anything has', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  process.clock.aheadMs = 2 * 86_400_000
  await process.clock.advance(10_000)
  assert.equal(manifests(store).length, 1, 'nothing has changed')
  process.write('one')
  await process.until(() => manifests(store).length === 2, 'the daily one')
  process.write('x'.repeat(17 * 1024 ** 2))
  await process.until(() => manifests(store).length === 3, 'the one for its size')
  assert.equal((await restored(store)).length, 2)
  await process.close()
})

test('the last two proven snapshots are kept with what follows the older one, and nothing is removed before there are two', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  for (let round = 0; round < 5; round += 1) {
    process.write(`row ${round}`)
    await process.shipped()
    process.archiver.snapshotNow()
    await process.until(() => manifests(store).length === round + 2, 'a snapshot')
  }
  assert.equal(manifests(store).length, 6, 'none is proven')
  const folders = manifests(store)
  for (const at of [1, 3]) store.objects.set(provenKey(folders[at] ?? ''), new Uint8Array([1]))
  const drill = { atMs: 1, rows: 1, tookMs: 1, failure: null }
  process.archiver.drilled(drill)
  await process.until(() => process.seen.some(({ type }) => type === 'archive.removed'), 'the removal')
  assert.deepEqual(manifests(store), folders.slice(1))
  const oldest = parseSnapshotKey(`${folders[1]}/manifest.json`)?.number
  assert.equal(heads(store)[0]?.number, oldest)
  assert.equal((await restored(store)).length, 5)
  assert.equal(process.archiver.state.drill, drill)
  await process.close()
})

test('objects that may not be removed are said to be kept', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  for (const round of [1, 2, 3]) {
    process.write(`row ${round}`)
    await process.shipped()
    process.archiver.snapshotNow()
    await process.until(() => manifests(store).length === round + 1, 'a snapshot')
  }
  for (const folder of manifests(store)) store.objects.set(provenKey(folder), new Uint8Array([1]))
  process.target.before = ({ method }) => {
    if (method === 'remove') throw new TargetError('auth', 'Access denied.', 'Give the key the right to delete.')
  }
  process.archiver.drilled({ atMs: 1, rows: 1, tookMs: 1, failure: null })
  await process.until(() => process.problems().length > 0, 'the problem')
  assert.deepEqual(process.problems(), ['ARCHIVE_KEEPS_TOO_MUCH'])
  await process.close()
})

test('a drill that failed is a problem until one succeeds', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  process.archiver.drilled({ atMs: 1, rows: 0, tookMs: 1, failure: 'The object x is damaged.' })
  assert.deepEqual(process.problems(), ['ARCHIVE_DRILL_FAILED'])
  process.archiver.drilled({ atMs: 2, rows: 1, tookMs: 1, failure: null })
  assert.deepEqual(process.problems(), [])
  await process.close()
})

function manifests(store: MemoryTarget): readonly string[] {
  return store
    .keys('snapshots/')
    .filter((key) => key.endsWith('/manifest.json'))
    .map((key) => key.slice(0, -'/manifest.json'.length))
}

test('changes of which no segment can be made are a hole, which a snapshot closes', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.write('before')
  await process.shipped()
  process.source.more = { text: 'x'.repeat(9_000) }
  process.write('lost')
  await assert.rejects(process.passing(process.archiver.confirmed()), { code: 'ARCHIVE_UNCONFIRMED' })
  process.source.more = {}
  process.write('after')
  await process.ready()
  assert.equal(heads(store).filter(({ kind }) => kind === 'gap').length, 1)
  assert.deepEqual(await restored(store), file.rows)
  await process.close()
})
