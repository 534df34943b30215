import assert from 'node:assert/strict'
import { requestKnownCode } from '../driver/facet/requests.ts'
import type { Statement, Value, Written } from '../driver/facet/statements.ts'
import {
  type Bench,
  type BenchStore,
  limits,
  Note,
  type NoteTables,
  note,
  openStore,
  slackMs,
  within,
} from './bench.ts'
import { engineTest, rejection, using } from './connection.ts'

/** A query of the store's own kysely, compiled as the core compiles it. */
interface Compiled {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** The engine's `statements`. */
export function conformStatements(bench: () => Bench): void {
  const test = engineTest(bench, 'statements')

  test('returns the rows of RETURNING, and reads what was written', async (store) => {
    const written = await insert(store, 'a')
    assert.deepEqual(plain(written.rows), [{ id: 'a', text: 'a', count: 0 }])
    assert.equal(written.changed, 1)
    assert.deepEqual(await ids(store), ['a'])
  })

  test('counts the rows that a write changed', async (store) => {
    for (const id of ['a', 'b', 'c']) await insert(store, id)
    const kysely = store.orm.em.getKysely<NoteTables>()
    const update = kysely.updateTable('conformance_note').set({ count: 7 }).where('id', '!=', 'a').compile()
    assert.equal((await write(store, update)).changed, 2)
    const none = kysely.deleteFrom('conformance_note').where('id', '=', 'zzz').compile()
    assert.deepEqual(await write(store, none), { rows: [], changed: 0 })
  })

  test('shows committed writes to every other connection once they are answered', async (store) => {
    await using(await openStore(bench(), { target: store.target, made: true }), async (other) => {
      for (let round = 0; round < 10; round += 1) {
        await insert(store, `n-${round}`)
        assert.equal((await ids(other)).length, round + 1)
        assert.equal(await other.orm.em.fork().count(Note), round + 1)
      }
    })
  })

  test('counts up its generation with each commit, of this process or another, where it has one', async (store) => {
    const { generation } = store.statements()
    if (generation === undefined) return
    let turn = 0
    const grown = async (change: () => Promise<unknown>, isGrown: boolean): Promise<void> => {
      const before = generation(++turn)
      await change()
      const after = generation(++turn)
      assert.ok(before !== null && after !== null)
      assert.equal(after > before, isGrown)
    }
    await grown(() => ids(store), false)
    await grown(() => insert(store, 'native'), true)
    await grown(() => store.orm.em.fork().insert(Note, note('entity')), true)
    await grown(() => store.orm.em.fork().transactional((em) => em.insert(Note, note('transaction'))), true)
    await using(await openStore(bench(), { target: store.target, made: true }), async (other) => {
      await grown(() => insert(other, 'other'), true)
      await grown(() => ids(other), false)
    })
    await store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('open'))
      assert.equal(generation(++turn), null, 'a transaction sees its own changes')
    })
  })

  test('joins an open EntityManager transaction, and is undone by its rollback', async (store) => {
    const undone = store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('entity'))
      await insert(store, 'native')
      assert.deepEqual(await ids(store), ['entity', 'native'])
      assert.equal(await em.count(Note), 2)
      throw new Error('on purpose')
    })
    await assert.rejects(within(undone, limits.queryMs + slackMs), /on purpose/)
    assert.deepEqual(await ids(store), [])
  })

  test('joins an open EntityManager transaction, and is kept by its commit', async (store) => {
    await store.orm.em.fork().transactional(async (em) => {
      await insert(store, 'native')
      await em.transactional(async (inner) => inner.insert(Note, note('nested')))
      await assert.rejects(
        em.transactional(async () => {
          await insert(store, 'undone')
          throw new Error('on purpose')
        }),
      )
    })
    assert.deepEqual(await ids(store), ['native', 'nested'])
  })

  test('does not see, from outside, what a transaction has not committed', async (store) => {
    const inside = Promise.withResolvers<void>()
    const seen = Promise.withResolvers<void>()
    const open = store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('a'))
      inside.resolve()
      await seen.promise
    })
    await inside.promise
    try {
      assert.deepEqual(await within(ids(store), limits.queryMs + slackMs), [])
    } finally {
      seen.resolve()
      await open
    }
    assert.deepEqual(await ids(store), ['a'])
  })

  test('never rolls back an answered write with a concurrent transaction', async (store) => {
    const inside = Promise.withResolvers<void>()
    const open = store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('undone'))
      inside.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('on purpose')
    })
    await inside.promise
    const concurrent = insert(store, 'kept')
    await assert.rejects(open, /on purpose/)
    await within(concurrent, limits.queryMs + slackMs)
    assert.deepEqual(await ids(store), ['kept'])
  })

  test('keeps one failing write from the others of the same moment', async (store) => {
    await insert(store, 'taken')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => insert(store, `n-${index}`, index % 5 === 0 ? 'taken' : `n-${index}`)),
    )
    for (const [index, outcome] of outcomes.entries()) {
      assert.equal(outcome.status, index % 5 === 0 ? 'rejected' : 'fulfilled')
      if (outcome.status === 'fulfilled') continue
      assert.equal(bench().driver.classify(outcome.reason, 'commit').kind, 'constraint')
    }
    assert.equal((await ids(store)).length, 41)
  })

  test('writes all rows of a statement or none', async (store) => {
    const rows = [note('a'), note('b'), note('c', 'a')]
    const query = store.orm.em.getKysely<NoteTables>().insertInto('conformance_note').values(rows).compile()
    await rejection(write(store, query))
    assert.deepEqual(await ids(store), [])
  })

  test('keeps text exactly, whatever it contains', async (store) => {
    const text = 'a\'b"c\\d;--\u00e9\u{1f600}\n\t%_?$1'
    await insert(store, 'text', text)
    const found = await store.orm.em.fork().findOneOrFail(Note, 'text')
    assert.equal(found.text, text)
  })

  test('refuses several commands in a text with values, and runs none of them', async (store) => {
    await insert(store, 'a')
    const kysely = store.orm.em.getKysely<NoteTables>()
    const query = kysely.updateTable('conformance_note').set({ count: 7 }).where('id', '=', 'a').compile()
    const error = await rejection(write(store, { ...query, sql: `${query.sql}; delete from conformance_note` }))
    assert.equal(bench().driver.classify(error, 'statement').kind, 'statement')
    assert.equal((await store.orm.em.fork().findOneOrFail(Note, 'a')).count, 0)
  })

  test('answers a wrong statement with "statement" and goes on', async (store) => {
    const { read, write: run } = store.statements()
    // One after the other: a rejection that is not awaited yet would end the process.
    for (const attempt of [
      () => read('select nothing from nowhere', []),
      () => run('insert into nowhere values (1)', []),
    ]) {
      const error = await rejection(attempt())
      assert.equal(bench().driver.classify(error, 'statement').kind, 'statement')
    }
    await insert(store, 'after')
    assert.deepEqual(await ids(store), ['after'])
  })

  test('answers a second transaction inside an open one, either way, and does not hang', async (store) => {
    const outcome = store.orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('a'))
      return await store.orm.em
        .fork()
        .transactional(async (other) => other.insert(Note, note('b')))
        .then(
          () => 'done',
          (error: unknown) => bench().driver.classify(error, 'begin').kind,
        )
    })
    assert.match(await within(outcome, 2 * limits.queryMs + slackMs), /^(done|transient|lost)$/)
  })
  conformFirst(bench, test)
}

