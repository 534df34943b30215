import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Candidate } from '../driver/driver.ts'
import {
  type Bench,
  type BenchStore,
  createOrm,
  freshTarget,
  limits,
  Note,
  noFacts,
  note,
  openStore,
  slackMs,
  within,
} from './bench.ts'

/** Candidates, proofs, and the ORM over the safe connection. */
export function conformConnections(bench: () => Bench): void {
  test('opens nothing when candidates are created', async () => {
    const { driver } = bench()
    const target = await freshTarget(bench())
    const before = resources()
    const candidates = await driver.connect(target, limits)
    assert.ok(candidates.length > 0)
    for (const candidate of candidates) assert.notEqual(candidate.label, '')
    candidates[0]?.engine(noFacts)
    assert.deepEqual(resources(), before)
    for (const file of driver.embedded?.files(target) ?? []) assert.ok(!existsSync(file))
  })

  test('proves a candidate, twice, and closes and evicts its connection twice', async () => {
    const candidate = await firstCandidate(bench())
    for (const end of ['close', 'evict'] as const) {
      const connection = await candidate.open(AbortSignal.timeout(limits.connectMs))
      for (const proof of ['open', 'write', 'write'] as const) {
        const signal = AbortSignal.timeout(limits.connectMs)
        const facts = await connection.verify({ role: 'primary', proof }, signal)
        assert.notEqual(facts.version, '')
        assert.ok([undefined, 'ours', 'absent', 'newer'].includes(facts.ownTables), `ownTables: ${facts.ownTables}`)
        assert.ok(facts.ownTables === undefined || facts.ownTables === 'ours' || facts.problems.length > 0)
      }
      if (end === 'evict') connection.evict()
      await connection.close()
      await connection.close()
      connection.evict()
      connection.evict()
    }
  })

  test('inspects a database twice and creates nothing in it', async (t) => {
    const { driver } = bench()
    if (driver.embedded !== undefined) {
      t.skip('the driver inspects files of this machine without a connection')
      return
    }
    const connection = await (await firstCandidate(bench())).open(AbortSignal.timeout(limits.connectMs))
    const prove = (proof: 'look' | 'open') =>
      connection.verify({ role: 'primary', proof }, AbortSignal.timeout(limits.connectMs))
    const [first, second] = [await prove('look'), await prove('look')]
    assert.notEqual(first.version, '')
    assert.notEqual(first.ownTables, 'ours', 'our tables do not exist there yet')
    assert.equal(second.ownTables, first.ownTables)
    for (const { roundTripMs } of [first.insight, second.insight].filter((seen) => seen !== undefined)) {
      assert.ok(roundTripMs >= 0 && roundTripMs < limits.connectMs)
    }
    const opened = await prove('open')
    assert.equal((await prove('look')).ownTables, opened.ownTables)
    await connection.close()
  })

  test('leaves nothing open when an opening is aborted', async () => {
    const { driver } = bench()
    const candidate = await firstCandidate(bench())
    const before = resources()
    const failure = await candidate.open(AbortSignal.abort()).then(
      () => null,
      (error: unknown) => error,
    )
    assert.ok(failure !== null)
    assert.notEqual(driver.classify(failure, 'open').kind, 'constraint')
    assert.deepEqual(resources(), before)
  })

  test('stops a proof when its signal aborts', async () => {
    const connection = await (await firstCandidate(bench())).open(AbortSignal.timeout(limits.connectMs))
    await assert.rejects(connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.abort()))
    await connection.close()
  })

  test('keeps rows from one ORM to the next at the same address', async () => {
    const { target } = await using(await openStore(bench()), async (store) => {
      const em = store.orm.em.fork()
      em.create(Note, note('a'))
      await em.flush()
      assert.equal((await store.orm.em.fork().findOneOrFail(Note, 'a')).text, 'a')
      return store
    })
    await using(await openStore(bench(), { target, made: true }), async (store) => {
      assert.equal(await store.orm.em.fork().count(Note), 1)
    })
  })

  test('ignores stray MIKRO_ORM variables', async () => {
    const stray = { MIKRO_ORM_DB_NAME: 'stray', MIKRO_ORM_HOST: 'stray', MIKRO_ORM_DEBUG: 'true', MIKRO_ORM_PORT: '1' }
    Object.assign(process.env, stray)
    try {
      await using(await openStore(bench()), async (store) => {
        assert.equal(await store.orm.em.fork().count(Note), 0)
        assert.notEqual(store.orm.config.get('dbName'), 'stray')
        assert.equal(store.orm.config.get('debug'), false)
        assert.equal(store.orm.config.get('ensureDatabase'), false)
      })
    } finally {
      for (const name of Object.keys(stray)) delete process.env[name]
    }
  })

  test('loses no connection to transactions that fail', async () => {
    await using(await openStore(bench()), async ({ orm }) => {
      for (let round = 0; round < (limits.poolSize + limits.poolMaxOverflow) * 3; round += 1) {
        const failing = orm.em.fork().transactional(async (em) => {
          await em.insert(Note, note('x'))
          throw new Error('on purpose')
        })
        await assert.rejects(within(failing, limits.queryMs + slackMs), /on purpose/)
      }
      assert.equal(await within(orm.em.fork().count(Note), limits.queryMs + slackMs), 0)
    })
  })

  test('keeps concurrent sessions apart, and all of their commits', async () => {
    await using(await openStore(bench()), async ({ orm }) => {
      await orm.em.fork().insert(Note, note('sum'))
      const work = Array.from({ length: 12 }, (_, index) =>
        orm.em.fork().transactional(async (em) => {
          const own = em.create(Note, note(`own-${index}`))
          await em.flush()
          await em.execute('update conformance_note set count = count + 1 where id = ?', ['sum'])
          assert.equal(em.getUnitOfWork().getIdentityMap().values().length, 1)
          return own.id
        }),
      )
      assert.equal(new Set(await within(Promise.all(work), 12 * limits.queryMs)).size, 12)
      assert.equal((await orm.em.fork().findOneOrFail(Note, 'sum')).count, 12)
    })
  })

  test('does not hang when another session reads inside an open transaction', async () => {
    await using(await openStore(bench()), async ({ orm }) => {
      const seen = orm.em.fork().transactional(async (em) => {
        await em.insert(Note, note('a'))
        return await orm.em.fork().count(Note)
      })
      assert.equal(await within(seen, limits.queryMs + slackMs), 0)
    })
  })

  test('classifies a broken rule as "constraint" and a wrong statement as "statement"', async () => {
    const { driver } = bench()
    await using(await openStore(bench()), async ({ orm }) => {
      await orm.em.fork().insert(Note, note('a'))
      const twice = await rejection(orm.em.fork().insert(Note, note('a')))
      assert.equal(driver.classify(twice, 'statement').kind, 'constraint')
      const wrong = await rejection(orm.em.fork().execute('this is no statement'))
      assert.equal(driver.classify(wrong, 'statement').kind, 'statement')
    })
  })

  test('streams rows while others write', async () => {
    await using(await openStore(bench()), async ({ orm }) => {
      await orm.em.fork().insertMany(
        Note,
        Array.from({ length: 50 }, (_, index) => note(`n-${index}`)),
      )
      let count = 0
      for await (const row of orm.em.fork().stream(Note)) {
        assert.ok(row.id)
        if (count === 10) await within(orm.em.fork().insert(Note, note('meanwhile')), limits.queryMs + slackMs)
        count += 1
      }
      assert.ok(count >= 50)
      assert.equal(await orm.em.fork().count(Note), 51)
    })
  })

  test('reports the text of statements to ECHO_SQL, never a value', async () => {
    const texts: string[] = []
    const echo = (sql: string): void => void texts.push(sql)
    await using(await openStore(bench(), { limits: { ...limits, echo } }), async ({ orm }) => {
      const em = orm.em.fork()
      em.create(Note, note('a', 'a-private-value'))
      await em.flush()
      await orm.em.fork().findOne(Note, { text: 'a-private-value' })
    })
    assert.ok(texts.some((text) => /insert into/i.test(text)))
    assert.ok(texts.every((text) => !text.includes('a-private-value')))
  })

  test('closes an ORM twice, and without one that was connected', async () => {
    const store = await openStore(bench())
    await store.engine.close(store.orm, 1_000)
    await store.engine.close(store.orm, 1_000)
    await assert.rejects(store.orm.em.fork().execute('select 1'))
    const [other] = await bench().driver.connect(await freshTarget(bench()), limits)
    assert.ok(other)
    const engine = other.engine(noFacts)
    await engine.close(createOrm(engine), 1_000)
  })

  test('ends an ORM within the limit though a transaction is open', async () => {
    const store = await openStore(bench())
    const em = store.orm.em.fork()
    await em.begin()
    await em.insert(Note, note('never'))
    await within(store.engine.close(store.orm, 100), 100 + slackMs)
    await em.rollback().catch(() => {})
    await using(await openStore(bench(), { target: store.target, made: true }), async ({ orm }) => {
      assert.equal(await orm.em.fork().count(Note), 0)
    })
  })
}

