import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { ConnectionReport } from '../../src/cli/connect.ts'
import { runCommand } from '../support/hosted.ts'
import { cliEntry, runProcess } from '../support/process.ts'
import { makeCertificate, noOpenssl } from '../support/servers/certificates.ts'
import { type Mariadb, mariadbUser, noMariadb, startMariadb } from '../support/servers/mariadb.ts'
import { startBridge } from '../support/servers/neon-bridge.ts'
import { noPgbouncer, startPgbouncer } from '../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres, superuser } from '../support/servers/postgres.ts'
import { type Cleanup, cleanLater, cleanupOf, type Files, makeTempDir, writeFiles } from '../support/temp.ts'
import { until } from '../support/until.ts'

const notes = { name: 'notes', fields: { text: { type: 'string', maxLength: 20, default: 'a  b' } } }
/** A collection with an index, whose default would suffer from a line break. */
const withNotes: Files = {
  'config/collections/notes.json': JSON.stringify({ ...notes, indexes: [{ fields: ['text'] }] }),
}

async function connect(t: TestContext, url: string, env: Record<string, string> = {}, files: Files = {}) {
  const cwd = await makeTempDir(t, 'connect')
  await writeFiles(cwd, files)
  const given = { DATABASE_URL: url, CONNECTION_TIMEOUT: '5s', ...env }
  const begun = performance.now()
  const { code, stdout, stderr } = await runCommand(['check', '--connect', '--json'], { cwd, env: given })
  const tookMs = performance.now() - begun
  assert.equal(stderr, '')
  for (const secret of [superuser.password, encodeURIComponent(mariadbUser.password), 'hunter2']) {
    assert.ok(!stdout.includes(secret), 'the secret was printed')
  }
  const report = JSON.parse(stdout)
  const connection = report.connection as Omit<ConnectionReport, 'problems'> // What the tests assert.
  const codes: string[] = report.problems.map((problem: { code: string }) => problem.code)
  return { code, connection, codes, tookMs, cwd, stdout }
}

