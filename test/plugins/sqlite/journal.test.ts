import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import type { Entry } from '../../../src/driver/facet/journal.ts'
import { until } from '../../support/until.ts'
import { faultOf, tempFolder } from './bench.ts'
import { entriesOf, type JournalStore, noteTable, openFor, openJournal, shortly } from './journal-store.ts'

const insert = 'insert into note (id, words) values (?, ?)'

test('REPLACE journals the rows that it removes, by whichever key it meets them', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.run.write(insert, ['a', 'taken'])
  await store.run.write(insert, ['b', 'other'])
  await store.sql("insert or replace into note (id, words) values ('c', 'taken')")
  await store.run.write("replace into note (id, words) values ('b', 'taken')", [])
  assert.deepEqual((await entriesOf(store)).map(shortly), [
    'insert a null>taken',
    'insert b null>other',
    'delete a taken>null',
    'insert c null>taken',
    'delete c taken>null',
    'delete b other>null',
    'insert b null>taken',
  ])
})

test('an entry is never left out where the statement ignores what breaks a rule', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.run.write(insert, ['a', 'taken'])
  await store.run.write('insert or ignore into note (id, words) values (?, ?)', ['b', 'taken'])
  await store.run.write('insert or ignore into note (id, words) values (?, ?)', ['c', 'free'])
  await store.run.write("update or ignore note set words = 'taken'", [])
  store.journal.serve(false)
  const refused = store.run.write('insert or ignore into note (id, words) values (?, ?)', ['d', 'refused'])
  assert.equal((await faultOf(refused)).code, 'FALLBACK_RESTING')
  assert.deepEqual((await entriesOf(store)).map(shortly), [
    'insert a null>taken',
    'insert c null>free',
    'update a taken>taken',
  ])
  assert.deepEqual(await store.run.read('select id from note order by id', []), [{ id: 'a' }, { id: 'c' }])
})

test('gives no archive what a power cut could take back', async (t) => {
  const store = await openJournal(await tempFolder(t), undefined, 'async')
  t.after(() => store.close())
  await store.run.write(insert, ['a', 'synced'])
  const { fdatasync } = fs
  const held: (() => void)[] = []
  const restore = (): void => {
    fs.fdatasync = fdatasync
    syncBuiltinESMExports()
    for (const sync of held.splice(0)) sync()
  }
  t.after(restore)
  fs.fdatasync = Object.assign((descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    held.push(() => fdatasync(descriptor, done))
  }, fdatasync)
  syncBuiltinESMExports()
  let given: readonly string[] | null = null
  const asked = store.journal.synced(0, 1_000_000).then((portion) => {
    given = portion?.entries.map(({ key }) => key) ?? []
  })
  await until(() => held.length > 0)
  const later = store.run.write(insert, ['b', 'later'])
  await until(async () => (await store.run.read("select 1 from note where id = 'b'", [])).length === 1)
  assert.equal(given, null)
  held.shift()?.()
  await asked
  assert.deepEqual(given, ['a'], 'what was committed during the sync is not given')
  restore()
  await later
  assert.deepEqual((await store.journal.synced(0, 1_000_000))?.entries.length, 2)
})

test('cascades are journaled', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.sql('create table parent (id text primary key not null, holdfast_attempt text)')
  await store.sql("insert into parent (id) values ('p')")
  await store.sql('alter table note add column parent text references parent (id) on delete cascade')
  await store.sql("insert into note (id, words, parent) values ('a', 'child', 'p')")
  await store.sql("delete from parent where id = 'p'")
  assert.deepEqual((await entriesOf(store)).map(shortly), ['insert a null>child', 'delete a child>null'])
})

test('a group that SQLite takes back is journaled as it was carried out in the end', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  const { run } = store
  await run.write(insert, ['a', 'taken'])
  const outcomes = await Promise.allSettled([
    run.write(insert, ['b', 'b'], { attempt: 'attempt-b' }),
    run.write('insert or rollback into note (id, words) values (?, ?)', ['c', 'taken'], { attempt: 'attempt-c' }),
    run.write(insert, ['d', 'd'], { attempt: 'attempt-d' }),
    run.write(insert, ['e', 'taken'], { attempt: 'attempt-e' }),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
  )
  const [, ...entries] = await entriesOf(store)
  assert.deepEqual(
    entries.map(({ key, attempt }) => [key, attempt]),
    [
      ['b', 'attempt-b'],
      ['d', 'attempt-d'],
    ],
  )
  assert.equal(new Set(entries.map(({ transaction }) => transaction)).size, 2)
  assert.deepEqual([store.journal.counts().transactions, store.journal.counts().entries], [3, 3])
})

