import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { journalFullCode, restingCode } from '../driver/facet/journal.ts'
import { type Bench, limits, slackMs, within } from './bench.ts'
import { rejection, using } from './connection.ts'
import { applyTriggers, blank, Imaged, imagedTable, type Journaled, openKept, shortOf } from './journal-bench.ts'
import { conformCarrying } from './journal-carrying.ts'

/** The engine's `journal`. */
export function conformJournal(bench: () => Bench): void {
  const journaled: Journaled = (title, run, rests = false) => {
    test(title, async (t) => {
      if (bench().driver.journals !== true) return t.skip('the driver has no "journals"')
      await using(await openKept(bench(), { rests }), run)
    })
  }
  conformEntries(journaled)
  conformAttempts(journaled)
  conformRefusals(journaled, bench)
  conformCarrying(journaled, bench)
}

function conformEntries(journaled: Journaled): void {
  journaled(
    'journals whatever changes a row: entities, queries, raw SQL, upserts and native statements',
    async (store) => {
      const { orm } = store
      const em = orm.em.fork()
      const row = em.create(Imaged, blank('a', { holdfast_attempt: 'first' }))
      await em.flush()
      row.words = 'flushed'
      row.holdfast_attempt = 'second'
      await em.flush()
      await orm.em.fork().nativeUpdate(Imaged, { id: 'a' }, { words: 'query' })
      await orm.em.fork().upsert(Imaged, blank('a', { holdfast_attempt: 'third' }))
      await orm.em.fork().execute("update conformance_imaged set words = 'raw' where id = 'a'")
      await store.insert({ id: 'b' })
      await orm.em.fork().nativeDelete(Imaged, { id: 'a' })
      const entries = await store.entries()
      assert.deepEqual(entries.map(shortOf), [
        'insert a null null>null',
        'update a first null>flushed',
        'update a second flushed>query',
        'update a second query>null',
        'update a third null>raw',
        'insert b null null>null',
        'delete a third raw>null',
      ])
      const sequences = entries.map(({ sequence }) => sequence)
      assert.deepEqual(
        sequences,
        [...new Set(sequences)].sort((one, other) => one - other),
      )
      assert.equal(entries[0]?.old, null)
      assert.equal(entries.at(-1)?.new, null)
      assert.ok(entries.every(({ table }) => table === imagedTable.name))
    },
  )

  journaled('takes another id for another row', async (store) => {
    await store.insert({ id: 'a', holdfast_attempt: 'first', words: 'same' })
    await store.orm.em.fork().execute("update conformance_imaged set id = 'b' where id = 'a'")
    assert.deepEqual((await store.entries()).map(shortOf), [
      'insert a null null>same',
      'delete a first same>null',
      'insert b null null>same',
    ])
  })

  journaled('keeps every value exactly', async (store) => {
    const words = `it's "quoted"\\\n\t\u0001 \u{1f600} ${'long '.repeat(2_000)}`
    const ratio = 0.1 + 0.2
    const at = new Date('2026-11-28T10:20:30.456Z')
    const doc = { deep: ['text', 1.5, null, { "o'": '"' }] }
    await store.orm.em
      .fork()
      .insert(Imaged, blank('a', { words, whole: '9007199254740993', ratio, flag: true, at, doc }))
    await store.insert({ id: 'b' })
    for (const [index, value] of [5e-324, -1.7976931348623157e308, 1e21, 3].entries()) {
      await store.orm.em.fork().insert(Imaged, blank(`n-${index}`, { ratio: value }))
    }
    const [full, empty, ...numbers] = (await store.entries()).map((entry) => entry.new)
    assert.deepEqual(
      { ...full, ratio: Number(full?.ratio), doc: JSON.parse(full?.doc ?? '') },
      {
        id: 'a',
        holdfast_attempt: null,
        words,
        whole: '9007199254740993',
        ratio,
        flag: '1',
        at: String(at.getTime()),
        doc,
      },
    )
    assert.deepEqual(empty, blank('b'))
    assert.deepEqual(
      numbers.map((image) => Number(image?.ratio)),
      [5e-324, -1.7976931348623157e308, 1e21, 3],
    )
  })

  journaled('journals nothing of what was undone', async (store) => {
    const { orm } = store
    await rejection(
      orm.em.fork().transactional(async (em) => {
        await em.insert(Imaged, blank('a'))
        throw new Error('on purpose')
      }),
    )
    await store.insert({ id: 'b', words: 'taken' })
    const outcomes = await Promise.allSettled(
      ['c', 'taken', 'd'].map((words) => store.insert({ id: `id-${words}`, words })),
    )
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    await orm.em.fork().transactional(async (em) => {
      await em.insert(Imaged, blank('e'))
      await rejection(store.insert({ id: 'f', words: 'taken' }))
    })
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['b', 'id-c', 'id-d', 'e'],
    )
    assert.deepEqual([store.journal.counts().entries, store.journal.counts().transactions], [4, 4])
  })

  journaled('replaces triggers that know less than the table has', async (store) => {
    assert.deepEqual(await applyTriggers(store), [], 'they are as they should be')
    const added = { ...imagedTable, columns: [...imagedTable.columns, { name: 'added', kind: 'text' as const }] }
    await store.orm.em.fork().execute('alter table conformance_imaged add column added text')
    assert.notDeepEqual(await applyTriggers(store, added), [])
    assert.deepEqual(await applyTriggers(store, added), [])
    await store.orm.em.fork().execute("insert into conformance_imaged (id, added) values ('a', 'seen')")
    const entries = await store.entries()
    assert.deepEqual(
      entries.map((entry) => entry.new?.added),
      ['seen'],
      'and each change makes one entry',
    )
  })
}

