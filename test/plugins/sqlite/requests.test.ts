import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { requestTable } from '../../../src/driver/kit/driver-kit.ts'
import { limits, prove, targetOf, tempFolder } from './bench.ts'
import { digestOf, fed, here, noteCopied } from './copy-store.ts'
import { entriesOf, openFor, openJournal } from './journal-store.ts'

const insert = 'insert into holdfast_request (id, holdfast_attempt, fingerprint, status, body) values (?, ?, ?, ?, ?)'
const row = (id: string) => [id, id, 'print', 201, '{"a":1}'] as const
const copied = { ...requestTable, key: { name: 'id', kind: 'text' }, keyOrder: 'uuid' } as const

/** What opening says of a new file of this life. */
async function keeps(t: TestContext, ...given: Parameters<typeof targetOf>): Promise<boolean | undefined> {
  const [address, options] = given
  const { facts } = await prove(targetOf(address, { folders: [await tempFolder(t)], ...options }), 'open', limits)
  return facts.keepsRequests
}

test('a file of each life keeps the answers of requests with a key', async (t) => {
  assert.equal(await keeps(t, 'sqlite:x.db', { life: 'fallback' }), true)
  assert.equal(await keeps(t, 'sqlite:x.db', { life: 'local' }), true)
  assert.equal(await keeps(t, 'sqlite:x.db', { role: 'primary' }), true)
})

test('next to a primary an answer is journaled by the attempt of its request, and its end is not', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.run.write(insert, row('one'), { attempt: 'one' })
  await store.run.write("update holdfast_request set status = 200 where id = 'one'", [], { attempt: 'one' })
  await store.run.write("delete from holdfast_request where id = 'one'", [], {})
  const entries = await entriesOf(store)
  assert.deepEqual(
    entries.map(({ operation, table, key, attempt, new: now }) => [operation, table, key, attempt, now?.status]),
    [
      ['insert', 'holdfast_request', 'one', 'one', '201'],
      ['update', 'holdfast_request', 'one', 'one', '200'],
    ],
  )
  assert.deepEqual(
    Object.keys(entries[0]?.new ?? {}),
    requestTable.columns.map(({ name }) => name),
  )
})

test('an answer is copied from the primary, and one that waits is not touched', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  const copy = store.engine.copy()
  await copy?.begin(here, [copied])
  await store.run.write(insert, row('own'), { attempt: 'own' })
  const rows = ['own', 'theirs'].map((id) => ({
    key: id,
    version: '7',
    image: { id, holdfast_attempt: id, fingerprint: 'print', status: '204', headers: null, body: null, made_at: '5' },
  }))
  assert.deepEqual(await copy?.apply(copied, { rows, removed: [] }), {
    written: 1,
    removed: 0,
    waiting: 1,
    refused: [],
  })
  assert.deepEqual(await store.run.read('select id, status from holdfast_request order by id', []), [
    { id: 'own', status: 201 },
    { id: 'theirs', status: 204 },
  ])
  assert.equal((await entriesOf(store)).length, 1, 'what was copied is not journaled')
})

test('a table that an earlier release has copied is replaced, with its marks', async (t) => {
  const folder = await tempFolder(t)
  const former = { ...copied, columns: copied.columns.filter(({ name }) => name === 'id' || name === 'made_at') }
  const before = await openJournal(folder)
  await before.sql('drop table holdfast_request')
  const copy = before.engine.copy()
  await copy?.begin(here, [former, noteCopied])
  await copy?.apply(former, { rows: [{ key: 'one', version: '1', image: { id: 'one', made_at: '5' } }], removed: [] })
  await copy?.apply(noteCopied, { rows: [fed('a', 'a', '1')], removed: [] })
  await before.close()
  const store = await openFor(t, folder)
  assert.equal(store.engine.copy()?.state('holdfast_request'), null)
  assert.deepEqual(store.engine.copy()?.digest('note', null, null), digestOf([fed('a', 'a', '1')]))
  const native = new Database(join(folder, 'x.db'), { readonly: true })
  t.after(() => native.close())
  assert.equal(native.prepare('select count(*) from holdfast_copied').pluck().get(), 1)
  await store.run.write(insert, row('two'), { attempt: 'two' })
  assert.deepEqual(
    (await entriesOf(store)).map(({ key }) => key),
    ['two'],
  )
})

test('a primary keeps none where nothing may be changed in it, and says how', async (t) => {
  const folder = await tempFolder(t)
  const target = { ...targetOf('sqlite:x.db', { folders: [folder], role: 'primary' }), mayMakeTables: false }
  const { facts } = await prove(target, 'open', limits)
  const [problem] = facts.problems
  assert.deepEqual([facts.keepsRequests, problem?.code], [false, 'SQLITE_NO_REQUESTS'])
  const native = new Database(join(folder, 'x.db'))
  t.after(() => native.close())
  native.exec(problem?.suggestion.replace(/^[^:]*: /, '') ?? '')
  const then = await prove(target, 'open', limits)
  assert.deepEqual([then.facts.keepsRequests, then.facts.problems], [true, []])
})
