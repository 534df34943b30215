import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readShipState } from '../../../src/archive/ship/state-file.ts'
import { TargetError } from '../../../src/archive/target/target.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { until } from '../../support/until.ts'
import { folderOf, heads, makeFile, restored, ScriptedProcess } from './rig.ts'

test('a new archive begins with its records, an open segment and a snapshot; what is written later follows as segments', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t, 'store-1', ['one'])
  const process = await new ScriptedProcess(store, file).start().ready()
  assert.deepEqual(process.problems(), [])
  assert.equal(process.archiver.canConfirm, true)
  process.write('two', 'three')
  await process.shipped()
  assert.deepEqual(await restored(store), ['one', 'two', 'three'])
  assert.deepEqual(
    heads(store).map(({ kind, number }) => [kind, number]),
    [
      ['open', 1],
      ['pages', 2],
    ],
  )
  assert.equal(store.keys('lineages/').length, 1)
  await until(async () => (await readShipState(folderOf(file)))?.number === 2)
  await process.close()
})

test('nothing is asked of the target while nothing is written', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  // The last thing that a snapshot does is to look what it makes unneeded.
  await process.until(
    () => process.target.requests.some(({ method, key }) => method === 'get' && key.endsWith('manifest.json')),
    'the snapshot to end',
  )
  process.target.requests.length = 0
  await process.clock.advance(120_000)
  assert.deepEqual(process.target.requests, [])
  await process.close()
})

test('changes are sent once an interval, and those of one interval in one object', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  const before = heads(store).length
  for (let at = 0; at < 40; at += 1) {
    process.write(`row ${at}`)
    await process.clock.advance(100)
    // The clock stands still meanwhile: what is due is done without it.
    await until(() => (process.archiver.state.lagS ?? 9) <= 1.1, { everyMs: 1, what: 'the lag to be short' })
  }
  await process.shipped()
  const sent = heads(store).length - before
  assert.ok(sent >= 3 && sent <= 7, `${sent} objects`)
  assert.equal((await restored(store)).length, 40)
  await process.close()
})

test('everyone who waits for the archive is served by one object, and told once it is stored', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  const before = heads(store).length
  process.write(...Array.from({ length: 64 }, (_, at) => `row ${at}`))
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  process.target.before = async ({ method }) => (method === 'putNew' ? await held : undefined)
  let told = 0
  const waiting = Array.from({ length: 64 }, () => process.archiver.confirmed().then(() => (told += 1)))
  await process.until(() => process.target.requests.at(-1)?.method === 'putNew', 'the put')
  await process.clock.advance(1_000)
  assert.equal(told, 0)
  // These come while the object is on its way: the next one has them.
  process.write('late')
  const late = process.archiver.confirmed()
  process.target.before = () => {}
  release()
  await process.passing(Promise.all(waiting))
  assert.ok(store.objects.size > 0)
  await process.passing(late)
  assert.equal(heads(store).length - before, 2)
  assert.deepEqual((await restored(store)).length, 65)
  await process.close()
})

test('a confirmation that does not come in time, or never will, is rejected', async (t) => {
  const store = new MemoryTarget()
  const process = await new ScriptedProcess(store, await makeFile(t)).start().ready()
  process.target.isAway = true
  process.write('one')
  const limit = new AbortController()
  const confirmed = process.archiver.confirmed(limit.signal)
  await process.until(() => process.archiver.state.phase === 'waiting', 'the target to be missed')
  assert.equal(process.archiver.canConfirm, false, 'the next write is refused before it is made')
  limit.abort(new Error('too late'))
  await assert.rejects(confirmed, { code: 'ARCHIVE_UNCONFIRMED' })
  await process.close()
  await assert.rejects(process.archiver.confirmed(), { code: 'ARCHIVE_UNCONFIRMED' })
})

