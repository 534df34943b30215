import assert from 'node:assert/strict'
import { chown, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCommand } from '../../support/hosted.ts'
import { cliEntry, isRoot, runProcess, startService } from '../../support/process.ts'
import { makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf, makeTempDir, writeFiles } from '../../support/temp.ts'

const check = ['check', '--connect', '--json']

describe('certificates in settings', { skip: noPostgres || noOpenssl, concurrency: 2 }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let authority = ''
  let address = ''
  before(async () => {
    const made = await makeCertificate(cleanup)
    authority = made.authority
    server = await startPostgres(cleanup, { tls: { certificate: made.certificate, key: made.key } })
    address = server.url(await server.createDatabase())
  })

  test('PEM text reaches the server with its line breaks, however a variable or a file holds it', async (t) => {
    const ways: readonly (readonly [string, Record<string, string>])[] = [
      ['as it is', { POSTGRESQL_SSL_ROOT_CERT: authority }],
      ['with \\n', { POSTGRESQL_SSL_ROOT_CERT: authority.replaceAll('\n', '\\n') }],
      ['on one line, in quotes', { POSTGRESQL_SSL_ROOT_CERT: `"${authority.trim().replaceAll('\n', ' ')}"` }],
      ['in a file', { POSTGRESQL_SSL_ROOT_CERT_FILE: 'ca' }],
      ['in the settings', { CONFIG_FILE: 'own.json' }],
    ]
    const own = JSON.stringify({ plugins: { postgresql: { sslRootCert: authority } } })
    const cwd = await makeTempDir(t, 'pem')
    for (const [how, env] of ways) {
      const files = { ca: authority, 'own.json': own }
      const given = { DATABASE_URL: address, ...env }
      await writeFiles(cwd, files)
      // The first by a process, which is what users start.
      const { code, stdout } =
        how === 'as it is'
          ? await runProcess(t, { cwd, args: [cliEntry, ...check], env: given })
          : await runCommand(check, { cwd, env: given })
      const { connection, primary } = JSON.parse(stdout)
      assert.deepEqual([code, primary?.tls, connection.primary?.outcome], [0, 'require', 'reached'], how)
      assert.match(connection.primary.encryption, /^TLS/, how)
    }
  })

  test('what is wrong with a certificate, or its name, never ends in a connection without it', async (t) => {
    const wrong: readonly Record<string, string>[] = [
      { POSTGRESQL_SSL_ROOT_CERT: authority.slice(0, 80) },
      { POSTGRESQL_SSL_ROOT_CERT_FILE: 'none.pem' },
      { POSTGRESQL_SSL_ROOTCERT: authority },
      { POSTGRESQL_SSL_KEY: 'a\u0001b' },
      { DATABASE_URL: `${address}?sslcrl=/x.pem` },
      { DATABASE_URL: `${address}?ssl_min_protocol_version=newest` },
    ]
    const cwd = await makeTempDir(t, 'pem')
    for (const env of wrong) {
      const { code, stdout } = await runCommand(check, { cwd, env: { DATABASE_URL: address, ...env } })
      const { connection, primary } = JSON.parse(stdout)
      assert.deepEqual([code, primary, connection.primary], [2, null, null], Object.keys(env).join())
      assert.match(stdout, /ADDRESS_TLS_INVALID/)
    }
  })
})

test('a temporary folder of another user is used for nothing: neither the token nor the database', {
  skip: !isRoot && 'only root can give a folder to another user',
}, async (t) => {
  const dir = await makeTempDir(t, 'temporary')
  const theirs = join(dir, 'holdfast-0')
  await mkdir(theirs, { mode: 0o777 })
  await chown(theirs, 4_321, 4_321)
  const env = { TMPDIR: dir, DATA_DIR: '/proc/nowhere', ADMIN_TOKEN: undefined }
  const service = await startService(t, { env, files: { data: 'a file' } })
  const answer = await service.send('POST', '/api/feedback', { rating: 5 })
  assert.equal(answer.status, 503)
  await service.end()
  assert.deepEqual(await readdir(theirs), [])
  assert.match(service.output(), /holdfast-0 belongs to another user/)
})
