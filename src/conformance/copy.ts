import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Copy, CopyChange } from '../driver/facet/copy.ts'
import { copyReadOnlyCode } from '../driver/facet/copy.ts'
import type { CopiedTable, FedRow, RowDigest } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import { markOf } from '../driver/kit/primary/row-mark.ts'
import type { Bench } from './bench.ts'
import { rejection, using } from './connection.ts'
import { blank, Imaged, imagedTable, type KeptStore, keptTarget, openKept } from './journal-bench.ts'

/** The suite's table, as a copy has it. */
const copied: CopiedTable = {
  name: imagedTable.name,
  key: { name: 'id', kind: 'text' },
  keyOrder: 'bytes',
  columns: imagedTable.columns,
}

const source = { identity: 'one', target: 'a database' }
const branch = { identity: 'one', target: 'another database' }

type Copied = (title: string, run: (store: KeptStore, copy: Copy) => Promise<void>) => void

/** The engine's `copy`. */
export function conformCopies(bench: () => Bench): void {
  const copying: Copied = (title, run) => {
    test(title, async (t) => {
      if (bench().driver.journals !== true) return t.skip('the driver has no "copy"')
      await using(await openKept(bench()), async (store) => {
        const copy = store.engine.copy?.(store.orm) ?? null
        if (copy === null) return t.skip('the driver has no "copy"')
        await copy.begin(source, [copied])
        await run(store, copy)
      })
    })
  }
  conformRows(copying)
  conformOrder(copying)
  conformClashes(copying)
  conformStates(copying, bench)
  conformSources(copying, bench)
  test('copies nothing into a store that is local', async (t) => {
    if (bench().driver.journals !== true) return t.skip('the driver has no "copy"')
    await using(await openKept(bench(), { target: await keptTarget(bench(), 'local') }), async ({ engine, orm }) => {
      assert.equal(engine.copy?.(orm) ?? null, null)
      assert.equal(engine.copyView?.(orm) ?? null, null)
    })
  })
}

function conformRows(copying: Copied): void {
  copying('copies every value exactly, as an EntityManager and the journal read it', async (store, copy) => {
    const { orm } = store
    const written = [
      blank('full', {
        holdfast_attempt: 'an attempt',
        words: `it's "quoted"\\\n\t\u0001 \u{1f600} ${'long '.repeat(2_000)}`,
        whole: '9007199254740993',
        ratio: 0.1 + 0.2,
        flag: true,
        at: new Date('2026-11-28T10:20:30.456Z'),
        doc: { deep: ['text', 1.5, null, { "o'": '"' }] },
      }),
      blank('empty'),
      blank('zero', { words: '', whole: '0', ratio: 0, flag: false, at: new Date(0), doc: [] }),
      blank('least', { words: '1e5', whole: '-9223372036854775808', ratio: -1.7976931348623157e308, at: new Date(-1) }),
      blank('small', { words: ' 12 ', ratio: 5e-324, doc: {} }),
      ...[1e21, 3, -0.5].map((ratio) => blank(`r${ratio}`, { ratio })),
    ]
    for (const row of written) await orm.em.fork().insert(Imaged, row)
    const before = await orm.em.fork().findAll(Imaged, { orderBy: { id: 'asc' } })
    const images = (await store.entries()).map((entry) => entry.new ?? {})
    await store.journal.carried((await store.entries()).map(({ sequence }) => sequence))
    await orm.em.fork().nativeDelete(Imaged, {})
    await store.journal.carried((await store.entries()).map(({ sequence }) => sequence))
    const outcome = await copy.apply(copied, { ...none, rows: images.map((image) => fedOf(image)) })
    assert.equal(outcome.written, written.length)
    assert.deepEqual(await orm.em.fork().findAll(Imaged, { orderBy: { id: 'asc' } }), before)
    await orm.em.fork().nativeDelete(Imaged, {})
    const again = (await store.entries()).map(({ old }) => old)
    assert.deepEqual(byId(again), byId(images))
  })

  copying('marks what it writes, journals none of it, and removes only what is marked', async (store, copy) => {
    const rows = Array.from({ length: 300 }, (_, index) => rowOf(`n-${index + 100}`, `w-${index}`, `${index}`))
    assert.deepEqual(await copy.apply(copied, { ...none, rows }), { ...nothing, written: 300 })
    assert.deepEqual(copy.digest(copied.name, null, null), digestOf(rows))
    assert.deepEqual(copy.digest(copied.name, 'n-100', 'n-110'), digestOf(rows.slice(1, 11)))
    assert.deepEqual(
      [...copy.versions(copied.name, 'n-397', null)],
      [
        ['n-398', '298'],
        ['n-399', '299'],
      ],
    )
    const changed = rowOf('n-100', 'changed', '1000')
    const more = { ...none, rows: [changed], removed: ['n-101', 'n-999'] }
    assert.deepEqual(await copy.apply(copied, more), { ...nothing, written: 1, removed: 1 })
    assert.deepEqual(copy.digest(copied.name, null, 'n-102'), digestOf([changed, ...rows.slice(2, 3)]))
    assert.equal(copy.state(copied.name)?.rows, 299)
    await store.insert({ id: 'own' })
    await store.journal.carried((await store.entries()).map(({ sequence }) => sequence))
    assert.deepEqual(await copy.apply(copied, { ...none, removed: ['own'] }), nothing)
    assert.deepEqual(await idsOf(store, "id not like 'n-%'"), ['own'])
    assert.equal(store.journal.counts().entries, 0)
  })

  copying('writes at once, while the store accepts no changes, and is read-only', async (store, copy) => {
    store.journal.serve(false)
    store.engine.setReadOnly?.(store.orm, true)
    assert.equal(copy.applyNow(copied, { ...none, rows: [rowOf('a', 'a', '1'), rowOf('b', 'b', '1')] }).written, 2)
    assert.equal(copy.applyNow(copied, { ...none, removed: ['a'] }).removed, 1)
    await copy.apply(copied, { ...none, rows: [rowOf('c', 'c', '1')] })
    assert.deepEqual(await idsOf(store), ['b', 'c'])
  })
}

