import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createCandidates } from '../../../plugins/mysql/candidate.ts'
import driver from '../../../plugins/mysql/mysql.ts'
import { type Bench, createBench, limits, openStore, urlAddress } from '../../../src/conformance/bench.ts'
import type { Candidate } from '../../../src/driver/driver.ts'
import { type Certificates, makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'

/** MariaDB sends its authority along. */
const unsigned = 'SELF_SIGNED_CERT_IN_CHAIN'

describe('TLS of a real MariaDB', { skip: noMariadb || noOpenssl }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  let made: Certificates
  let stranger = ''
  let file = ''
  before(async () => {
    made = await makeCertificate(cleanup)
    stranger = (await makeCertificate(cleanup)).authority
    server = await startMariadb(cleanup, { tls: made })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
    file = join(await makeTempDir(cleanup, 'authority'), 'ca.crt')
    await writeFile(file, made.authority)
  })

  /** What the server says of the pool's own connections. */
  async function statusWith(name: string, query: string, host = '127.0.0.1'): Promise<string> {
    const text = `${server.url(await server.createDatabase()).replace('127.0.0.1', host)}?${query}`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target)
    await using store = await openStore(bench, { target })
    const [found] = await store.orm.em.fork().execute(`show session status like '${name}'`)
    return (found as { Value: string }).Value // As MariaDB names the columns of SHOW.
  }

  /** Whether the pool's own connections are encrypted, or the code of the fault. */
  async function outcome(query: string, host: string): Promise<boolean | string> {
    try {
      return (await statusWith('Ssl_cipher', query, host)) !== ''
    } catch (error) {
      const fault = driver.classify(error, 'open')
      assert.equal(fault.kind, 'tls', `${query}: ${fault.code}`)
      return fault.code
    }
  }

  test('each mode does what it says, and the words of other clients the same', async () => {
    const [right, wrong] = [encodeURIComponent(made.authority), encodeURIComponent(stranger)]
    const cases: readonly (readonly [string, string, boolean | string])[] = [
      ['', '127.0.0.1', true],
      ['ssl-mode=DISABLED', '127.0.0.1', false],
      ['ssl-mode=PREFERRED', '127.0.0.1', true],
      ['ssl-mode=REQUIRED', '127.0.0.1', true],
      ['useSSL=true', '127.0.0.1', true],
      // Without an authority those count that Node knows, and the name is checked.
      ['ssl-mode=VERIFY_CA', 'localhost', unsigned],
      ['tls=true', 'localhost', unsigned],
      ['ssl-ca=system', 'localhost', unsigned],
      // An authority is a wish to know who answers, also where no mode says so.
      [`ssl-ca=${right}`, '127.0.0.1', true],
      [`ssl-ca=${wrong}`, '127.0.0.1', unsigned],
      [`ssl-mode=PREFERRED&ssl-ca=${wrong}`, '127.0.0.1', unsigned],
      [`ssl-mode=VERIFY_CA&ssl-ca=${right}`, '127.0.0.1', true],
      [`ssl-mode=REQUIRED&ssl-ca=${encodeURIComponent(file)}`, '127.0.0.1', true],
      [`ssl-mode=REQUIRED&ssl-ca=${wrong}`, '127.0.0.1', unsigned],
      [`ssl-mode=VERIFY_IDENTITY&ssl-ca=${right}`, 'localhost', true],
      // mysql2 itself compares the name with "localhost" where it was given a number.
      [`ssl-mode=VERIFY_IDENTITY&ssl-ca=${right}`, '127.0.0.1', 'ERR_TLS_CERT_ALTNAME_INVALID'],
      [`sslmode=verify-full&sslrootcert=${right}`, '127.0.0.1', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ]
    for (const [query, host, wanted] of cases) assert.equal(await outcome(query, host), wanted, query.slice(0, 60))
  })

  test('the connection has the versions and ciphers that the address asks for', async () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ['Ssl_version', 'tls-version=TLSv1.2', /^TLSv1.2$/],
      ['Ssl_version', 'enabledTLSProtocols=TLSv1.3', /^TLSv1.3$/],
      ['Ssl_cipher', 'tls-ciphersuites=TLS_CHACHA20_POLY1305_SHA256', /^TLS_CHACHA20_POLY1305_SHA256$/],
      ['Ssl_cipher', 'tls-version=TLSv1.2&ssl-cipher=ECDHE-ECDSA-AES128-GCM-SHA256', /^ECDHE-ECDSA-AES128-GCM-SHA256$/],
      ['Ssl_version', 'ssl-cipher=ECDHE-ECDSA-AES128-GCM-SHA256', /^TLSv1.3$/],
      ['Ssl_version', 'enabledSslCipherSuites=ECDHE-ECDSA-AES128-GCM-SHA256', /^TLSv1.2$/],
    ]
    for (const [name, query, wanted] of cases) assert.match(await statusWith(name, query), wanted, query)
  })

  test('a certificate of the client is shown, from a file or the text of a variable', async (t) => {
    const folder = await makeTempDir(t, 'client')
    await writeFile(join(folder, 'client.crt'), made.client.certificate)
    await writeFile(join(folder, 'client.key'), made.client.key)
    await server.query("create user shown@'%' require x509")
    await server.query("grant all on test_home.* to shown@'%'")
    const url = server.url().replace(/\/\/[^@]*@/, '//shown@')
    const opened = async (text: string, mysql: Readonly<Record<string, string>> = {}) => {
      const { target } = driver.parse(urlAddress(bench, text), { ...bench.settings, plugins: { mysql } })
      assert.ok(target)
      const [candidate] = await driver.connect(target, limits)
      return await candidate?.open(AbortSignal.timeout(3_000)).then(
        async (connection) => {
          await connection.close()
          return null
        },
        (error: unknown) => driver.classify(error, 'open').code,
      )
    }
    const fromText = { sslCert: made.client.certificate, sslKey: made.client.key.replaceAll('\n', '\\n') }
    assert.equal(await opened(`${url}?ssl-mode=REQUIRED`, fromText), null)
    assert.equal(
      await opened(`${url}?ssl-mode=REQUIRED&ssl-cert=${folder}/client.crt&ssl-key=${folder}/client.key`),
      null,
    )
    assert.equal(await opened(`${url}?ssl-mode=REQUIRED`), '1045')
  })

  test('a server that takes encrypted connections only refuses others as it refuses a user, and the hint says so', async (t) => {
    await server.query('set global require_secure_transport = on')
    t.after(() => server.query('set global require_secure_transport = off'))
    const { target } = driver.parse(urlAddress(bench, `${server.url()}?ssl-mode=DISABLED`), bench.settings)
    assert.ok(target)
    const [candidate] = await driver.connect(target, limits)
    const fault = await candidate?.open(AbortSignal.timeout(3_000)).then(
      () => null,
      (error: unknown) => driver.classify(error, 'open'),
    )
    assert.deepEqual([fault?.kind, fault?.code], ['auth', '1045'])
    assert.match(fault?.hint ?? '', /ssl-mode=DISABLED/)
    assert.equal(await outcome('ssl-mode=REQUIRED', '127.0.0.1'), true)
  })

  test('looking tells how the connection is encrypted and what the user may do, and makes nothing', async () => {
    const database = await server.createDatabase()
    const { target } = driver.parse(urlAddress(bench, server.url(database)), bench.settings)
    assert.ok(target)
    const [candidate] = await driver.connect(target, limits)
    const connection = await candidate?.open(AbortSignal.timeout(3_000))
    assert.ok(connection)
    const facts = await connection.verify({ role: 'primary', proof: 'look' }, AbortSignal.timeout(3_000))
    await connection.close()
    const { encryption, mayMakeTables, mayWriteOwnTables } = facts.insight ?? {}
    assert.match(encryption ?? '', /^TLSv1/)
    assert.deepEqual([facts.ownTables, mayMakeTables, mayWriteOwnTables], ['absent', true, null])
    assert.deepEqual(await server.query('show tables', database), [])
  })

  test('a certificate file that is not there is found by looking', async () => {
    const text = `${server.url()}?ssl-mode=VERIFY_IDENTITY&ssl-ca=/nowhere/ca.crt`
    const { target } = driver.parse(urlAddress(bench, text), bench.settings)
    assert.ok(target && driver.inspect)
    const { problems } = await driver.inspect(target)
    assert.deepEqual(
      problems.map(({ code, part }) => [code, part]),
      [['TLS_FILE_UNREADABLE', 'ssl-ca']],
    )
  })

  test('one address of a name is reached at that address, and its certificate must be for the name', async () => {
    const text = server.url(await server.createDatabase()).replace('127.0.0.1', 'localhost')
    const query = `ssl-mode=VERIFY_IDENTITY&ssl-ca=${encodeURIComponent(made.authority)}`
    const { target } = driver.parse(urlAddress(bench, `${text}?${query}`), bench.settings)
    assert.ok(target)
    const [{ port }] = target.hosts
    for (const [host, code] of [
      ['localhost', null],
      // Resolves nowhere: the address alone leads to the server.
      ['db.invalid', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ] as const) {
      const [candidate]: readonly Candidate[] = createCandidates(
        { ...target, hosts: [{ host, port, address: '127.0.0.1' }] },
        limits,
      )
      const opening =
        candidate?.open(AbortSignal.timeout(limits.connectMs)) ?? Promise.reject(new Error('No candidate.'))
      const found = await opening.then(
        (connection) => connection.close().then(() => null),
        (error: unknown) => driver.classify(error, 'open').code,
      )
      assert.equal(found, code)
    }
  })
})
