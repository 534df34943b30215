import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench } from '../../../src/conformance/bench.ts'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import type { Candidate, Facts } from '../../../src/driver/driver.ts'
import { noStandby, type Postgres, startPostgres, startStandby } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { faultOf, openingFault, short, targetOf } from './room.ts'

describe('a cluster of a PostgreSQL that takes writes and a standby', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let standby: Postgres
  let bench: Bench
  let database = ''
  before(async () => {
    server = await startPostgres(cleanup)
    standby = await startStandby(cleanup, server)
    database = await server.createDatabase()
    await until(() => standby.query('select 1', database).then(() => true), { what: 'the standby to follow' })
    bench = await createBench(driver, { address: async () => server.url(database) })
    cleanup.after(() => bench.end())
  })

  /** The address with these hosts, in this order. */
  function cluster(ports: readonly number[], query: string): string {
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
    return `${server.url(database).replace(/127\.0\.0\.1:\d+/, hosts)}${query}`
  }

  /** The first host that can serve, as the core finds it; how many were passed over. */
  async function found(text: string): Promise<{ facts: Facts; candidate: Candidate; passed: number } | null> {
    const candidates = await driver.connect(targetOf(bench, text), short)
    for (const [passed, candidate] of candidates.entries()) {
      try {
        const connection = await candidate.open(AbortSignal.timeout(3_000))
        try {
          const want = { role: 'primary', proof: 'write' } as const
          return { facts: await connection.verify(want, AbortSignal.timeout(3_000)), candidate, passed }
        } finally {
          await connection.close()
        }
      } catch {
        // The next one.
      }
    }
    return null
  }

  for (const [wish, passed, code] of [
    ['', 1, undefined],
    ['?target_session_attrs=read-write', 1, undefined],
    ['?target_session_attrs=primary', 1, undefined],
    ['?target_session_attrs=any', 0, 'ADDRESS_READ_ONLY'],
    ['?target_session_attrs=standby', 0, 'ADDRESS_READ_ONLY'],
    ['?target_session_attrs=read-only', 0, 'ADDRESS_READ_ONLY'],
    ['?target_session_attrs=prefer-standby', 0, 'ADDRESS_READ_ONLY'],
  ] as const) {
    test(`with the standby first, "${wish}" passes over ${passed}`, async () => {
      const outcome = await found(cluster([standby.port, server.port], wish))
      assert.ok(outcome)
      assert.equal(outcome.passed, passed)
      assert.equal(outcome.facts.problems[0]?.code, code)
      assert.equal(outcome.facts.ownTables, code === undefined ? 'ours' : 'absent')
      assert.match(outcome.candidate.label, new RegExp(`:${(passed === 0 ? standby : server).port}/`))
    })
  }

  for (const [wish, passed] of [
    ['?target_session_attrs=standby', 1],
    ['?target_session_attrs=read-only', 1],
    ['?target_session_attrs=prefer-standby', 1],
    ['?target_session_attrs=any', 0],
  ] as const) {
    test(`with the standby last, "${wish}" passes over ${passed}`, async () => {
      assert.equal((await found(cluster([server.port, standby.port], wish)))?.passed, passed)
    })
  }

  test('where no standby answers "prefer-standby" takes what takes writes, and "standby" nothing', async () => {
    const outcome = await found(cluster([1, server.port], '?target_session_attrs=prefer-standby'))
    assert.deepEqual([outcome?.passed, outcome?.facts.ownTables], [3, 'ours'])
    assert.equal(await found(cluster([1, server.port], '?target_session_attrs=standby')), null)
    const fault = await openingFault(bench, cluster([server.port], '?target_session_attrs=standby'))
    assert.deepEqual([fault.kind, fault.code], ['configuration', 'SESSION_ATTRS'])
  })

  test('a standby alone is no primary', async () => {
    const fault = await openingFault(bench, cluster([standby.port], ''))
    assert.deepEqual([fault.kind, fault.code], ['read-only', '25006'])
  })

  test('a standby that was asked for refuses writes as "read-only", and still is what was asked for', async () => {
    const outcome = await found(cluster([standby.port], '?target_session_attrs=standby'))
    assert.ok(outcome)
    const connection = await outcome.candidate.open(AbortSignal.timeout(3_000))
    await connection.close()
    const { SqlMikroORM } = await import('@mikro-orm/sql')
    const engine = outcome.candidate.engine(outcome.facts)
    const orm = new SqlMikroORM({ ...engine.ormOptions, entities: [] } as never) // Its driver class is not nameable here.
    await orm.connect()
    assert.equal((await orm.em.fork().execute('select 1 as one'))[0]?.one, 1)
    const fault = await faultOf(orm.em.fork().execute('create table x (id int)'), 'commit')
    assert.deepEqual([fault.kind, fault.ambiguous], ['read-only', false])
    await engine.close(orm as never, 500)
  })

  test('default_transaction_read_only is read-only, and no standby', async () => {
    const set = await server.createDatabase()
    await server.query(`alter database ${set} set default_transaction_read_only = on`)
    const text = server.url(set)
    assert.equal((await openingFault(bench, text)).kind, 'read-only')
    assert.equal((await openingFault(bench, `${text}?target_session_attrs=standby`)).code, 'SESSION_ATTRS')
    for (const wish of ['any', 'primary', 'read-only', 'prefer-standby']) {
      const outcome = await found(`${text}?target_session_attrs=${wish}`)
      assert.equal(outcome?.facts.problems[0]?.code, 'ADDRESS_READ_ONLY', wish)
    }
  })

  test('a first host that swallows everything takes no time of the others, with and without a fallback', async (t) => {
    const proxy = await startProxy(t, server)
    proxy.behave('swallow')
    const settings = { limits: { ...short, connectMs: 30_000 }, durable: null, isSpace: false }
    const opener = new DatabaseEngineFactory({ entities: [], settings: () => settings })
    for (const enabled of [true, false]) {
      const fallback = { ...bench.settings.fallback, enabled, timeoutS: 30 }
      const text = cluster([proxy.port, standby.port, server.port], '')
      const target = targetOf({ ...bench, settings: { ...bench.settings, fallback } }, text)
      const store = await opener.open({ driver, target }, 'primary', AbortSignal.timeout(20_000))
      assert.match(store.label, new RegExp(`:${server.port}/`))
      assert.equal(store.hasOthers, true)
      await store.close(500)
    }
  })
})
