import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SafePool } from '../../../plugins/postgresql/client/pool.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, limits, openStore } from '../../../src/conformance/bench.ts'
import type { Statements } from '../../../src/driver/facet/statements.ts'
import type { ServerEngine } from '../../../src/driver/kit/server-engine.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { faultOf, targetOf } from './room.ts'

const queryMs = 1_000

const reading = 'select pg_backend_pid() as pid, count from conformance_note where id = $1'
const changing = 'update conformance_note set count = count + 1 where id = $1 returning count'

/** Statements that wait for a connection leave together; what becomes of one of them is its own. */
describe('statements that share a connection', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  interface Room extends BenchStore {
    readonly database: string
    readonly pool: SafePool
    readonly native: Statements
  }

  /** One connection for all, whose statements are known to be fast; up to `poolMaxOverflow` for those that have to wait. */
  async function open(poolMaxOverflow: number): Promise<Room> {
    const database = await server.createDatabase()
    const target = targetOf(bench, server.url(database))
    const store = await openStore(bench, {
      target,
      limits: { ...limits, connectMs: 30_000, queryMs, poolSize: 1, poolMaxOverflow },
    })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    const native = store.statements()
    for (const id of ['a', 'b', 'c']) await native.write('insert into conformance_note values ($1, $1, 0)', [id])
    let fast = 0
    // So many of them that earlier measurements count for nothing.
    await until(
      async () => {
        const startedAt = performance.now()
        await native.read(reading, ['a'])
        fast = performance.now() - startedAt < 2 ? fast + 1 : 0
        return fast >= 20
      },
      { withinMs: 60_000, everyMs: 0, what: 'fast statements' },
    )
    const { pool } = store.engine as ServerEngine<SafePool> // This driver's own.
    assert.ok(pool !== null)
    return { ...store, statements: store.statements, database, pool, native }
  }

  /** Changes of a, b and c that were sent together while another session holds the row of `a`. */
  async function blocked({ native, database }: Room): Promise<readonly Promise<unknown>[]> {
    const holder = server.query(
      "begin; update conformance_note set count = 9 where id = 'a'; select pg_sleep(3)",
      database,
    )
    holder.catch(() => {})
    await until(async () => (await waits('PgSleep', database)).length > 0, { what: 'the lock' })
    const first = native.read(reading, ['a'])
    const changes = ['a', 'b', 'c'].map((id) => native.write(changing, [id]))
    for (const change of changes) change.catch(() => {})
    await first
    await until(async () => (await waits('transactionid', database)).length > 0, { what: 'the wait for the lock' })
    return changes
  }

  async function waits(event: string, database: string): Promise<readonly number[]> {
    const rows = await server.query(
      `select pid from pg_stat_activity where datname = '${database}' and wait_event = '${event}'`,
    )
    return rows.map(({ pid }) => Number(pid))
  }

  test('an error is that of its own statement alone, and the connection stays', async () => {
    const { native, pool } = await open(0)
    const given = Array.from({ length: 24 }, (_, at) => (at % 3 === 1 ? 0 : 1))
    const answers = await Promise.allSettled(
      given.map((by) => native.read('select pg_backend_pid() as pid, 1 / $1::int as one', [by])),
    )
    assert.deepEqual(
      answers.map(({ status }) => status),
      given.map((by) => (by === 0 ? 'rejected' : 'fulfilled')),
    )
    const pids = answers.flatMap((one) => (one.status === 'fulfilled' ? one.value.map(({ pid }) => pid) : []))
    assert.equal(new Set(pids).size, 1)
    assert.equal(pool.size, 1)
    const [row] = await native.read(reading, ['b'])
    assert.equal(row?.pid, pids[0])
  })

  test('a statement that cannot be prepared fails alone, each time, and others are still prepared', async () => {
    const { native, pool } = await open(0)
    for (let round = 0; round < 2; round += 1) {
      const wrong = [1, 2, 3].map((value) => faultOf(native.read('select $1::int from nowhere', [value]), 'statement'))
      const unread = [1, 2, 3].map(() => faultOf(native.read('select $1::int as one', ['no number']), 'statement'))
      const right = [1, 2, 3].map((value) => native.read('select $1::int + 1 as next', [value]))
      assert.deepEqual(
        (await Promise.all([...wrong, ...unread])).map(({ code }) => code),
        ['42P01', '42P01', '42P01', '22P02', '22P02', '22P02'],
      )
      assert.deepEqual((await Promise.all(right)).flat(), [{ next: 2 }, { next: 3 }, { next: 4 }])
    }
    assert.deepEqual(await native.read('select $1::int as one', [1]), [{ one: 1 }])
    assert.equal(pool.isPooled, false, 'names are used as before')
  })

  test('a table that changes under prepared statements is read as it is now', async () => {
    const { native, database, pool } = await open(0)
    await server.query('alter table conformance_note alter column count type text', database)
    const rows = await Promise.all(['a', 'b', 'c', 'a', 'b'].map((id) => native.read(reading, [id])))
    assert.deepEqual(
      rows.flat().map(({ count }) => count),
      ['0', '0', '0', '0', '0'],
    )
    assert.equal(pool.isPooled, false)
    const kept = 'select count(*)::int as count from pg_prepared_statements where statement = $1'
    assert.deepEqual(await native.read(kept, [reading]), [{ count: 2 }], 'prepared once more, and not by each of them')
  })

  test('values of every kind arrive as they are', async () => {
    const { native } = await open(0)
    const at = new Date('2026-03-29T01:30:00.123Z')
    const text =
      'select $1::timestamptz = $2::timestamptz as at, $3::bytea as bytes, $4::bigint as big, $5::bool as yes, $6::text as none'
    const values = [at, '2026-03-29 01:30:00.123+00', new Uint8Array([0, 255]), 2n ** 62n, false, null]
    const [row] = await native.read(text, values)
    await assert.rejects(native.read('select $1::timestamptz as at', [new Date(Number.NaN)]))
    assert.deepEqual(row, { at: true, bytes: Buffer.from([0, 255]), big: String(2n ** 62n), yes: false, none: null })
  })

  test('a statement that changes the session is sent alone: what others wrote is not part of its transaction', async () => {
    const { native } = await open(3)
    const held = native.read(reading, ['a'])
    const given = ['a', 'begin', 'b', 'c'].map((id) =>
      id === 'begin' ? native.write('begin', []) : native.write(changing, [id]),
    )
    await Promise.all([held, ...given])
    const rows = await Promise.all(['a', 'b', 'c'].map((id) => native.read(reading, [id])))
    assert.deepEqual(
      rows.flat().map(({ count }) => count),
      [1, 1, 1],
    )
  })

  test('an answer without rows, or with data that are none, ends its own statement alone', async () => {
    const { native, pool } = await open(0)
    const empty = ['', '-- nothing', 'copy conformance_note to stdout'].map((text) => native.read(text, []))
    const refused = faultOf(native.write('copy conformance_note from stdin', []), 'commit')
    const right = native.read('select 1 as one', [])
    assert.deepEqual(await Promise.all(empty), [[], [], []])
    assert.equal((await refused).code, '57014')
    assert.deepEqual(await right, [{ one: 1 }])
    assert.equal(pool.size, 1)
  })

  test('with their connection each write is lost on its own: what became of it is unknown', async () => {
    const room = await open(3)
    const changes = await blocked(room)
    const [pid = 0] = await waits('transactionid', room.database)
    await server.query(`select pg_terminate_backend(${pid})`)
    for (const change of changes) {
      const { kind, ambiguous } = await faultOf(change, 'commit')
      assert.deepEqual({ kind, ambiguous }, { kind: 'lost', ambiguous: true })
    }
    assert.equal((await room.native.read(reading, ['b'])).length, 1)
  })

  test('the one that takes too long has its own error, and the others do not wait for longer', async () => {
    const room = await open(3)
    const changes = await blocked(room)
    const faults = await within(Promise.all(changes.map((change) => faultOf(change, 'commit'))), 2 * queryMs, 'all')
    assert.deepEqual(
      faults.map(({ code, ambiguous }) => ({ isLate: code === 'QUERY_TIMEOUT', ambiguous })),
      [true, false, false].map((isLate) => ({ isLate, ambiguous: true })),
    )
    assert.equal((await room.native.read(reading, ['b'])).length, 1)
  })
})
