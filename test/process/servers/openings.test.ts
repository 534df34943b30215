import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { hostService } from '../../support/hosted.ts'
import { type Certificates, makeCertificate, noOpenssl } from '../../support/servers/certificates.ts'
import { listenWith, refusing } from '../../support/servers/fake-postgres.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf, makeTempDir } from '../../support/temp.ts'

const admin = 'an-admin-token-of-some-length'
const secret = 'S3cr3tS3cr3t'
const fallbackMs = 2_000
/** What a busy machine may add. */
const marginMs = 2_000

const at = (port: number): string => `postgres://me:${secret}@127.0.0.1:${port}/app`

interface Told {
  readonly database: { readonly why: { kind: string; code: string; summary: string; hint: string } }
}

describe('a primary that cannot be opened', { skip: noPostgres || noOpenssl }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let made: Certificates
  let files: { readonly own: string; readonly other: string }
  before(async () => {
    made = await makeCertificate(cleanup)
    server = await startPostgres(cleanup, { tls: made })
    const dir = await makeTempDir(cleanup, 'authority')
    files = { own: join(dir, 'own.crt'), other: join(dir, 'other.crt') }
    await writeFile(files.own, made.authority)
    await writeFile(files.other, (await makeCertificate(cleanup)).authority)
  })

  const secured = (host: string, parameters: string): string =>
    `${server.url().replace('127.0.0.1', host)}?sslmode=verify-full${parameters}`

  const rows: readonly (readonly [string, () => string | Promise<string>, string, RegExp])[] = [
    [
      'has no name in the DNS',
      () => `postgres://me:${secret}@db.invalid/app`,
      'unreachable',
      /^(ENOTFOUND|EAI_AGAIN)$/,
    ],
    ['refuses', () => at(1), 'unreachable', /^ECONNREFUSED$/],
    ['says nothing', async () => at(await listenWith(cleanup, () => {})), 'unreachable', /TIMEOUT/],
    [
      'closes at once',
      async () => at(await listenWith(cleanup, (socket) => socket.end())),
      'unreachable',
      /TERMINATED/,
    ],
    [
      'is a web server',
      async () => at(await listenWith(cleanup, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
      'unreachable',
      /SERVER_MISMATCH/,
    ],
    [
      'is starting up',
      async () => at(await listenWith(cleanup, refusing('57P03', 'the database system is starting up'))),
      'unreachable',
      /^57P03$/,
    ],
    ['shows a certificate that nobody here knows', () => secured('localhost', ''), 'tls', /SELF_SIGNED/],
    [
      'shows a certificate of another authority',
      () => secured('localhost', `&sslrootcert=${encodeURIComponent(files.other)}`),
      'tls',
      /SELF_SIGNED|UNABLE_TO_VERIFY|SIGNATURE/,
    ],
    [
      'shows a certificate of another name',
      () => secured('127.0.0.1', `&sslrootcert=${encodeURIComponent(files.own)}`),
      'tls',
      /ALTNAME/,
    ],
  ]
  for (const [what, address, kind, code] of rows) {
    test(`one that ${what}: the fallback serves within the limit, and it is told why`, async (t) => {
      const service = await hostService(t, {
        env: {
          DATABASE_URL: await address(),
          ADMIN_TOKEN: admin,
          CONNECTION_TIMEOUT: `${fallbackMs}ms`,
          FALLBACK_TIMEOUT: `${fallbackMs}ms`,
          MAX_RETRIES_PRIMARY: '0',
        },
      })
      const since = performance.now()
      const row = await service.send('POST', '/api/feedback', { rating: 5 })
      const tookMs = performance.now() - since
      assert.deepEqual([row.status, row.headers.get('holdfast-store')], [201, 'fallback; driver=sqlite'])
      assert.match(row.headers.get('holdfast-durability') ?? '', /^journal/)
      assert.ok(tookMs < fallbackMs + marginMs, `${tookMs} ms`)
      const answer = await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })
      const { why } = ((await answer.json()) as Told).database // Ours; the next lines check it.
      assert.equal(why.kind, kind, JSON.stringify(why))
      assert.match(why.code, code)
      assert.ok(why.summary.length > 10 && why.hint.length > 10, JSON.stringify(why))
      await service.end()
      assert.ok(!service.output().includes(secret))
    })
  }
})
