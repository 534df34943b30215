import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { archiveGapCode } from '../../../src/driver/facet/archive.ts'
import { assertRestored, foreign, Kept, openArchived, rowsOf } from './archive-store.ts'
import { faultOf, limits, open, parse, subfolder, targetOf, tempFolder } from './bench.ts'

const insert = 'insert into thing (id, name) values (?, ?)'

test('a snapshot and what was cut after it are the file, whichever way commits are synced', async (t) => {
  for (const sync of ['async', 'full'] as const) {
    const folder = await tempFolder(t)
    const { source, run, path } = await openArchived(t, folder, { sync })
    await run.write(insert, [1, 'before'])
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
      await run.write(insert, [id, `name ${id} ${'x'.repeat(id * 40)}`])
      if (id % 50 === 0) await kept.drain(source)
      if (id === 120) assert.ok(await kept.checkpoint(source))
    }
    assert.ok(source.waitingBytes() > 0)
    await kept.drain(source)
    assert.equal(source.waitingBytes(), 0)
    assert.equal(await source.cut(1_000), null)
    await assertRestored(kept, path, await subfolder(folder, 'restored'))
  }
})

test('a page that was written many times is cut once', async (t) => {
  const folder = await tempFolder(t)
  const { source, run } = await openArchived(t, folder)
  await source.begin(null)
  for (let id = 1; id <= 100; id += 1) await run.write(insert, [id, `n${id}`])
  const waiting = source.waitingBytes()
  const cut = await source.cut(1_048_576)
  assert.ok(waiting > 100 * 4_096)
  assert.ok(cut !== null && cut.payload.length < 20 * 4_096, `${cut?.payload.length} bytes`)
})

test('nothing is cut before it is synced', async (t) => {
  const folder = await tempFolder(t)
  const { source, run } = await openArchived(t, folder)
  await run.write(insert, [1, 'synced'])
  await source.begin(null)
  const real = { fdatasync: fs.fdatasync }
  const held: (() => void)[] = []
  t.after(() => {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  })
  fs.fdatasync = Object.assign(
    (_descriptor: number, done: (error: NodeJS.ErrnoException | null) => void): void => {
      held.push(() => done(null))
    },
    { __promisify__: real.fdatasync.__promisify__ },
  )
  syncBuiltinESMExports()
  // From several sides, so that the sync is not that of a lone write.
  const writes = Promise.all([2, 3, 4].map((id) => run.write(insert, [id, `waits ${id}`])))
  while (source.waitingBytes() === 0) await new Promise((resolve) => setImmediate(resolve))
  let isCut = false
  const cutting = source.cut(1_048_576).then((cut) => {
    isCut = true
    return cut
  })
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isCut, false)
  const release = setInterval(() => {
    for (const done of held.splice(0)) done()
  }, 1)
  t.after(() => clearInterval(release))
  assert.notEqual(await cutting, null)
  await writes
})

test('a transaction that is too large is cut in parts, and counts only with its last one', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, orm, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  await run.write(insert, [1, 'small'])
  await orm.em.fork().transactional(async (em) => {
    for (let id = 2; id < 200; id += 1) await em.execute(insert, [id, randomBytes(2_000).toString('hex')])
  })
  await run.write(insert, [1_000, 'after'])
  const count = await kept.drain(source, 64 * 1024)
  assert.ok(count > 5, `${count} cuts`)
  assert.ok(kept.cuts.every(({ payload }) => payload.length <= 65 * 1024))
  assert.deepEqual([kept.cuts[0]?.isWhole, kept.cuts[1]?.isWhole, kept.cuts.at(-1)?.isWhole], [true, false, true])
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
  const firstPart = kept.cuts.findIndex(({ isWhole }) => !isWhole)
  kept.cuts = kept.cuts.slice(0, firstPart + 2)
  const rows = rowsOf(await kept.restore(await subfolder(folder, 'less')))
  assert.deepEqual(rows.thing, [[1, 'small']])
})

