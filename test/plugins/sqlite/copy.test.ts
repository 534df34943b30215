import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { until } from '../../support/until.ts'
import { faultOf, tempFolder } from './bench.ts'
import { digestOf, fed, here, noteCopied, notesOf, openCopy } from './copy-store.ts'
import { entriesOf } from './journal-store.ts'

const insert = 'insert into note (id, words) values (?, ?)'

test('applies rows and removals with their marks, and journals nothing of it', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  assert.deepEqual(copy.source(), here)
  const rows = Array.from({ length: 50 }, (_, index) => fed(`n-${index + 10}`, `words ${index}`, `v${index}`))
  const outcome = await copy.apply(noteCopied, { rows, removed: [] })
  assert.deepEqual(outcome, { written: 50, removed: 0, waiting: 0, refused: [] })
  assert.deepEqual(copy.digest('note', null, null), digestOf(rows))
  assert.deepEqual(copy.digest('note', 'n-10', 'n-20'), digestOf(rows.slice(1, 11)))
  assert.deepEqual(
    [...copy.versions('note', 'n-57', null)],
    [
      ['n-58', 'v48'],
      ['n-59', 'v49'],
    ],
  )
  const changed = fed('n-10', 'changed', 'v100')
  const second = await copy.apply(noteCopied, { rows: [changed], removed: ['n-11', 'n-99'] })
  assert.deepEqual(second, { written: 1, removed: 1, waiting: 0, refused: [] })
  assert.deepEqual(copy.digest('note', null, null), digestOf([changed, ...rows.slice(2)]))
  assert.deepEqual((await notesOf(store)).slice(0, 2), ['n-10 changed', 'n-12 words 2'])
  assert.deepEqual(await entriesOf(store), [])
  assert.equal(copy.state('note')?.rows, 49)
  assert.ok((copy.state('note')?.bytes ?? 0) > 49 * 'n-12words 2'.length)
  await copy.apply(noteCopied, { rows: [], removed: [...copy.versions('note', null, null).keys()] })
  assert.deepEqual([copy.state('note')?.rows, copy.state('note')?.bytes], [0, 0])
  assert.deepEqual(await notesOf(store), [])
})

test('a thread carries a copy of much into the file, and all that is copied after it', async (t) => {
  const folder = await tempFolder(t)
  const { copy, run } = await openCopy(t, folder)
  const isCarried = async (): Promise<boolean> => {
    const rows = Array.from({ length: 1_000 }, (_, index) => fed(`n-${index}`, 'words', '1'))
    await copy.apply(noteCopied, { rows, removed: [] })
    const [row] = await run.read('pragma wal_autocheckpoint', [])
    return row?.wal_autocheckpoint === 0
  }
  await until(isCarried, { withinMs: 20_000, what: 'the thread' })
  // The file by itself, without what is still in the WAL.
  const isThere = async (id: string): Promise<boolean> => {
    await copyFile(join(folder, 'x.db'), join(folder, 'alone.db'))
    const alone = new Database(join(folder, 'alone.db'))
    try {
      return alone.prepare('select 1 from note where id = ?').get(id) !== undefined
    } finally {
      alone.close()
    }
  }
  // The first one is carried with what was before it.
  for (const id of ['one', 'two']) {
    await copy.apply(noteCopied, { rows: [fed(id, 'words', '1')], removed: [] })
    await until(() => isThere(id), { withinMs: 10_000, what: `row ${id} in the file` })
  }
})

test('writes while the store accepts no changes, and while it is read-only', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  store.journal.serve(false)
  await store.copy.apply(noteCopied, { rows: [fed('a', 'a', '1')], removed: [] })
  store.engine.setReadOnly(store.orm, true)
  store.copy.applyNow(noteCopied, { rows: [fed('b', 'b', '1')], removed: ['a'] })
  assert.deepEqual(await notesOf(store), ['b b'])
})

test('touches no row on which an entry waits, for whichever primary, and is to verify it', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, journal, run } = store
  await journal.address('one', 'the first')
  await copy.apply(noteCopied, { rows: [fed('a', 'copied', '1'), fed('b', 'copied too', '1')], removed: [] })
  await run.write("update note set words = 'changed here' where id = 'a'", [])
  await run.write("delete from note where id = 'b'", [])
  await run.write(insert, ['c', 'made here'])
  await journal.address('two', 'another')
  const rows = [fed('a', 'newer', '2'), fed('b', 'newer too', '2'), fed('c', 'theirs', '2'), fed('d', 'fine', '2')]
  const outcome = await copy.apply(noteCopied, { rows, removed: [] })
  assert.deepEqual(outcome, { written: 1, removed: 0, waiting: 3, refused: [] })
  const gone = await copy.apply(noteCopied, { rows: [], removed: ['a', 'b', 'c'] })
  assert.deepEqual(gone, { written: 0, removed: 0, waiting: 3, refused: [] })
  assert.deepEqual(await notesOf(store), ['a changed here', 'c made here', 'd fine'])
  assert.deepEqual(copy.unverified('note', 10), ['a', 'b', 'c'])
  assert.deepEqual(copy.unverified('note', 2), ['a', 'b'])
  assert.equal(copy.state('note')?.isVerified, false)
})