function conformOrder(copying: Copied): void {
  copying('touches no row on which an entry waits, for whichever primary', async (store, copy) => {
    const { orm, journal } = store
    await copy.apply(copied, { ...none, rows: [rowOf('a', 'old', '1'), rowOf('b', 'old b', '1')] })
    await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { words: 'changed here' })
    await orm.em.fork().nativeDelete(Imaged, { id: 'b' })
    await store.insert({ id: 'c', words: 'made here' })
    await journal.address('two', 'another')
    const rows = ['a', 'b', 'c', 'd'].map((id) => rowOf(id, `new ${id}`, '2'))
    assert.deepEqual(await copy.apply(copied, { ...none, rows }), { ...nothing, written: 1, waiting: 3 })
    assert.deepEqual(await copy.apply(copied, { ...none, removed: ['a', 'c'] }), { ...nothing, waiting: 2 })
    assert.deepEqual(await wordsOf(store), ['a changed here', 'c made here', 'd new d'])
    assert.deepEqual(copy.unverified(copied.name, 10), ['a', 'b', 'c'])
    assert.deepEqual(copy.unverified(copied.name, 1), ['a'])
    assert.equal(copy.state(copied.name)?.isVerified, false)
  })

  copying('leaves alone what is newer: by what it is told, and by a number in the row', async (store, copy) => {
    await copy.apply(copied, { ...none, rows: [rowOf('a', 'a', '1'), rowOf('b', 'b', '1')] })
    const isNewer = (key: string): boolean => key === 'a'
    const change = { rows: [rowOf('a', 'late', '2'), rowOf('c', 'c', '2')], removed: ['b'], isNewer }
    assert.deepEqual(await copy.apply(copied, change), { ...nothing, written: 1, removed: 1 })
    const numbered = (whole: string): FedRow => rowOf('n', `whole ${whole}`, whole, { whole })
    const by = (...wholes: string[]): CopyChange => ({ ...none, rows: wholes.map(numbered), newerBy: 'whole' })
    await copy.apply(copied, by('9', '10', '8'))
    copy.applyNow(copied, by('10'))
    assert.deepEqual(await wordsOf(store), ['a a', 'c c', 'n whole 10'])
    assert.equal(copy.versions(copied.name, null, null).get('n'), '10')
  })
}

