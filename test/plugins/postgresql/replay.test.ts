import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, openStore } from '../../../src/conformance/bench.ts'
import { rejection } from '../../../src/conformance/connection.ts'
import type { Attempts } from '../../../src/driver/facet/attempts.ts'
import type { Image, ImageTable } from '../../../src/driver/facet/image.ts'
import type { Replay } from '../../../src/driver/facet/replay.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { faultOf, short, targetOf } from './room.ts'

/** As the core compiles it. */
const claimingInsert = `with holdfast_claim as (insert into holdfast_attempt (id) values ($1) returning id)
  insert into conformance_note (id, text, count) select $2, $2, 0 from holdfast_claim`

describe('claims and replay on a real PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** A store on a database; `query` is added to its address. */
  async function open(database: string, query = '', more: Parameters<typeof openStore>[1] = {}): Promise<BenchStore> {
    const store = await openStore(bench, { target: targetOf(bench, server.url(database) + query), ...more })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    return store
  }

  const notesIn = async (database: string): Promise<number> =>
    Number((await server.query('select count(*) as n from conformance_note', database))[0]?.n)

  /** The process at the server that runs what the store's one connection sends. */
  const backendOf = async (store: BenchStore): Promise<number> =>
    Number((await store.statements().read('select pg_backend_pid() as pid', []))[0]?.pid)

  const isGone = (pid: number, database: string) => async (): Promise<boolean> =>
    (await server.query(`select from pg_stat_activity where pid = ${pid}`, database)).length === 0

  for (const first of ['the claim', 'the stopped write'] as const) {
    test(`a write at a stopped backend is settled by a claim, where ${first} comes first`, async () => {
      const database = await server.createDatabase()
      // A cancel request would end the write: behind a pooler none is sent.
      const writer = await open(database, '?pgbouncer=true', { limits: { ...short, poolSize: 1 } })
      const settler = await open(database, '', { made: true, limits: { ...short, connectMs: 30_000, queryMs: 10_000 } })
      const [attempt, pid] = [randomUUID(), await backendOf(writer)]
      process.kill(pid, 'SIGSTOP')
      const write = faultOf(writer.statements().write(claimingInsert, [attempt, 'row'], { attempt }), 'commit')
      const { kind, ambiguous } = await write
      assert.deepEqual([kind, ambiguous], ['lost', true])
      const goOn = async (): Promise<void> => {
        process.kill(pid, 'SIGCONT')
        await until(isGone(pid, database), { what: 'the backend to end' })
      }
      if (first === 'the stopped write') await goOn()
      const isNew = await attemptsOf(settler).claim(attempt)
      if (first === 'the claim') await goOn()
      assert.equal(isNew, first === 'the claim')
      assert.equal(await notesIn(database), isNew ? 0 : 1)
    })
  }

  test('a claim waits for one in the open transaction of a stopped backend, and gets it when that is gone', async () => {
    const database = await server.createDatabase()
    const holder = await open(database, '', { limits: { ...short, poolSize: 1 } })
    const settler = await open(database, '', { made: true })
    const impatient = await open(database, '', { made: true, limits: { ...short, poolSize: 1 } })
    const [attempt, pid, impatientPid] = [randomUUID(), await backendOf(holder), await backendOf(impatient)]
    const em = holder.orm.em.fork()
    await em.begin()
    await em.execute(`insert into holdfast_attempt (id) values ('${attempt}')`)
    process.kill(pid, 'SIGSTOP')
    const late = await faultOf(attemptsOf(impatient).claim(attempt), 'commit')
    assert.deepEqual([late.kind, late.ambiguous], ['lost', true])
    // Until it has been cancelled there, it may still claim.
    await until(isGone(impatientPid, database), { what: 'the late claim to end' })
    const waiting = attemptsOf(settler).claim(attempt)
    waiting.catch(() => {})
    await holder.engine.close(holder.orm, 0)
    process.kill(pid, 'SIGCONT')
    const isNew = await within(waiting, 5_000)
    await until(isGone(pid, database), { what: 'the backend to end' })
    const [{ n } = { n: null }] = await server.query(
      `select count(*)::int as n from holdfast_attempt where id = '${attempt}'`,
      database,
    )
    assert.deepEqual([isNew, n], [true, 1])
  })

  test('deadlocks, timeouts, conflicts and losses refuse no row; triggers and other types do', async () => {
    const database = await server.createDatabase()
    const store = await open(database)
    const { refusalOf } = replayOf(store)
    const raise = (state: string): Promise<unknown> =>
      rejection(store.orm.em.fork().execute(`do $$ begin raise exception sqlstate '${state}'; end $$`))
    const passing = ['40P01', '40001', '55P03', '57014', '25P03', '53100', '53300', '58030', '42501', '42601', 'XX000']
    for (const state of passing) assert.equal(refusalOf(await raise(state)), null, state)
    for (const state of ['22003', '23514', '23503', 'P0001', 'HF123', '54000', '42804', '44000']) {
      assert.equal(refusalOf(await raise(state)), 'refused', state)
    }
    assert.equal(refusalOf(await raise('23505')), 'unique')
    const ended = rejection(store.orm.em.fork().execute('select pg_terminate_backend(pg_backend_pid())'))
    assert.equal(refusalOf(await ended), null)
    for (const code of ['EPIPE', 'ECONNRESET']) assert.equal(refusalOf(Object.assign(new Error(code), { code })), null)
  })

  test('own tables that are gone refuse no row', async () => {
    const database = await server.createDatabase()
    const store = await open(database)
    await server.query('drop table holdfast_request', database)
    const error = await rejection(inTransaction(store, ({ claim }) => claim([randomUUID()])))
    assert.deepEqual(
      [driver.classify(error, 'statement').code, replayOf(store).refusalOf(error)],
      ['CLAIM_FAILED', null],
    )
  })

  test('outside of a transaction nothing is written', async () => {
    const store = await open(await server.createDatabase())
    await rejection(replayOf(store).claim([randomUUID()]))
    assert.deepEqual(await store.statements().read('select id from holdfast_attempt', []), [])
  })

  /** Tables whose names need quotes, name a type, or are in another schema. */
  const odd = { name: 'we"ird \'table', kind: 'text' } as const
  const columns: ImageTable['columns'] = [
    { name: 'id', kind: 'text' },
    { name: 'holdfast_attempt', kind: 'text' },
    { name: 'present', kind: 'json' },
    { name: 'given', kind: 'boolean' },
    { name: 'select', kind: 'json' },
    odd,
  ]
  const definition = (id: string): string =>
    `id ${id} primary key, holdfast_attempt ${id}, present jsonb, given smallint, "select" json, "we""ird 'table" text`

  for (const [what, name, id, prepare, query] of [
    ['the name of a type', 'date', 'uuid', [], ''],
    ['a name that needs quotes', odd.name, 'text', [], ''],
    ['another schema', 'notes', 'varchar(36)', ['create schema app'], '?options=-csearch_path%3Dapp'],
    ['partitions', 'parts', 'uuid', [], ''],
  ] as const) {
    test(`a table with ${what} is replayed`, async () => {
      const database = await server.createDatabase()
      for (const text of prepare) await server.query(text, database)
      const quotedName = `${prepare.length > 0 ? 'app.' : ''}"${name.replaceAll('"', '""')}"`
      const isParted = name === 'parts'
      await server.query(
        `create table ${quotedName} (${definition(id)})${isParted ? ' partition by hash (id)' : ''}`,
        database,
      )
      for (const at of isParted ? [0, 1] : []) {
        await server.query(
          `create table parts_${at} partition of parts for values with (modulus 2, remainder ${at})`,
          database,
        )
      }
      const store = await open(database, query)
      const table: ImageTable = { name, columns }
      const images = Array.from({ length: 5 }, (_, at): Image => {
        const given = { present: `{"a": ${at}}`, given: '1', select: '{"b":1,  "a":2}', [odd.name]: `"${at}` }
        return { id: randomUUID(), holdfast_attempt: at === 0 ? null : randomUUID(), ...given }
      })
      const changed = images.map((image): Image => ({ ...image, holdfast_attempt: randomUUID(), given: '0' }))
      await inTransaction(store, async ({ insert, lock, update, remove }) => {
        assert.equal(await insert(table, images), 5)
        const ids = images.map((image) => image.id ?? '')
        assert.deepEqual([...(await lock(table, ids)).values()].map(plain).sort(byId), [...images].sort(byId))
        const updates = changed.map((image, at) => ({ image, base: images[at]?.holdfast_attempt ?? null }))
        assert.equal(await update(table, updates), 5)
        assert.deepEqual([...(await lock(table, ids)).values()].map(plain).sort(byId), [...changed].sort(byId))
        const removals = changed.map((image) => ({ id: image.id ?? '', base: image.holdfast_attempt ?? null }))
        assert.equal(await remove(table, removals.slice(1)), 4)
      })
    })
  }

  test('a trigger that skips a row shows in the count, and one that raises refuses it', async () => {
    const database = await server.createDatabase()
    await server.query('create table guarded (id uuid primary key, holdfast_attempt uuid, word text)', database)
    await server.query(
      `create function guard() returns trigger language plpgsql as $$ begin
        if new.word = 'skip' then return null; end if;
        if new.word = 'raise' then raise exception sqlstate 'MY001'; end if;
        return new; end $$`,
      database,
    )
    await server.query('create trigger g before insert on guarded for each row execute function guard()', database)
    const store = await open(database)
    const table: ImageTable = {
      name: 'guarded',
      columns: ['id', 'holdfast_attempt', 'word'].map((name) => ({ name, kind: 'text' })),
    }
    const rows = (word: string): readonly Image[] =>
      [word, 'good'].map((one) => ({ id: randomUUID(), holdfast_attempt: null, word: one }))
    assert.equal(await inTransaction(store, ({ insert }) => insert(table, rows('skip'))), 1)
    const error = await rejection(inTransaction(store, ({ insert }) => insert(table, rows('raise'))))
    assert.equal(replayOf(store).refusalOf(error), 'refused')
  })

  test('numbers are read exactly where the role rounds them', async () => {
    const database = await server.createDatabase()
    await server.query(`alter database ${database} set extra_float_digits = 0`)
    await server.query('create table n (id uuid primary key, holdfast_attempt uuid, ratio float8)', database)
    const store = await open(database)
    const table: ImageTable = {
      name: 'n',
      columns: [
        { name: 'id', kind: 'text' },
        { name: 'ratio', kind: 'number' },
      ],
    }
    const id = randomUUID()
    await inTransaction(store, async ({ insert, lock }) => {
      await insert(table, [{ id, ratio: '0.30000000000000004' }])
      assert.equal((await lock(table, [id])).get(id)?.ratio, '0.30000000000000004')
    })
  })
})

function attemptsOf({ engine, orm }: BenchStore): Attempts {
  const attempts = engine.attempts?.(orm)
  assert.ok(attempts)
  return attempts
}

function replayOf({ engine, orm }: BenchStore): Replay {
  const replay = engine.replay?.(orm)
  assert.ok(replay)
  return replay
}

function inTransaction<T>(store: BenchStore, work: (replay: Replay) => Promise<T>): Promise<T> {
  return store.orm.em.fork().transactional(() => work(replayOf(store)))
}

const plain = (row: Image): Image => ({ ...row })
const byId = (a: Image, b: Image): number => ((a.id ?? '') < (b.id ?? '') ? -1 : 1)