/** Listens on a free port; its connections end with the test. */
async function listen(t: Cleanup, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('holdfast check --connect on a real PostgreSQL', { skip: noPostgres || noOpenssl, concurrency: 2 }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup, { tls: await makeCertificate(cleanup) })
  })

  const tablesOf = async (database: string): Promise<readonly unknown[]> =>
    (await server.query("select tablename from pg_tables where schemaname = 'public'", database)).map(
      ({ tablename }) => tablename,
    )

  test('says what answers, how fast, and what the role may do, and makes nothing', async (t) => {
    const database = await server.createDatabase()
    const { code, connection, stdout } = await connect(t, `${server.url(database)}?sslmode=require`)
    assert.equal(code, 0, stdout)
    const { primary, fallback } = connection
    assert.equal(primary?.outcome, 'reached')
    assert.equal(primary.fault, null)
    const label = `postgresql 127.0.0.1:${server.port}/${database}`
    const [host, ...others] = primary.tried
    assert.deepEqual([host?.label, host?.fault, others, primary.served], [label, null, [], label])
    const { isWritable, timeline, members } = host?.standing ?? {}
    assert.deepEqual({ isWritable, timeline, members }, { isWritable: true, timeline: 1, members: 1 })
    assert.match(String(primary.version), /^\d+/)
    assert.match(String(primary.encryption), /^TLSv1\.[23]$/)
    assert.ok(Number(primary.connectMs) > 0 && Number(primary.roundTripMs) > 0)
    const { pooled, schema, mayMakeTables, mayWriteOwnTables, isReadOnly, ownTables } = primary
    assert.deepEqual(
      { pooled, schema, mayMakeTables, mayWriteOwnTables, isReadOnly, ownTables },
      {
        pooled: false,
        schema: 'public',
        mayMakeTables: true,
        mayWriteOwnTables: null,
        isReadOnly: false,
        ownTables: 'absent',
      },
    )
    assert.equal(fallback?.bytes, null)
    assert.deepEqual(await tablesOf(database), [])
  })

  test('sees our tables where they are, and a connection in clear', async (t) => {
    const database = await server.createDatabase()
    await makeOwnTables(server, database)
    const { code, connection } = await connect(t, `${server.url(database)}?sslmode=disable`)
    assert.equal(code, 0)
    assert.deepEqual([connection.primary?.ownTables, connection.primary?.mayWriteOwnTables], ['ours', true])
    assert.equal(connection.primary?.encryption, 'none')
  })

  test('tells a role without rights what is missing, with the SQL, and ends with 0: it serves', async (t) => {
    const database = await server.createDatabase()
    await server.query("create role limited login password 'hunter2'")
    await server.query('revoke create on schema public from public', database)
    const url = `postgresql://limited:hunter2@127.0.0.1:${server.port}/${database}`
    const { code, connection, codes } = await connect(t, url)
    assert.equal(code, 0)
    assert.equal(connection.primary?.mayMakeTables, false)
    assert.ok(codes.includes('OWN_TABLES_MISSING'))
    await makeOwnTables(server, database)
    const there = await connect(t, url)
    assert.deepEqual(
      [there.connection.primary?.ownTables, there.connection.primary?.mayWriteOwnTables],
      ['absent', false],
    )
  })

  test('ends with 3 and the whole SQL when the role may not create the table of a collection', async (t) => {
    const database = await server.createDatabase()
    await server.query("create role bound login password 'hunter2'")
    await server.query('revoke create on schema public from public', database)
    const url = `postgresql://bound:hunter2@127.0.0.1:${server.port}/${database}`
    const cwd = await makeTempDir(t, 'connect')
    await writeFiles(cwd, withNotes)
    const check = (args: readonly string[] = [], env = {}) =>
      runCommand(['check', '--connect', ...args], { cwd, env: { DATABASE_URL: url, ...env } })
    const missing = await check()
    assert.equal(missing.code, 3, missing.stdout)
    const [, sql = ''] =
      /-> As the owner of the\n? *database, run:\n +(create table "notes".*)\n/.exec(missing.stdout) ?? []
    assert.match(sql, /grant select, insert, update, delete on "notes" to "bound"$/)
    await server.query(sql, database)
    const [there, none] = [await check(), await check(['--json'], { SCHEMA_APPLY: 'none' })]
    assert.deepEqual([there.code, none.code], [0, 0], there.stdout)
    await server.query('revoke update on notes from bound', database)
    const denied = await check(['--json'])
    assert.equal(denied.code, 3, denied.stdout)
    const [problem] = JSON.parse(denied.stdout).problems.filter(({ code }: { code: string }) => code === 'TABLE_DENIED')
    assert.match(problem.suggestion, /run: grant update on "notes" to "bound"$/)
    await server.query('drop table notes', database)
    const allowed = server.url(database)
    assert.equal((await check([], { DATABASE_URL: allowed })).code, 0, 'the service creates it')
    const forbidden = await check(['--json'], { DATABASE_URL: allowed, SCHEMA_APPLY: 'none' })
    assert.equal(forbidden.code, 3, forbidden.stdout)
    assert.deepEqual(await tablesOf(database), [], 'nothing was created')
  })

  test('passes a host over that does not answer, and says so', async (t) => {
    const url = server.url('postgres').replace('@127.0.0.1', '@127.0.0.1:1,127.0.0.1')
    const { code, connection } = await connect(t, url)
    assert.equal(code, 0)
    assert.deepEqual(
      connection.primary?.tried.map(({ fault }) => fault?.code ?? null),
      ['ECONNREFUSED', null],
    )
  })

  const faults: readonly (readonly [string, (url: string) => string, string, string])[] = [
    ['a wrong password', (url) => url.replace(/:[^:@]*@/, ':hunter2@'), 'auth', '28P01'],
    ['a missing database', (url) => url.replace(/\/postgres$/, '/not_there'), 'configuration', '3D000'],
    ['a certificate of somebody else', (url) => `${url}?sslmode=verify-full`, 'tls', 'SELF_SIGNED_CERT_IN_CHAIN'],
    [
      'a database that is read-only',
      (url) => `${url}?options=-c%20default_transaction_read_only%3Don`,
      'read-only',
      'DEFAULT_READ_ONLY',
    ],
  ]
  for (const [what, change, kind, wanted] of faults) {
    test(`tells ${what} with its hint, and ends with 3`, async (t) => {
      const { code, connection } = await connect(t, change(server.url('postgres')))
      assert.equal(code, 3)
      assert.equal(connection.primary?.outcome, 'failed')
      assert.deepEqual([connection.primary?.fault?.kind, connection.primary?.fault?.code], [kind, wanted])
      assert.notEqual(connection.primary?.fault?.hint ?? '', '')
    })
  }

  test('sees a pooler, and advises on it', { skip: noPgbouncer }, async (t) => {
    const pooler = await startPgbouncer(t, server)
    const { code, connection, stdout } = await connect(t, pooler.url('postgres'))
    assert.equal(code, 0, stdout)
    assert.equal(connection.primary?.pooled, true)
    assert.ok(connection.advice.some((text) => /through a pooler/.test(text)))
    assert.ok(!stdout.split('"connection"')[0]?.includes('through a pooler'), 'advice is no problem')
  })

  test('goes over WebSockets for Neon, and says what encrypts them', async (t) => {
    const bridge = await startBridge(t, server)
    const url = server.url('postgres').replace('postgres:', 'neon+https:')
    const { code, connection, stdout } = await connect(t, url, { NEON_WS_PROXY: `ws://127.0.0.1:${bridge.port}/v1` })
    assert.equal(code, 0, stdout)
    assert.deepEqual([connection.primary?.outcome, connection.primary?.encryption], ['reached', 'none'])
    const wrong = await connect(t, url, { NEON_WS_PROXY: 'ws://127.0.0.1:1/v1' })
    assert.equal(wrong.code, 3)
    assert.equal(wrong.connection.primary?.fault?.kind, 'unreachable')
  })

  test('has a person read the same', async (t) => {
    const env = { DATABASE_URL: server.url('postgres') }
    const { code, stdout } = await runProcess(t, { args: [cliEntry, 'check', '--connect'], env })
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^Connection\n {2}primary +connected to postgresql 127\.0\.0\.1:\d+\/postgres in [\d.]+ ms;/m)
    assert.match(stdout, /^ {2}version +\d+/m)
    assert.match(stdout, /^ {2}encryption +TLSv1/m)
    assert.match(stdout, /^ {2}tables +the role may create tables in "public"$/m)
    assert.match(stdout, /^Advice$/m)
    assert.ok(!stdout.includes(encodeURIComponent(superuser.password)) && !stdout.includes(superuser.password))
  })
})

