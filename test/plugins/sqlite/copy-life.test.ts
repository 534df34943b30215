import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import type { CopiedTable } from '../../../src/driver/kit/driver-kit.ts'
import { faultOf, tempFolder } from './bench.ts'
import { digestOf, fed, here, noteCopied, notesOf, openCopy } from './copy-store.ts'
import { entriesOf, openFor, openJournal } from './journal-store.ts'

const insert = 'insert into note (id, words) values (?, ?)'
const elsewhere = { identity: 'one', target: 'postgresql branch:5432/app' }

test('a part is as old as its last look, the table as its oldest part, and swept after its first sweep', async (t) => {
  const { copy } = await openCopy(t, await tempFolder(t))
  const state = () => copy.state('note')
  const look = (after: string | null, last: string | null, atMs: number) =>
    copy.apply(noteCopied, { rows: [], removed: [], look: { after, last, atMs } })
  assert.deepEqual(state(), {
    isSwept: false,
    isVerified: true,
    columns: noteCopied.columns.map(({ name }) => name),
    after: null,
    asOfMs: null,
    polled: null,
    rows: 0,
    bytes: 0,
  })
  await look(null, 'f', 100)
  assert.equal(state()?.asOfMs, null, 'what is behind it was never looked at')
  await copy.apply(noteCopied, {
    rows: [],
    removed: [],
    look: { after: 'f', last: 'p', atMs: 200 },
    next: { after: 'p', isWhole: false },
    polled: 'an id',
  })
  assert.deepEqual([state()?.after, state()?.isSwept, state()?.polled], ['p', false, 'an id'])
  await copy.apply(noteCopied, {
    rows: [],
    removed: [],
    look: { after: 'p', last: null, atMs: 300 },
    next: { after: null, isWhole: true },
  })
  assert.deepEqual([state()?.after, state()?.isSwept, state()?.asOfMs], [null, true, 100])
  await look('c', 'h', 400)
  assert.equal(state()?.asOfMs, 100, 'up to "c" it is as old as before')
  await look(null, 'c', 500)
  assert.equal(state()?.asOfMs, 200, 'behind "h" up to "p"')
  await look('h', 'k', 600)
  await look('k', 'q', 700)
  assert.equal(state()?.asOfMs, 300)
  await look('x', null, 800)
  assert.equal(state()?.asOfMs, 300, 'a poll looks at the end alone')
  await look('q', 'z', 900)
  assert.equal(state()?.asOfMs, 400)
  await look(null, null, 1_000)
  assert.equal(state()?.asOfMs, 1_000)
  await copy.apply(noteCopied, { rows: [], removed: [], next: { after: 'a', isWhole: false } })
  assert.deepEqual([state()?.after, state()?.isSwept], ['a', true])
})

test('everything is known again after the file was opened again, and to a reader of the file', async (t) => {
  const folder = await tempFolder(t)
  const first = await openJournal(folder)
  const rows = [fed('a', 'a', '1'), fed('b', 'b', '2')]
  const copy = first.engine.copy()
  await copy?.begin(here, [noteCopied])
  await copy?.apply(noteCopied, {
    rows,
    removed: [],
    look: { after: null, last: null, atMs: 5 },
    next: { after: null, isWhole: true },
    polled: 'an id',
  })
  const state = copy?.state('note')
  assert.deepEqual(first.engine.copyView()?.state('note'), state)
  assert.deepEqual(first.engine.copyView()?.source(), here)
  assert.equal(first.engine.copyView()?.state('other'), null)
  assert.equal(copy?.position(), null)
  await copy?.keepPosition(2n ** 63n)
  await first.close()
  const again = await openCopy(t, folder)
  assert.equal(again.copy.position(), 2n ** 63n)
  assert.deepEqual(again.copy.state('note'), state)
  assert.deepEqual(again.copy.digest('note', null, null), digestOf(rows))
  assert.deepEqual(await notesOf(again), ['a a', 'b b'], 'to begin once more with the same changes nothing')
})

