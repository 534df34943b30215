import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { encodePages } from '../../../plugins/sqlite/archive/pages.ts'
import type { FileRebuild } from '../../../src/driver/facet/archive.ts'
import { archivedTarget, facet, Kept, openArchived, rowsOf } from './archive-store.ts'
import { faultOf, limits, prove, subfolder, targetOf, tempFolder } from './bench.ts'

const insert = 'insert into thing (id, name) values (?, ?)'

/** What a store with some rows was archived as. */
async function keptOf(t: TestContext, folder: string): Promise<Kept> {
  const { source, run, close } = await openArchived(t, await subfolder(folder, 'source'))
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  for (let id = 1; id <= 300; id += 1) await run.write(insert, [id, `n${id} ${'x'.repeat(500)}`])
  await kept.drain(source)
  await close()
  return kept
}

/** The snapshot and all cuts, written but not finished. */
async function begun(kept: Kept, path: string): Promise<FileRebuild> {
  const rebuild = await facet.rebuild(path)
  await rebuild.write(kept.base ?? new Uint8Array())
  for (const { payload } of kept.cuts) await rebuild.apply(payload)
  return rebuild
}

test('a rebuilt file has its name only when it is whole, and nothing else is next to it', async (t) => {
  const folder = await tempFolder(t)
  const kept = await keptOf(t, folder)
  const home = join(folder, 'deep', 'home')
  const rebuild = await begun(kept, join(home, 'x.db'))
  assert.deepEqual(await readdir(home), ['x.db.rebuilding'])
  const proof = await rebuild.finish()
  assert.deepEqual(await readdir(home), ['x.db'])
  assert.equal((await stat(join(home, 'x.db'))).mode & 0o777, 0o600)
  assert.equal(proof.tables.find(({ table }) => table === 'thing')?.rows, 300)
  const again = await facet.prove(join(home, 'x.db'), new AbortController().signal)
  assert.deepEqual(again, proof)
  await rebuild.abandon()
  assert.deepEqual(await readdir(home), ['x.db'])
})

test('proofs differ in the hash of the table whose row differs, whatever the value is', async (t) => {
  const folder = await tempFolder(t)
  const { source, orm } = await openArchived(t, folder)
  await source.begin(null)
  const em = orm.em.fork()
  await em.execute('create table one (id integer primary key, a, b)')
  await em.execute('create table two (id text primary key, a) without rowid')
  await em.execute("insert into two values ('a', 1), ('b', 2)")
  const values = [
    "'ab', 'c'",
    "'a', 'bc'",
    "'1', null",
    '1, null',
    '1.0, null',
    "x'31', null",
    '9007199254740993, null',
  ]
  const hashes = new Set<string>()
  const others = new Set<string>()
  await em.execute("insert into one values (1, 'ab', 'c')")
  for (const [index, value] of values.entries()) {
    await em.execute(`replace into one values (1, ${value})`)
    const { tables } = await new Kept().snapshot(source, join(folder, `copy-${index}`))
    hashes.add(tables.find(({ table }) => table === 'one')?.hash ?? '')
    others.add(tables.find(({ table }) => table === 'two')?.hash ?? '')
  }
  assert.equal(hashes.size, values.length)
  assert.equal(others.size, 1)
})

test('a WAL of another life is moved aside before a rebuilt file gets its name', async (t) => {
  const folder = await tempFolder(t)
  const kept = await keptOf(t, folder)
  const live = await openArchived(t, await subfolder(folder, 'other'))
  await live.run.write(insert, [1, 'of another life'])
  await live.close()
  const home = await subfolder(folder, 'home')
  const path = join(home, 'x.db')
  await writeFile(`${path}-wal`, await readFile(`${live.path}-wal`))
  await writeFile(path, '')
  await (await begun(kept, path)).finish()
  assert.equal(rowsOf(path).thing?.length, 300)
  const names = await readdir(home)
  assert.equal(names.filter((name) => /^x\.db\.damaged-.*-wal$/.test(name)).length, 1, names.join())
})

test('a rebuild replaces no file', async (t) => {
  const folder = await tempFolder(t)
  const kept = await keptOf(t, folder)
  const path = join(await subfolder(folder, 'home'), 'x.db')
  const rebuild = await begun(kept, path)
  await writeFile(path, 'somebody else was quicker')
  assert.equal((await faultOf(rebuild.finish())).code, 'SQLITE_FILE_EXISTS')
  assert.equal(await readFile(path, 'utf8'), 'somebody else was quicker')
  await rebuild.abandon()
  assert.deepEqual(await readdir(join(folder, 'home')), ['x.db'])
  assert.equal((await faultOf(facet.rebuild(path))).code, 'SQLITE_FILE_EXISTS')
})

test('what a killed process left of a rebuild is begun again', async (t) => {
  const folder = await tempFolder(t)
  const kept = await keptOf(t, folder)
  const home = await subfolder(folder, 'home')
  await writeFile(join(home, 'x.db.rebuilding'), 'a part')
  await writeFile(join(home, 'x.db.rebuilding-wal'), 'a part')
  await (await begun(kept, join(home, 'x.db'))).finish()
  assert.deepEqual(await readdir(home), ['x.db'])
})