describe('holdfast check --connect on a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  before(async () => {
    server = await startMariadb(cleanup)
  })

  test('says what answers and what the user may do, and makes nothing', async (t) => {
    const database = await server.createDatabase()
    const { code, connection, stdout } = await connect(t, server.url(database))
    assert.equal(code, 0, stdout)
    const { primary } = connection
    const seen = [primary?.outcome, primary?.encryption, primary?.mayMakeTables, primary?.ownTables]
    assert.deepEqual(seen, ['reached', 'none', true, 'absent'])
    assert.match(primary?.version ?? '', /^\d+.*MariaDB/)
    assert.deepEqual(await server.query('show tables', database), [])
  })

  test('tells a user without rights what is missing, and ends with 0: it serves', async (t) => {
    const database = await server.createDatabase()
    await server.query("create user limited identified by 'hunter2'")
    await server.query(`grant select on ${database}.* to limited`)
    const url = `mariadb://limited:hunter2@127.0.0.1:${server.port}/${database}`
    const { code, connection, codes } = await connect(t, url)
    assert.equal(code, 0)
    assert.equal(connection.primary?.mayMakeTables, false)
    assert.ok(codes.includes('OWN_TABLES_MISSING'))
    const lacking = await connect(t, url, {}, withNotes)
    assert.equal(lacking.code, 3, lacking.stdout)
    assert.match(lacking.stdout, /run: create table `notes` .*; grant select, insert, update, delete on `notes`/)
    const other = await connect(t, server.url(database), {}, withNotes)
    assert.equal(other.code, 0, other.stdout)
    assert.deepEqual(await server.query('show tables', database), [])
  })

  test('tells a wrong password, and ends with 3', async (t) => {
    const { code, connection } = await connect(t, server.url().replace(/:[^:@]*@/, ':hunter2@'))
    assert.equal(code, 3)
    assert.deepEqual([connection.primary?.fault?.kind, connection.primary?.fault?.code], ['auth', '1045'])
  })
})

