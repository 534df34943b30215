import assert from 'node:assert/strict'
import { copyReadOnlyCode } from '../driver/facet/copy.ts'
import type { CopiedTable } from '../driver/facet/feed.ts'
import type { Bench } from './bench.ts'
import { rejection, using } from './connection.ts'
import {
  type CopyCase,
  copiedTable,
  copyBranch,
  copySource,
  digestOfRows,
  fedRow,
  imagedIds,
  noChange,
} from './copy-bench.ts'
import { Imaged, openKept } from './journal-bench.ts'

/** What a copy knows of itself, and what another copySource or other tables do to it. */
export function conformCopyStates(copying: CopyCase, bench: () => Bench): void {
  conformLooks(copying, bench)
  conformOutageEnd(copying)
  conformSources(copying)
  conformOwnTables(copying, bench)
}

function conformLooks(copying: CopyCase, bench: () => Bench): void {
  copying('knows how old its oldest part is, also after it was opened again', async (store, copy) => {
    const state = () => copy.state(copiedTable.name)
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
      await copy.apply(copiedTable, { ...noChange, look: { after, last, atMs: index + 1 } })
      assert.equal(state()?.asOfMs, asOfMs, `look ${index + 1}`)
    }
    await copy.apply(copiedTable, { ...noChange, polled: 'an id', next: { after: 'm', isWhole: false } })
    assert.deepEqual([state()?.isSwept, state()?.polled, state()?.after], [false, 'an id', 'm'])
    const rows = [fedRow('a', 'a', '1'), fedRow('b', 'b', '')]
    await copy.apply(copiedTable, { ...noChange, rows, next: { after: null, isWhole: true } })
    assert.deepEqual([state()?.isSwept, state()?.isVerified, state()?.rows], [true, false, 2])
    const before = state()
    assert.deepEqual(store.engine.copyView?.(store.orm)?.state(copiedTable.name), before)
    await store.engine.close(store.orm, 1_000)
    await using(await openKept(bench(), { target: store.target }), async ({ engine, orm }) => {
      const again = engine.copy?.(orm)
      assert.deepEqual(again?.state(copiedTable.name), before)
      assert.deepEqual(again?.source(), copySource)
      await again?.begin(copySource, [copiedTable])
      assert.deepEqual(again?.digest(copiedTable.name, null, null), digestOfRows(rows))
    })
  })
}

function conformOutageEnd(copying: CopyCase): void {
  copying('is to verify what an outage has changed, and forgets what is removed after it', async (store, copy) => {
    const { orm, journal } = store
    const rows = ['a', 'b', 'c', 'd'].map((id) => fedRow(id, id, '1'))
    await copy.apply(copiedTable, { ...noChange, rows })
    await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { words: 'A' })
    await orm.em.fork().nativeDelete(Imaged, { id: 'b' })
    await store.insert({ id: 'e' })
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    await orm.em.fork().nativeUpdate(Imaged, { id: 'c' }, { words: 'C' })
    journal.serve(false)
    await copy.settle([copiedTable])
    assert.deepEqual(copy.unverified(copiedTable.name, 10), ['a', 'b', 'e'])
    await journal.removeCarried([])
    await copy.apply(copiedTable, { ...noChange, rows: [fedRow('a', 'A', '2')], removed: ['b'] })
    await copy.settle([copiedTable])
    assert.deepEqual(copy.unverified(copiedTable.name, 10), ['e'])
    await journal.removeCarried([copiedTable.name])
    assert.deepEqual(await imagedIds(store), ['c'])
    assert.deepEqual([...copy.versions(copiedTable.name, null, null).keys()], ['c'])
  })

  copying('is not verified while entries for another primary wait on rows of the table', async (store, copy) => {
    await store.journal.address('one', 'the first')
    await store.insert({ id: 'a' })
    assert.equal(copy.state(copiedTable.name)?.isVerified, true)
    await store.journal.address('two', 'another')
    assert.equal(copy.state(copiedTable.name)?.isVerified, false)
  })
}

function conformSources(copying: CopyCase): void {
  copying('hides and removes the rows of another source, but for those that wait', async (store, copy) => {
    const rows = Array.from({ length: 2_000 }, (_, index) => fedRow(`n-${index}`, null, '1'))
    await copy.apply(copiedTable, { ...noChange, rows, look: { after: null, last: null, atMs: 1 } })
    await store.orm.em.fork().nativeUpdate(Imaged, { id: 'n-7' }, { words: 'changed here' })
    const begun = copy.begin(copyBranch, [copiedTable])
    while (copy.source()?.target !== copyBranch.target) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(copy.state(copiedTable.name)?.asOfMs ?? null, null)
    assert.deepEqual(await imagedIds(store, copy.ownRows(copiedTable.name)), ['n-7'])
    await begun
    assert.deepEqual(await imagedIds(store), ['n-7'])
    assert.deepEqual(copy.digest(copiedTable.name, null, null), digestOfRows([]))
    assert.deepEqual([copy.state(copiedTable.name)?.rows, copy.state(copiedTable.name)?.bytes], [0, 0])
    await copy.apply(copiedTable, { ...noChange, rows: rows.slice(8) })
    await copy.begin(copyBranch, [])
    assert.equal(copy.state(copiedTable.name), null)
    assert.deepEqual(await imagedIds(store), ['n-7'])
    await copy.reset()
    assert.equal(copy.source(), null)
  })
}

function conformOwnTables(copying: CopyCase, bench: () => Bench): void {
  copying('creates the tables that are not there, in which only the copy changes anything', async (store, copy) => {
    const { orm, statements } = store
    await copy.begin(copySource, [copiedTable, numbered])
    const rows = ['10', '9', '-1', '9007199254740993'].map((number) => ({
      key: number,
      version: `v${number}`,
      image: { number, name: null },
    }))
    await copy.apply(numbered, { ...noChange, rows, look: { after: null, last: '9', atMs: 1 } })
    assert.deepEqual([...copy.versions(numbered.name, null, null).keys()], ['-1', '9', '10', '9007199254740993'])
    assert.deepEqual(copy.digest(numbered.name, '9', '10'), digestOfRows(rows.slice(0, 1)))
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
    assert.equal((await copy.apply(numbered, { ...noChange, removed: ['9'] })).removed, 1)
    assert.equal((await statements.read('select number from conformance_numbered', [])).length, 3)
    await copy.begin(copySource, [copiedTable])
    await rejection(statements.read('select number from conformance_numbered', []))
  })
}

/** A table of an application: the store has noChange of this name. */
const numbered: CopiedTable = {
  name: 'conformance_numbered',
  key: { name: 'number', kind: 'integer' },
  keyOrder: 'number',
  columns: [
    { name: 'number', kind: 'integer' },
    { name: 'name', kind: 'text' },
  ],
}