test('removes no row that is not marked', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  await store.run.write(insert, ['a', 'carried'])
  await store.journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  const outcome = await store.copy.apply(noteCopied, { rows: [], removed: ['a'] })
  assert.equal(outcome.removed, 0)
  assert.deepEqual(await notesOf(store), ['a carried'])
})

test('a copied row that has a unique key of a newer one makes way, and is to be verified', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  const many = Array.from({ length: 40 }, (_, index) => fed(`n-${index + 10}`, `words ${index}`, '1'))
  await copy.apply(noteCopied, { rows: many, removed: [] })
  const rows = many.map(({ key }, index) => fed(key, `words ${index + 1}`, '2'))
  const outcome = await copy.apply(noteCopied, { rows, removed: [] })
  assert.deepEqual(outcome, { written: 40, removed: 0, waiting: 0, refused: [] })
  assert.deepEqual(
    await notesOf(store),
    rows.map(({ key, image }) => `${key} ${image.words}`),
  )
  assert.equal(copy.state('note')?.isVerified, true, 'each of them came again')
  await copy.apply(noteCopied, { rows: [fed('x', 'words 20', '3')], removed: [] })
  assert.deepEqual(copy.unverified('note', 10), ['n-29'])
  assert.deepEqual((await notesOf(store)).at(-1), 'x words 20')
  assert.equal((await notesOf(store)).length, 40)
})

test('a row that is waited for keeps its unique key: the copied one is left out', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, run } = store
  await run.write(insert, ['mine', 'taken'])
  await copy.apply(noteCopied, { rows: [fed('old', 'other', '1')], removed: [] })
  const rows = [fed('old', 'taken', '2'), fed('new', 'taken', '2')]
  assert.deepEqual(await copy.apply(noteCopied, { rows, removed: [] }), {
    written: 0,
    removed: 0,
    waiting: 2,
    refused: [],
  })
  assert.deepEqual(await notesOf(store), ['mine taken', 'old other'])
  assert.deepEqual(copy.unverified('note', 10), ['new', 'old'])
})

test('so does a copied row that was changed here', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, run } = store
  await copy.apply(noteCopied, { rows: [fed('a', 'free', '1')], removed: [] })
  await run.write("update note set words = 'taken' where id = 'a'", [])
  const outcome = await copy.apply(noteCopied, { rows: [fed('new', 'taken', '2')], removed: [] })
  assert.deepEqual([outcome.written, outcome.waiting], [0, 1])
  assert.deepEqual(await notesOf(store), ['a taken'])
  assert.equal(await copy.giveWay('note', { words: 'taken' }), false)
})

test('an unmarked row keeps its unique key, too: it is not the copy’s to remove', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  await store.run.write(insert, ['mine', 'taken'])
  await store.journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  const outcome = await store.copy.apply(noteCopied, { rows: [fed('new', 'taken', '2')], removed: [] })
  assert.equal(outcome.waiting, 1)
  assert.deepEqual(await notesOf(store), ['mine taken'])
})

test('asks right before each row whether a newer one was written meanwhile', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  await copy.apply(noteCopied, { rows: [fed('a', 'newer', '2'), fed('b', 'old', '1')], removed: [] })
  const asked: string[] = []
  const isNewer = (key: string): boolean => {
    asked.push(key)
    return key === 'a'
  }
  const outcome = await copy.apply(noteCopied, { rows: [fed('b', 'new', '2')], removed: ['a'], isNewer })
  assert.deepEqual([outcome.written, outcome.removed], [1, 0])
  assert.deepEqual(asked, ['a', 'b'])
  assert.deepEqual(await notesOf(store), ['a newer', 'b new'])
  assert.deepEqual(copy.unverified('note', 1), [], 'what was written meanwhile is known')
})

test('a number in a column says which of two rows is newer, whatever their order', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  await store.sql('create table item (id text primary key not null, version integer, holdfast_attempt text)')
  const item = {
    ...noteCopied,
    name: 'item',
    columns: [
      { name: 'id', kind: 'text' as const },
      { name: 'version', kind: 'integer' as const },
    ],
  }
  for (const sql of await store.journal.triggerChanges(
    { name: 'item', columns: [...item.columns, { name: 'holdfast_attempt', kind: 'text' }] },
    async (text, values) => await store.orm.em.fork().execute(text, [...values]),
  ))
    await store.sql(sql)
  await store.copy.begin(here, [noteCopied, item])
  const of = (key: string, version: string) => ({ key, version: `v${version}`, image: { id: key, version } })
  const change = (...rows: ReturnType<typeof of>[]) => ({ rows, removed: [], newerBy: 'version' })
  assert.equal((await store.copy.apply(item, change(of('a', '9'), of('a', '10'), of('a', '8')))).written, 2)
  assert.equal((await store.copy.apply(item, change(of('a', '10'), of('a', '2')))).written, 0)
  assert.equal(store.copy.applyNow(item, change(of('a', '11'), of('b', '1'))).written, 2)
  assert.deepEqual(
    [...store.copy.versions('item', null, null)],
    [
      ['a', 'v11'],
      ['b', 'v1'],
    ],
  )
})