test('a position is that of its source: it is gone with another one, and with what was copied', async (t) => {
  const { copy } = await openCopy(t, await tempFolder(t))
  await copy.keepPosition(7n)
  await copy.begin(here, [noteCopied])
  assert.equal(copy.position(), 7n)
  await copy.begin(elsewhere, [noteCopied])
  assert.equal(copy.position(), null)
  await copy.keepPosition(8n)
  await copy.reset()
  assert.equal(copy.position(), null)
})

test('nothing of another source is shown, and it is removed but for what the journal has', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, run } = store
  const rows = Array.from({ length: 3_000 }, (_, index) => fed(`n-${index}`, null, '1'))
  await copy.apply(noteCopied, { rows, removed: [], look: { after: null, last: null, atMs: 5 } })
  await run.write("update note set words = 'changed' where id = 'n-7'", [])
  await run.write(insert, ['own', 'own'])
  assert.deepEqual(await notesOf(store, copy.ownRows('note')), ['n-7 changed', 'own own'])
  const begun = copy.begin(elsewhere, [noteCopied])
  let seen = 0
  const gone = begun.then(() => 'gone')
  while ((await Promise.race([gone, new Promise((resolve) => setImmediate(resolve, 'waits'))])) === 'waits') {
    if (copy.source()?.target !== elsewhere.target) continue
    seen += 1
    assert.equal(copy.state('note')?.asOfMs ?? null, null)
    assert.deepEqual(await notesOf(store, copy.ownRows('note')), ['n-7 changed', 'own own'])
  }
  assert.ok(seen > 1, `${seen}`)
  assert.deepEqual(copy.source(), elsewhere)
  assert.deepEqual(await notesOf(store), ['n-7 changed', 'own own'])
  assert.deepEqual(copy.digest('note', null, null), { count: 0, high: 0, low: 0 })
  assert.deepEqual([copy.state('note')?.rows, copy.state('note')?.isSwept], [0, false])
  assert.equal((await entriesOf(store)).length, 2)
})

test('a table that is not copied any more, or has other columns, is begun anew', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  const rows = [fed('a', 'a', '1')]
  await copy.apply(noteCopied, { rows, removed: [], next: { after: 'a', isWhole: true } })
  const fewer = { ...noteCopied, columns: noteCopied.columns.slice(0, 2) }
  await copy.begin(here, [fewer])
  assert.deepEqual([copy.state('note')?.isSwept, copy.state('note')?.after], [false, null])
  assert.deepEqual(await notesOf(store), [])
  await copy.apply(fewer, { rows, removed: [] })
  await copy.begin(here, [])
  assert.equal(copy.state('note'), null)
  assert.deepEqual(await notesOf(store), [])
})

test('a removal that a kill cut short is ended at the next begin; the rows stay hidden', async (t) => {
  const folder = await tempFolder(t)
  const first = await openJournal(folder)
  const copy = first.engine.copy()
  await copy?.begin(here, [noteCopied])
  const rows = Array.from({ length: 5_000 }, (_, index) => fed(`n-${index}`, null, '1'))
  await copy?.apply(noteCopied, { rows, removed: [] })
  const reset = copy?.reset().catch(() => 'cut')
  while (copy?.source() !== null) await new Promise((resolve) => setImmediate(resolve))
  first.engine.file.close()
  assert.equal(await reset, 'cut')
  await first.close()
  const store = await openCopy(t, folder, true)
  assert.equal(store.copy.state('note'), null)
  assert.ok((await notesOf(store)).length > 0)
  assert.deepEqual(await notesOf(store, store.copy.ownRows('note')), [])
  await store.copy.begin(elsewhere, [noteCopied])
  assert.deepEqual(await notesOf(store), [])
  assert.equal(store.copy.state('note')?.rows, 0)
})