test('a transaction that SQLite took back leaves no entry, and the next one is a transaction of its own', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.run.write(insert, ['a', 'taken'])
  const gone = store.orm.em.fork().transactional(async (em) => {
    await em.execute("insert into note (id, words) values ('b', 'b')")
    await em.execute("insert or rollback into note (id, words) values ('c', 'taken')").catch(() => {})
    await em.execute("insert into note (id, words) values ('d', 'd')")
  })
  assert.equal((await faultOf(gone)).code, 'SQLITE_TRANSACTION_GONE')
  await store.run.write(insert, ['e', 'e'])
  const entries = await entriesOf(store)
  assert.deepEqual(
    entries.map(({ key }) => key),
    ['a', 'e'],
  )
  assert.notEqual(entries[0]?.transaction, entries[1]?.transaction)
})

test('a refusal inside a savepoint undoes the statement alone, and none of what was journaled before', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.orm.em.fork().transactional(async () => {
    await store.run.write(insert, ['a', 'a'])
    store.journal.serve(false)
    assert.equal((await faultOf(store.run.write(insert, ['b', 'b']))).code, 'FALLBACK_RESTING')
    store.journal.serve(true)
    await store.run.write(insert, ['c', 'c'])
  })
  assert.deepEqual(
    (await entriesOf(store)).map(({ key }) => key),
    ['a', 'c'],
  )
  assert.equal(store.journal.counts().transactions, 1)
})

test('texts with a NUL are exact, and a BLOB, which no image can hold, is refused', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.run.write(insert, ['a', 'before\0after'])
  assert.equal((await entriesOf(store))[0]?.new?.words, 'before\0after')
  await assert.rejects(store.run.write('insert into note (id, words) values (?, ?)', ['b', new Uint8Array([0, 255])]))
  assert.deepEqual(await store.run.read('select id from note', []), [{ id: 'a' }])
})

test('another connection cannot change a row, and what it reads is whole', async (t) => {
  const folder = await tempFolder(t)
  const store = await openFor(t, folder)
  await store.run.write(insert, ['a', 'kept'])
  const foreign = new Database(join(folder, 'x.db'))
  t.after(() => foreign.close())
  for (const text of ["insert into note (id) values ('b')", "update note set words = 'x'", 'delete from note']) {
    assert.throws(() => foreign.exec(text), /no such function: holdfast_author/)
  }
  assert.deepEqual(foreign.prepare('select id, words from note').all(), [{ id: 'a', words: 'kept' }])
  foreign.exec(`vacuum into '${join(folder, 'copy.db')}'`)
  const copy = new Database(join(folder, 'copy.db'))
  t.after(() => copy.close())
  assert.throws(() => copy.exec("insert into note (id) values ('b')"), /no such function/)
  for (const name of ['insert', 'update', 'move', 'delete']) copy.exec(`drop trigger holdfast_note_${name}`)
  copy.exec("insert into note (id) values ('b')")
})

test('a sync that fails after COMMIT leaves the outcome open, and refuses what comes next without doubt', async (t) => {
  const folder = await tempFolder(t)
  const store = await openFor(t, folder)
  await store.run.write(insert, ['a', 'a'])
  const real = { fdatasync: fs.fdatasync, fdatasyncSync: fs.fdatasyncSync }
  t.after(() => {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  })
  const failure = Object.assign(new Error('EIO'), { code: 'EIO' })
  fs.fdatasync = ((_: number, done: (error: Error) => void) => done(failure)) as typeof fs.fdatasync // Its one form here.
  fs.fdatasyncSync = () => {
    throw failure
  }
  syncBuiltinESMExports()
  assert.equal((await faultOf(store.run.write(insert, ['b', 'b']))).ambiguous, true)
  const later = [
    faultOf(store.run.write(insert, ['d', 'd'])),
    faultOf(store.sql("insert into note (id) values ('e')")),
    faultOf(store.orm.em.fork().transactional((em) => em.execute("insert into note (id) values ('f')"))),
  ]
  for (const fault of await Promise.all(later)) assert.equal(fault.ambiguous, false, 'nothing of it was written')
  assert.deepEqual(
    (await entriesOf(store)).map(({ key }) => key),
    ['a', 'b'],
  )
})

test('a file opens at once however much waits in it, and is read in portions', async (t) => {
  const folder = await tempFolder(t)
  const first = await openJournal(folder)
  await first.sql(`with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
    insert into note (id) select 'id-' || i from n`)
  await first.close()
  const startedAt = performance.now()
  const store = await openFor(t, folder)
  assert.equal(store.journal.counts().entries, 30_000)
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs < 5_000, `${tookMs} ms`)
  const at = performance.now()
  for (let round = 0; round < 1_000; round += 1) {
    store.journal.counts()
    store.journal.history('note', `id-${30_000 - round}`)
    store.journal.history('note', `other-${round}`)
  }
  assert.ok(performance.now() - at < 1_000, 'counts are not counted')
  await store.journal.carried((await store.journal.waiting(0, 1)).map(({ sequence }) => sequence))
  assert.deepEqual([store.journal.counts().transactions, store.journal.counts().entries], [0, 0])
})

