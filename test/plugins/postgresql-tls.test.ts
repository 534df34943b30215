import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import driver from '../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench, openStore, urlAddress } from '../../src/driver/conformance-bench.ts'
import { makeCertificate, noOpenssl } from '../support/certificates.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/postgres.ts'
import { cleanupOf, makeTempDir } from '../support/temp.ts'

describe('TLS of a real PostgreSQL', { skip: noPostgres || noOpenssl }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  let authority = ''
  let stranger = ''
  let file = ''
  before(async () => {
    const made = await makeCertificate(cleanup)
    authority = made.authority
    stranger = (await makeCertificate(cleanup)).authority
    server = await startPostgres(cleanup, { tls: made })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
    file = join(await makeTempDir(cleanup, 'authority'), 'ca.crt')
    await writeFile(file, authority)
  })

  /** Whether the pool's own connections are encrypted, or the code of the fault. */
  async function outcome(query: string, host: string): Promise<boolean | string> {
    const text = `${server.url(await server.createDatabase()).replace('127.0.0.1', host)}?${query}`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target)
    try {
      const store = await openStore(bench, { target })
      const found = await store.orm.em.fork().execute('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
      await store[Symbol.asyncDispose]()
      return (found as { ssl: boolean }[])[0]?.ssl ?? 'nothing'
    } catch (error) {
      const fault = driver.classify(error, 'open')
      assert.equal(fault.kind, 'tls', `${query}: ${fault.code}`)
      return fault.code
    }
  }

  test('each mode does what libpq means by it', async () => {
    const [right, wrong] = [encodeURIComponent(authority), encodeURIComponent(stranger)]
    const cases: readonly (readonly [string, string, boolean | string])[] = [
      ['', '127.0.0.1', true],
      ['sslmode=disable', '127.0.0.1', false],
      ['sslmode=allow', '127.0.0.1', false],
      ['sslmode=prefer', '127.0.0.1', true],
      ['sslmode=require', '127.0.0.1', true],
      ['ssl=true', '127.0.0.1', true],
      ['sslmode=verify-ca', '127.0.0.1', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      [`sslmode=verify-ca&sslrootcert=${right}`, '127.0.0.1', true],
      [`sslmode=require&sslrootcert=${encodeURIComponent(file)}`, '127.0.0.1', true],
      [`sslmode=require&sslrootcert=${wrong}`, '127.0.0.1', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      [`sslmode=verify-full&sslrootcert=${right}`, 'localhost', true],
      [`sslmode=verify-full&sslrootcert=${right}`, '127.0.0.1', 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['sslmode=require&channel_binding=require', '127.0.0.1', true],
      ['sslmode=disable&channel_binding=require', '127.0.0.1', 'CHANNEL_BINDING'],
    ]
    for (const [query, host, wanted] of cases) assert.equal(await outcome(query, host), wanted, query.slice(0, 60))
  })

  test('a certificate file that is not there is found by looking', async () => {
    const text = `${server.url()}?sslmode=verify-full&sslrootcert=/nowhere/ca.crt`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target && driver.inspect)
    const { problems } = await driver.inspect(target)
    assert.deepEqual(
      problems.map(({ code, part }) => [code, part]),
      [['POSTGRESQL_TLS_FILE', 'sslrootcert']],
    )
  })
})