async function firstCandidate(bench: Bench): Promise<Candidate> {
  const [candidate] = await bench.driver.connect(await freshTarget(bench), limits)
  if (candidate === undefined) throw new Error('The driver returned no candidate.')
  return candidate
}

/** Runs with a store that is closed afterwards, whatever happens. */
export async function using<S extends AsyncDisposable, T>(store: S, work: (store: S) => Promise<T>): Promise<T> {
  try {
    return await work(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

/** Registers tests of one member of the engine; where it is absent they are skipped by name. */
export function engineTest(
  bench: () => Bench,
  member: 'statements' | 'schemaLock' | 'setReadOnly' | 'attempts' | 'replay' | 'feed',
): (title: string, run: (store: BenchStore, t: TestContext) => Promise<void>) => void {
  return (title, run) => {
    test(title, async (t) => {
      await using(await openStore(bench()), async (store) => {
        if (store.engine[member] === undefined) t.skip(`the engine has no "${member}"`)
        else await run(store, t)
      })
    })
  }
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const failure = await promise.then(
    () => null,
    (error: unknown) => ({ error }),
  )
  if (failure === null) throw new assert.AssertionError({ message: 'It did not reject.' })
  return failure.error
}

/** Sockets and the like that keep the process; timers come and go. */
function resources(): readonly string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /Wrap$/.test(name))
    .sort()
}
