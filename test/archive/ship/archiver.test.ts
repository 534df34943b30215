import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readShipState } from '../../../src/archive/ship/state-file.ts'
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
  const state = await readShipState(folderOf(file))
  assert.equal(state?.number, 2)
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
