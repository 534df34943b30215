import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench } from '../../../src/conformance/bench.ts'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import { noStandby, startPostgres } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { startBalancer } from '../../support/servers/tcp-balancer.ts'
import { cleanupOf } from '../../support/temp.ts'
import { short, targetOf } from './room.ts'

describe('what PostgreSQL says of its place in a cluster', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  let bench: Bench
  let database = ''
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
    database = await cluster.createDatabase()
    bench = await createBench(driver, { address: async () => cluster.primary.url(database) })
    cleanup.after(() => bench.end())
  })

  async function standingOf(address: string): Promise<Standing> {
    const [candidate] = await driver.connect(targetOf(bench, address), short)
    const connection = await candidate?.open(AbortSignal.timeout(5_000))
    try {
      const standing = await connection?.standing?.(AbortSignal.timeout(5_000))
      assert.ok(standing)
      return standing
    } finally {
      await connection?.close()
    }
  }

  test('a primary and its standby are of one cluster, and two servers', async () => {
    const primary = await standingOf(cluster.primary.url(database))
    const standby = await standingOf(cluster.standby.url(database))
    assert.match(primary.cluster ?? '', /^\d+$/)
    assert.equal(standby.cluster, primary.cluster)
    assert.notEqual(standby.server, primary.server)
    assert.deepEqual(
      [primary.isWritable, primary.timeline, primary.members, standby.isWritable, standby.timeline, standby.members],
      [true, 1, 2, false, 1, 2],
    )
  })

  test('a position lies behind whatever was committed before, and by whatever way a server is reached, it is that one', async (t) => {
    const balancer = await startBalancer(t, cluster.primary)
    const first = await standingOf(cluster.primary.url(database))
    await cluster.primary.query('create table if not exists lines (id int)', database)
    const [end] = await cluster.primary.query("select (pg_current_wal_flush_lsn() - '0/0')::text as position")
    const second = await standingOf(cluster.primary.url(database, balancer.port))
    assert.equal(second.server, first.server)
    assert.ok((second.position ?? 0n) >= BigInt(String(end?.position)))
    assert.ok((second.position ?? 0n) > (first.position ?? 0n))
  })

  test('a role that may do nothing learns the same; where functions are not allowed, the rest is there', async () => {
    const { primary } = cluster
    await primary.query("create role nobody login password 'pw'")
    const address = primary.url(database).replace(/\/\/.*?@/, '//nobody:pw@')
    const whole = await standingOf(primary.url(database))
    const seen = await standingOf(address)
    assert.deepEqual({ ...seen, position: whole.position }, whole)
    await primary.query('revoke execute on function pg_control_system() from public', database)
    assert.deepEqual(await standingOf(address), { ...whole, cluster: null, timeline: null, position: null })
    await primary.query('revoke execute on function pg_postmaster_start_time() from public', database)
    const least = { cluster: null, server: null, isWritable: true, timeline: null, position: null, members: null }
    assert.deepEqual(await standingOf(address), least)
    await primary.query('grant execute on function pg_control_system(), pg_postmaster_start_time() to public', database)
  })

  test('a cluster of its own has an identifier of its own, one member, and a database that is set to read-only no writes', async (t) => {
    const other = await startPostgres(t, { isNew: true })
    const standing = await standingOf(other.url())
    assert.notEqual(standing.cluster, (await standingOf(cluster.primary.url(database))).cluster)
    assert.deepEqual([standing.isWritable, standing.members], [true, 1])
    await other.query('alter database postgres set default_transaction_read_only = on')
    assert.equal((await standingOf(other.url())).isWritable, false)
  })

  test('each promotion is another timeline at once; an orphan keeps the lower one', async () => {
    await cluster.switchover()
    const [promoted, follower] = [
      await standingOf(cluster.primary.url(database)),
      await standingOf(cluster.standby.url(database)),
    ]
    assert.deepEqual([promoted.timeline, promoted.isWritable, follower.isWritable], [2, true, false])
    await cluster.promote()
    const [next, orphan] = [
      await standingOf(cluster.primary.url(database)),
      await standingOf(cluster.standby.url(database)),
    ]
    assert.deepEqual([next.timeline, orphan.timeline, next.isWritable, orphan.isWritable], [3, 2, true, true])
    await cluster.rejoin()
    await cluster.caughtUp()
    assert.equal((await standingOf(cluster.standby.url(database))).isWritable, false)
  })
})
