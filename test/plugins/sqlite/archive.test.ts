import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertRestored, Kept, openArchived } from './archive-store.ts'
import { subfolder, tempFolder } from './bench.ts'

test('a snapshot and what was cut after it are the file', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await run.write("insert into thing (id, name) values (1, 'before')", [])
  const kept = new Kept()
  assert.equal(await source.begin(null), false, 'this process has not rebuilt it')
  const proof = await kept.snapshot(source, join(folder, 'copy'))
  assert.deepEqual(proof.damage, [])
  assert.equal(proof.fileId, source.fileId)
  assert.deepEqual(
    proof.tables.map(({ table, rows }) => [table, rows]),
    [
      ['holdfast_request', 0],
      ['thing', 1],
    ],
  )
  assert.equal(source.waitingBytes(), 0)
  for (let id = 2; id < 200; id += 1) {
    await run.write('insert into thing (id, name) values (?, ?)', [id, `name ${id} ${'x'.repeat(id * 40)}`])
    if (id % 50 === 0) await kept.drain(source)
    if (id === 120) assert.ok(await kept.checkpoint(source))
  }
  assert.ok(source.waitingBytes() > 0)
  await kept.drain(source)
  assert.equal(source.waitingBytes(), 0)
  assert.equal(await source.cut(1_000), null)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})
