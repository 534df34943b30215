import assert from 'node:assert/strict'
import { cp, mkdir, rm } from 'node:fs/promises'
import { test } from 'node:test'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import { readLineage, readManifest } from '../../../src/archive/format/manifests.ts'
import { rootKey } from '../../../src/archive/format/names.ts'
import { markEmptyStart, readShipState } from '../../../src/archive/ship/state-file.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { until } from '../../support/until.ts'
import { copyFile, folderOf, heads, makeFile, restored, ScriptedProcess, startAfresh } from './rig.ts'

test('a process that was killed is continued by the next one, without a snapshot and without a hole', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  for (let round = 0; round < 4; round += 1) {
    const process = await new ScriptedProcess(store, file).start().ready()
    process.write(`row ${round}`)
    if (round % 2 === 0) await process.shipped()
    await process.kill()
  }
  const last = await new ScriptedProcess(store, file).start().ready()
  await last.shipped()
  assert.deepEqual(await restored(store), file.rows)
  assert.equal(snapshots(store), 1)
  assert.deepEqual(last.problems(), [])
  assert.equal(new Set(heads(store).map(({ lineage }) => lineage)).size, 1)
  await last.close()
})

test('a process that dies between its put and its note of it is continued as well', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  const { number } = (await readShipState(folderOf(file))) ?? { number: 0 }
  // The copy of a snapshot is being removed.
  const filter = (path: string): boolean => !path.includes('snapshot-')
  await cp(folderOf(file), `${file.path}.kept`, { recursive: true, filter })
  process.write('one')
  await process.shipped()
  await process.kill()
  await rm(folderOf(file), { recursive: true })
  await cp(`${file.path}.kept`, folderOf(file), { recursive: true })
  const next = await new ScriptedProcess(store, file).start().ready()
  assert.ok((heads(store).at(-1)?.number ?? 0) > number)
  assert.deepEqual(next.problems(), [])
  assert.equal(snapshots(store), 1)
  assert.deepEqual(await restored(store), ['one'])
  await next.close()
})

test('what a killed process had in its spool is put first', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.target.isAway = true
  for (const row of ['one', 'two', 'three']) {
    process.write(row)
    process.source.isCheckpointDue = true
    await process.until(() => !process.source.isCheckpointDue, 'a checkpoint')
  }
  await process.kill()
  assert.equal(file.carried, 3, 'the file alone cannot give them again')
  const next = await new ScriptedProcess(store, file).start().ready()
  assert.deepEqual(await restored(store), file.rows)
  assert.equal(snapshots(store), 1)
  assert.equal(next.archiver.state.spoolBytes, 0)
  await next.close()
})

test('a process on an empty disk takes over; the one before is fenced, and nothing of it gets into the history', async (t) => {
  const store = new MemoryTarget()
  const zombie = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  zombie.write('one')
  await zombie.shipped()
  const file = await makeFile(t)
  const process = await (await startAfresh(file, store)).ready()
  zombie.write('lost')
  const confirmed = zombie.archiver.confirmed()
  const refused = assert.rejects(confirmed, { code: 'ARCHIVE_UNCONFIRMED' })
  await zombie.until(() => zombie.archiver.state.phase === 'fenced', 'the fence')
  await refused
  assert.deepEqual(zombie.problems(), ['ARCHIVE_FENCED'])
  assert.equal(zombie.archiver.canConfirm, false)
  await zombie.until(() => zombie.source.calls.includes('end'), 'the source to be let go')
  process.write('two')
  await process.shipped()
  assert.deepEqual(file.rows, ['one', 'two'])
  assert.deepEqual(await restored(store), ['one', 'two'])
  assert.equal(snapshots(store), 1, 'the restored file continues')
  await zombie.clock.advance(600_000)
  assert.equal(heads(store).filter(({ generation }) => generation === heads(store)[0]?.generation).length, 2)
  await zombie.close()
  await process.close()
})

test('a snapshot of a process that was replaced while it made it is never complete', async (t) => {
  const store = new MemoryTarget()
  const zombie = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  zombie.target.before = async ({ method }) => (method === 'putNew' ? await held : undefined)
  zombie.write('one')
  zombie.archiver.snapshotNow()
  const parts = () => zombie.target.requests.filter(({ method }) => method === 'put').length
  const before = parts()
  await zombie.until(() => parts() > before, 'the parts of the snapshot')
  const process = await (await startAfresh(await makeFile(t), store)).ready()
  process.write('other')
  await process.shipped()
  release()
  await zombie.until(() => zombie.archiver.state.phase === 'fenced', 'the fence')
  await zombie.clock.advance(10_000)
  assert.equal(snapshots(store), 1)
  const rows = await restored(store)
  assert.ok(rows.includes('other'), 'what the newer process has archived is what is restored')
  await zombie.close()
  await process.close()
})

test('where less than everything was restored a gap segment says so, and a snapshot is the next base', async (t) => {
  const store = new MemoryTarget()
  const first = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  first.write('one')
  await first.shipped()
  await first.kill()
  const process = await (await startAfresh(await makeFile(t), store, false)).ready()
  const kinds = heads(store).map(({ kind }) => kind)
  assert.deepEqual(
    kinds.filter((kind) => kind !== 'pages'),
    ['open', 'open', 'gap'],
  )
  assert.equal(snapshots(store), 2)
  process.write('two')
  await process.shipped()
  assert.deepEqual((await restored(store)).at(-1), 'two')
  await process.close()
})