test('a checkpoint that comes within a large transaction cuts all of it first', async (t) => {
  const folder = await tempFolder(t)
  const { source, orm, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  await orm.em.fork().transactional(async (em) => {
    for (let id = 2; id < 200; id += 1) await em.execute(insert, [id, randomBytes(2_000).toString('hex')])
  })
  const part = await source.cut(64 * 1024)
  assert.equal(part?.isWhole, false)
  if (part != null) kept.add(part)
  assert.ok(await kept.checkpoint(source))
  assert.equal(kept.cuts.at(-1)?.isWhole, true)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('files of every page size, that grow and shrink, are rebuilt exactly', async (t) => {
  for (const pageSize of [512, 1_024, 16_384, 65_536]) {
    const folder = await tempFolder(t)
    const made = new Database(join(folder, 'x.db'))
    made.pragma(`page_size = ${pageSize}`)
    made.pragma('auto_vacuum = full')
    made.exec('create table big (id integer primary key, data blob); create index by_data on big (data)')
    made.close()
    const { source, orm, path } = await openArchived(t, folder)
    await source.begin(null)
    const kept = new Kept()
    await kept.snapshot(source, join(folder, 'copy'))
    const em = orm.em.fork()
    for (let id = 1; id <= 40; id += 1) {
      await em.execute('insert into big (id, data) values (?, ?)', [id, randomBytes(id * 700)])
      if (id % 7 === 0) await em.execute('delete from big where id < ?', [id - 4])
      if (id % 10 === 0) await kept.drain(source)
      if (id === 25) assert.ok(await kept.checkpoint(source))
    }
    await em.execute('delete from big where id > 5')
    await em.execute('vacuum')
    await em.execute('create table more (id integer primary key)')
    await em.execute('drop table big')
    await kept.drain(source)
    const restored = await kept.restore(await subfolder(folder, 'restored'))
    assert.deepEqual(rowsOf(restored), rowsOf(path))
    assert.ok(await kept.checkpoint(source))
    assert.deepEqual(fs.readFileSync(restored), fs.readFileSync(path), `pages of ${pageSize} bytes`)
  }
})

test('a stream that holds an old state is in the way of a checkpoint, and nothing is lost', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, engine, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  for (let id = 1; id <= 20; id += 1) await run.write(insert, [id, `n${id}`])
  const stream = engine.file.openStream()
  const rows = stream.native.prepare('select * from thing').iterate()
  rows.next()
  for (let id = 21; id <= 40; id += 1) await run.write(insert, [id, `n${id}`])
  assert.equal(await kept.checkpoint(source), false)
  assert.equal(await source.snapshot(join(folder, 'none'), kept.keep, new AbortController().signal), null)
  assert.equal(fs.existsSync(join(folder, 'none')), false)
  for (let id = 41; id <= 60; id += 1) await run.write(insert, [id, `n${id}`])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'one'))
  rows.return?.()
  engine.file.closeStream(stream)
  assert.equal(await kept.checkpoint(source), true)
  await run.write(insert, [100, 'later'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'two'))
})

