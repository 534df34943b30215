import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench, limits, openStore } from '../../../src/conformance/bench.ts'
import type { Want } from '../../../src/driver/driver.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { targetOf } from './room.ts'

/** A PostgreSQL that says that it is another engine: what is found first on the search path answers. */
describe('an engine that speaks the protocol of PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  async function pretend(statement: string): Promise<string> {
    const database = await server.createDatabase()
    await server.query(`alter database ${database} set search_path = public, pg_catalog`)
    await server.query(statement, database)
    return database
  }

  const says = (text: string) => `create function version() returns text language sql as $$ select '${text}' $$`
  const cockroach = says('CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)')
  const yugabyte = says('PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu')
  const citus = "create view public.pg_extension as select 'citus'::name as extname"

  for (const [statement, version, name, facets] of [
    [cockroach, /^CockroachDB 23\.1\.11$/, 'CockroachDB', { schemaLock: false, feed: false }],
    [yugabyte, /^YugabyteDB 2\.20\.1\.0$/, 'YugabyteDB', { schemaLock: false, feed: false }],
    [citus, /^\d.* with Citus$/, 'Citus', { schemaLock: true, feed: true }],
    ['select 1', /^\d[^C]*$/, null, { schemaLock: true, feed: true }],
  ] as const) {
    test(`${name ?? 'PostgreSQL itself'}: facets are there as far as it has them, and what is untested is named`, async () => {
      const target = targetOf(bench, server.url(await pretend(statement)))
      const [candidate] = await driver.connect(target, limits)
      assert.ok(candidate)
      const connection = await candidate.open(AbortSignal.timeout(5_000))
      const verify = (proof: Want['proof']) => connection.verify({ role: 'primary', proof }, AbortSignal.timeout(5_000))
      try {
        const [looked, written] = [await verify('look'), await verify('write')]
        assert.match(looked.version, version)
        assert.deepEqual(
          [looked, written].map(({ problems }) => problems.map(({ code, severity }) => `${code} ${severity}`)),
          name === null ? [[], []] : [['ENGINE_UNTESTED warning'], ['ENGINE_UNTESTED info']],
        )
        if (name !== null) assert.match(looked.problems[0]?.message ?? '', new RegExp(`^The server is ${name}`))
        assert.equal(written.ownTables, 'ours')
      } finally {
        await connection.close()
      }
      await using store = await openStore(bench, { target })
      const { schemaLock, feed } = store.engine
      assert.deepEqual({ schemaLock: schemaLock !== undefined, feed: feed !== undefined }, facets)
    })
  }
})
