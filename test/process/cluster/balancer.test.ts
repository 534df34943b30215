import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { noStandby } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { startBalancer } from '../../support/servers/tcp-balancer.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { changesOf, create, idsIn, primary, servePrimary, shortOf, writingWhile } from './service.ts'

describe('a cluster behind a balancer', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
  })

  test('connections that it sends to the standby serve no request, and none fails', async (t) => {
    const database = await cluster.createDatabase()
    const balancer = await startBalancer(t, cluster.primary)
    const service = await servePrimary(t, cluster.primary.url(database, balancer.port))
    const answers = await writingWhile(
      service,
      async () => {
        balancer.lead(cluster.standby, cluster.primary)
        balancer.drop(cluster.primary)
        await until(() => balancer.open(cluster.primary) > 1, { withinMs: 30_000, what: 'new connections' })
      },
      16,
    )
    assert.deepEqual([...new Set(answers.map(shortOf))], [`201 ${primary}`])
    assert.ok(!changesOf(service).includes('FALLBACK_CONNECTED'), changesOf(service).join())
    await until(() => balancer.open(cluster.standby) === 0, { withinMs: 30_000, what: 'the standby to be left' })
  })

  test('through a switchover behind it no request fails, and afterwards none meets a standby', async (t) => {
    const database = await cluster.createDatabase()
    const balancer = await startBalancer(t, cluster.primary)
    const service = await servePrimary(t, cluster.primary.url(database, balancer.port))
    const answers = await writingWhile(service, async () => {
      const { primary: old, standby } = cluster
      await cluster.switchover()
      // Still to the old one, which is the standby now: as long as the balancer has not noticed.
      await until(() => balancer.open(old) > 0, { withinMs: 30_000, what: 'a connection to the old one' })
      balancer.lead(standby)
      await until(async () => (await create(service)).status === 201, { withinMs: 60_000 })
    })
    assert.deepEqual([...new Set(answers.map(shortOf))], [`201 ${primary}`])
    const ids = await idsIn(cluster.primary, database)
    for (const { id } of answers) assert.ok(ids.includes(id), `${id} is missing`)
    await until(() => balancer.open(cluster.standby) === 0, { withinMs: 30_000, what: 'the standby to be left' })
  })

  test('a COMMIT whose wait for the synchronous standby is cancelled is unknown, whatever the server says when asked again', async (t) => {
    const database = await cluster.createDatabase()
    const service = await servePrimary(t, cluster.url(database))
    assert.equal((await create(service)).status, 201)
    await cluster.synchronous(true)
    cluster.standby.pause()
    const work = create(service, 2)
    const waiting = `select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = '${database}'`
    const [waiter] = await until(
      async () => {
        const seen = await cluster.primary.query(waiting)
        return seen.length > 0 && seen
      },
      { withinMs: 30_000, what: 'a COMMIT that waits' },
    )
    await cluster.primary.query(`select pg_cancel_backend(${String(waiter?.pid)})`)
    const answer = await work
    assert.deepEqual([answer.status, answer.code], [503, 'COMMIT_UNKNOWN'])
    assert.equal((await cluster.primary.query('select 1 from feedback where rating = 2', database)).length, 1)
    assert.deepEqual(changesOf(service).at(-1), 'PRIMARY_CONNECTED', 'the server itself is well')
    cluster.standby.resume()
    await cluster.synchronous(false)
    assert.equal(shortOf(await create(service)), `201 ${primary}`)
  })
})
