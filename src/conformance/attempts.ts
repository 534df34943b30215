import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Attempts, claimKnownCode } from '../driver/facet/attempts.ts'
import type { Value, Written } from '../driver/facet/statements.ts'
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

/** The engine's `attempts`. */
export function conformAttempts(bench: () => Bench): void {
  const test = engineTest(bench, 'attempts')
  const other: OtherStore = (store) => openStore(bench(), { target: store.target, made: true })
  conformClaims(test, other)
  conformWaits(test, other)
  conformClaimingWrites(bench, test, other)
}

/** Opens another store on the same database. */
type OtherStore = (store: BenchStore) => Promise<BenchStore>
type EngineTest = ReturnType<typeof engineTest>

function conformClaims(test: EngineTest, other: OtherStore): void {
  test('claims an attempt once, whichever store asks', async (store) => {
    const attempt = randomUUID()
    assert.equal(await attemptsOf(store).claim(attempt), true)
    assert.equal(await attemptsOf(store).claim(attempt), false)
    await using(await other(store), async (two) => {
      assert.equal(await attemptsOf(two).claim(attempt), false)
      assert.equal(await attemptsOf(two).claim(randomUUID()), true)
    })
  })

  test('claims in the open transaction, and only its commit keeps the claim', async (store) => {
    const [undone, kept] = [randomUUID(), randomUUID()]
    const rolledBack = store.orm.em.fork().transactional(async () => {
      assert.equal(await attemptsOf(store).claim(undone), true)
      assert.equal(await attemptsOf(store).claim(undone), false)
      throw new Error('on purpose')
    })
    await assert.rejects(rolledBack, /on purpose/)
    await store.orm.em.fork().transactional(async () => attemptsOf(store).claim(kept))
    assert.equal(await attemptsOf(store).claim(undone), true)
    assert.equal(await attemptsOf(store).claim(kept), false)
  })

  test('forgets some claims, and none, and claims of which there are none', async (store) => {
    const attempts = Array.from({ length: 1_500 }, () => randomUUID())
    const given = attempts.slice(0, 20)
    for (const attempt of given) await attemptsOf(store).claim(attempt)
    const kept = given.shift() ?? ''
    await attemptsOf(store).forget([])
    await attemptsOf(store).forget(attempts.filter((attempt) => attempt !== kept))
    for (const attempt of given) assert.equal(await attemptsOf(store).claim(attempt), true)
    assert.equal(await attemptsOf(store).claim(kept), false)
  })
}