test('a reader of the newest state is not in the way, and nothing is lost while it stays and when it leaves', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, engine, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  for (let id = 1; id <= 20; id += 1) await run.write(insert, [id, `n${id}`])
  // Everything can be carried, but the WAL cannot begin again under it.
  const stream = engine.file.openStream()
  const rows = stream.native.prepare('select * from thing').iterate()
  rows.next()
  assert.equal(await kept.checkpoint(source), true)
  await run.write(insert, [40, 'behind it'])
  rows.return?.()
  engine.file.closeStream(stream)
  for (let id = 41; id <= 60; id += 1) await run.write(insert, [id, `n${id}`])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('what another process commits is cut, and its checkpoints restart nothing', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  for (let round = 0; round < 5; round += 1) {
    await run.write(insert, [10_000 + round, `ours ${round}`])
    foreign(
      path,
      `native.pragma('wal_autocheckpoint = 1')
       for (let id = 0; id < 50; id += 1) native.exec("insert into thing (id, name) values (" + (${round} * 100 + id) + ", 'f" + (${round} * 100 + id) + "')")
       for (const mode of ['passive', 'full', 'restart', 'truncate']) native.pragma('wal_checkpoint(' + mode + ')')`,
    )
    if (round === 2) assert.ok(await kept.checkpoint(source))
    if (round % 2 === 0) await kept.drain(source)
  }
  await run.write(insert, [9_000, 'last'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('after a checkpoint no process can carry anything into the file until the next one, so a copy is of one moment', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await run.write(insert, [1, 'one'])
  assert.ok(await kept.checkpoint(source))
  const before = fs.readFileSync(path)
  await run.write(insert, [2, 'two'])
  await kept.drain(source)
  foreign(
    path,
    `for (const mode of ['passive', 'full', 'restart', 'truncate']) native.pragma('wal_checkpoint(' + mode + ')')`,
  )
  assert.deepEqual(fs.readFileSync(path), before)
})

test('while a snapshot is copied there is no checkpoint, and what comes meanwhile is cut', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  await run.write(insert, [1, 'one'])
  const kept = new Kept()
  let isCopied = false
  const isKept = Promise.withResolvers<void>()
  const keep = async (): Promise<void> => isKept.resolve()
  const copying = source.snapshot(join(folder, 'copy'), keep, new AbortController().signal, () => {
    isCopied = true
  })
  await isKept.promise
  // In line behind the checkpoint of the snapshot.
  const during = source.checkpoint(kept.keep)
  assert.equal(await during, null)
  assert.equal(isCopied, false)
  kept.cuts = []
  await run.write(insert, [2, 'meanwhile'])
  const snapshot = await copying
  assert.ok(snapshot)
  kept.base = fs.readFileSync(snapshot.path)
  assert.equal(rowsOf(snapshot.path).thing?.length, 1)
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
  assert.ok(await kept.checkpoint(source))
})

test('a snapshot that is aborted leaves no copy, and checkpoints go on', async (t) => {
  const folder = await tempFolder(t)
  const { source, run } = await openArchived(t, folder)
  await source.begin(null)
  await run.write(insert, [1, 'x'.repeat(3_000_000)])
  const kept = new Kept()
  const ending = new AbortController()
  const copying = source.snapshot(join(folder, 'copy'), kept.keep, ending.signal, () => ending.abort())
  await assert.rejects(copying, { name: 'AbortError' })
  assert.equal(fs.existsSync(join(folder, 'copy')), false)
  assert.ok(await kept.checkpoint(source))
})

test('a snapshot whose archive ends while it is copied is none', async (t) => {
  const folder = await tempFolder(t)
  const { source, run } = await openArchived(t, folder)
  await source.begin(null)
  await run.write(insert, [1, 'one'])
  const isKept = Promise.withResolvers<void>()
  const keep = async (): Promise<void> => isKept.resolve()
  const copied = (): void => assert.fail('The file may have changed.')
  const copying = source.snapshot(join(folder, 'copy'), keep, new AbortController().signal, copied)
  await isKept.promise
  // In line behind the checkpoint of the snapshot.
  assert.equal(await source.checkpoint(keep), null)
  const ended = source.end(keep)
  await assert.rejects(copying)
  await ended
  assert.equal(fs.existsSync(join(folder, 'copy')), false)
})

test('a WAL that cannot be read may have something to be cut', async (t) => {
  const { source, run } = await openArchived(t, await tempFolder(t))
  await source.begin(null)
  await run.write(insert, [1, 'one'])
  await new Kept().drain(source)
  assert.equal(source.waitingBytes(), 0)
  const { readSync } = fs
  t.after(() => {
    fs.readSync = readSync
    syncBuiltinESMExports()
  })
  fs.readSync = () => {
    throw new Error('EIO')
  }
  syncBuiltinESMExports()
  assert.equal(source.waitingBytes(), 1)
})

test('what cannot be kept stays in the WAL, and no write waits for it', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  await run.write(insert, [1, 'one'])
  const failing = source.checkpoint(async () => {
    throw new Error('no room')
  })
  await assert.rejects(failing, /no room/)
  await run.write(insert, [2, 'two'])
  await kept.drain(source)
  await assertRestored(kept, path, await subfolder(folder, 'restored'))
})

test('changes that were lost are said with each cut, until a snapshot', async (t) => {
  const folder = await tempFolder(t)
  const { source, run, path } = await openArchived(t, folder)
  await source.begin(null)
  const kept = new Kept()
  await kept.snapshot(source, join(folder, 'copy'))
  await run.write(insert, [1, 'one'])
  await kept.drain(source)
  // As a disk that has lost its last blocks.
  fs.truncateSync(`${path}-wal`, 32)
  await run.write(insert, [2, 'two']).catch(() => {})
  assert.equal((await faultOf(source.cut(1_048_576))).code, archiveGapCode)
  assert.equal((await faultOf(source.cut(1_048_576))).code, archiveGapCode)
  assert.equal(source.waitingBytes(), 0)
})

test('only the file of a local store with a WAL is archived', async (t) => {
  const folder = await tempFolder(t)
  const folders = [folder]
  const archived = async (text: string, options: object): Promise<boolean> => {
    const store = await open(t, targetOf(text, { folders, ...options }), limits)
    const source = store.engine.archive()
    await store.close()
    return source !== null
  }
  const isArchived = true
  assert.equal(await archived('sqlite:a.db', { life: 'local', isArchived }), true)
  assert.equal(await archived('sqlite:b.db', { life: 'local' }), false)
  assert.equal(await archived('sqlite:c.db', { isArchived }), false)
  assert.equal(await archived('sqlite::memory:', { life: 'local', isArchived }), false)
  assert.equal(await archived('sqlite:d.db?journal_mode=DELETE', { life: 'local', isArchived }), false)
  const { target } = parse('sqlite:e.db', { life: 'fallback', folders, isArchived })
  assert.equal(target?.isArchived, false)
})
