import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench } from '../../../src/conformance/bench.ts'
import type { ResolvedTarget } from '../../../src/database/address/config.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { type ConnectionTest, testConnection } from '../../../src/database/store/connection-test.ts'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import { Supervisor } from '../../../src/database/supervisor/supervisor.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { defaults } from '../../database/rig.ts'
import { noStandby, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { short, targetOf } from './room.ts'

const settings = { limits: { ...short, connectMs: 10_000 }, durable: null, isSpace: false }

describe('the hosts of a cluster of PostgreSQL', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  let bench: Bench
  let database = ''
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
    database = await cluster.createDatabase()
    bench = await createBench(driver, { address: async () => cluster.url(database) })
    cleanup.after(() => bench.end())
  })

  function addressOf(...hosts: readonly { readonly port: number }[]): ResolvedTarget {
    return { driver, target: targetOf(bench, cluster.url(database, hosts)) }
  }

  /** What the check says of each host, by its port. */
  function seen({ attempts }: ConnectionTest): Readonly<Record<string, string>> {
    return Object.fromEntries(
      attempts.map(({ label, fault, standing }) => [
        /:(\d+)\//.exec(label)?.[1] ?? label,
        standing === null
          ? (fault?.code ?? '')
          : `${standing.isWritable ? 'writable' : 'standby'} ${standing.timeline}`,
      ]),
    )
  }

  const opener = () => new DatabaseEngineFactory({ entities: [], settings: () => settings })

  test('the check says of each what it is, whatever another one does', async (t) => {
    const { primary, standby } = cluster
    const proxy = await startProxy(t, primary)
    proxy.behave('swallow')
    const found = await testConnection(addressOf(proxy, { port: 1 }, standby, primary), settings, systemClock)
    assert.match(found.served ?? '', new RegExp(`:${primary.port}/`))
    assert.deepEqual(seen(found), {
      [proxy.port]: 'CONNECTION_TIMEOUT',
      1: 'ECONNREFUSED',
      [standby.port]: 'standby 1',
      [primary.port]: 'writable 1',
    })
  })

  test('hosts of two clusters are refused by opening and check', async () => {
    const other: Postgres = await startPostgres(cleanup, { isNew: true })
    await other.query(`create database ${database}`)
    for (const hosts of [
      [cluster.primary, other],
      [other, cluster.standby],
    ]) {
      const address = addressOf(...hosts)
      await assert.rejects(opener().open(address, 'primary', AbortSignal.timeout(20_000)), (error) => {
        return error instanceof FaultError && error.fault.code === 'ADDRESS_CLUSTERS_DIFFER'
      })
      assert.equal((await testConnection(address, settings, systemClock)).fault?.code, 'ADDRESS_CLUSTERS_DIFFER')
    }
  })

  test('an orphan is left for the one that was promoted, and is never opened again', async (t) => {
    const orphan = cluster.primary
    const address = addressOf(orphan, cluster.standby)
    const supervisor = new Supervisor({
      opener: opener(),
      settings: { ...defaults, limits: settings.limits, fallbackEnabled: false },
      config: {
        current: { declared: true, absence: null, primary: address, fallback: null, problems: [] },
        fresh: async () => ({ declared: true, absence: null, primary: address, fallback: null, problems: [] }),
        secretsFingerprint: async () => '',
      },
    })
    t.after(() => supervisor.close(2_000))
    await supervisor.open()
    assert.match(supervisor.current?.store.label ?? '', new RegExp(`:${orphan.port}/`))
    await cluster.promote()
    const { port } = cluster.primary
    await until(() => supervisor.current?.store.label.includes(`:${port}/`) === true, {
      withinMs: 30_000,
      what: 'the orphan to be left',
    })
    await until(() => supervisor.cluster.hosts.some(({ role }) => role === 'orphan'), { what: 'a look at the orphan' })
    for (const hosts of [
      [orphan, cluster.primary],
      [cluster.primary, orphan],
    ]) {
      const store = await opener().open(addressOf(...hosts), 'primary', AbortSignal.timeout(20_000))
      assert.match(store.label, new RegExp(`:${port}/`))
      await store.close(500)
      assert.match(
        (await testConnection(addressOf(...hosts), settings, systemClock)).served ?? '',
        new RegExp(`:${port}/`),
      )
    }
  })
})