test('a target that is away is tried again with growing waits; what it misses is sent in order when it is back', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  process.target.isAway = true
  process.write('one')
  await process.until(() => process.archiver.state.phase === 'waiting', 'the target to be missed')
  for (let round = 0; round < 5; round += 1) {
    process.write(`row ${round}`)
    process.source.isCheckpointDue = true
    await process.until(() => !process.source.isCheckpointDue, 'a checkpoint')
  }
  assert.ok(process.archiver.state.spoolBytes > 0)
  assert.equal(file.carried, file.rows.length, 'the WAL does not grow')
  const tries = process.target.requests.length
  await process.clock.advance(120_000)
  assert.ok(process.target.requests.length - tries < 12, 'growing waits')
  assert.deepEqual(process.problems(), ['ARCHIVE_UNREACHABLE', 'ARCHIVE_LAG'])
  process.target.isAway = false
  await process.shipped()
  assert.deepEqual(process.problems(), [])
  await until(() => process.archiver.state.spoolBytes === 0, { what: 'the spool to be empty' })
  assert.deepEqual(await restored(store), file.rows)
  assert.deepEqual(
    process.seen.map(({ type }) => type).filter((type) => type === 'archive.failed' || type === 'archive.resumed'),
    ['archive.failed', 'archive.resumed'],
  )
  await process.close()
})

test('a put whose answer is lost is neither repeated nor skipped', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const process = await new ScriptedProcess(store, file).start().ready()
  let lost = 0
  process.target.after = ({ method }) => {
    if (method !== 'putNew' || lost > 2) return
    lost += 1
    throw new TargetError('unreachable', 'The connection was lost.', 'Wait.')
  }
  for (const row of ['one', 'two', 'three']) {
    process.write(row)
    await process.shipped()
  }
  assert.equal(lost, 3)
  assert.deepEqual(await restored(store), file.rows)
  assert.equal(heads(store).filter(({ kind }) => kind === 'pages').length, 3)
  await process.close()
})

test('what is committed is shipped when the store closes; where that takes too long the next process sends it', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const first = await new ScriptedProcess(store, file).start().ready()
  first.write('one')
  await first.close()
  assert.deepEqual(await restored(store), ['one'])
  const second = await new ScriptedProcess(store, file).start().ready()
  second.target.isAway = true
  second.write('two')
  await second.close(3_000)
  assert.deepEqual(await restored(store), ['one'])
  const third = await new ScriptedProcess(store, file).start().ready()
  assert.deepEqual(await restored(store), ['one', 'two'])
  assert.equal(store.keys('snapshots/').filter((key) => key.endsWith('manifest.json')).length, 1, 'each continued')
  await third.close()
})

test('a store that closes before its first snapshot is complete sends that first', async (t) => {
  const store = new MemoryTarget()
  const process = new ScriptedProcess(store, await makeFile(t, 'store-1', ['one'])).start()
  await process.until(() => process.archiver.state.phase === 'shipping', 'to join', 1)
  await process.close()
  assert.deepEqual(await restored(store), ['one'])
})

test('of two processes on one file the first archives, and the second touches nothing until that one has ended', async (t) => {
  const store = new MemoryTarget()
  const file = await makeFile(t)
  const first = await new ScriptedProcess(store, file).start().ready()
  const before = [store.keys(), await readShipState(folderOf(file))]
  const second = new ScriptedProcess(store, file).start()
  await second.until(() => second.problems().length > 0, 'a problem')
  assert.deepEqual(second.problems(), ['ARCHIVE_FILE_SHARED'])
  assert.deepEqual([second.archiver.canConfirm, second.archiver.isPreparing], [false, false])
  assert.deepEqual([store.keys(), await readShipState(folderOf(file))], before)
  second.write('one')
  await first.shipped()
  assert.deepEqual(await restored(store), ['one'])
  await first.close()
  await second.ready()
  assert.deepEqual(second.problems(), [])
  second.write('two')
  await second.shipped()
  assert.deepEqual(await restored(store), ['one', 'two'])
  await second.close()
})