test('the prefix of another store is refused, and nothing is written there', async (t) => {
  const store = new MemoryTarget()
  await (await new ScriptedProcess(store, await makeFile(t)).start().ready()).close()
  const before = new Map(store.objects)
  const other = new ScriptedProcess(store, await makeFile(t, 'store-2')).start()
  await other.until(() => other.archiver.state.phase === 'refused', 'the refusal')
  assert.deepEqual(other.problems(), ['ARCHIVE_OTHER_STORE'])
  assert.match(other.archiver.state.problems[0]?.message ?? '', /is of store store-1.*this one is store-2/)
  other.write('row')
  await other.clock.advance(60_000)
  await other.close()
  assert.deepEqual(store.objects, before)
})

test('an archive of a newer format is refused, and nothing is written there', async (t) => {
  const store = new MemoryTarget()
  const root = { format: 2, archive: 'a', store: 'store-1', madeAt: '2027-01-01T00:00:00.000Z' }
  store.objects.set(rootKey, recordBytes(root))
  const process = new ScriptedProcess(store, await makeFile(t)).start()
  await process.until(() => process.archiver.state.phase === 'refused', 'the refusal')
  assert.deepEqual(process.problems(), ['ARCHIVE_FORMAT_NEWER'])
  assert.deepEqual(store.keys(), [rootKey])
  await process.close()
})

test('a file that was begun because the archive did not answer becomes a lineage of its own, and says so after restarts, too', async (t) => {
  const store = new MemoryTarget()
  const before = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  before.write('old')
  await before.close()
  const old = new Map(store.objects)
  const file = await makeFile(t, 'store-2')
  await markEmptyStart(folderOf(file), 'generation')
  // Nothing depends on a record that cannot be read.
  store.objects.set('lineages/damaged.json', new Uint8Array([1]))
  for (let round = 0; round < 2; round += 1) {
    const process = await new ScriptedProcess(store, file).start().ready()
    assert.deepEqual(process.problems(), ['ARCHIVE_EMPTY_START'])
    process.write(`new ${round}`)
    await process.shipped()
    await process.close()
  }
  for (const [key, bytes] of old) assert.deepEqual(store.objects.get(key), bytes, `${key} is kept`)
  const [first, second] = lineages(store)
  assert.deepEqual([first?.why, second?.why], ['first', 'empty-start'])
  assert.deepEqual(await restored(store, second?.lineage), ['new 0', 'new 1'])
  assert.deepEqual(await restored(store, first?.lineage), ['old'])
})

test('a disk that was set back to an earlier state becomes a lineage of its own; both are kept', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.write('one')
  await process.shipped()
  const back = await copyFile(t, file)
  await until(async () => (await readShipState(folderOf(file)))?.number === 2)
  await mkdir(folderOf(back), { recursive: true })
  await cp(folderOf(file), folderOf(back), { recursive: true })
  process.write('two')
  await process.shipped()
  await process.kill()
  const older = await new ScriptedProcess(store, back).start().ready()
  assert.deepEqual(older.problems(), ['ARCHIVE_AHEAD'])
  older.write('other')
  await older.shipped()
  const [first, second] = lineages(store)
  assert.equal(second?.why, 'behind')
  assert.deepEqual(await restored(store, first?.lineage), ['one', 'two'])
  assert.deepEqual(await restored(store, second?.lineage), ['one', 'other'])
  await older.close()
})

test('a known file without any note of how far it was archived becomes a lineage of its own', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  await (await new ScriptedProcess(store, file).start().ready()).close()
  await rm(folderOf(file), { recursive: true })
  const process = await new ScriptedProcess(store, file).start().ready()
  assert.deepEqual(process.problems(), ['ARCHIVE_AHEAD'])
  assert.deepEqual(
    lineages(store).map(({ why }) => why),
    ['first', 'unknown'],
  )
  await process.close()
})

test('an archive that has lost its end is continued from a snapshot', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const first = await new ScriptedProcess(store, file).start().ready()
  for (const row of ['one', 'two']) {
    first.write(row)
    await first.shipped()
  }
  await first.close()
  const [last = ''] = store.keys('segments/').slice(-1)
  store.objects.delete(last)
  const next = await new ScriptedProcess(store, file).start().ready()
  assert.equal(snapshots(store), 2)
  assert.deepEqual(await restored(store), ['one', 'two'])
  await next.close()
})

test('without put-if-absent names have the generation, nothing is confirmed, and each start makes a snapshot', async (t) => {
  const store = new MemoryTarget()
  store.isHonouring = false
  const file = await makeFile(t)
  for (let round = 0; round < 2; round += 1) {
    const process = await new ScriptedProcess(store, file).start().ready()
    assert.deepEqual(process.problems(), ['ARCHIVE_NOT_FENCING'])
    assert.equal(process.archiver.canConfirm, false)
    await assert.rejects(process.archiver.confirmed(), { code: 'ARCHIVE_UNCONFIRMED' })
    process.write('row')
    await process.shipped()
    await process.close()
  }
  assert.equal(snapshots(store), 2)
  assert.equal(new Set(heads(store).map(({ generation }) => generation)).size, 2)
  assert.ok(heads(store).every(({ kind, isContiguous }) => kind !== 'open' || !isContiguous))
})

function snapshots(store: MemoryTarget): number {
  const keys = store.keys('snapshots/').filter((key) => key.endsWith('manifest.json'))
  for (const key of keys) readManifest(key, store.objects.get(key) ?? new Uint8Array())
  return keys.length
}

function lineages(store: MemoryTarget) {
  return store
    .keys('lineages/')
    .filter((key) => !key.endsWith('damaged.json'))
    .map((key) => readLineage(key, store.objects.get(key) ?? new Uint8Array()))
    .sort((one, other) => one.number - other.number)
}
