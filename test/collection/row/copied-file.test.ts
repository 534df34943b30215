import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { imageTableOf } from '../../../src/collection/table/image-table.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import { faultOf } from '../../../src/database/machine/faults.ts'
import { errorForFault } from '../../../src/database/work/failure.ts'
import type { RunWork } from '../../../src/database/work/session.ts'
import { WorkSession } from '../../../src/database/work/work-session.ts'
import type { Copy, CopySource } from '../../../src/driver/facet/copy.ts'
import type { CopiedTable, FedRow } from '../../../src/driver/facet/feed.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { never, type OpenFallback, Scene } from '../../journal/bench.ts'
import { makeTempDir } from '../../support/temp.ts'
import { everything } from '../support.ts'

const collection = { ...everything, maxRows: 4 }
const copied: CopiedTable = {
  ...imageTableOf(everything),
  key: { name: 'id', kind: 'text' },
  keyOrder: 'uuid',
}
const source: CopySource = { identity: 'identity', target: 'there' }
const polledMs = Date.parse('2026-11-28T12:00:00Z')

/** An id that was drawn so long before the last poll. */
function idBefore(ms: number, last: string): string {
  const hex = (polledMs - ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-00000000000${last}`
}

const [a, b, c] = ['a', 'b', 'c'].map((last) => idBefore(3_600_000, last)) as [string, string, string]

/** A row as a primary gives it. */
function fed(id: string, word: string | null): FedRow {
  const ownValues = { createdAt: '1700000000123', updatedAt: '1700000000123', version: '7', holdfast_attempt: id }
  const fields = {
    small: '1',
    large: null,
    real: '0.5',
    flag: '1',
    text: 'there',
    at: '-1',
    things: '[]',
    meta: '{"a": 1}',
  }
  return { key: id, version: `v ${id}`, image: { id, word, ...fields, ...ownValues } }
}

interface Opened {
  readonly store: OpenFallback
  readonly copy: Copy
  readonly rows: Rows
}

/** The file, opened as the fallback that serves. */
async function open(scene: Scene, identity = source.identity): Promise<Opened> {
  const store = await scene.fallback('fallback.db', [collection])
  await store.journal.address(identity, 'there')
  const tables = new TableReports()
  tables.set(store, await ensureTables(store, [collection], 'none', never))
  const run: RunWork = async (work, options) => {
    try {
      const value = await work(new WorkSession({ store, shown: 'fallback' }, { attempt: options.attempt }))
      return { value, store: 'fallback', driver: 'sqlite', durability: 'journal' }
    } catch (error) {
      if (error instanceof HoldfastError) throw error
      throw errorForFault(faultOf(store.driver, error, 'statement'), 'kept', error, options) ?? error
    }
  }
  const { copy } = store
  assert.ok(copy !== null)
  return { store, copy, rows: new Rows(collection, { run, tables, now: () => 0, copyTarget: () => 'there' }) }
}

/** All rows of the primary are copied, as at its last poll. */
async function fill({ copy }: Opened, rows: readonly FedRow[]): Promise<void> {
  await copy.begin(source, [copied])
  await copy.apply(copied, {
    rows,
    removed: [],
    look: { after: null, last: null, atMs: polledMs },
    polled: idBefore(0, '0'),
    next: { after: null, isWhole: true },
  })
}

function makeScene(t: TestContext, dir: string): Scene {
  const nowhere = {
    url: () => 'postgresql://u:p@127.0.0.1:1/d',
    createDatabase: async () => 'd',
    query: async () => [],
  }
  return new Scene(t, nowhere, 'd', dir, undefined)
}

const listed = async (rows: Rows): Promise<{ items: { id: string }[]; partial?: true }> =>
  JSON.parse((await rows.list(10, null)).value.text)
const idsOf = ({ items }: { items: { id: string }[] }): readonly string[] => items.map(({ id }) => id).sort()

test('a file with a whole copy serves it, and journals what is changed in it against what was copied', async (t) => {
  const scene = makeScene(t, await makeTempDir(t))
  const opened = await open(scene)
  await fill(opened, [fed(a, 'one'), fed(b, 'two'), fed(c, null)])
  const { rows, store } = opened
  const { items, partial } = await listed(rows)
  assert.deepEqual([idsOf({ items }), partial], [[a, b, c], undefined])
  const { value: got } = await rows.get(a)
  assert.ok(got.is === 'row')
  const expected = { id: a, small: 1, large: null, real: 0.5, flag: true, word: 'one', text: 'there' }
  const { createdAt, updatedAt, version, at, things, meta, ...rest } = JSON.parse(got.text)
  assert.deepEqual(rest, expected)
  assert.deepEqual([createdAt, updatedAt], ['2023-11-14T22:13:20.123Z', '2023-11-14T22:13:20.123Z'])
  assert.deepEqual([version, at, things, meta], [7, '1969-12-31T23:59:59.999Z', [], { a: 1 }])
  assert.equal(got.etag, `"${a}"`)
  assert.deepEqual((await rows.get(idBefore(3_600_000, 'd'))).value, { is: 'missing' })
  assert.deepEqual((await rows.get(idBefore(30_000, 'd'))).value, { is: 'unknown' })
  assert.equal((await rows.change(a, { word: 'changed' }, [a])).value.is, 'row')
  assert.deepEqual((await rows.remove(b, null)).value, { is: 'removed' })
  await assert.rejects(rows.create({ word: 'changed' }), { code: 'CONFLICT' })
  await assert.rejects(rows.change(c, { word: 'changed' }, null), { code: 'CONFLICT' })
  await rows.create({ word: 'two' })
  await rows.create({ word: 'three' })
  await assert.rejects(rows.create({ word: 'four' }), { code: 'COLLECTION_FULL' })
  const entries = await store.journal.waiting(0, 100)
  assert.deepEqual(
    entries.map(({ key, operation, base, old }) => [key, operation, base, old?.version]),
    [
      [a, 'update', a, '7'],
      [b, 'delete', b, '7'],
      [entries[2]?.key, 'insert', null, undefined],
      [entries[3]?.key, 'insert', null, undefined],
    ],
  )
})

test('a file that is opened again serves the same, and for another primary only what was written in it', async (t) => {
  const scene = makeScene(t, await makeTempDir(t))
  const first = await open(scene)
  await fill(first, [fed(a, 'one'), fed(b, 'two')])
  await first.rows.change(a, { word: 'changed' }, null)
  const { value: made } = await first.rows.create({ word: 'mine' })
  await first.store.close(1_000)
  const again = await open(scene)
  const { items, partial } = await listed(again.rows)
  assert.deepEqual([idsOf({ items }), partial], [[a, b, made.id].sort(), undefined])
  await again.store.close(1_000)
  const other = await open(scene, 'another')
  const seen = await listed(other.rows)
  assert.deepEqual([idsOf(seen), seen.partial], [[a, made.id].sort(), true])
  assert.deepEqual((await other.rows.get(b)).value, { is: 'unknown' })
})

test('copied rows that are not shown are in the way of nothing', async (t) => {
  const scene = makeScene(t, await makeTempDir(t))
  const opened = await open(scene)
  const { copy, rows } = opened
  await copy.begin(source, [copied])
  await copy.apply(copied, { rows: [fed(a, 'one'), fed(b, 'two')], removed: [] })
  assert.deepEqual(await listed(rows), { items: [], next: null, partial: true })
  const { value: made } = await rows.create({ word: 'one' })
  assert.equal((await rows.change(made.id, { word: 'two' }, null)).value.is, 'row')
  assert.deepEqual(idsOf(await listed(rows)), [made.id])
  assert.deepEqual([...copy.unverified('everything', 10)].sort(), [a, b])
  await assert.rejects(rows.create({ word: 'two' }), { code: 'CONFLICT' })
})

test('a create that the primary had committed, and that was copied since, is answered with its row', async (t) => {
  const scene = makeScene(t, await makeTempDir(t))
  const opened = await open(scene)
  await fill(opened, [])
  const { store, copy, rows } = opened
  const write = store.statements.write.bind(store.statements)
  for (const isWhole of [true, false]) {
    if (!isWhole) await store.journal.address('another', 'there')
    let id = ''
    t.mock.method(store.statements, 'write', async (...given: Parameters<typeof write>) => {
      id = String(given[1][0])
      await copy.apply(copied, { rows: [{ ...fed(id, 'one'), key: id }], removed: [] })
      return await write(...given)
    })
    const { value } = await rows.create({ word: isWhole ? 'one' : 'other' })
    t.mock.restoreAll()
    assert.equal(value.id, id)
    assert.equal(store.journal.counts().entries, 0)
    await copy.apply(copied, { rows: [], removed: [id] })
  }
})