function conformClashes(copying: Copied): void {
  copying(
    'gives a unique key to the newer copied row, and never takes one from a row that waits',
    async (store, copy) => {
      await store.insert({ id: 'own', words: 'mine' })
      const rows = Array.from({ length: 40 }, (_, index) => rowOf(`n-${index + 100}`, `w-${index}`, '1'))
      await copy.apply(copied, { ...none, rows })
      const moved = rows.map(({ key }, index) => rowOf(key, `w-${index + 1}`, '2'))
      assert.equal((await copy.apply(copied, { ...none, rows: moved })).written, 40)
      assert.equal(copy.state(copied.name)?.isVerified, true)
      assert.deepEqual(copy.digest(copied.name, null, null), digestOf(moved))
      const late = [rowOf('x', 'w-20', '3'), rowOf('y', 'mine', '3')]
      assert.deepEqual(await copy.apply(copied, { ...none, rows: late }), { ...nothing, written: 1, waiting: 1 })
      assert.deepEqual(copy.unverified(copied.name, 10), ['n-119', 'y'])
      assert.deepEqual(await idsOf(store, "id in ('n-119', 'own', 'x', 'y')"), ['own', 'x'])
    },
  )

  copying('makes way for a row of a client, and tells own rows from copied ones', async (store, copy) => {
    await copy.apply(copied, { ...none, rows: [rowOf('a', 'one', '1'), rowOf('b', 'two', '1'), rowOf('c', null, '1')] })
    const wish: Image = { id: 'b', words: 'one' }
    await rejection(store.insert({ id: 'b', words: 'one' }))
    assert.equal(await copy.giveWay(copied.name, wish), true)
    assert.equal(await copy.giveWay(copied.name, wish), false)
    await store.insert({ id: 'b', words: 'one' })
    assert.equal(await copy.giveWay(copied.name, { id: 'd', words: 'one' }), false)
    assert.deepEqual(await wordsOf(store), ['b one', 'c null'])
    assert.deepEqual(await idsOf(store, copy.ownRows(copied.name)), ['b'])
    assert.deepEqual(copy.unverified(copied.name, 10), ['a', 'b'])
    await store.orm.em.fork().nativeUpdate(Imaged, { id: 'c' }, { words: 'changed here' })
    assert.deepEqual(await idsOf(store, copy.ownRows(copied.name)), ['b', 'c'])
  })
}

function conformStates(copying: Copied, bench: () => Bench): void {
  copying('knows how old its oldest part is, also after it was opened again', async (store, copy) => {
    const state = () => copy.state(copied.name)
    assert.deepEqual([state()?.asOfMs, state()?.isSwept, state()?.polled, state()?.after], [null, false, null, null])
    const looks: readonly [string | null, string | null, number | null][] = [
      [null, 'f', null],
      ['f', 'p', null],
      ['p', null, 1],
      ['c', 'h', 1],
      [null, 'c', 2],
      ['x', null, 2],
      ['h', 'q', 3],
      ['q', null, 4],
    ]
    for (const [index, [after, last, asOfMs]] of looks.entries()) {
      await copy.apply(copied, { ...none, look: { after, last, atMs: index + 1 } })
      assert.equal(state()?.asOfMs, asOfMs, `look ${index + 1}`)
    }
    await copy.apply(copied, { ...none, polled: 'an id', next: { after: 'm', isWhole: false } })
    assert.deepEqual([state()?.isSwept, state()?.polled, state()?.after], [false, 'an id', 'm'])
    const rows = [rowOf('a', 'a', '1'), rowOf('b', 'b', '')]
    await copy.apply(copied, { ...none, rows, next: { after: null, isWhole: true } })
    assert.deepEqual([state()?.isSwept, state()?.isVerified, state()?.rows], [true, false, 2])
    const before = state()
    assert.deepEqual(store.engine.copyView?.(store.orm)?.state(copied.name), before)
    await store.engine.close(store.orm, 1_000)
    await using(await openKept(bench(), { target: store.target }), async ({ engine, orm }) => {
      const again = engine.copy?.(orm)
      assert.deepEqual(again?.state(copied.name), before)
      assert.deepEqual(again?.source(), source)
      await again?.begin(source, [copied])
      assert.deepEqual(again?.digest(copied.name, null, null), digestOf(rows))
    })
  })

  copying('is to verify what an outage has changed, and forgets what is removed after it', async (store, copy) => {
    const { orm, journal } = store
    const rows = ['a', 'b', 'c', 'd'].map((id) => rowOf(id, id, '1'))
    await copy.apply(copied, { ...none, rows })
    await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { words: 'A' })
    await orm.em.fork().nativeDelete(Imaged, { id: 'b' })
    await store.insert({ id: 'e' })
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    await orm.em.fork().nativeUpdate(Imaged, { id: 'c' }, { words: 'C' })
    journal.serve(false)
    await copy.settle([copied])
    assert.deepEqual(copy.unverified(copied.name, 10), ['a', 'b', 'e'])
    await journal.removeCarried([])
    await copy.apply(copied, { ...none, rows: [rowOf('a', 'A', '2')], removed: ['b'] })
    await copy.settle([copied])
    assert.deepEqual(copy.unverified(copied.name, 10), ['e'])
    await journal.removeCarried([copied.name])
    assert.deepEqual(await idsOf(store), ['c'])
    assert.deepEqual([...copy.versions(copied.name, null, null).keys()], ['c'])
  })

  copying('is not verified while entries for another primary wait on rows of the table', async (store, copy) => {
    await store.journal.address('one', 'the first')
    await store.insert({ id: 'a' })
    assert.equal(copy.state(copied.name)?.isVerified, true)
    await store.journal.address('two', 'another')
    assert.equal(copy.state(copied.name)?.isVerified, false)
  })
}