test('columns that the table lacks are left out', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const wide = { ...noteCopied, columns: [...noteCopied.columns, { name: 'added', kind: 'text' as const }] }
  await store.copy.begin(here, [wide])
  const outcome = await store.copy.apply(wide, { rows: [fed('a', 'a', '1', { added: 'x' })], removed: [] })
  assert.equal(outcome.written, 1)
  await store.sql('alter table note add column added text')
  await store.copy.apply(wide, { rows: [fed('a', 'a', '2', { added: 'x' })], removed: [] })
  assert.deepEqual(
    (await store.run.read('select added from note', [])).map((row) => ({ ...row })),
    [{ added: 'x' }],
  )
})

test('names the rows that the table refuses, and is to verify them', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  await store.sql('create table strict (id text primary key not null, n integer check (n < 10), holdfast_attempt text)')
  const columns = [
    { name: 'id', kind: 'text' as const },
    { name: 'n', kind: 'integer' as const },
    { name: 'holdfast_attempt', kind: 'text' as const },
  ]
  for (const sql of await store.journal.triggerChanges({ name: 'strict', columns }, async (text, values) => {
    return await store.orm.em.fork().execute(text, [...values])
  }))
    await store.sql(sql)
  const strict = { ...noteCopied, name: 'strict', columns }
  await store.copy.begin(here, [noteCopied, strict])
  const rows = Array.from({ length: 20 }, (_, n) => ({ key: `${n}`, version: '1', image: { id: `${n}`, n: `${n}` } }))
  const outcome = await store.copy.apply(strict, { rows, removed: [] })
  assert.equal(outcome.written, 10)
  assert.deepEqual(
    outcome.refused.map(({ key }) => key),
    rows.slice(10).map(({ key }) => key),
  )
  assert.match(outcome.refused[0]?.why ?? '', /CHECK/)
  const huge = { key: 'h', version: '1', image: { id: 'h', n: '9223372036854775808' } }
  assert.match((await store.copy.apply(strict, { rows: [huge], removed: [] })).refused[0]?.why ?? '', /does not fit/)
  assert.equal(store.copy.state('strict')?.isVerified, false)
  assert.equal(store.copy.unverified('strict', 100).length, 11)
})

test('a table that is not copied is left alone', async (t) => {
  const store = await openCopy(t, await tempFolder(t), true)
  const { copy } = store
  assert.equal(copy.source(), null)
  assert.equal(store.engine.copyView(), null)
  assert.equal(copy.state('note'), null)
  const outcome = await copy.apply(noteCopied, { rows: [fed('a', 'a', '1')], removed: [] })
  assert.deepEqual(outcome, { written: 0, removed: 0, waiting: 0, refused: [] })
  assert.deepEqual(copy.digest('note', null, null), { count: 0, high: 0, low: 0 })
  assert.deepEqual([copy.versions('note', null, null).size, copy.unverified('note', 9).length], [0, 0])
  assert.equal(await copy.giveWay('note', { words: 'a' }), false)
  await store.run.write(insert, ['a', 'a'])
  assert.deepEqual(await notesOf(store, copy.ownRows('note')), ['a a'])
})

test('a create that clashes with hidden rows gets their place', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, run } = store
  await copy.apply(noteCopied, {
    rows: [fed('a', 'one', '1'), fed('b', 'two', '1'), fed('c', 'three', '1')],
    removed: [],
  })
  assert.equal((await faultOf(run.write(insert, ['n', 'one']))).kind, 'constraint')
  assert.equal(await copy.giveWay('note', { id: 'b', words: 'one', holdfast_attempt: null }), true)
  assert.equal(await copy.giveWay('note', { id: 'b', words: 'one', holdfast_attempt: null }), false)
  await run.write(insert, ['b', 'one'])
  assert.deepEqual(copy.unverified('note', 9), ['a', 'b'])
  assert.equal(await copy.giveWay('note', { id: 'd', words: 'one', holdfast_attempt: null }), false, 'an entry waits')
  assert.deepEqual(await notesOf(store, copy.ownRows('note')), ['b one'])
  assert.deepEqual(
    (await entriesOf(store)).map(({ key }) => key),
    ['b'],
  )
})