function conformAttempts(journaled: Journaled): void {
  journaled('gives one transaction one id and one attempt: the one that was told, or one of its own', async (store) => {
    const { orm, journal } = store
    const told = randomUUID()
    await orm.em.fork().transactional(async (em) => {
      journal.begun(told)
      await em.insert(Imaged, blank('a'))
      await store.insert({ id: 'b' })
      await em.nativeDelete(Imaged, { id: 'a' })
    })
    await orm.em.fork().transactional(async (em) => {
      await em.insert(Imaged, blank('c'))
      await em.insert(Imaged, blank('d'))
    })
    await orm.em.fork().execute("update conformance_imaged set words = id where id in ('c', 'd')")
    const groups = Map.groupBy(await store.entries(), ({ transaction }) => transaction)
    assert.deepEqual(
      [...groups.values()].map((entries) => entries.length),
      [3, 2, 2],
    )
    const attempts = [...groups.values()].map((entries) => [...new Set(entries.map(({ attempt }) => attempt))])
    assert.deepEqual(attempts[0], [told])
    assert.deepEqual(
      attempts.map(({ length }) => length),
      [1, 1, 1],
    )
    assert.equal(new Set(attempts.flat()).size, 3)
    const times = [...groups.keys()].map((id) => Number.parseInt(id.replace('-', '').slice(0, 12), 16))
    assert.ok(
      times.every((ms) => Math.abs(ms - Date.now()) < 60_000),
      'ids are UUIDv7 of now',
    )
  })

  journaled('gives each write of the same moment its own transaction and attempt', async (store) => {
    const attempts = Array.from({ length: 20 }, () => randomUUID())
    await Promise.all(
      attempts.map((attempt, index) => store.insert({ id: `n-${index}` }, index % 2 === 0 ? attempt : undefined)),
    )
    const entries = await store.entries()
    assert.equal(new Set(entries.map(({ transaction }) => transaction)).size, 20)
    assert.equal(new Set(entries.map(({ attempt }) => attempt)).size, 20)
    for (const { key, attempt } of entries) {
      const index = Number(key.slice(2))
      assert.equal(attempt === attempts[index], index % 2 === 0)
    }
  })
}

function conformRefusals(journaled: Journaled, bench: () => Bench): void {
  const isRefused = async (change: Promise<unknown>, kind: string, code: string): Promise<void> => {
    const fault = bench().driver.classify(await rejection(change), 'commit')
    assert.deepEqual([fault.kind, fault.code, fault.ambiguous], [kind, code, false])
  }

  journaled(
    'refuses changes until it serves, however they are made, and takes them afterwards',
    async (store) => {
      const { orm, journal } = store
      for (const round of ['opening', 'again']) {
        await isRefused(store.insert({ id: 'a' }), 'lost', restingCode)
        await Promise.all(['b', 'c'].map((id) => isRefused(store.insert({ id }), 'lost', restingCode)))
        await isRefused(orm.em.fork().insert(Imaged, blank('d')), 'lost', restingCode)
        await isRefused(orm.em.fork().execute("insert into conformance_imaged (id) values ('e')"), 'lost', restingCode)
        assert.equal(await orm.em.fork().count(Imaged), round === 'opening' ? 0 : 1)
        journal.serve(true)
        await store.insert({ id: round })
        journal.serve(false)
      }
    },
    true,
  )

  journaled('refuses what an open transaction would still change, and rests only after it', async (store) => {
    const { orm, journal } = store
    const half = orm.em.fork().transactional(async (em) => {
      await em.insert(Imaged, blank('a'))
      journal.serve(false)
      await em.insert(Imaged, blank('b'))
    })
    await isRefused(half, 'lost', restingCode)
    journal.serve(true)
    const begun = Promise.withResolvers<void>()
    const free = Promise.withResolvers<void>()
    const whole = orm.em.fork().transactional(async (em) => {
      await em.insert(Imaged, blank('c'))
      begun.resolve()
      await free.promise
      await em.insert(Imaged, blank('d'))
    })
    await begun.promise
    let isResting = false
    await rejection(journal.rest(AbortSignal.timeout(50)))
    const rested = journal.rest(AbortSignal.timeout(limits.queryMs)).then(() => {
      isResting = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(isResting, false)
    free.resolve()
    await within(Promise.all([whole, rested]), limits.queryMs + slackMs)
    await isRefused(store.insert({ id: 'e' }), 'lost', restingCode)
    assert.deepEqual(
      (await store.entries()).map(({ key }) => key),
      ['c', 'd'],
    )
  })

  journaled('refuses changes while more waits than may, and drops nothing', async (store) => {
    const { journal } = store
    await store.insert({ id: 'a' })
    const { bytes } = journal.counts()
    assert.ok(bytes > 0)
    journal.setLimit(bytes)
    await isRefused(store.insert({ id: 'b' }), 'transient', journalFullCode)
    await isRefused(store.orm.em.fork().nativeDelete(Imaged, { id: 'a' }), 'transient', journalFullCode)
    assert.equal((await store.entries()).length, 1)
    await journal.carried((await store.entries()).map(({ sequence }) => sequence))
    assert.equal(journal.counts().bytes, 0)
    await store.insert({ id: 'b' })
    journal.setLimit(10 * bytes)
    await store.insert({ id: 'c' })
  })
}