function conformSources(copying: Copied, bench: () => Bench): void {
  copying('hides and removes the rows of another source, but for those that wait', async (store, copy) => {
    const rows = Array.from({ length: 2_000 }, (_, index) => rowOf(`n-${index}`, null, '1'))
    await copy.apply(copied, { ...none, rows, look: { after: null, last: null, atMs: 1 } })
    await store.orm.em.fork().nativeUpdate(Imaged, { id: 'n-7' }, { words: 'changed here' })
    const begun = copy.begin(branch, [copied])
    while (copy.source()?.target !== branch.target) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(copy.state(copied.name)?.asOfMs ?? null, null)
    assert.deepEqual(await idsOf(store, copy.ownRows(copied.name)), ['n-7'])
    await begun
    assert.deepEqual(await idsOf(store), ['n-7'])
    assert.deepEqual(copy.digest(copied.name, null, null), digestOf([]))
    assert.deepEqual([copy.state(copied.name)?.rows, copy.state(copied.name)?.bytes], [0, 0])
    await copy.apply(copied, { ...none, rows: rows.slice(8) })
    await copy.begin(branch, [])
    assert.equal(copy.state(copied.name), null)
    assert.deepEqual(await idsOf(store), ['n-7'])
    await copy.reset()
    assert.equal(copy.source(), null)
  })

  copying('creates the tables that are not there, in which only the copy changes anything', async (store, copy) => {
    const { orm, statements } = store
    await copy.begin(source, [copied, numbered])
    const rows = ['10', '9', '-1', '9007199254740993'].map((number) => ({
      key: number,
      version: `v${number}`,
      image: { number, name: null },
    }))
    await copy.apply(numbered, { ...none, rows, look: { after: null, last: '9', atMs: 1 } })
    assert.deepEqual([...copy.versions(numbered.name, null, null).keys()], ['-1', '9', '10', '9007199254740993'])
    assert.deepEqual(copy.digest(numbered.name, '9', '10'), digestOf(rows.slice(0, 1)))
    for (const sql of [
      'insert into conformance_numbered (number) values (1)',
      'update conformance_numbered set number = 1 where number = 9',
      'delete from conformance_numbered',
    ]) {
      for (const refused of [rejection(orm.em.fork().execute(sql)), rejection(statements.write(sql, []))]) {
        const { kind, code } = bench().driver.classify(await refused, 'statement')
        assert.deepEqual([kind, code], ['read-only', copyReadOnlyCode])
      }
    }
    assert.equal((await copy.apply(numbered, { ...none, removed: ['9'] })).removed, 1)
    assert.equal((await statements.read('select number from conformance_numbered', [])).length, 3)
    await copy.begin(source, [copied])
    await rejection(statements.read('select number from conformance_numbered', []))
  })
}

/** A table of an application: the store has none of this name. */
const numbered: CopiedTable = {
  name: 'conformance_numbered',
  key: { name: 'number', kind: 'integer' },
  keyOrder: 'number',
  columns: [
    { name: 'number', kind: 'integer' },
    { name: 'name', kind: 'text' },
  ],
}

const none: CopyChange = { rows: [], removed: [] }
const nothing = { written: 0, removed: 0, waiting: 0, refused: [] }

function rowOf(key: string, words: string | null, version: string, more: Image = {}): FedRow {
  const empty = Object.fromEntries(copied.columns.map(({ name }) => [name, null]))
  return { key, version, image: { ...empty, id: key, words, ...more } }
}

function fedOf(image: Image): FedRow {
  return { key: image.id ?? '', version: '1', image }
}

/** What a primary says of these rows. */
function digestOf(rows: readonly Pick<FedRow, 'key' | 'version'>[]): RowDigest {
  let [high, low] = [0, 0]
  for (const { key, version } of rows) {
    const mark = markOf(key, version)
    high += mark.high
    low += mark.low
  }
  return { count: rows.length, high, low }
}

function byId(images: readonly (Image | null)[]): readonly (Image | null)[] {
  return images.toSorted((one, other) => ((one?.id ?? '') < (other?.id ?? '') ? -1 : 1))
}

async function idsOf({ orm }: KeptStore, condition = '1 = 1'): Promise<readonly string[]> {
  const rows = await orm.em.fork().execute(`select id from ${copied.name} where ${condition} order by id`)
  return rows.map(({ id }) => String(id))
}

async function wordsOf({ orm }: KeptStore): Promise<readonly string[]> {
  return (await orm.em.fork().findAll(Imaged, { orderBy: { id: 'asc' } })).map(({ id, words }) => `${id} ${words}`)
}