test('reset forgets the source and removes everything', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  await copy.apply(noteCopied, { rows: [fed('a', 'a', '1')], removed: [] })
  await copy.reset()
  assert.deepEqual([copy.source(), copy.state('note')], [null, null])
  assert.deepEqual(await notesOf(store), [])
  await copy.begin(here, [noteCopied])
  assert.equal(copy.state('note')?.asOfMs, null)
})

test('after an outage each changed row is to be verified, and each that nobody marked', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, journal, run } = store
  const rows = ['a', 'b', 'c', 'd'].map((id) => fed(id, id, '1'))
  await copy.apply(noteCopied, { rows, removed: [] })
  await run.write("update note set words = 'A' where id = 'a'", [])
  await run.write("delete from note where id = 'b'", [])
  for (let index = 0; index < 700; index += 1) void run.write(insert, [`new-${index}`, null])
  await run.write(insert, ['last', null])
  await journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  await run.write("update note set words = 'C' where id = 'c'", [])
  assert.equal(copy.state('note')?.isVerified, true)
  journal.serve(false)
  await copy.settle([noteCopied])
  const unverified = new Set(copy.unverified('note', 10_000))
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'new-0', 'new-699', 'last'].map((key) => unverified.has(key)),
    [true, true, false, false, true, true, true],
  )
  assert.equal(unverified.size, 703)
  assert.equal(copy.state('note')?.rows, 705)
  await journal.removeCarried([])
  await copy.apply(noteCopied, { rows: [fed('a', 'A', '2')], removed: ['b'] })
  await copy.settle([noteCopied])
  assert.equal(new Set(copy.unverified('note', 10_000)).has('a'), false, 'once is enough')
})

test('a row of which the journal knows nothing any more is to be verified, too', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, journal, run } = store
  for (let index = 0; index < 300; index += 1) void run.write(insert, [`n-${index}`, null])
  await run.write(insert, ['last', null])
  await journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  await journal.prune(Date.now() + 60_000)
  await run.write(insert, ['waits', null])
  await copy.settle([noteCopied])
  assert.equal(copy.unverified('note', 1_000).length, 301)
  assert.deepEqual(await notesOf(store, copy.ownRows('note')), ['waits null'])
})

test('rows that were carried before a copy began are not shown in the next outage', async (t) => {
  const store = await openCopy(t, await tempFolder(t), true)
  await store.run.write(insert, ['a', 'carried'])
  await store.journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  await store.copy.settle([noteCopied])
  await store.journal.removeCarried([])
  assert.deepEqual(await notesOf(store, store.copy.ownRows('note')), [])
  await store.copy.begin(here, [noteCopied])
  assert.deepEqual(await notesOf(store), [])
})

test('what is removed after an outage loses its mark, too', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, journal, run } = store
  const next = { after: null, isWhole: true }
  await copy.apply(noteCopied, { rows: [fed('a', 'a', '1'), fed('b', 'b', '1')], removed: [], next })
  await run.write("update note set words = 'waits' where id = 'b'", [])
  journal.serve(false)
  await journal.removeCarried(['note'])
  assert.deepEqual(await notesOf(store), ['b waits'])
  assert.deepEqual(copy.digest('note', null, null), digestOf([fed('b', 'b', '1')]))
  assert.equal(copy.state('note')?.rows, 1)
  assert.equal(copy.state('note')?.isSwept, false, 'a copy without its rows is not whole')
})

test('entries for another primary keep their table from being whole', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, journal, run } = store
  await journal.address('one', 'the first')
  await run.write(insert, ['a', 'a'])
  assert.equal(copy.state('note')?.isVerified, true)
  await journal.address('two', 'another')
  assert.equal(copy.state('note')?.isVerified, false)
  assert.equal(store.engine.copyView()?.state('note')?.isVerified, false)
  await journal.address('one', 'the first')
  await journal.carried((await entriesOf(store)).map(({ sequence }) => sequence))
  await journal.address('two', 'another')
  assert.equal(copy.state('note')?.isVerified, true)
})

