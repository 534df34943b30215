import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { driver } from '../../../plugins/sqlite/sqlite.ts'
import type { CopyGlance } from '../../../src/driver/kit/driver-kit.ts'
import { tempFolder } from './bench.ts'
import { fed, here, noteCopied, openCopy } from './copy-store.ts'

const rows = [fed('a', 'one', 'v1'), fed('b', 'two', 'v2')]

async function seen(folder: string): Promise<object | null> {
  const read = (glance: CopyGlance): object => ({
    source: glance.source(),
    rows: glance.state('note')?.rows ?? null,
    other: glance.state('other'),
    identity: glance.identity,
  })
  return (await driver.embedded?.glance?.(join(folder, 'x.db'), read)) ?? null
}

test('a look at a file in use sees what was copied into it, and changes nothing', async (t) => {
  const folder = await tempFolder(t)
  const { copy, journal } = await openCopy(t, folder)
  await journal.address('one', 'the primary')
  assert.deepEqual(await seen(folder), { source: here, rows: 0, other: null, identity: 'one' })
  await copy.apply(noteCopied, { rows, removed: [] })
  assert.deepEqual(await seen(folder), { source: here, rows: 2, other: null, identity: 'one' })
  await copy.apply(noteCopied, { rows: [], removed: ['a'] })
  assert.equal(copy.state('note')?.rows, 1)
})

test('a look at a file that no process uses leaves it as it is', async (t) => {
  const folder = await tempFolder(t)
  const { copy, close } = await openCopy(t, folder)
  await copy.apply(noteCopied, { rows, removed: [] })
  await close()
  const before = [await readdir(folder), await readFile(join(folder, 'x.db'))]
  assert.deepEqual(await seen(folder), { source: here, rows: 2, other: null, identity: null })
  assert.deepEqual([await readdir(folder), await readFile(join(folder, 'x.db'))], before)
})

test('a WAL that a killed process has left is read, and stays', async (t) => {
  const folder = await tempFolder(t)
  const { copy } = await openCopy(t, folder)
  await copy.apply(noteCopied, { rows, removed: [] })
  const killed = await tempFolder(t)
  for (const name of ['x.db', 'x.db-wal']) await writeFile(join(killed, name), await readFile(join(folder, name)))
  const wal = await readFile(join(killed, 'x.db-wal'))
  assert.deepEqual(await seen(killed), { source: here, rows: 2, other: null, identity: null })
  assert.deepEqual(await readFile(join(killed, 'x.db-wal')), wal)
})

test('there is nothing to see without a file, or in one that was never copied into', async (t) => {
  const folder = await tempFolder(t)
  assert.equal(await seen(folder), null)
  const { close } = await openCopy(t, folder, true)
  assert.equal(await seen(folder), null)
  await close()
  await rm(join(folder, 'x.db'))
  await writeFile(join(folder, 'x.db'), 'this is no database, whatever its name says')
  await assert.rejects(seen(folder), (error) => driver.classify(error, 'open').kind === 'corrupt')
})