async function makeOwnTables(server: Postgres, database: string): Promise<void> {
  const texts = [
    'create table holdfast_identity (singleton boolean primary key, id uuid, format integer, watermark uuid)',
    "insert into holdfast_identity values (true, '00000000-0000-4000-8000-000000000001', 2)",
    'create table holdfast_attempt (id uuid primary key, made_at timestamptz default now())',
    'create table holdfast_conflict (attempt uuid, entry integer, primary key (attempt, entry))',
    'create table holdfast_request (id uuid primary key, answer text)',
  ]
  for (const text of texts) await server.query(text, database)
}

describe('holdfast check --connect where nothing answers as it should', { concurrency: 2 }, () => {
  test('ends with 3 when nobody listens, and says which ports leave a Space', async (t) => {
    const url = 'postgresql://me:hunter2@127.0.0.1:1/app'
    const { code, connection } = await connect(t, url, { SPACE_ID: 'me/space' })
    assert.equal(code, 3)
    const { fault } = connection.primary ?? {}
    assert.deepEqual([fault?.kind, fault?.code], ['unreachable', 'ECONNREFUSED'])
    assert.match(fault?.hint ?? '', /^Check host, port and firewall\. Spaces document .* 443 and 8080 are blocked/)
  })

  test('is bounded by CONNECTION_TIMEOUT when a server accepts and says nothing', async (t) => {
    // Measured at the server: what a busy machine needs to load the driver is no part of it.
    const lastedMs: number[] = []
    const server = createServer((socket) => {
      const accepted = performance.now()
      socket.resume().on('close', () => lastedMs.push(performance.now() - accepted))
    })
    const port = await listen(t, server)
    const env = { CONNECTION_TIMEOUT: '1s' }
    const { code, connection } = await connect(t, `postgresql://me:hunter2@127.0.0.1:${port}/app`, env)
    assert.equal(code, 3)
    assert.equal(connection.primary?.fault?.kind, 'unreachable')
    await until(() => lastedMs.length > 0, { what: 'the connection to be closed' })
    assert.ok(
      lastedMs.every((ms) => ms < 8_000),
      `${lastedMs} ms`,
    )
  })

  test('tells a web server on the port from a database', async (t) => {
    const port = await listen(
      t,
      createHttpServer((_, res) => res.end('hello')),
    )
    const { code, connection } = await connect(t, `postgresql://me:hunter2@127.0.0.1:${port}/app`)
    assert.equal(code, 3)
    assert.equal(connection.primary?.fault?.kind, 'unreachable')
  })

  test('ends with 2 when an address is not used, and tries nothing', async (t) => {
    const { code, connection } = await connect(t, 'postgresql://me:hunter2@127.0.0.1:99999/app')
    assert.equal(code, 2)
    assert.equal(connection.primary, null)
  })

  test('does not open a file, which another process may be using', async (t) => {
    const { code, connection } = await connect(t, 'sqlite:///./x.db')
    assert.equal(code, 0)
    assert.equal(connection.primary?.outcome, 'not-tried')
  })

  test('is no option of other commands', async (t) => {
    const { code, stderr } = await runProcess(t, { args: [cliEntry, 'config', '--connect'] })
    assert.equal(code, 1)
    assert.match(stderr, /"config" has no option "--connect"/)
  })
})