test('a portion is bounded by its bytes, too', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  for (let index = 0; index < 24; index += 1)
    await store.run.write(insert, [`${index}`, `${index}${'x'.repeat(1_000_000)}`])
  const portion = await store.journal.waiting(0, 1_000)
  assert.ok(portion.length > 10 && portion.length < 20, `${portion.length}`)
})

test('a second process has no part in a journaling file until the first lets it go or is gone', async (t) => {
  const folder = await tempFolder(t)
  const other = spawnProcess(t, folder, 'hold')
  await other.lines(1)
  const fault = await faultOf(openJournal(folder))
  assert.deepEqual([fault.kind, fault.code], ['transient', 'FILE_SHARED'])
  await killed(other.child)
  const store = await openJournal(folder)
  assert.equal((await faultOf(run(t, folder))).code, 'FILE_SHARED')
  const second = await openJournal(folder)
  await second.run.write(insert, ['a', 'in the same process'])
  await store.close()
  assert.equal((await faultOf(run(t, folder))).code, 'FILE_SHARED', 'one of the two is still open')
  await second.close()
  assert.deepEqual(await run(t, folder), ['open'])
  assert.deepEqual((await readdir(folder)).sort(), ['x.db', 'x.db.owner'])
})

test('a lost file that is opened again in the same process stays its own', async (t) => {
  const folder = await tempFolder(t)
  const lost = await openJournal(folder)
  for (const name of ['x.db', 'x.db-wal', 'x.db-shm']) await rm(join(folder, name), { force: true })
  const store = await openFor(t, folder)
  await lost.close()
  await store.run.write(insert, ['a', 'a'])
  assert.equal((await faultOf(run(t, folder))).code, 'FILE_SHARED')
})

test('a SIGKILL in the middle of writes leaves rows and journal of one mind, five times over', async (t) => {
  const folder = await tempFolder(t)
  const answered = new Set<string>()
  for (let round = 0; round < 5; round += 1) {
    const writer = spawnProcess(t, folder, 'write', String(round))
    await writer.lines(150 + 40 * round)
    await killed(writer.child)
    for (const line of writer.all.slice(1)) answered.add(line)
    const store = await openJournal(folder)
    const entries = await entriesOf(store)
    assert.deepEqual(await rowsOf(store), replayed(entries))
    const keys = new Set(entries.filter(({ operation }) => operation !== 'delete').map(({ key }) => key))
    assert.deepEqual(
      [...answered].filter((key) => !keys.has(key)),
      [],
    )
    const { counts } = store.journal
    const groups = Map.groupBy(entries, ({ transaction }) => transaction)
    assert.deepEqual(
      [counts.call(store.journal).entries, counts.call(store.journal).transactions],
      [entries.length, groups.size],
    )
    for (const group of groups.values()) {
      assert.equal(new Set(group.map(({ attempt }) => attempt)).size, 1)
      // The writer's transactions make a row and change it.
      if (group[0]?.key.startsWith('pair')) assert.equal(group.length, 2)
    }
    await store.close()
  }
  assert.ok(answered.size > 800)
})

/** The rows that the entries make, applied in order. */
function replayed(entries: readonly Entry[]): readonly unknown[] {
  const rows = new Map<string, unknown>()
  for (const { key, new: image } of entries) {
    if (image === null) rows.delete(key)
    else rows.set(key, image)
  }
  return [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row)
}

async function rowsOf({ run }: JournalStore): Promise<readonly unknown[]> {
  const columns = noteTable.columns.map(({ name }) => name).join(', ')
  return (await run.read(`select ${columns} from note order by id`, [])).map((row) => ({ ...row }))
}

const processFile = fileURLToPath(new URL('journal-process.ts', import.meta.url))

interface Spawned {
  readonly child: ChildProcess
  readonly all: readonly string[]
  /** Resolves when it has printed so many. */
  lines(count: number): Promise<void>
}

function spawnProcess(t: TestContext, folder: string, ...words: readonly string[]): Spawned {
  const child = spawn(process.execPath, [processFile, folder, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const all: string[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    all.push(...lines)
    for (const { count, resolve } of waiting) if (all.length >= count) resolve()
  })
  const lines = (count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      if (all.length >= count) resolve()
      waiting.push({ count, resolve })
      child.once('close', () => reject(new Error('The process ended.')))
    })
  return { child, all, lines }
}

/** What a process that only opens the file prints. @throws the fault that it prints. */
async function run(t: TestContext, folder: string): Promise<readonly string[]> {
  const spawned = spawnProcess(t, folder, 'open')
  await new Promise((resolve) => spawned.child.once('close', resolve))
  const [line = ''] = spawned.all
  if (line !== 'open') throw Object.assign(new Error(line), JSON.parse(line))
  return spawned.all
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
}
