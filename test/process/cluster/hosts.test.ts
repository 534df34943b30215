import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { mainEntry, startService } from '../../support/process.ts'
import { noStandby, startPostgres } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { type Cleanup, cleanLater, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { reach } from '../serving.ts'
import { create, fallback, idsIn, patientEnv, primary, serve, shortOf } from './service.ts'

describe('the hosts of an address', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
  })

  for (const [how, env] of [
    ['with a fallback', {}],
    ['without a fallback', { ENABLE_FALLBACK: 'false' }],
  ] as const) {
    test(`a first host that accepts and is silent takes no time of the next, ${how}`, async (t) => {
      const database = await cluster.createDatabase()
      const silent = await startProxy(t, cluster.primary)
      silent.behave('swallow')
      const limits = { CONNECTION_TIMEOUT: '120s', FALLBACK_TIMEOUT: '120s' }
      const url = cluster.url(database, [silent, cluster.standby, cluster.primary])
      const service = await serve(t, url, { ...env, ...limits })
      assert.equal(shortOf(await create(service)), `201 ${primary}`)
      // A loss asks it again.
      await cluster.switchover()
      await until(async () => shortOf(await create(service)) === `201 ${primary}`, { withinMs: 100_000 })
      await service.end()
    })
  }

  test('hosts of two clusters are refused, and named', async (t) => {
    const database = await cluster.createDatabase()
    const stranger = await startPostgres(t, { isNew: true })
    await stranger.query(`create database ${database}`)
    const service = await serve(t, cluster.url(database, [cluster.primary, stranger]))
    await until(async () => (await create(service)).store === fallback, { withinMs: 60_000, what: 'the fallback' })
    await until(() => service.log().some((line) => JSON.stringify(line).includes('ADDRESS_CLUSTERS_DIFFER')))
    assert.deepEqual(await stranger.query("select to_regclass('feedback') as is_there", database), [{ is_there: null }])
    // Where the address is right again, the rows are carried.
    await stranger.kill()
    await reach(service, primary, 60_000)
    await until(async () => (await idsIn(cluster.primary, database)).length > 0, { withinMs: 30_000 })
  })

  test('of a name with two addresses, the first of which is dead, the second serves', async (t) => {
    const database = await cluster.createDatabase()
    await deadAddress(t, cluster.primary.port)
    const url = cluster.primary.url(database).replace('127.0.0.1', 'cluster.test')
    const service = await startService(t, {
      env: { ...patientEnv, DATABASE_URL: url, CONNECTION_TIMEOUT: '120s', FALLBACK_TIMEOUT: '120s' },
      files: { 'names.mjs': namesText },
      args: ['--import', './names.mjs', mainEntry],
    })
    assert.equal(shortOf(await create(service)), `201 ${primary}`)
    assert.match(JSON.stringify(service.log()), /cluster\.test:\d+ \(127\.0\.0\.1\)/)
  })
})

/** A host that accepts and is silent, on the same port of another address. */
async function deadAddress(t: Cleanup, port: number): Promise<void> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    sockets.add(socket)
  })
  server.listen(port, '127.0.0.2')
  await once(server, 'listening')
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

/** Run before the service: a name service that knows one name more. */
const namesText = `
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
const { lookup } = dns
const known = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }))
dns.lookup = async (name, options) => (name === 'cluster.test' ? known : lookup(name, options))
syncBuiltinESMExports()
`
