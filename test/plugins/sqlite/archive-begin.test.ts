import assert from 'node:assert/strict'
import { copyFile, cp, rename, rm, stat, truncate, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { type Archived, assertRestored, foreign, Kept, openArchived, rowsOf } from './archive-store.ts'
import { subfolder, tempFolder } from './bench.ts'

const insert = 'insert into thing (id, name) values (?, ?)'

/** A store that was archived for a while. */
async function archived(t: TestContext, folder: string): Promise<{ store: Archived; kept: Kept }> {
  const store = await openArchived(t, folder)
  const kept = new Kept()
  await store.source.begin(null)
  await kept.snapshot(store.source, join(folder, 'copy'))
  for (let id = 1; id <= 30; id += 1) await store.run.write(insert, [id, `n${id}`])
  await kept.drain(store.source)
  return { store, kept }
}

/** Opens it again; whether it continues, and where it does, that what is cut then completes the file. */
async function goesOn(t: TestContext, folder: string, kept: Kept): Promise<boolean> {
  const { source, run, path, close } = await openArchived(t, folder)
  const isContinued = await source.begin(kept.position)
  if (isContinued) {
    await run.write(insert, [1_000, 'afterwards'])
    await kept.drain(source)
    await assertRestored(kept, path, await subfolder(folder, `restored-${Math.random()}`))
  }
  await close()
  return isContinued
}

test('a file whose process ended without a last checkpoint goes on where it was cut', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  await store.run.write(insert, [100, 'not cut'])
  await store.close()
  assert.ok((await stat(`${store.path}-wal`)).size > 0, 'the last one to close has carried nothing')
  assert.equal(await goesOn(t, folder, kept), true)
})

test('a file goes on behind its last checkpoint, with and without changes after it', async (t) => {
  for (const isChanged of [false, true]) {
    const folder = await tempFolder(t)
    const { store, kept } = await archived(t, folder)
    assert.ok(await kept.checkpoint(store.source))
    if (isChanged) await store.run.write(insert, [100, 'not cut'])
    await store.close()
    assert.equal(await goesOn(t, folder, kept), true)
  }
})

test('a file goes on behind its end, again and again', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  await store.run.write(insert, [100, 'not cut'])
  kept.position = await store.source.end(kept.keep)
  await store.close()
  const main = rowsOf(store.path)
  await rm(`${store.path}-wal`, { force: true })
  assert.deepEqual(rowsOf(store.path), main, 'the file alone has everything')
  for (let round = 0; round < 3; round += 1) {
    const { source, run, path, close } = await openArchived(t, folder)
    assert.equal(await source.begin(kept.position), true)
    await run.write(insert, [200 + round, `r${round}`])
    kept.position = await source.end(kept.keep)
    await close()
    await assertRestored(kept, path, await subfolder(folder, `round-${round}`))
  }
})

test('what was written after the end, before the file was closed, is cut at the next start', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  kept.position = await store.source.end(kept.keep)
  await store.run.write(insert, [100, 'late'])
  await store.close()
  assert.equal(await goesOn(t, folder, kept), true)
})

test('a file that another process has written to and closed does not go on', async (t) => {
  for (const isEnded of [false, true]) {
    const folder = await tempFolder(t)
    const { store, kept } = await archived(t, folder)
    if (isEnded) kept.position = await store.source.end(kept.keep)
    await store.close()
    foreign(store.path, `native.exec("insert into thing (id, name) values (500, 'foreign')")`)
    assert.equal(await goesOn(t, folder, kept), false)
  }
})

test('an older file in its place does not go on, however alike it looks', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  kept.position = await store.source.end(kept.keep)
  await store.close()
  await copyFile(store.path, join(folder, 'older'))
  const times = await stat(store.path)
  foreign(store.path, `native.exec("update thing set name = 'other' where id = 1")`)
  await rename(join(folder, 'older'), store.path)
  await utimes(store.path, times.atime, times.mtime)
  assert.equal(await goesOn(t, folder, kept), false)
})

test('a file that has lost its WAL, or a part of it, does not go on', async (t) => {
  for (const left of [null, 0, 32, 5_000]) {
    const folder = await tempFolder(t)
    const { store, kept } = await archived(t, folder)
    await store.close()
    const wal = `${store.path}-wal`
    if (left === null) await rm(wal)
    else await truncate(wal, left)
    await rm(`${store.path}-shm`, { force: true })
    assert.equal(await goesOn(t, folder, kept), false, `with ${left} bytes`)
  }
})

test('a copy of a file with its WAL goes on, and one from before the last cut does not', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  await cp(`${store.path}-wal`, join(folder, 'early-wal'))
  await store.run.write(insert, [100, 'cut'])
  await kept.drain(store.source)
  await store.close()
  await copyFile(join(folder, 'early-wal'), `${store.path}-wal`)
  await rm(`${store.path}-shm`, { force: true })
  assert.equal(await goesOn(t, folder, kept), false)
})

test('a file goes on behind an end at which a reader kept the WAL from being emptied', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  await run.write(insert, [1, 'one'])
  const reader = new Database(path, { readonly: true })
  reader.exec('begin; select * from thing')
  const end = await source.end(kept.keep)
  reader.close()
  assert.ok(end)
  assert.ok(await source.begin(end))
  await run.write(insert, [2, 'two'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('a position of another release does not go on', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  await store.close()
  kept.position = { frames: 'many' }
  assert.equal(await goesOn(t, folder, kept), false)
})

test('where nothing continues, what is cut behind a snapshot does', async (t) => {
  const folder = await tempFolder(t)
  const { store } = await archived(t, folder)
  await store.close()
  const { source, run, path } = await openArchived(t, folder)
  assert.equal(await source.begin({ salt1: 1, salt2: 2, frame: 3, sum1: 4, sum2: 5, main: null }), false)
  await run.write(insert, [100, 'after'])
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy-2'))
  await run.write(insert, [101, 'later'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('a file that was just rebuilt goes on without a position, with what was written since', async (t) => {
  const folder = await tempFolder(t)
  const { store, kept } = await archived(t, folder)
  await store.close()
  const home = await subfolder(folder, 'home')
  await kept.restore(home)
  const { source, run, path, close } = await openArchived(t, home)
  await run.write(insert, [100, 'before it began'])
  assert.equal(await source.begin(null), true)
  await run.write(insert, [101, 'after it began'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'again'))
  await close()
  foreign(path, `native.exec('delete from thing where id < 5')`)
  const other = await openArchived(t, home)
  assert.equal(await other.source.begin(null), false, 'it was changed since')
})