function conformWaits(test: EngineTest, other: OtherStore): void {
  for (const [end, isNew] of [
    ['commits', false],
    ['is rolled back', true],
  ] as const) {
    test(`lets a claim wait for an open transaction with the same one until it ${end}`, async (store) => {
      const attempt = randomUUID()
      const [inside, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const open = store.orm.em.fork().transactional(async () => {
        await attemptsOf(store).claim(attempt)
        inside.resolve()
        await over.promise
        if (isNew) throw new Error('on purpose')
      })
      open.catch(() => {})
      await inside.promise
      await using(await other(store), async (two) => {
        let isOver = false
        const waiting = attemptsOf(two)
          .claim(attempt)
          .finally(() => {
            isOver = true
          })
        waiting.catch(() => {})
        assert.equal(await attemptsOf(two).claim(randomUUID()), true, 'another one does not wait')
        assert.equal(isOver, false, 'it waits')
        over.resolve()
        assert.equal(await within(waiting, limits.queryMs + slackMs), isNew)
      })
      await open.catch(() => {})
    })
  }
}

function conformClaimingWrites(bench: () => Bench, test: EngineTest, other: OtherStore): void {
  test('writes with a claim, and counts the rows of the statement alone', async (store) => {
    const attempt = randomUUID()
    assert.equal((await insert(store, attempt, 'a')).changed, 1)
    assert.equal(await attemptsOf(store).claim(attempt), false)
    assert.equal((await update(store, randomUUID(), 'a')).changed, 1)
    assert.equal((await update(store, randomUUID(), 'nobody')).changed, 0)
    assert.equal((await update(store, randomUUID(), 'nobody')).changed, 0)
    assert.equal(await store.orm.em.fork().count(Note, { count: 1 }), 1)
  })

  test('refuses a write whose claim exists, and writes nothing', async (store) => {
    const attempt = randomUUID()
    await insert(store, attempt, 'a')
    const inside = (): Promise<unknown> => store.orm.em.fork().transactional(() => insert(store, attempt, 'b'))
    for (const again of [() => insert(store, attempt, 'a'), () => insert(store, attempt, 'b'), inside]) {
      const { kind, code, ambiguous } = bench().driver.classify(await rejection(again()), 'commit')
      assert.deepEqual([kind, code, ambiguous], ['constraint', claimKnownCode, false])
    }
    await assertClean(store, other, ['a'])
  })

  test('keeps no claim of a write that fails', async (store) => {
    await insert(store, randomUUID(), 'taken')
    const attempt = randomUUID()
    const { kind, code } = bench().driver.classify(await rejection(insert(store, attempt, 'taken')), 'commit')
    assert.equal(kind, 'constraint')
    assert.notEqual(code, claimKnownCode)
    await assertClean(store, other, ['taken'])
    assert.equal(await attemptsOf(store).claim(attempt), true)
  })

  test('claims with a write of an open transaction, and its rollback undoes both', async (store) => {
    const [first, second] = [randomUUID(), randomUUID()]
    const undone = store.orm.em.fork().transactional(async (em) => {
      assert.equal((await insert(store, first, 'a')).changed, 1)
      assert.equal(await em.count(Note), 1)
      throw new Error('on purpose')
    })
    await assert.rejects(undone, /on purpose/)
    await store.orm.em.fork().transactional(() => insert(store, second, 'b'))
    await assertClean(store, other, ['b'])
    assert.equal(await attemptsOf(store).claim(first), true)
    assert.equal(await attemptsOf(store).claim(second), false)
  })
}

/** No transaction is left open on a connection: another store sees every row, and what is written next. */
async function assertClean(store: BenchStore, other: OtherStore, ids: readonly string[]): Promise<void> {
  const all = Array.from({ length: limits.poolSize + limits.poolMaxOverflow }, (_, at) => `after-${at}`)
  await Promise.all(all.map((id) => insert(store, randomUUID(), id)))
  await using(await other(store), async ({ orm }) => {
    const rows = await orm.em.fork().findAll(Note, { orderBy: { id: 'asc' } })
    assert.deepEqual(
      rows.map(({ id }) => id),
      [...ids, ...all].sort(),
    )
  })
}

function attemptsOf({ engine, orm }: BenchStore): Attempts {
  const attempts = engine.attempts?.(orm)
  assert.ok(attempts)
  return attempts
}

/** The suite's table, and that of the claims. */
interface ClaimTables extends NoteTables {
  holdfast_attempt: { id: string }
}

/** A query of kysely. */
interface ClaimQuery {
  compile(): { readonly sql: string; readonly parameters: readonly unknown[] }
}

function insert(store: BenchStore, attempt: string, id: string): Promise<Written> {
  const kysely = store.orm.em.fork().getKysely<ClaimTables>()
  const { text, count } = note(id)
  return write(store, attempt, kysely.insertInto('conformance_note').values({ id, text, count }), () =>
    kysely
      .with('holdfast_claim', (of) => of.insertInto('holdfast_attempt').values({ id: attempt }).returning('id'))
      .insertInto('conformance_note')
      .columns(['id', 'text', 'count'])
      .expression((of) =>
        of
          .selectFrom('holdfast_claim')
          .select((row) => [row.val(id).as('id'), row.val(text).as('text'), row.lit(count).as('count')]),
      ),
  )
}

function update(store: BenchStore, attempt: string, id: string): Promise<Written> {
  const kysely = store.orm.em.fork().getKysely<ClaimTables>()
  const plain = kysely.updateTable('conformance_note').set({ count: 1 }).where('id', '=', id)
  return write(store, attempt, plain, () =>
    kysely
      .with('holdfast_claim', (of) => of.insertInto('holdfast_attempt').values({ id: attempt }).returning('id'))
      .updateTable('conformance_note')
      .from('holdfast_claim')
      .set({ count: 1 })
      .where('conformance_note.id', '=', id),
  )
}

/** A write that claims, as the store wants it. */
function write(store: BenchStore, attempt: string, plain: ClaimQuery, withClaim: () => ClaimQuery): Promise<Written> {
  const isDriver = attemptsOf(store).claiming === 'driver'
  const query = (isDriver ? plain : withClaim()).compile()
  // The suite's own values are texts and numbers; kysely types its parameters as unknown.
  const values = query.parameters as readonly Value[]
  return store.statements().write(query.sql, values, isDriver ? { attempt, claims: true } : { attempt })
}
