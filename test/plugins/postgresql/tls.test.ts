import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createCandidates } from '../../../plugins/postgresql/candidate.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench, limits, openStore, urlAddress } from '../../../src/conformance/bench.ts'
import type { Connection } from '../../../src/driver/driver.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

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
    server = await startPostgres(cleanup, {
      tls: { certificate: made.certificate, key: made.key },
      hba: ['hostnossl all only_tls 127.0.0.1/32 reject', 'hostssl all only_plain 127.0.0.1/32 reject'],
    })
    await server.query('create role only_tls superuser login; create role only_plain superuser login')
    await server.query("alter role only_tls password 'pw'; alter role only_plain password 'pw'")
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
      // Without a root certificate the authorities that Node knows count, and the name is checked.
      ['sslmode=verify-ca', '127.0.0.1', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ['sslmode=verify-full', 'localhost', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ['sslrootcert=system', 'localhost', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ['sslmode=prefer&sslrootcert=system', 'localhost', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      // A root certificate is a wish to know who answers, also where no mode says so.
      [`sslrootcert=${right}`, '127.0.0.1', true],
      [`sslrootcert=${wrong}`, '127.0.0.1', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
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

  test('the connection has the version that the address asks for, or is none', async (t) => {
    const versionWith = async (query: string) => {
      const { target } = driver.parse(urlAddress(bench, `${server.url()}?${query}`), bench.settings)
      assert.ok(target, query)
      const [candidate] = await driver.connect(target, limits)
      const connection = await candidate?.open(AbortSignal.timeout(3_000)).catch((error: unknown) => error)
      if (connection instanceof Error) return driver.classify(connection, 'open').kind
      const facts = await (connection as Connection).verify(
        { role: 'primary', proof: 'look' },
        AbortSignal.timeout(3_000),
      ) // It did not fail.
      await (connection as Connection).close()
      return facts.insight?.encryption
    }
    assert.equal(await versionWith('ssl_min_protocol_version=TLSv1.3'), 'TLSv1.3')
    assert.equal(await versionWith('ssl_max_protocol_version=TLSv1.2'), 'TLSv1.2')
    await server.query("alter system set ssl_max_protocol_version = 'TLSv1.2'")
    await server.query('select pg_reload_conf()')
    t.after(async () => {
      await server.query('alter system reset ssl_max_protocol_version')
      await server.query('select pg_reload_conf()')
    })
    assert.equal(await until(() => versionWith('sslmode=require').then((one) => one === 'TLSv1.2' && one)), 'TLSv1.2')
    assert.equal(await versionWith('sslmode=prefer&ssl_min_protocol_version=TLSv1.3'), 'tls')
  })

  test('"allow" and "prefer" take the other way where the server lets this user in by that alone', async () => {
    for (const [user, mode, wanted] of [
      ['only_tls', 'allow', true],
      ['only_tls', 'prefer', true],
      ['only_tls', 'disable', 'auth'],
      ['only_plain', 'allow', false],
      ['only_plain', 'prefer', false],
      ['only_plain', 'require', 'auth'],
    ] as const) {
      const text = `${server.url().replace(/\/\/[^@]*@/, `//${user}:pw@`)}?sslmode=${mode}`
      const { target } = driver.parse(urlAddress(bench, text), bench.settings)
      assert.ok(target)
      const [candidate] = await driver.connect(target, limits)
      const seen = await candidate?.open(AbortSignal.timeout(3_000)).then(
        async (connection) => {
          await connection.close()
          return 'open' as const
        },
        (error: unknown) => driver.classify(error, 'open'),
      )
      if (typeof wanted === 'string') {
        assert.ok(typeof seen === 'object')
        assert.deepEqual([seen.kind, seen.code], [wanted, '28000'], `${user} ${mode}`)
        assert.match(seen.hint, /sslmode=require/)
      } else {
        assert.equal(seen, 'open', `${user} ${mode}`)
        const store = await openStore(bench, { target })
        const found = await store.orm.em.fork().execute('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
        await store.orm.schema.drop()
        await store[Symbol.asyncDispose]()
        assert.deepEqual(found, [{ ssl: wanted }], `${user} ${mode}`)
      }
    }
  })

  test('a server whose certificate signed itself is told from one whose signer is unknown', async (t) => {
    const { authority: certificate, authorityKey: key } = await makeCertificate(cleanup)
    const other = await startPostgres(t, { tls: { certificate, key } })
    const faultWith = async (query: string) => {
      const { target } = driver.parse(urlAddress(bench, `${other.url()}?${query}`), bench.settings)
      assert.ok(target)
      const [candidate] = await driver.connect(target, limits)
      const error = await candidate?.open(AbortSignal.timeout(3_000)).then(
        (connection) => connection.close(),
        (reason: unknown) => reason,
      )
      return error === undefined ? null : driver.classify(error, 'open')
    }
    const fault = await faultWith('sslmode=verify-full')
    assert.deepEqual([fault?.kind, fault?.code], ['tls', 'DEPTH_ZERO_SELF_SIGNED_CERT'])
    assert.equal(await faultWith('sslmode=require'), null)
    assert.equal(await faultWith(`sslmode=verify-ca&sslrootcert=${encodeURIComponent(certificate)}`), null)
  })

  test('a certificate of the client is shown, from the address, a file or the text of a variable', async (t) => {
    const made = await makeCertificate(cleanup)
    const other = await startPostgres(t, { tls: made, hba: ['hostssl all all 127.0.0.1/32 cert'] })
    const folder = await makeTempDir(t, 'client')
    await writeFile(join(folder, 'client.crt'), made.client.certificate)
    await writeFile(join(folder, 'client.key'), made.client.key)
    const url = `postgres://holdfast@127.0.0.1:${other.port}/postgres?sslmode=require`
    const fromText = { sslCert: made.client.certificate, sslKey: made.client.key.replaceAll('\n', '\\n') }
    const fromFile = `${url}&sslcert=${join(folder, 'client.crt')}&sslkey=${join(folder, 'client.key')}`
    const opened = async (text: string, postgresql: Readonly<Record<string, string>> = {}) => {
      const { target } = driver.parse(urlAddress(bench, text), { ...bench.settings, plugins: { postgresql } })
      assert.ok(target)
      const [candidate] = await driver.connect(target, limits)
      const connection = await candidate?.open(AbortSignal.timeout(3_000))
      await connection?.close()
    }
    await opened(url, fromText)
    await opened(fromFile)
    const none = await opened(url).then(
      () => null,
      (error: unknown) => driver.classify(error, 'open'),
    )
    assert.deepEqual([none?.kind, none?.code], ['auth', '28000'])
    const { problems } = driver.parse(urlAddress(bench, `${url}&sslcert=${folder}/client.crt`), bench.settings)
    assert.deepEqual(
      problems.map(({ code, part }) => [code, part]),
      [['TLS_KEY_PAIR_INCOMPLETE', 'sslcert']],
    )
  })

  test('a certificate file that is not there is found by looking', async () => {
    const text = `${server.url()}?sslmode=verify-full&sslrootcert=/nowhere/ca.crt`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target && driver.inspect)
    const { problems } = await driver.inspect(target)
    assert.deepEqual(
      problems.map(({ code, part }) => [code, part]),
      [['TLS_FILE_UNREADABLE', 'sslrootcert']],
    )
  })

  test('one address of a name is reached at that address, and its certificate must be for the name', async () => {
    const text = server.url(await server.createDatabase()).replace('127.0.0.1', 'localhost')
    const query = `sslmode=verify-full&sslrootcert=${encodeURIComponent(authority)}`
    const { target } = driver.parse(urlAddress(bench, `${text}?${query}`), bench.settings)
    assert.ok(target)
    const [{ port }] = target.hosts
    const codeAt = async (host: string): Promise<string | null> => {
      const candidates = createCandidates({ ...target, hosts: [{ host, port, address: '127.0.0.1' }] }, limits)
      assert.match(candidates[0]?.label ?? '', new RegExp(`${host}:${port} \\(127\\.0\\.0\\.1\\)/`))
      try {
        await (await candidates[0]?.open(AbortSignal.timeout(limits.connectMs)))?.close()
        return null
      } catch (error) {
        return driver.classify(error, 'open').code
      }
    }
    assert.equal(await codeAt('localhost'), null)
    // Resolves nowhere: the address alone leads to the server.
    assert.equal(await codeAt('db.invalid'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  })
})
