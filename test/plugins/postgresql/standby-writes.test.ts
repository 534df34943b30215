import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SafePool } from '../../../plugins/postgresql/client/pool.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import {
  type Bench,
  type BenchStore,
  createBench,
  limits,
  Note,
  note,
  openStore,
} from '../../../src/conformance/bench.ts'
import type { ServerEngine } from '../../../src/driver/kit/server-engine.ts'
import { noStandby } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { startBalancer, type TcpBalancer } from '../../support/servers/tcp-balancer.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { faultOf, insert, targetOf } from './room.ts'

const writing = 'insert into conformance_note values ($1, $1, 0)'

describe('writes to a cluster of a PostgreSQL and its standby', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  let bench: Bench
  let database = ''
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
    database = await cluster.createDatabase()
    bench = await createBench(driver, { address: async () => cluster.primary.url(database) })
    cleanup.after(() => bench.end())
    const made = await openStore(bench)
    await made[Symbol.asyncDispose]()
    await cluster.caughtUp()
  })

  /** A store of three connections at this port. */
  async function open(port: number, options: { queryMs?: number; query?: string } = {}): Promise<BenchStore> {
    const { queryMs = 5_000, query = '' } = options
    const store = await openStore(bench, {
      target: targetOf(bench, `${cluster.primary.url(database, port)}${query}`),
      made: true,
      limits: { ...limits, queryMs, poolSize: 3, poolMaxOverflow: 0 },
    })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    return store
  }

  function poolOf({ engine }: BenchStore): SafePool {
    const { pool } = engine as ServerEngine<SafePool> // This driver's own.
    assert.ok(pool !== null)
    return pool
  }

  /** That many connections, idle at once, the newest of which is taken next. */
  async function fill(pool: SafePool, count: number): Promise<void> {
    const held: Awaited<ReturnType<SafePool['acquire']>>[] = []
    while (held.length < count) held.push(await pool.acquire())
    for (const client of held) pool.release(client)
  }

  /** Connections that go to the standby, as if they had been opened before it became one; the last one goes to the primary. */
  async function astray(balancer: TcpBalancer, store: BenchStore): Promise<SafePool> {
    const pool = poolOf(store)
    balancer.lead(cluster.standby)
    await fill(pool, 2)
    balancer.lead(cluster.primary)
    return pool
  }

  test('a new connection that leads to a standby is passed over, within the wait of the caller', async (t) => {
    const balancer = await startBalancer(t, cluster.primary)
    const store = await open(balancer.port)
    const pool = poolOf(store)
    balancer.lead(cluster.standby, cluster.standby, cluster.primary)
    await fill(pool, 3)
    await until(() => balancer.open(cluster.standby) === 0, { what: 'the standby to be left' })
    assert.deepEqual([pool.size, balancer.open(cluster.primary)], [3, 3])
    await Promise.all(['n1', 'n2', 'n3'].map((id) => insert(store, id)))
    balancer.lead(cluster.standby)
    for (const client of await Promise.all([1, 2, 3].map(() => pool.acquire()))) {
      client.evict()
      await until(() => !client.isOpen)
      pool.release(client)
    }
    const fault = await faultOf(store.statements().write(writing, ['n4']), 'commit')
    assert.deepEqual([fault.kind, fault.code, fault.undone, fault.ambiguous], ['read-only', '25006', true, false])
  })

  test('an address that accepts standbys passes none over, and a write that one refuses leaves it where it is', async (t) => {
    const balancer = await startBalancer(t, cluster.standby)
    const store = await open(balancer.port, { query: '?target_session_attrs=any' })
    await store.statements().read('select 1', [])
    const fault = await faultOf(store.statements().write(writing, ['any']), 'commit')
    assert.deepEqual([fault.kind, fault.code, fault.undone], ['read-only', '25006', undefined])
    assert.equal(poolOf(store).size, 1)
  })

  for (const [how, write] of [
    ['a native statement', (store: BenchStore) => store.statements().write(writing, ['lost'])],
    ['a transaction', (store: BenchStore) => insert(store, 'lost')],
  ] as const) {
    test(`${how} that a standby refuses was not written, and its connection goes with the idle ones that are older`, async (t) => {
      const balancer = await startBalancer(t, cluster.primary)
      // A pooler's reports are not believed.
      const store = await open(balancer.port, { query: '?pgbouncer=true' })
      const pool = await astray(balancer, store)
      assert.equal(balancer.open(cluster.standby), 2)
      const fault = await faultOf(write(store), 'commit')
      assert.deepEqual([fault.kind, fault.code, fault.undone, fault.ambiguous], ['read-only', '25006', true, false])
      // The newer of the two was taken; the older one goes with it.
      await until(() => balancer.open(cluster.standby) === 0, { what: 'the standby to be left' })
      assert.equal(pool.size, 0)
      await write(store)
      await cluster.primary.query("delete from conformance_note where id = 'lost'", database)
    })
  }

  test('a role that may only read by default, and a transaction that was begun read-only, are no standby', async (t) => {
    const balancer = await startBalancer(t, cluster.primary)
    const store = await open(balancer.port)
    const begun = store.orm.em.fork().transactional((em) => em.insert(Note, note('begun')), { readOnly: true })
    const own = await faultOf(begun, 'statement')
    assert.deepEqual([own.kind, own.code, own.undone], ['statement', '25006', undefined])
    const setting = `alter database ${database}`
    await cluster.primary.query(`${setting} set default_transaction_read_only = on`)
    t.after(() => cluster.primary.query(`${setting} reset default_transaction_read_only`).then(() => {}))
    const pool = poolOf(store)
    await fill(pool, 1)
    // The first was opened before, and the session's own default is what counts.
    const held = await Promise.all([pool.acquire(), pool.acquire()])
    const fault = await faultOf(store.statements().write(writing, ['d']), 'commit')
    assert.deepEqual(
      [fault.kind, fault.code, fault.everywhere, fault.undone],
      ['read-only', 'DEFAULT_READ_ONLY', true, undefined],
    )
    for (const client of held) pool.release(client)
    assert.equal(pool.size, 3, 'nothing was evicted')
  })

  describe('with a synchronous standby', () => {
    before(() => cluster.synchronous(true))
    after(async () => {
      cluster.standby.resume()
      await cluster.synchronous(false)
    })

    const waiting = `select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = '$database'`
    const waiters = () => cluster.primary.query(waiting.replace('$database', database))
    const count = async (id: string) =>
      (await cluster.primary.query(`select 1 from conformance_note where id = '${id}'`, database)).length

    for (const [how, write] of [
      ['a native statement', (store: BenchStore) => store.statements().write(writing, ['cancelled'])],
      ['a COMMIT', (store: BenchStore) => insert(store, 'cancelled')],
      [
        'a statement with its request',
        (store: BenchStore) => {
          const first = { sql: writing, values: ['first'] }
          return store.statements().write(writing, ['cancelled'], { first })
        },
      ],
    ] as const) {
      test(`${how} whose wait is cancelled is neither done nor undone`, async () => {
        const store = await open(cluster.primary.port)
        await store.statements().read('select 1', [])
        cluster.standby.pause()
        const work = faultOf(write(store), 'commit')
        const [waiter] = await until(async () => {
          const seen = await waiters()
          return seen.length > 0 && seen
        })
        await cluster.primary.query(`select pg_cancel_backend(${String(waiter?.pid)})`)
        const fault = await work
        assert.deepEqual(
          [fault.kind, fault.code, fault.ambiguous, fault.undone],
          ['lost', 'SYNC_WAIT_CANCELLED', true, undefined],
        )
        assert.equal(await count('cancelled'), 1)
        cluster.standby.resume()
        // The connection is whole, and its next statement has no part in that.
        await store.statements().write("delete from conformance_note where id in ('cancelled', 'first')", [])
        assert.equal(poolOf(store).size, 1)
      })
    }

    test('one that waits for longer than its limit is left waiting: nobody sees it before the standby has it', async () => {
      const target = targetOf(bench, cluster.url(database))
      const narrow = { ...limits, queryMs: 500, poolSize: 3, poolMaxOverflow: 0 }
      const store = await openStore(bench, { target, made: true, limits: narrow })
      cleanup.after(async () => store[Symbol.asyncDispose]())
      // What a standby has in its configuration does not count.
      const [, other] = await driver.connect(target, narrow)
      const connection = await other?.open(AbortSignal.timeout(5_000))
      assert.equal((await connection?.standing?.(AbortSignal.timeout(5_000)))?.isWritable, false)
      await connection?.close()
      cluster.standby.pause()
      const fault = await faultOf(store.statements().write(writing, ['patient']), 'commit')
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], ['lost', 'QUERY_TIMEOUT', true])
      await until(() => poolOf(store).size === 0)
      assert.equal((await waiters()).length, 1)
      assert.equal(await count('patient'), 0)
      cluster.standby.resume()
      await until(async () => (await count('patient')) === 1, { what: 'the row' })
    })
  })

  test('what conflicts is undone, a lost connection is not', async (t) => {
    const proxy = await startProxy(t, cluster.primary)
    const store = await open(proxy.port, { queryMs: 2_000 })
    for (const [state, undone] of [
      ['40001', true],
      ['40P01', true],
      ['55P03', true],
      ['40003', undefined],
      ['57014', undefined],
    ] as const) {
      const raising = `do $$ begin raise exception using errcode = '${state}'; end $$`
      const fault = await faultOf(store.statements().write(raising, []), 'commit')
      assert.deepEqual([fault.code, fault.undone], [state, undone])
    }
    const dropped = proxy.once(/pg_sleep/, 'reset')
    const fault = await faultOf(
      store.statements().write("insert into conformance_note select 'x', 'x', 0 from pg_sleep(0)", []),
      'commit',
    )
    await dropped
    assert.deepEqual([fault.ambiguous, fault.undone], [true, undefined])
  })
})