/** `WriteNote.first`; where the engine does not take it these tests are skipped by name. */
function conformFirst(bench: () => Bench, test: ReturnType<typeof engineTest>): void {
  const firstTest: FirstTest = (title, run) => {
    test(title, async (store, t) => {
      if (store.statements().takesFirst !== true) return t.skip('the statements have no "takesFirst"')
      await run(store)
    })
  }
  const isKnown = async (outcome: Promise<unknown>): Promise<void> => {
    const { kind, code, ambiguous } = bench().driver.classify(await rejection(outcome), 'commit')
    assert.deepEqual([kind, code, ambiguous], ['constraint', requestKnownCode, false])
  }

  firstTest(
    'writes a statement and the one before it together, and gives what the statement has written',
    async (store) => {
      for (const round of [1, 2, 3]) {
        const { rows, changed } = await insert(store, `row-${round}`, `text-${round}`, `claim-${round}`)
        assert.deepEqual(plain(rows), [{ id: `row-${round}`, text: `text-${round}`, count: 0 }])
        assert.equal(changed, 1)
        assert.deepEqual(
          (await ids(store)).slice(0, round),
          [1, 2, 3].slice(0, round).map((one) => `claim-${one}`),
        )
      }
      const query = store.orm.em.getKysely<NoteTables>().updateTable('conformance_note').set({ count: 7 }).compile()
      const first = compiledInsert(store, 'claim-4')
      const written = await store.statements().write(query.sql, native(query), { first })
      assert.deepEqual([written.rows, written.changed], [[], 7])
    },
  )

  firstTest('writes nothing where the statement before breaks a unique key, and says so', async (store) => {
    await insert(store, 'a', 'a', 'claim')
    await isKnown(insert(store, 'b', 'b', 'claim'))
    await isKnown(insert(store, 'a', 'a', 'claim'))
    await isKnown(store.orm.em.fork().transactional(() => insert(store, 'c', 'c', 'claim')))
    assert.deepEqual(await ids(store), ['a', 'claim'])
  })
  conformUndone(bench, firstTest, isKnown)
}