/** A table of an application, with keys that are numbers. */
const person: CopiedTable = {
  name: 'Person',
  key: { name: 'number', kind: 'integer' },
  keyOrder: 'number',
  columns: [
    { name: 'number', kind: 'integer' },
    { name: 'name', kind: 'text' },
    { name: 'born', kind: 'instant' },
  ],
}

test('numeric keys sort as numbers and are exact', async (t) => {
  const { copy, run } = await openCopy(t, await tempFolder(t))
  await copy.begin(here, [noteCopied, person])
  const keys = ['-5', '2', '10', '9007199254740993', '9223372036854775807']
  const rows = keys.map((key) => ({ key, version: `v${key}`, image: { number: key, name: null, born: '1' } }))
  await copy.apply(person, { rows: rows.toReversed(), removed: [], look: { after: null, last: '2', atMs: 1 } })
  assert.deepEqual([...copy.versions('Person', null, null).keys()], keys)
  assert.deepEqual([...copy.versions('Person', '-5', '10').keys()], ['2', '10'])
  assert.deepEqual(copy.digest('Person', '2', '9007199254740993'), digestOf(rows.slice(2, 4)))
  const again = await copy.apply(person, { rows: rows.slice(0, 3), removed: ['9007199254740993'] })
  assert.deepEqual([again.written, again.removed], [3, 1])
  assert.equal(copy.state('Person')?.rows, 4)
  const found = await run.read('select cast(number as text) as number from "Person" order by "Person".number', [])
  assert.deepEqual(
    found.map(({ number }) => number),
    keys.filter((key) => key !== '9007199254740993'),
  )
  await copy.apply(person, { rows: [], removed: [], look: { after: '2', last: '10', atMs: 2 } })
  await copy.apply(person, { rows: [], removed: [], look: { after: '10', last: null, atMs: 3 } })
  assert.equal(copy.state('Person')?.asOfMs, 1)
  for (const key of ['9223372036854775808', '1.5', 'x']) {
    const row = { key, version: '1', image: { number: key } }
    assert.equal((await faultOf(copy.apply(person, { rows: [row], removed: [] }))).code, 'COPY_KEY_REFUSED')
  }
  const ratio = { ...person, name: 'Ratio', key: { name: 'number', kind: 'number' as const } }
  assert.equal((await faultOf(copy.begin(here, [ratio]))).code, 'COPY_KEY_REFUSED')
})

test('tables that the file lacks are created, accept no change but the copy’s, and go with their copy', async (t) => {
  const folder = await tempFolder(t)
  const store = await openCopy(t, folder)
  const { copy, run, orm } = store
  await copy.begin(here, [noteCopied, person])
  const rows = [{ key: '1', version: '1', image: { number: '1', name: 'Ada', born: '-4874601600000' } }]
  await copy.apply(person, { rows, removed: [] })
  const texts = ['insert into "Person" (number) values (2)', 'update "Person" set name = null', 'delete from "Person"']
  for (const text of texts) {
    const faults = [await faultOf(run.write(text, [])), await faultOf(orm.em.fork().execute(text))]
    for (const fault of faults) assert.deepEqual([fault.kind, fault.code], ['read-only', 'COPY_READ_ONLY'])
    const foreign = new Database(join(folder, 'x.db'))
    t.after(() => foreign.close())
    assert.throws(() => foreign.exec(text), /no such function: holdfast_guard/)
  }
  assert.deepEqual(
    (await run.read('select * from "Person"', [])).map((row) => ({ ...row })),
    [{ number: 1, name: 'Ada', born: -4874601600000 }],
  )
  assert.deepEqual(await entriesOf(store), [])
  await copy.begin(here, [noteCopied])
  assert.deepEqual(await run.read("select 1 from sqlite_master where name like '%Person%'", []), [])
  assert.deepEqual(await run.read("select 1 from sqlite_master where name = 'note'", []), [{ 1: 1 }])
  await copy.begin(here, [noteCopied, { ...person, columns: person.columns.slice(0, 2) }])
  assert.deepEqual(copy.state('Person')?.rows, 0)
  await copy.reset()
  assert.deepEqual(await run.read("select 1 from sqlite_master where name = 'Person'", []), [])
})