test('damage, half a transaction and payloads that are none keep the name free', async (t) => {
  const folder = await tempFolder(t)
  const kept = await keptOf(t, folder)
  const path = join(await subfolder(folder, 'home'), 'x.db')
  const torn = await facet.rebuild(path)
  await torn.write(kept.base ?? new Uint8Array())
  // Pages of the end without those before them.
  const last = kept.cuts.at(-1)?.payload ?? new Uint8Array()
  const half = Buffer.from(last)
  const [pageSize, count] = [half.readUInt32BE(4), half.readUInt32BE(12)]
  const content = (index: number): Uint8Array =>
    half.subarray(16 + count * 4 + index * pageSize, 16 + count * 4 + (index + 1) * pageSize)
  const numbers = Array.from({ length: count }, (_, index) => half.readUInt32BE(16 + index * 4))
  const some = numbers.flatMap((number, index) => (index % 2 === 0 ? [{ number, index }] : []))
  await torn.apply(
    encodePages({
      pageSize,
      pages: half.readUInt32BE(8),
      numbers: some.map(({ number }) => number),
      contents: some.map(({ index }) => content(index)),
    }),
  )
  assert.equal((await faultOf(torn.finish())).kind, 'corrupt')
  await torn.abandon()
  const part = await facet.rebuild(path)
  await part.write(kept.base ?? new Uint8Array())
  await part.apply(encodePages({ pageSize, pages: 0, numbers: [1], contents: [content(0)] }))
  assert.equal((await faultOf(part.finish())).kind, 'corrupt')
  for (const bad of [Buffer.alloc(0), Buffer.from('HFP1'), half.subarray(0, half.length - 1), Buffer.alloc(100)]) {
    await assert.rejects(part.apply(bad))
  }
  const unordered = encodePages({ pageSize, pages: 9, numbers: [2, 1], contents: [content(0), content(1)] })
  await assert.rejects(part.apply(unordered), /not in order/)
  await part.abandon()
  const nothing = await facet.rebuild(path)
  await nothing.write(Buffer.from('no database at all'))
  assert.equal((await faultOf(nothing.finish())).kind, 'corrupt')
  await nothing.abandon()
  assert.deepEqual(await readdir(join(folder, 'home')), [])
})

test('a file is missing where there is none, an empty one, or a damaged one, which is moved aside', async (t) => {
  const folder = await tempFolder(t)
  const path = join(folder, 'x.db')
  const target = archivedTarget(folder)
  assert.deepEqual(await facet.missing(target, limits.connectMs), { path, why: 'absent', aside: null })
  assert.deepEqual(await readdir(folder), [])
  await writeFile(path, '')
  assert.deepEqual(await facet.missing(target, limits.connectMs), { path, why: 'absent', aside: null })
  const { source, run, close } = await openArchived(t, folder)
  await source.begin(null)
  await run.write(insert, [1, 'one'])
  await close()
  const wal = (await stat(`${path}-wal`)).size
  assert.equal(await facet.missing(target, limits.connectMs), null)
  assert.ok((await stat(`${path}-wal`)).size >= wal, 'looking carries nothing')
  const again = await openArchived(t, folder)
  await again.source.begin(null)
  await again.source.end(async () => {})
  await again.close()
  const bytes = await readFile(path)
  bytes.fill(0xff, 0, 4_096)
  await writeFile(path, bytes)
  // To open it is to wait for a restore: no empty file takes its place, here or elsewhere.
  const fault = await faultOf(prove(target))
  assert.deepEqual([fault.kind, fault.code], ['transient', 'SQLITE_DAMAGED'])
  assert.deepEqual(await readFile(path), bytes)
  const missing = await facet.missing(target, limits.connectMs)
  assert.equal(missing?.why, 'damaged')
  assert.match(missing?.aside ?? '', /x\.db\.damaged-/)
  const names = await readdir(folder)
  assert.ok(
    names.every((name) => name.startsWith('x.db.damaged-')),
    names.join(),
  )
})

test('the first place that can be used is the one that counts', async (t) => {
  const folder = await tempFolder(t)
  const [first, second] = [await subfolder(folder, 'first'), await subfolder(folder, 'second')]
  const both = targetOf('sqlite:x.db', { folders: [first, second], life: 'local', isArchived: true })
  const { close } = await openArchived(t, second)
  await close()
  assert.equal((await facet.missing(both, limits.connectMs))?.path, join(first, 'x.db'))
  const blocked = await subfolder(folder, 'blocked')
  await writeFile(join(blocked, 'x.db'), '')
  await mkdir(join(folder, 'third'))
  await chmod(blocked, 0o500)
  if (process.getuid?.() === 0) return
  const other = targetOf('sqlite:x.db', { folders: [blocked, join(folder, 'third')], life: 'local', isArchived: true })
  assert.equal((await facet.missing(other, limits.connectMs))?.path, join(folder, 'third', 'x.db'))
})
