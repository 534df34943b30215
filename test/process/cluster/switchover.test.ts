import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { noStandby } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { reach } from '../serving.ts'
import { changesOf, create, fallback, idsIn, primary, serve, servePrimary, shortOf, writingWhile } from './service.ts'

describe('a cluster whose primary changes', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
  })

  test('through two planned switchovers in a row each request is answered by the primary, and each row is there once', async (t) => {
    const database = await cluster.createDatabase()
    const service = await servePrimary(t, cluster.url(database))
    const answers = await writingWhile(service, async () => {
      await cluster.switchover()
      await until(async () => (await create(service)).status === 201, { withinMs: 60_000 })
      // Again within the time for which a host that was lost twice would be left alone.
      await cluster.switchover()
    })
    assert.deepEqual([...new Set(answers.map(shortOf))], [`201 ${primary}`])
    assert.ok(!changesOf(service).includes('FALLBACK_CONNECTED'), changesOf(service).join())
    const ids = await idsIn(cluster.primary, database)
    assert.equal(new Set(ids).size, ids.length)
    for (const { id } of answers) assert.ok(ids.includes(id), `${id} is missing`)
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  test('an orphan is left for the promoted standby although it answers, and is not taken again', async (t) => {
    t.after(() => cluster.rejoin())
    const database = await cluster.createDatabase()
    const orphan = cluster.primary
    const service = await servePrimary(t, cluster.url(database))
    assert.equal(shortOf(await create(service)), `201 ${primary}`)
    await cluster.caughtUp()
    await cluster.promote()
    const landed = async () => {
      const { id } = await create(service)
      return id !== null && (await idsIn(cluster.primary, database)).includes(id)
    }
    await until(landed, { withinMs: 30_000, what: 'a row in the promoted one' })
    assert.match(JSON.stringify(service.log()), /PRIMARY_ORPHANED/)
    // The orphan stands first in the address, and accepts writes.
    assert.equal((await orphan.query('select pg_is_in_recovery() as standby'))[0]?.standby, false)
    const next = await servePrimary(t, cluster.url(database, [orphan, cluster.primary]))
    const { id } = await create(next)
    assert.ok((await idsIn(cluster.primary, database)).includes(id))
    assert.ok(!(await idsIn(orphan, database)).includes(id))
    assert.ok(!changesOf(service).includes('FALLBACK_CONNECTED'), changesOf(service).join())
  })

  test('the old primary that returns on its address as it was is passed over', async (t) => {
    t.after(() => cluster.rejoin())
    const database = await cluster.createDatabase()
    const old = cluster.primary
    const service = await servePrimary(t, cluster.url(database))
    await cluster.caughtUp()
    await old.kill()
    await cluster.promote()
    await until(async () => (await create(service)).status === 201, { withinMs: 60_000, what: 'the promoted one' })
    await old.start()
    const { id } = await create(service)
    const next = await servePrimary(t, cluster.url(database, [old, cluster.primary]))
    const { id: other } = await create(next)
    const ids = await idsIn(cluster.primary, database)
    assert.ok(ids.includes(id) && ids.includes(other))
    assert.ok(!changesOf(service).includes('FALLBACK_CONNECTED'), changesOf(service).join())
  })

  test('with standbys alone the fallback serves, and then the first that is promoted, with its rows', async (t) => {
    t.after(() => cluster.rejoin())
    const database = await cluster.createDatabase()
    const service = await servePrimary(t, cluster.url(database), { FAILOVER_WAIT: '0', FALLBACK_TIMEOUT: '2s' })
    assert.equal((await create(service)).store, primary)
    await cluster.caughtUp()
    await cluster.primary.kill()
    await until(async () => (await create(service)).store === fallback, { withinMs: 30_000, what: 'the fallback' })
    // A service that starts now finds no primary, and fails no request.
    const late = await serve(t, cluster.url(database), { FAILOVER_WAIT: '0', FALLBACK_TIMEOUT: '2s' })
    await until(async () => (await create(late)).store === fallback, { withinMs: 30_000, what: 'the fallback' })
    await cluster.promote()
    await reach(service, primary, 60_000)
    await reach(late, primary, 60_000)
    await until(async () => (await idsIn(cluster.primary, database)).length >= 3, { withinMs: 30_000 })
  })

  test('of two primaries on one timeline none is trusted: reads from the fallback, no writes, until one is left', async (t) => {
    t.after(() => cluster.rejoin())
    const database = await cluster.createDatabase()
    const service = await servePrimary(t, cluster.url(database))
    await cluster.split()
    const refused = async () => (await create(service)).code
    await until(async () => (await refused()) !== null, { withinMs: 30_000, what: 'a write to be refused' })
    const health = async () => await (await service.fetch('/health')).text()
    await until(async () => /PRIMARY_SPLIT/.test(await health()), { withinMs: 30_000, what: 'health to say so' })
    assert.equal((await service.fetch('/api/feedback?limit=1')).headers.get('holdfast-store'), fallback)
    await cluster.standby.kill()
    await reach(service, primary, 60_000)
    assert.equal(shortOf(await create(service)), `201 ${primary}`)
  })
})
