import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CopyChange } from '../driver/facet/copy.ts'
import type { FedRow } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import type { Bench } from './bench.ts'
import { rejection, using } from './connection.ts'
import {
  type CopyCase,
  copiedTable,
  copySource,
  digestOfRows,
  fedImage,
  fedRow,
  imagedIds,
  imagedWords,
  imagesById,
  noChange,
  noOutcome,
} from './copy-bench.ts'
import { conformCopyStates } from './copy-states.ts'
import { blank, Imaged, keptTarget, openKept } from './journal-bench.ts'

/** The engine's `copy`. */
export function conformCopies(bench: () => Bench): void {
  const copying: CopyCase = (title, run) => {
    test(title, async (t) => {
      if (bench().driver.journals !== true) return t.skip('the driver has no "copy"')
      await using(await openKept(bench()), async (store) => {
        const copy = store.engine.copy?.(store.orm) ?? null
        if (copy === null) return t.skip('the driver has no "copy"')
        await copy.begin(copySource, [copiedTable])
        await run(store, copy)
      })
    })
  }
  conformRows(copying)
  conformMarks(copying)
  conformOrder(copying)
  conformClashes(copying)
  conformCopyStates(copying, bench)
  test('copies nothing into a store that is local', async (t) => {
    if (bench().driver.journals !== true) return t.skip('the driver has no "copy"')
    await using(await openKept(bench(), { target: await keptTarget(bench(), 'local') }), async ({ engine, orm }) => {
      assert.equal(engine.copy?.(orm) ?? null, null)
      assert.equal(engine.copyView?.(orm) ?? null, null)
    })
  })
}

function conformRows(copying: CopyCase): void {
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
    const outcome = await copy.apply(copiedTable, { ...noChange, rows: images.map((image) => fedImage(image)) })
    assert.equal(outcome.written, written.length)
    assert.deepEqual(await orm.em.fork().findAll(Imaged, { orderBy: { id: 'asc' } }), before)
    await orm.em.fork().nativeDelete(Imaged, {})
    const again = (await store.entries()).map(({ old }) => old)
    assert.deepEqual(imagesById(again), imagesById(images))
  })
}

function conformMarks(copying: CopyCase): void {
  copying('marks what it writes, journals none of it, and removes only what is marked', async (store, copy) => {
    const rows = Array.from({ length: 300 }, (_, index) => fedRow(`n-${index + 100}`, `w-${index}`, `${index}`))
    assert.deepEqual(await copy.apply(copiedTable, { ...noChange, rows }), { ...noOutcome, written: 300 })
    assert.deepEqual(copy.digest(copiedTable.name, null, null), digestOfRows(rows))
    assert.deepEqual(copy.digest(copiedTable.name, 'n-100', 'n-110'), digestOfRows(rows.slice(1, 11)))
    assert.deepEqual(
      [...copy.versions(copiedTable.name, 'n-397', null)],
      [
        ['n-398', '298'],
        ['n-399', '299'],
      ],
    )
    const changed = fedRow('n-100', 'changed', '1000')
    const more = { ...noChange, rows: [changed], removed: ['n-101', 'n-999'] }
    assert.deepEqual(await copy.apply(copiedTable, more), { ...noOutcome, written: 1, removed: 1 })
    assert.deepEqual(copy.digest(copiedTable.name, null, 'n-102'), digestOfRows([changed, ...rows.slice(2, 3)]))
    assert.equal(copy.state(copiedTable.name)?.rows, 299)
    await store.insert({ id: 'own' })
    await store.journal.carried((await store.entries()).map(({ sequence }) => sequence))
    assert.deepEqual(await copy.apply(copiedTable, { ...noChange, removed: ['own'] }), noOutcome)
    assert.deepEqual(await imagedIds(store, "id not like 'n-%'"), ['own'])
    assert.equal(store.journal.counts().entries, 0)
  })

  copying('writes at once, while the store accepts no changes, and is read-only', async (store, copy) => {
    store.journal.serve(false)
    store.engine.setReadOnly?.(store.orm, true)
    assert.equal(
      copy.applyNow(copiedTable, { ...noChange, rows: [fedRow('a', 'a', '1'), fedRow('b', 'b', '1')] }).written,
      2,
    )
    assert.equal(copy.applyNow(copiedTable, { ...noChange, removed: ['a'] }).removed, 1)
    await copy.apply(copiedTable, { ...noChange, rows: [fedRow('c', 'c', '1')] })
    assert.deepEqual(await imagedIds(store), ['b', 'c'])
  })
}