test('a table of somebody else is not copied into, and one that is a collection’s by now is not dropped', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy, run } = store
  await store.sql('create table "Person" (number integer primary key, name text)')
  await copy.begin(here, [noteCopied, person])
  assert.equal(copy.state('Person'), null)
  assert.notEqual(copy.state('note'), null)
  const item = { ...noteCopied, name: 'item' }
  await copy.begin(here, [noteCopied, item])
  assert.notEqual(copy.state('item'), null)
  const onOrm = async (sql: string, values: readonly unknown[]) => await store.orm.em.fork().execute(sql, [...values])
  for (const sql of await store.journal.triggerChanges(item, onOrm)) await store.sql(sql)
  await run.write("insert into item (id) values ('own')", [])
  await copy.begin(here, [noteCopied])
  assert.deepEqual(
    (await run.read('select id from item', [])).map((row) => ({ ...row })),
    [{ id: 'own' }],
  )
})

test('a create gets the place of rows that are still to be removed', async (t) => {
  const folder = await tempFolder(t)
  const first = await openJournal(folder)
  const copy = first.engine.copy()
  await copy?.begin(here, [noteCopied])
  await copy?.apply(noteCopied, { rows: [fed('a', 'one', '1')], removed: [] })
  await first.close()
  const file = new Database(join(folder, 'x.db'))
  file.exec('update holdfast_copy set is_leaving = 1')
  file.close()
  const store = await openCopy(t, folder, true)
  assert.equal(await store.copy.giveWay('note', { id: 'b', words: 'one' }), true)
  await store.run.write(insert, ['b', 'one'])
  assert.deepEqual(await notesOf(store), ['b one'])
})

test('a file of an earlier release gets what a copy needs, and its rows and entries stay', async (t) => {
  const folder = await tempFolder(t)
  const first = await openJournal(folder)
  await first.run.write(insert, ['a', 'early'])
  await first.close()
  const file = new Database(join(folder, 'x.db'))
  for (const name of ['holdfast_copy_source', 'holdfast_copy', 'holdfast_copied', 'holdfast_copy_chunk'])
    file.exec(`drop table ${name}`)
  file.exec('update holdfast_life set format = 1')
  file.close()
  const store = await openFor(t, folder)
  const copy = store.engine.copy()
  assert.ok(copy)
  await copy.begin(here, [noteCopied])
  await copy.apply(noteCopied, { rows: [fed('b', 'b', '1')], removed: [] })
  assert.deepEqual(await notesOf(store), ['a early', 'b b'])
  assert.equal((await entriesOf(store)).length, 1)
  assert.deepEqual(
    (await store.run.read('select format from holdfast_life', [])).map(({ format }) => format),
    [2],
  )
})

test('what is still under way when its copy is dropped, is not written: it would look like rows of this file', async (t) => {
  const { copy, ...store } = await openCopy(t, await tempFolder(t))
  const rows = Array.from({ length: 5_000 }, (_, at) => fed(`n${String(at).padStart(4, '0')}`, 'old', '1'))
  await copy.apply(noteCopied, { rows: [fed('a', 'a', '1')], removed: [] })
  const under = copy.apply(noteCopied, { rows, removed: [] })
  await copy.reset()
  await copy.begin(elsewhere, [noteCopied])
  await copy.apply(noteCopied, { rows: [fed('b', 'b', '1')], removed: [] })
  await under
  assert.deepEqual(await notesOf({ ...store }), ['b b'])
  assert.equal(copy.state('note')?.rows, 1)
})