type FirstTest = (title: string, run: (store: BenchStore) => Promise<void>) => void

function conformUndone(
  bench: () => Bench,
  firstTest: FirstTest,
  isKnown: (outcome: Promise<unknown>) => Promise<void>,
): void {
  firstTest('undoes the statement before with one that fails, and an open transaction both', async (store) => {
    await insert(store, 'taken')
    const failed = await rejection(insert(store, 'a', 'taken', 'claim'))
    const { kind, code } = bench().driver.classify(failed, 'commit')
    assert.equal(kind, 'constraint')
    assert.notEqual(code, requestKnownCode)
    assert.deepEqual(await ids(store), ['taken'])
    const undone = store.orm.em.fork().transactional(async (em) => {
      await insert(store, 'a', 'a', 'claim')
      assert.equal(await em.count(Note), 3)
      throw new Error('on purpose')
    })
    await assert.rejects(undone, /on purpose/)
    await insert(store, 'a', 'a', 'claim')
    assert.deepEqual(await ids(store), ['a', 'claim', 'taken'])
  })

  firstTest('keeps those of the same moment apart, and gives one claim to one of them', async (store) => {
    const writes = Array.from({ length: 60 }, (_, at) => {
      return at % 3 === 0 ? insert(store, `n-${at}`, `n-${at}`, 'claim') : insert(store, `n-${at}`)
    })
    const outcomes = await Promise.allSettled(writes)
    const claimed = outcomes.filter(({ status }, at) => at % 3 === 0 && status === 'fulfilled')
    assert.equal(claimed.length, 1)
    assert.equal((await ids(store)).length, 40 + 2)
    for (const outcome of outcomes) if (outcome.status === 'rejected') await isKnown(Promise.reject(outcome.reason))
  })
}

async function insert(store: BenchStore, id: string, text: string = id, claim?: string): Promise<Written> {
  const { sql, values } = compiledInsert(store, id, text, true)
  return await store.statements().write(sql, values, claim === undefined ? {} : { first: compiledInsert(store, claim) })
}

function compiledInsert(store: BenchStore, id: string, text: string = id, returns = false): Statement {
  const query = store.orm.em.getKysely<NoteTables>().insertInto('conformance_note').values(note(id, text))
  const compiled = (returns ? query.returningAll() : query).compile()
  return { sql: compiled.sql, values: native(compiled) }
}

async function write(store: BenchStore, query: Compiled): Promise<Written> {
  return store.statements().write(query.sql, native(query))
}

async function ids(store: BenchStore): Promise<readonly unknown[]> {
  const query = store.orm.em.getKysely<NoteTables>().selectFrom('conformance_note').select('id').orderBy('id').compile()
  const rows = await store.statements().read(query.sql, native(query))
  return rows.map((row) => row.id)
}

/** The suite's own values are texts and numbers; kysely types its parameters as unknown. */
function native(query: Compiled): readonly Value[] {
  return query.parameters as readonly Value[]
}

function plain(rows: readonly object[]): readonly object[] {
  return rows.map((row) => ({ ...row }))
}