function conformOrder(copying: CopyCase): void {
  copying('touches no row on which an entry waits, for whichever primary', async (store, copy) => {
    const { orm, journal } = store
    await journal.address('one', 'the first')
    await copy.apply(copiedTable, { ...noChange, rows: [fedRow('a', 'old', '1'), fedRow('b', 'old b', '1')] })
    await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { words: 'changed here' })
    await orm.em.fork().nativeDelete(Imaged, { id: 'b' })
    await store.insert({ id: 'c', words: 'made here' })
    await journal.address('two', 'another')
    const rows = ['a', 'b', 'c', 'd'].map((id) => fedRow(id, `new ${id}`, '2'))
    assert.deepEqual(await copy.apply(copiedTable, { ...noChange, rows }), { ...noOutcome, written: 1, waiting: 3 })
    assert.deepEqual(await copy.apply(copiedTable, { ...noChange, removed: ['a', 'c'] }), { ...noOutcome, waiting: 2 })
    assert.deepEqual(await imagedWords(store), ['a changed here', 'c made here', 'd new d'])
    assert.deepEqual(copy.unverified(copiedTable.name, 10), ['a', 'b', 'c'])
    assert.deepEqual(copy.unverified(copiedTable.name, 1), ['a'])
    assert.equal(copy.state(copiedTable.name)?.isVerified, false)
  })

  copying('leaves alone what is newer: by what it is told, and by a number in the row', async (store, copy) => {
    await copy.apply(copiedTable, { ...noChange, rows: [fedRow('a', 'a', '1'), fedRow('b', 'b', '1')] })
    const isNewer = (key: string): boolean => key === 'a'
    const change = { rows: [fedRow('a', 'late', '2'), fedRow('c', 'c', '2')], removed: ['b'], isNewer }
    assert.deepEqual(await copy.apply(copiedTable, change), { ...noOutcome, written: 1, removed: 1 })
    const numbered = (whole: string): FedRow => fedRow('n', `whole ${whole}`, whole, { whole })
    const by = (...wholes: string[]): CopyChange => ({ ...noChange, rows: wholes.map(numbered), newerBy: 'whole' })
    await copy.apply(copiedTable, by('9', '10', '8'))
    copy.applyNow(copiedTable, by('10'))
    assert.deepEqual(await imagedWords(store), ['a a', 'c c', 'n whole 10'])
    assert.equal(copy.versions(copiedTable.name, null, null).get('n'), '10')
  })
}

function conformClashes(copying: CopyCase): void {
  copying(
    'gives a unique key to the newer copied row, and never takes one from a row that waits',
    async (store, copy) => {
      await store.insert({ id: 'own', words: 'mine' })
      const rows = Array.from({ length: 40 }, (_, index) => fedRow(`n-${index + 100}`, `w-${index}`, '1'))
      await copy.apply(copiedTable, { ...noChange, rows })
      const moved = rows.map(({ key }, index) => fedRow(key, `w-${index + 1}`, '2'))
      assert.equal((await copy.apply(copiedTable, { ...noChange, rows: moved })).written, 40)
      assert.equal(copy.state(copiedTable.name)?.isVerified, true)
      assert.deepEqual(copy.digest(copiedTable.name, null, null), digestOfRows(moved))
      const late = [fedRow('x', 'w-20', '3'), fedRow('y', 'mine', '3')]
      assert.deepEqual(await copy.apply(copiedTable, { ...noChange, rows: late }), {
        ...noOutcome,
        written: 1,
        waiting: 1,
      })
      assert.deepEqual(copy.unverified(copiedTable.name, 10), ['n-119', 'y'])
      assert.deepEqual(await imagedIds(store, "id in ('n-119', 'own', 'x', 'y')"), ['own', 'x'])
    },
  )

  copying('makes way for a row of a client, and tells own rows from copied ones', async (store, copy) => {
    await copy.apply(copiedTable, {
      ...noChange,
      rows: [fedRow('a', 'one', '1'), fedRow('b', 'two', '1'), fedRow('c', null, '1')],
    })
    const wish: Image = { id: 'b', words: 'one' }
    await rejection(store.insert({ id: 'b', words: 'one' }))
    assert.equal(await copy.giveWay(copiedTable.name, wish), true)
    assert.equal(await copy.giveWay(copiedTable.name, wish), false)
    await store.insert({ id: 'b', words: 'one' })
    assert.equal(await copy.giveWay(copiedTable.name, { id: 'd', words: 'one' }), false)
    assert.deepEqual(await imagedWords(store), ['b one', 'c null'])
    assert.deepEqual(await imagedIds(store, copy.ownRows(copiedTable.name)), ['b'])
    assert.deepEqual(copy.unverified(copiedTable.name, 10), ['a', 'b'])
    await store.orm.em.fork().nativeUpdate(Imaged, { id: 'c' }, { words: 'changed here' })
    assert.deepEqual(await imagedIds(store, copy.ownRows(copiedTable.name)), ['b', 'c'])
  })
}
