import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bench } from './bench.ts'
import { rejection, using } from './connection.ts'
import { blank, Imaged, imagedTable, type Journaled, keptTarget, openKept, shortOf } from './journal-bench.ts'

/** What a journal gives, marks, addresses, removes and forgets. */
export function conformCarrying(journaled: Journaled, bench: () => Bench): void {
  journaled('gives whole transactions in order, and counts what waits', async (store) => {
    const { orm, journal } = store
    assert.deepEqual(journal.counts(), { transactions: 0, entries: 0, bytes: 0, elsewhere: 0, oldestMs: null })
    const before = Date.now()
    await orm.em.fork().transactional(async (em) => {
      for (const id of ['a', 'b', 'c']) await em.insert(Imaged, blank(id))
    })
    await store.insert({ id: 'd' })
    const some = await journal.waiting(0, 2)
    assert.deepEqual(
      some.map(({ key }) => key),
      ['a', 'b', 'c'],
    )
    const rest = await journal.waiting(some.at(-1)?.sequence ?? 0, 2)
    assert.deepEqual(
      rest.map(({ key }) => key),
      ['d'],
    )
    const counts = journal.counts()
    assert.deepEqual([counts.transactions, counts.entries], [2, 4])
    assert.ok(counts.oldestMs !== null && counts.oldestMs >= before && counts.oldestMs <= Date.now())
    assert.equal(journal.lastCarried(), null)
    await journal.carried(some.map(({ sequence }) => sequence))
    await journal.carried(some.map(({ sequence }) => sequence))
    assert.deepEqual([journal.counts().transactions, journal.counts().entries], [1, 1])
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['d'],
    )
    const [first] = some
    assert.deepEqual(journal.lastCarried(), { attempt: first?.attempt, transaction: first?.transaction })
    assert.equal(await journal.carryAgain(), 3)
    assert.deepEqual([journal.counts().transactions, journal.counts().entries], [2, 4])
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['a', 'b', 'c', 'd'],
    )
  })

  journaled('keeps what the addressed primary was seen to be, for each primary, over reopening', async (store) => {
    const { engine, orm, journal, target } = store
    await journal.address('primary-1', 'one')
    assert.equal(journal.standing(), null)
    const seen = { cluster: '7713383641697382037', timeline: 3, position: 2n ** 62n + 1n }
    await journal.keepStanding({ ...seen, position: 1n })
    await journal.keepStanding(seen)
    assert.deepEqual(journal.standing(), seen)
    await journal.address('primary-2', 'two')
    assert.equal(journal.standing(), null)
    await journal.keepStanding({ cluster: null, timeline: null, position: null })
    await journal.address('primary-1', 'one')
    await engine.close(orm, 1_000)
    await using(await openKept(bench(), { target }), async (again) => {
      assert.deepEqual(again.journal.standing(), seen)
      await again.journal.address('primary-2', 'two')
      assert.deepEqual(again.journal.standing(), { cluster: null, timeline: null, position: null })
    })
  })

  journaled('keeps all that while the store is read-only, and over reopening', async (store) => {
    const { engine, orm, journal, target } = store
    await store.insert({ id: 'a' })
    await store.insert({ id: 'b' })
    engine.setReadOnly?.(orm, true)
    await journal.address('primary-1', 'a label')
    await journal.carried([(await store.entries())[0]?.sequence ?? 0])
    await rejection(store.insert({ id: 'c' }))
    const counts = journal.counts()
    const { fileId } = journal
    await engine.close(orm, 1_000)
    await using(await openKept(bench(), { target }), async (again) => {
      assert.deepEqual(again.journal.counts(), counts)
      assert.equal(again.journal.fileId, fileId)
      assert.equal(again.journal.identity, 'primary-1')
      assert.deepEqual(
        (await again.entries()).map(({ key }) => key),
        ['b'],
      )
      await again.insert({ id: 'c' })
      assert.deepEqual(
        (await again.entries()).map(({ key }) => key),
        ['b', 'c'],
      )
    })
  })

  journaled('addresses entries to the primary that was reached last, and early ones to the first', async (store) => {
    const { journal } = store
    await store.insert({ id: 'early' })
    assert.equal(journal.identity, null)
    await journal.address('one', 'the first')
    await store.insert({ id: 'a' })
    await journal.address('two', 'another')
    await store.insert({ id: 'b' })
    assert.equal(journal.identity, 'two')
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['b'],
    )
    assert.deepEqual([journal.counts().entries, journal.counts().elsewhere], [1, 2])
    assert.deepEqual(journal.elsewhere(), [{ identity: 'one', label: 'the first', entries: 2 }])
    await journal.address('one', 'renamed')
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['early', 'a'],
    )
    assert.deepEqual(journal.elsewhere(), [{ identity: 'two', label: 'another', entries: 1 }])
  })

  journaled(
    'gives what waits to an archive: whole transactions, for one primary at a time, whichever it is',
    async (store) => {
      const { orm, journal } = store
      const next = async (after: number, maxBytes = 1_000_000) => {
        const portion = await journal.synced(after, maxBytes)
        return portion === null
          ? null
          : [portion.identity, portion.label, portion.entries.map(({ key }) => key).join('')]
      }
      const sequenceOf = async (id: string) => (await store.entries()).find(({ key }) => key === id)?.sequence ?? 0
      assert.deepEqual([journal.lastSequence(), journal.firstWaiting(), await next(0)], [0, null, null])
      await orm.em.fork().transactional(async (em) => {
        for (const id of ['a', 'b']) await em.insert(Imaged, blank(id))
      })
      await store.insert({ id: 'c' })
      assert.deepEqual(await next(0), [null, null, 'abc'])
      assert.deepEqual(await next(0, 1), [null, null, 'ab'])
      assert.deepEqual(await next(await sequenceOf('b')), [null, null, 'c'])
      assert.deepEqual((await journal.synced(0, 1_000_000))?.entries, await store.entries())
      await journal.address('one', 'the first')
      await journal.carried([await sequenceOf('c')])
      assert.equal(journal.firstWaiting(), await sequenceOf('a'))
      await journal.address('two', 'another')
      await store.insert({ id: 'd' })
      const ofTwo = await sequenceOf('d')
      assert.deepEqual([journal.lastSequence(), journal.firstWaiting()], [ofTwo, ofTwo])
      assert.deepEqual(await next(0), ['one', 'the first', 'ab'])
      assert.deepEqual(await next(ofTwo - 1), ['two', 'another', 'd'])
      await journal.address('one', 'the first')
      await store.insert({ id: 'e' })
      assert.deepEqual(await next(0), ['one', 'the first', 'ab'], 'in the order of the changes')
      assert.deepEqual(await next(ofTwo), ['one', 'the first', 'e'])
      await journal.carried((await store.entries()).map(({ sequence }) => sequence))
      assert.deepEqual([await next(0), await next(ofTwo)], [['two', 'another', 'd'], null])
      assert.deepEqual([journal.firstWaiting(), journal.lastSequence()], [null, ofTwo + 1])
    },
  )

  journaled('knows of a row what waits, that it was deleted, and which attempts it replaced', async (store) => {
    const { orm, journal } = store
    const name = imagedTable.name
    await store.insert({ id: 'a', holdfast_attempt: 'first' })
    await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { holdfast_attempt: 'second' })
    await store.insert({ id: 'b' })
    const updated = journal.history(name, 'a')
    assert.deepEqual([updated.isWaiting, updated.isDeleted], [true, false])
    assert.deepEqual(
      ['first', 'second', 'third'].map((one) => updated.replaced.has(one)),
      [true, false, false],
    )
    await orm.em.fork().nativeDelete(Imaged, { id: 'a' })
    assert.deepEqual(journal.history(name, 'a').isDeleted, true)
    assert.equal(journal.history(name, 'a').replaced.has('second'), true)
    assert.deepEqual(journal.history(name, 'other').isWaiting, false)
    assert.deepEqual([journal.mayWait(name), journal.mayWait('another')], [true, false])
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    assert.deepEqual([journal.history(name, 'a').isWaiting, journal.history(name, 'a').isDeleted], [false, true])
    journal.serve(false)
    await journal.removeCarried([name])
    assert.deepEqual(journal.history(name, 'a').isDeleted, false, 'the primary has served since')
    assert.equal(journal.history(name, 'a').replaced.has('second'), false)
    journal.serve(true)
    await store.insert({ id: 'c' })
    await orm.em.fork().nativeDelete(Imaged, { id: 'c' })
    await journal.removeCarried([name])
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    assert.deepEqual(journal.history(name, 'c').isDeleted, true, 'it was carried since')
  })

  journaled('removes carried rows without journaling it, and leaves those that wait', async (store) => {
    const { orm, journal } = store
    for (let index = 0; index < 1_200; index += 1) void store.insert({ id: `n-${index}` })
    await store.insert({ id: 'last' })
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    await orm.em.fork().nativeUpdate(Imaged, { id: 'n-7' }, { words: 'waits' })
    journal.serve(false)
    await journal.removeCarried([imagedTable.name, 'conformance_missing'])
    assert.deepEqual(
      (await orm.em.fork().findAll(Imaged)).map(({ id }) => id),
      ['n-7'],
    )
    assert.deepEqual((await store.entries()).map(shortOf), ['update n-7 null null>waits'])
  })

  journaled('prunes what was carried before a time, and nothing that waits', async (store) => {
    const { journal } = store
    await store.insert({ id: 'a' })
    await store.insert({ id: 'b' })
    await journal.carried([(await store.entries())[0]?.sequence ?? 0])
    await journal.prune(Date.now() - 60_000)
    assert.notEqual(journal.lastCarried(), null)
    await journal.prune(Date.now() + 60_000)
    assert.equal(journal.lastCarried(), null)
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['b'],
    )
    const highest = (await store.entries())[0]?.sequence ?? 0
    await journal.carried([highest])
    await journal.prune(Date.now() + 60_000)
    await store.insert({ id: 'c' })
    assert.ok(((await store.entries())[0]?.sequence ?? 0) > highest, 'no sequence is used twice')
  })

  test('keeps no journal in a store that is local', async (t) => {
    if (bench().driver.journals !== true) return t.skip('the driver has no "journals"')
    await using(await openKept(bench(), { target: await keptTarget(bench(), 'local') }), async (store) => {
      assert.equal(store.engine.journal?.(store.orm) ?? null, null)
      await store.insert({ id: 'a' })
    })
  })
}
